"""The log on the screen: the newest records of a deploy, those that a filter and a level let pass."""

from __future__ import annotations

import fnmatch
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from saltdeploy.protocol import events
from saltdeploy.watch import sentences
from saltdeploy.watch.deploy_log import DeployLog, DeployRecord
from saltdeploy.watch.failures import FoldedFailures
from saltdeploy.watch.log_filter import LEVEL, OPERATORS, LogFilter
from saltdeploy.watch.state import DeployView

_MOST = 10_000  # records
_MOST_DETAILS = 5_000  # of those below INFO, which must not push the others out
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG)


class Sieve:
    """What of hosts and records is shown.

    Attributes:
        text: as it was typed; "" lets all pass.
        level: the lowest level of records that are shown.
    """

    def __init__(self, text: str = "", level: int = logging.INFO) -> None:
        """Raises BadArguments where the text is no filter."""
        self.text = text.strip()
        self.level = level
        # of names alone, or scap's language
        self._filter = LogFilter.read(self.text) if any(each in self.text for each in OPERATORS) else None
        self._names = "" if self._filter else self.text

    def next_level(self) -> Sieve:
        """The same with another level."""
        return Sieve(self.text, _LEVELS[(_LEVELS.index(self.level) + 1) % len(_LEVELS)])

    def has_host(self, name: str) -> bool:
        """Whether a host is shown."""
        if self._filter is not None:
            about = [each for each in self._filter.criteria if each.attribute == "host"]
            return all(each.matches({"host": name}) for each in about)
        pattern = self._names if "*" in self._names else f"*{self._names}*"
        return fnmatch.fnmatchcase(name, pattern)

    def has(self, record: DeployRecord) -> bool:
        """Whether a record is shown."""
        if self._filter is None:
            return record.levelno >= self.level and (not self._names or self.has_host(record.host))
        said = LEVEL in self.text
        return (said or record.levelno >= self.level) and all(
            each.matches(record.attributes())
            for each in self._filter.criteria
            if said or each.attribute != LEVEL
        )

    @property
    def chooses_hosts(self) -> bool:
        """Whether it may leave out hosts."""
        if self._filter is None:
            return bool(self._names)
        return any(each.attribute == "host" for each in self._filter.criteria)

    @property
    def title(self) -> str:
        """What is shown, in words."""
        level = "" if self._filter and LEVEL in self.text else f"{logging.getLevelName(self.level)} and above"
        return ", ".join(filter(None, (level, self.text)))


@dataclass(frozen=True)
class _Kept:
    """A record, and when it is shown: ``always``, or where nobody filters (``folded``), or only there (``alike``)."""

    number: int
    record: DeployRecord
    when: str


class ScreenLog:
    """Records of a deploy. Hosts that fail alike share a line, as on every screen, unless somebody filters.

    Args:
        master: see :class:`saltdeploy.watch.deploy_log.DeployLog`.

    Attributes:
        shown: the records that pass, oldest first.
    """

    def __init__(self, master: str) -> None:
        self._log = DeployLog(master)
        self._kept: deque[_Kept] = deque(maxlen=_MOST)
        self._details: deque[_Kept] = deque(maxlen=_MOST_DETAILS)
        self._numbers = itertools.count()
        self._folded = FoldedFailures()
        self._failures = 0
        self._above: list[DeployRecord] = []
        self._sieve = Sieve()
        self.shown: deque[DeployRecord] = deque(maxlen=_MOST)

    @property
    def state(self) -> DeployView:
        """What the events add up to."""
        return self._log.state

    def hear(self, event: events.Event) -> None:
        """Take in one event."""
        found = list(self._log.hear(event))
        if self._above and not self._stands_above(self._above[0].event):
            self._take(self._above)
            self._above = []
        if not found:
            return
        if self._stands_above(found[0].event):
            self._above += found
            return
        self._take(found)
        if found[0].event in (events.STAGE_FINISHED, events.FINISHED):
            alike = (
                replace(found[0], levelno=logging.ERROR, message=line) for line in self._folded.together()
            )
            self._take(alike, "folded")

    def choose(self, sieve: Sieve) -> None:
        """Show other records from now on."""
        self._sieve = sieve
        kept = heapq.merge(self._kept, self._details, key=lambda each: each.number)
        self.shown = deque((each.record for each in kept if self._passes(each)), maxlen=_MOST)

    def of_host(self, name: str) -> list[DeployRecord]:
        """The records about one host, without those of its progress."""
        return [each.record for each in self._kept if each.record.host == name and each.when != "folded"]

    def _stands_above(self, kind: str) -> bool:
        """Whether the screen tells it above the log for now: an open question, that it is being stopped."""
        state = self.state
        if kind == events.QUESTION:
            return state.question is not None
        return kind == events.ABORTED and state.outcome is None

    def _take(self, records: Iterable[DeployRecord], when: str = "") -> None:
        for record in records:
            kept = _Kept(next(self._numbers), record, when or self._when(record))
            (self._details if record.levelno < logging.INFO else self._kept).append(kept)
            if self._passes(kept):
                self.shown.append(record)

    def _when(self, record: DeployRecord) -> str:
        state = self.state
        if record.event == events.FINISHED and state.outcome is not None:
            # how it ended stands above the log
            return "alike" if record.message == sentences.ending(state.outcome) else "always"
        if record.event == events.STAGE_FINISHED and state.stage is not None:
            # so do the counts
            return "alike" if record.message == sentences.counts(state, state.stage) else "always"
        failures = state.failures
        if record.event != events.HOST_FINISHED or self._failures >= len(failures):
            return "always"
        failure, self._failures = failures[self._failures], self._failures + 1
        return "always" if self._folded.is_new(failure) else "alike"

    def _passes(self, kept: _Kept) -> bool:
        hidden = "folded" if self._sieve.text else "alike"
        return kept.when != hidden and self._sieve.has(kept.record)
