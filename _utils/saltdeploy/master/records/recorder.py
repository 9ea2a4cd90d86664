"""What happens in a deploy becomes an event first: written down, taken in by the deploy's state, then told to everybody."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from saltdeploy.master.context import Listener, Master
from saltdeploy.master.plan_model import Request
from saltdeploy.master.records.journal import Journal
from saltdeploy.master.records.state import DeployState, cannot_record
from saltdeploy.master.rollout.model import Outcome
from saltdeploy.protocol import events

log = logging.getLogger(__name__)

#: Progress of one host in one stage that the journal takes: a host sends two a second, whoever forges sends as many as they like.
MOST_PROGRESS = 1_000


class Recorder:
    """The events of one deploy.

    Args:
        state: where the deploy stands. Every event that is recorded changes it.
        journal: open for appending.
    """

    def __init__(self, state: DeployState, journal: Journal, master: Master) -> None:
        self.state = state
        self.plan = state.script
        self._journal = journal
        self._bus = master.bus
        self._watchers = list(master.watchers)
        self._progress: Counter[tuple[str, str]] = Counter()

    def record(self, build: Callable[..., events.Event], about: str = "", **fields: Any) -> events.Event:
        """Something happened: write it down, let it change the deploy's state and its state machine, tell everybody.

        Args:
            build: makes the event; see :mod:`saltdeploy.protocol.events`.
            about: the repo, if it is not the one that leads.
        """
        event = build(self.plan.deploy, about or self.plan.lead.repo, self._bus.now(), **fields)
        if not self._is_written(event) and event["event"] == events.ASKED:
            return event  # nobody is asked of whom nothing is written
        self.state.take(event)
        if event["event"] not in events.JOURNAL_ONLY:
            self._show(lambda watcher: watcher.hear(event))
            with contextlib.suppress(Exception):  # who listens finds out that a bus is gone: this only tells
                self._bus.fire(events.tag_of(event), event)
        return event

    def warn(self, text: str) -> None:
        """Record what an operator should know and what stops nothing."""
        log.warning("deploy %s: %s", self.plan.deploy, text)
        self.record(events.warned, text=text)

    def pass_on(self, event: events.Event) -> None:
        """Write down what a host fired on the bus itself, up to :data:`MOST_PROGRESS`; it decides nothing."""
        host, stage = event["host"], event["stage"]
        self._progress[host, stage] += 1
        if self._progress[host, stage] <= MOST_PROGRESS:
            self._is_written(event)
        elif self._progress[host, stage] == MOST_PROGRESS + 1:
            log.warning(
                "deploy %s: no more progress of %s in %s is written down", self.plan.deploy, host, stage
            )
        self._show(lambda watcher: watcher.hear(event))

    def tick(self) -> None:
        """Let the watchers know that time has passed."""
        self._show(lambda watcher: watcher.tick(self._bus.now()))

    def sync(self) -> None:
        """Return when all that was recorded is on the disk; at once where the journal was lost."""
        if self.lost is None:
            self._journal.sync()

    @property
    def lost(self) -> OSError | None:
        """Why the journal takes nothing any more; None as long as it does."""
        return self._journal.lost

    def end_of(self, outcome: Outcome) -> tuple[Outcome, str]:
        """The outcome as it is to be told, and the command that leads on; what could not be written down stands in both."""
        if self.lost:
            return self.state.unrecorded(outcome, self.lost)
        return outcome, self.state.next_command(outcome)

    def lose(self, error: OSError) -> None:
        """Something else of the deploy cannot be written: the journal shall not tell an end that is not true."""
        self._journal.lose(error)

    def _is_written(self, event: events.Event) -> bool:
        """Append an event to the journal. Once hosts were asked, a journal that takes nothing ends the deploy with a word."""
        try:
            self._journal.append(event)
        except OSError as error:
            if not self.state.attempts:
                raise
            log.error("deploy %s: %s", self.plan.deploy, cannot_record(error))
            self.state.rollout.lose_record(cannot_record(error))
            return False
        return True

    def _show(self, act: Callable[[Listener], None]) -> None:
        """A watcher that fails (a terminal that was closed) is left out; the deploy goes on."""
        for watcher in list(self._watchers):
            try:
                act(watcher)
            except Exception:  # whatever it is, it is not the deploy's trouble
                log.debug("deploy %s: a watcher failed and is left out", self.plan.deploy, exc_info=True)
                self._watchers.remove(watcher)


def tell_preparing(request: Request, deploy: str, master: Master, step: str = "") -> None:
    """A first sign of life: until the release is resolved and packed there is nothing for the journal.

    Args:
        step: what is being done, in words.
    """
    also = [{"repo": name, "tag": tag} for name, tag in request.also]
    event = events.preparing(deploy, request.repo, master.bus.now(), action=request.action, tag=request.tag,
                             user=master.user, step=step, also=also)  # fmt: skip
    for watcher in master.watchers:
        with contextlib.suppress(OSError, ValueError):
            watcher.hear(event)
