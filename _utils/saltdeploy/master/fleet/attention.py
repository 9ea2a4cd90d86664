"""Reads the bus, and knows for how long it was listened to.

A host is silent only while somebody listens. A process that the machine keeps from running hears nothing, and what hosts
said meanwhile stands in the queue: such a time counts as one moment, however long it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saltdeploy.master.context import Bus

#: Seconds without a sign of life after which a host is asked what became of its stage, and again when that is not
#: answered, and given up when that is not either.
PATIENCE = 5.0
QUESTIONS = 2
_AT_ONCE = (
    1000  # messages that are taken in one go; a flood of them must not keep the deploy from its other work
)
_MOST = 1.0  # seconds that one turn counts for, however long it took


class Attention:
    """How one process listens to the bus.

    Attributes:
        seconds: for how long it has listened.
    """

    def __init__(self, bus: Bus) -> None:
        self.seconds = 0.0
        self._bus = bus
        self._last = bus.elapsed()

    def messages(self, wait: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """What comes within ``wait`` seconds, and all that stands in the queue behind it: one turn."""
        try:
            for count in range(_AT_ONCE):
                message = self._bus.next(0 if count else wait)
                if message is None:
                    return
                yield message
        finally:
            now = self._bus.elapsed()
            self.seconds += min(now - self._last, max(wait, _MOST))
            self._last = now


def job_and_host(tag: str) -> tuple[str, str] | None:
    """Which job a host answered, and its name; None where this is no answer."""
    match tag.split("/"):
        case ["salt", "job", job, "ret", host]:
            return job, host
    return None
