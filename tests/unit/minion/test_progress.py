"""A host tells how far it is, and not too often."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.minion.progress import Reporter
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def report(clock: Clock, sent: list[tuple[str, dict[str, Any]]]) -> Reporter:
    order = Order("1" * 20, 1, FETCH, Release("demo", "v1", "1" * 40))
    return Reporter(order, "web1", lambda tag, data: sent.append((tag, data)), clock)


def test_an_event_says_who_and_how_far(report: Reporter, sent: list[tuple[str, dict[str, Any]]]) -> None:
    report("receive", 50, 200, "bytes")
    ((tag, event),) = sent
    assert tag == f"deploy/{'1' * 20}/host_progress/web1"
    wanted = {"host": "web1", "stage": FETCH, "phase": "receive", "done": 50, "total": 200, "percent": 25}
    assert wanted.items() <= event.items()


def test_there_are_at_most_two_events_a_second(
    report: Reporter, clock: Clock, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    for n in range(1000):
        report("receive" if n % 7 else "unpack", n, 1000, "objects")
        clock.now += 0.01
    assert len(sent) == 20
    assert sent[-1][1]["done"] >= 950


def test_a_clock_that_is_put_back_does_not_silence_it(
    report: Reporter, clock: Clock, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    report("write", 1, 10, "files")
    clock.now -= 3600
    report("write", 2, 10, "files")
    assert len(sent) == 2
