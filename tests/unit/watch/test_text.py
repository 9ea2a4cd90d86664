"""Words and numbers for people's eyes."""

from __future__ import annotations

import pytest
from hypothesis import given
from saltdeploy.lib.text import size
from saltdeploy.watch import text

from tests.unit.watch import hostile


def test_a_hostile_text_loses_its_power_over_the_terminal() -> None:
    assert text.clean(hostile.TEXT) == "fine CONVERGED 10/10???"


def test_a_text_of_many_lines_becomes_one() -> None:
    assert text.clean("fatal: bad object\n\thint: try again\r\n") == "fatal: bad object hint: try again"


def test_a_long_text_is_cut_off_where_it_can_be_seen() -> None:
    assert text.clean("x" * 100, 10) == "xxxxxxx..."
    assert len(text.clean("x" * 10_000_000, 500)) == 500


@pytest.mark.parametrize("value", [None, [], {}, b"bytes", object(), 10**400, float("nan"), float("inf")])
def test_what_is_neither_text_nor_a_number_is_nothing(value: object) -> None:
    assert text.clean(value) == ""
    assert text.count(value) == 0
    assert text.moment(value) is None


@given(hostile.JSON)
def test_whatever_is_cleaned_is_one_printable_line(value: object) -> None:
    assert hostile.controls(text.clean(value)) == set()
    assert "\n" not in text.clean(value)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 KB"),
        (2_345_678, "2.3 MB"),
        (85_000_000, "85.0 MB"),
        (999_949, "1.0 MB"),
        (123_456_789, "123 MB"),
        (10**15, "1000 TB"),
    ],
)
def test_bytes_are_told_in_decimal_units(number: int, shown: str) -> None:
    assert size(number) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(-1, "00:00"), (31.9, "00:31"), (3_631, "1:00:31")])
def test_durations_are_told_as_on_a_stopwatch(seconds: float, shown: str) -> None:
    assert text.clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7_200, "2 h ago"), (3e5, "3 d ago")],
)
def test_ages_are_told_in_one_unit(seconds: float, shown: str) -> None:
    assert text.ago(seconds) == shown


def test_hosts_are_sorted_by_their_numbers() -> None:
    names = ["web10", "db1", "web2", "web", "10.0.0.9", "10.0.0.10"]
    assert sorted(names, key=text.natural) == ["10.0.0.9", "10.0.0.10", "db1", "web", "web2", "web10"]
