"""A crowd of several processes is told of as one."""

import pytest

from bench import crowd


@pytest.mark.parametrize(("size", "sizes"), [(1, [1]), (2_500, [2_500]), (2_501, [1_251, 1_250])])
def test_every_host_is_in_one_process_and_none_has_too_many(size, sizes):
    hosts = [str(number) for number in range(size)]
    found = crowd.parts(hosts)
    assert [len(part) for part in found] == sizes
    assert sorted(host for part in found for host in part) == sorted(hosts)


def test_counts_add_up_but_a_job_that_all_have_heard_is_one():
    one = {"jobs": 3, "asked": 7, "sent _return": 7, "slowest": 0.5}
    other = {"jobs": 2, "asked": 5, "sent _return": 4, "late _return": 1, "slowest": 1.5}
    told = crowd.together([one, other])
    assert told == {"jobs": 3, "asked": 12, "sent _return": 11, "late _return": 1, "slowest": 1.5}


def test_all_are_asked_at_once_in_small_fleets_only():
    assert crowd.cases(3_000)["all"] == {"repo": {"batch": 3_000, "fetch_batch": 3_000}}
    assert "all" not in crowd.cases(10_000)
