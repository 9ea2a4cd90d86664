"""Tells the master how far a stage is: at most two events a second, and what comes between is dropped.

Events queue in front of the host's own answer on Salt's bus, so more of them would delay it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saltdeploy.protocol import events
from saltdeploy.protocol.orders import Order

_INTERVAL = 0.5  # seconds


class Reporter:
    """A :data:`saltdeploy.git.repository.Progress` that sends events.

    Args:
        send: sends an event to the master: ``send(tag, data)``.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        order: Order,
        host: str,
        send: Callable[[str, dict[str, Any]], object],
        clock: Callable[[], float],
    ) -> None:
        self._order = order
        self._host = host
        self._send = send
        self._clock = clock
        self._sent = 0.0

    def __call__(self, phase: str, done: int, total: int, unit: str, step: str = "") -> None:
        """Send, unless something was sent within the last half second; ``step`` is what is run just now."""
        now = self._clock()
        if 0 <= now - self._sent < _INTERVAL:  # a clock that was put back shall not silence us
            return
        self._sent = now
        event = events.host_progress(
            self._order.deploy,
            self._order.release.repo,
            now,
            host=self._host,
            stage=self._order.stage,
            phase=phase,
            done=done,
            total=total,
            unit=unit,
            step=step,
        )
        self._send(events.tag_of(event), event)
