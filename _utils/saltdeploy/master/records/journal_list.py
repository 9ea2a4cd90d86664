"""The journals that may have news, for those who ask twice a second all day: most of a master's journals have ended long ago."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from saltdeploy.master.records.journal import Journals

ALL_EVERY = 15.0  # seconds between two looks at all of them
_YOUNG = 3600.0  # seconds since something was written to a journal
#: Seconds that a directory's time must be old before it is believed: within one tick of that clock it may change again unseen.
_SETTLED = 2.0


class JournalList:
    """Gives all journals the first time, whenever one came or went, and every :data:`ALL_EVERY` seconds; else the young ones.

    So what is added to an old journal, by a deploy that is resumed after an hour, is seen a quarter of a minute later.

    Args:
        journals: whose.
        now: seconds since the epoch.

    Attributes:
        are_all: what it gave last were all journals there are.
    """

    def __init__(self, journals: Journals, now: Callable[[], float] = time.time) -> None:
        self._journals = journals
        self._now = now
        self._seen: dict[Path, int] = {}
        self._young: list[Path] = []
        self._due: float | None = None
        self.are_all = False

    def __call__(self) -> list[Path]:
        """Journals, each once, oldest first."""
        now = self._now()
        if self._due is not None and self._due - ALL_EVERY <= now < self._due and self._is_as_seen(now):
            self.are_all = False
            return self._young
        self.are_all = True
        self._seen = {
            place: _changed(place) for place in self._directories()
        }  # first: what comes then is news
        found = self._journals.paths()
        self._young = [path for path in found if now - _changed(path) / 1e9 < _YOUNG]
        self._due = now + ALL_EVERY
        return found

    def _is_as_seen(self, now: float) -> bool:
        """Whether no journal came or went."""
        settled = all(not now - _SETTLED < at / 1e9 <= now + _SETTLED for at in self._seen.values())
        return settled and all(_changed(place) == at for place, at in self._seen.items())

    def _directories(self) -> list[Path]:
        try:
            return [self._journals.root, *(path for path in self._journals.root.iterdir() if path.is_dir())]
        except OSError:  # nothing was ever deployed
            return [self._journals.root]


def _changed(path: Path) -> int:
    """When it was changed, in nanoseconds; 0 where there is nothing."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
