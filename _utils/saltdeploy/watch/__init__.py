"""Reads the events of a deploy and shows them; changes nothing and decides nothing.

Start at ``terminal.py``. What a watcher prints may come from any host, so it passes through ``text.py``; what
all renderers show is counted once, in ``state.py``.
"""

from __future__ import annotations

from typing import Protocol

from saltdeploy.protocol import events


class Watcher(Protocol):
    """Somebody who reads the events of one deploy. None of its methods may raise: the deploy goes on without it."""

    def hear(self, event: events.Event) -> None:
        """Take in one event."""

    def tick(self, now: float) -> None:
        """Time has passed: ``now`` is in seconds since the epoch. Called a few times a second."""

    def close(self) -> None:
        """There will be no more events. Leaves the terminal as it was found."""
