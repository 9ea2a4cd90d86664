"""A cap on what comes per second, and a floor; time is the test's."""

from __future__ import annotations

import pytest
from saltdeploy.carriers.pace import Limits, Pace, TooSlow


class Clock:
    """A clock on which whoever sleeps finds that time has passed."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("piece", [1000, 40_000, 300_000])
def test_a_cap_holds_over_any_length_of_time(clock: Clock, piece: int) -> None:
    """Whatever the size of pieces, the whole takes as long as the cap says, within a tenth."""
    pace = Pace(Limits(rate=100_000), clock, clock.sleep)
    begin = clock.now
    for _ in range(6_000_000 // piece):
        pace.took(piece)
    assert 54 < clock.now - begin < 66


def test_time_in_which_nothing_came_cannot_be_made_good_at_once(clock: Clock) -> None:
    pace = Pace(Limits(rate=100_000, least=0), clock, clock.sleep)
    clock.now += 60
    begin = clock.now
    pace.took(1_000_000)
    assert clock.now - begin > 9


def test_whoever_sends_less_than_the_floor_is_too_slow(clock: Clock) -> None:
    pace = Pace(Limits(least=1000, window=10), clock, clock.sleep)
    with pytest.raises(TooSlow, match="bytes in 10 seconds"):
        for _ in range(20):
            clock.now += 1
            pace.took(999)


def test_a_pause_is_forgiven_where_the_whole_is_fast_enough(clock: Clock) -> None:
    pace = Pace(Limits(least=1000, window=10), clock, clock.sleep)
    for _ in range(30):
        clock.now += 4
        pace.took(0)
        clock.now += 1
        pace.took(5001)


def test_who_was_fast_once_may_not_be_slow_for_ever(clock: Clock) -> None:
    pace = Pace(Limits(least=1000, window=10), clock, clock.sleep)
    pace.took(1 << 40)
    clock.now += 10
    pace.took(0)
    clock.now += 10
    with pytest.raises(TooSlow):
        pace.took(1)


def test_a_cap_below_the_floor_is_not_taken_for_a_slow_server(clock: Clock) -> None:
    limits = Limits(rate=2048)
    pace = Pace(limits, clock, clock.sleep)
    for _ in range(100):
        pace.took(limits.piece)
