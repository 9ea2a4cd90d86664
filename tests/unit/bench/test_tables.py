"""Figures are rounded for people, tables are Markdown, cells are kept."""

import pytest

from bench import tables
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


def test_a_cell_is_found_again_by_a_later_run(tmp_path):
    Results(tmp_path).put({"seconds": 1.5}, "deploy:tar", "small")
    later = Results(tmp_path)
    assert later.has("deploy:tar", "small") and not later.has("deploy:tar", "large")
    assert later.get("deploy:tar", "small")["seconds"] == 1.5
