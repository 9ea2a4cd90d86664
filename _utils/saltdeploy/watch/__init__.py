"""Reads the events of a deploy and shows them; changes nothing and decides nothing.

Start at ``terminal.py``. What a watcher prints may come from any host, so it passes through ``text.py``; what
all renderers show is counted once, in ``state.py``. A watcher knows its settings (``settings.py``) and the events
that :func:`follow` tells it, whether they come from a deploy that runs or from the journal of one that has ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from saltdeploy.protocol import events

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Somebody who reads the events of one deploy. None of its methods may raise: the deploy goes on without it."""

    def hear(self, event: events.Event) -> None:
        """Take in one event."""

    def tick(self, now: float) -> None:
        """Time has passed: ``now`` is in seconds since the epoch. Called a few times a second."""

    def close(self) -> None:
        """There will be no more events. Leaves the terminal as it was found."""


def follow(
    told: Iterable[events.Event | None],
    watchers: Iterable[Watcher],
    *,
    clock: Callable[[], float] = time.time,
    enough: Callable[[events.Event], bool] = lambda event: False,
) -> events.Event:
    """Tell watchers of deploys, to the end or as long as somebody wants to see them. Closes none of them.

    Args:
        told: the events, as a queue, :func:`saltdeploy.protocol.journal.replay` or
            :func:`saltdeploy.protocol.journal.follow` gives them; None where there is nothing new. What stands in
            journals only is passed over: watchers of a deploy that runs do not hear it either.
        watchers: one that fails, though none may, is left out from there on.
        clock: seconds since the epoch, for the ticks.
        enough: asked after each event, and with ``{}`` after each None; True to follow no longer.

    Returns:
        The last event; ``{}`` when there was none.

    Example:
        >>> follow(journal.replay(path), [metrics])
    """
    listening, last = list(watchers), events.Event()
    for event in told:
        if event is None or event["event"] not in events.JOURNAL_ONLY:
            listening = [watcher for watcher in listening if _has_taken(watcher, event, clock)]
        last = event or last
        if enough(event or {}):
            break
    return last


def _has_taken(watcher: Watcher, event: events.Event | None, clock: Callable[[], float]) -> bool:
    try:
        watcher.tick(clock()) if event is None else watcher.hear(event)
    except Exception:  # whatever it is, the others see the deploy to its end
        log.exception("a watcher failed and is left out: %s", type(watcher).__name__)
        return False
    return True
