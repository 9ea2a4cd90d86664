"""A cap on what comes per second, and a floor; time is the test's."""

from __future__ import annotations

import multiprocessing
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.rate_limit import Limits, Pace, Shared, TooSlow

_FORK = multiprocessing.get_context("fork")


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


def test_transfers_of_a_host_share_its_cap(clock: Clock, tmp_path: Path) -> None:
    """Whoever sleeps lets the others sleep as well here, so the whole takes as long as the cap says, within a tenth."""
    limits = Limits(rate=100_000, shared=tmp_path / "booked")
    transfers = [Pace(limits, clock, clock.sleep) for _ in range(3)]
    begin = clock.now
    for _ in range(40):
        for transfer in transfers:
            transfer.took(50_000)
    assert 54 < clock.now - begin < 66


def test_who_waits_for_the_others_of_its_host_has_no_slow_server(clock: Clock, tmp_path: Path) -> None:
    limits = Limits(rate=100_000, shared=tmp_path / "booked")
    pace = Pace(limits, clock, clock.sleep)
    for _ in range(50):
        for _ in range(19):  # so many others each take a piece before it is our turn again
            Shared(tmp_path / "booked").book(clock.now, limits.piece / limits.rate)
        pace.took(limits.piece)
    assert clock.now - 1000 > 200


@pytest.mark.parametrize("left", [b"", b"torn", struct.pack("<d", 1e12), struct.pack("<d", float("nan"))])
def test_what_was_left_by_one_who_was_killed_or_by_another_boot_stops_nobody(
    clock: Clock, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "booked").write_bytes(left)
    begin = clock.now
    pace = Pace(Limits(rate=100_000, shared=tmp_path / "booked"), clock, clock.sleep)
    for _ in range(10):
        pace.took(100_000)
    assert 9 < clock.now - begin < 11


def test_where_nothing_can_be_written_a_transfer_keeps_its_own_cap(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    begin = clock.now
    pace = Pace(Limits(rate=100_000, shared=tmp_path / "file" / "booked"), clock, clock.sleep)
    for _ in range(10):
        pace.took(100_000)
    assert 9 < clock.now - begin < 11


def _take(shared: Path, pieces: int, gate: Any) -> None:
    limits = Limits(rate=400_000, shared=shared)
    pace = Pace(limits)
    gate.wait(60)
    for _ in range(pieces):
        pace.took(limits.piece)


def test_processes_of_a_host_share_its_cap(tmp_path: Path) -> None:
    """By the real clock: however busy the machine is, together they never take more than the cap, and a tenth."""
    gate = _FORK.Barrier(4)
    those = [_FORK.Process(target=_take, args=(tmp_path / "booked", 4, gate), daemon=True) for _ in range(3)]
    for process in those:
        process.start()
    gate.wait(60)
    begin = time.monotonic()
    for process in those:
        process.join(60)
    taken = 3 * 4 * Limits(rate=400_000).piece
    assert [process.exitcode for process in those] == [0, 0, 0]
    assert taken / (time.monotonic() - begin) < 440_000
