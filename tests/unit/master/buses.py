"""A bus for tests of the master: what hosts answer lies ready, and whoever waits in vain lets the time pass."""

from __future__ import annotations

from typing import Any

from tests.unit.master.masters import NOON


class Quiet:
    """Answers come in the order in which they were given; nothing may be told to anybody.

    Attributes:
        messages: what is still to come, as tag and data.
        clock: seconds since the epoch.
    """

    def __init__(self, clock: float = NOON) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.clock = clock

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        if self.messages:
            return self.messages.pop(0)
        self.clock += wait
        return None

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        raise AssertionError("nothing is to be told")

    def now(self) -> float:
        return self.clock

    def elapsed(self) -> float:
        return self.clock
