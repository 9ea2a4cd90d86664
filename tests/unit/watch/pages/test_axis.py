"""A time axis that cuts long gaps short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.watch.pages.axis import TimeAxis

MOMENTS = st.floats(0, 1e6)
SPANS = st.lists(st.tuples(MOMENTS, MOMENTS).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=8)


@given(SPANS, MOMENTS, MOMENTS)
def test_later_is_never_further_left(spans: list[tuple[float, float]], one: float, other: float) -> None:
    axis = TimeAxis(spans)
    assert 0 <= axis.place(min(one, other)) <= axis.place(max(one, other)) <= 1


@given(SPANS)
def test_it_begins_with_the_first_and_ends_with_the_last(spans: list[tuple[float, float]]) -> None:
    axis = TimeAxis(spans)
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    assert axis.place(first) == 0
    assert axis.place(last) == pytest.approx(1) or first == last


def test_an_hour_of_waiting_takes_a_twentieth_of_the_work() -> None:
    axis = TimeAxis([(0, 10), (3610, 3620)])
    assert axis.place(3610) - axis.place(10) == pytest.approx(1 / 21)
    assert axis.cuts() == [(pytest.approx(10 / 21), 3600)]


def test_what_overlaps_leaves_no_gap() -> None:
    assert TimeAxis([(0, 10), (5, 20), (20, 30)]).cuts() == []


def test_of_nothing_everything_is_at_the_begin() -> None:
    assert TimeAxis([]).place(5.0) == 0
