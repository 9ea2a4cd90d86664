"""Figures are rounded for people, tables are Markdown, verdicts say by how much."""

import pytest

from bench import report, tables
from bench.results import Results


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0.123, "0.12"), (1.5, "1.50"), (12.34, "12.3"), (123.4, "123")]
)
def test_seconds_have_the_digits_that_count(value, shown):
    assert tables.seconds(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "–"), (999, "999 B"), (2300, "2.3 KB"), (213_400_000, "213 MB"), (1.41e9, "1.4 GB")],
)
def test_sizes_are_decimal(count, shown):
    assert tables.size(count) == shown


def test_a_ratio_without_a_base_is_not_known():
    assert tables.ratio(1.0, None) == tables.ratio(None, 1.0) == tables.ratio(1.0, 0.0) == "–"


def test_a_table_has_its_first_column_to_the_left():
    assert tables.table(("a", "b"), [("x", "1")]) == "| a | b |\n|---|---:|\n| x | 1 |\n"


def cells(**took: float) -> dict:
    return {case: {"seconds": seconds} for case, seconds in took.items()}


def test_ours_is_judged_by_how_a_peer_works():
    measured = {"deploy": cells(small=1.0), "hardlinks": cells(small=19.0), "rsync": cells(small=3.0)}
    verdicts = list(report.judge(measured, None))
    assert "MISSED: small change 19.00 × as fast as hardlinks (20 wanted)" in verdicts
    assert "met: small change 3.00 × as fast as rsync (2 wanted)" in verdicts


def test_a_cell_in_which_any_peer_is_faster_is_missed():
    measured = {"deploy": cells(small=1.0, first=10.0), "rsync": cells(small=1.0, first=8.0)}
    assert "MISSED: first takes 1.25 × what the fastest peer takes (rsync)" in report.judge(measured, None)


def test_our_other_transports_are_no_peers():
    measured = {"deploy": cells(small=2.0), "deploy:tar": cells(small=1.0)}
    assert not any("deploy:tar" in line for line in report.judge(measured, None))


def test_a_rollback_is_judged_in_rounds_of_pings():
    measured = {"deploy": cells(small=1.0, rollback=4.0)}
    verdicts = list(report.judge(measured, {"seconds": 1.0}))
    assert "MISSED: rollback takes 4.0 rounds of test.ping (below 3 wanted)" in verdicts


def test_nothing_is_judged_before_ours_has_been_measured():
    assert list(report.judge({"rsync": cells(small=1.0)}, None)) == [
        "not judged: this project has not been measured"
    ]


def test_a_cell_is_found_again_by_a_later_run(tmp_path):
    Results(tmp_path).put({"seconds": 1.5}, "deploy:tar", "small")
    later = Results(tmp_path)
    assert later.has("deploy:tar", "small") and not later.has("deploy:tar", "large")
    assert later.get("deploy:tar", "small")["seconds"] == 1.5
