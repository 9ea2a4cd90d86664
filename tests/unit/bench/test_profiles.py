"""Folded stacks become a list of what took most."""

from bench import profiles

FOLDED = """process 1:"x";main (app.py:3);run (saltdeploy/disk.py:10);write (saltdeploy/disk.py:20) 6
process 1:"x";main (app.py:3);run (saltdeploy/disk.py:11) 2
process 1:"x";main (app.py:3);EpollSelector.select (selectors.py:468) 90
"""


def test_a_function_counts_with_what_it_calls():
    assert "| run (saltdeploy/disk.py) | 100 % |" in profiles.top(FOLDED)


def test_a_function_counts_by_itself():
    assert "| write (saltdeploy/disk.py) | 75 % |" in profiles.top(FOLDED)


def test_waiting_is_not_work():
    assert "select" not in profiles.top(FOLDED)


def test_a_profile_without_work_says_so():
    assert profiles.top("") == "nothing was seen on a processor\n"
