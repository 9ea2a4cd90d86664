"""Deploys whose process died before they ended; and how long to wait when going on with one does not succeed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.lib.errors import DamagedFile
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events

TOO_OLD = 86_400.0  # seconds; nobody expects a deploy of yesterday to go on by itself
_MOST_PATIENCE = 3600.0  # seconds


@dataclass(frozen=True)
class DeadDeploy:
    """A deploy that has no process and no end."""

    repo: str
    deploy: str


class DeadDeploys:
    """Finds orphans, again and again, and gives each of them out at most as often as makes sense.

    Args:
        root: the master's directory for deploys.
        patience: seconds before one that was given out is given out again, if it is still an orphan; each time
            twice as many.
    """

    def __init__(self, root: Path, patience: float) -> None:
        self._root = root
        self._patience = patience
        self._ended: set[Path] = set()
        self._tried: dict[DeadDeploy, tuple[int, float]] = {}

    def due(self, now: float) -> list[DeadDeploy]:
        """The orphans that somebody should resume now; whoever asks does so.

        Args:
            now: seconds since the epoch.
        """
        return [orphan for orphan in self._all(now) if self._is_due(orphan, now)]

    def _is_due(self, orphan: DeadDeploy, now: float) -> bool:
        times, not_before = self._tried.get(orphan, (0, 0.0))
        if now < not_before:
            return False
        self._tried[orphan] = times + 1, now + min(self._patience * 2**times, _MOST_PATIENCE)
        return True

    def _all(self, now: float) -> Iterator[DeadDeploy]:
        """Only the newest deploy of a repo: an older one would take the fleet backwards."""
        journals = Journals(self._root)
        for repo in journals.repos():
            deploy = journals.latest(repo)
            if deploy and journals.repo_of(deploy) != repo:
                continue  # it was about several, and is found under the one that led
            with contextlib.suppress(DamagedFile):  # its journal or its lock: whoever deploys it is told
                # in this order: a deploy writes its end before it frees the lock
                if (
                    deploy
                    and not is_held(self._root, repo)
                    and self._is_open(journals.path(repo, deploy), now)
                ):
                    yield DeadDeploy(repo, deploy)

    def _is_open(self, path: Path, now: float) -> bool:
        """Whether hosts may have been asked, the end is missing, and the last word is not too old."""
        if path in self._ended:
            return False
        decided, last = False, None
        for last in replay(path):
            decided = decided or last["event"] == events.PLANNED
        if last is not None and last["event"] == events.FINISHED:
            self._ended.add(path)
            return False
        return decided and last is not None and now - last["time"] < TOO_OLD
