"""One deploy, as its journal tells it, in pieces: each call gives what came after the piece before."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events

MOST = 2_000  # events of one piece


def story(repo: str, deploy: str, root: Path, after: int = 0, most: int = MOST) -> dict[str, Any]:
    """The view ``story``: events of a deploy, oldest first, without those that are for a resumed deploy alone.

    Args:
        repo: the repo that leads.
        root: the master's directory for deploys.
        after: how many events the caller has already: the ``next`` of the piece before.
        most: events of one piece.

    Returns:
        ``events``; ``next``, how many have been told with them; ``more``, whether there were more already; ``runs``,
        whether a process carries the repo's deploy on; ``waves``, with the piece that has the plan: ``name`` and ``hosts`` of
        each group, in the order in which they switch. Nothing is missed and nothing comes twice, for a journal only grows.
    """
    runs = is_held(root, repo)  # asked first: what it writes before it ends is in the journal then
    groups = _Groups(after)
    told = (
        event
        for event in map(groups.hear, replay(Journals(root).path(repo, deploy)))
        if event["event"] not in events.JOURNAL_ONLY
    )
    found = list(islice(told, after, after + most + 1))
    piece = found[:most]
    return {
        "view": "story",
        "retcode": 0,
        "repo": repo,
        "deploy": deploy,
        "events": piece,
        "next": after + len(piece),
        "more": len(found) > most,
        "runs": runs,
        **groups.told,
    }


class _Groups:
    """Which hosts switch together: who has the events before it does not hear of it once more.

    Args:
        after: how many events the caller has.

    Attributes:
        told: ``waves``, or nothing.
    """

    def __init__(self, after: int) -> None:
        self.told: dict[str, Any] = {}
        self._before = after

    def hear(self, event: events.Event) -> events.Event:
        if event["event"] not in events.JOURNAL_ONLY:
            self._before -= 1
        elif event["event"] == events.PLANNED and self._before <= 0:
            waves = event["script"]["waves"]
            self.told = {"waves": [{"name": each["name"], "hosts": each["hosts"]} for each in waves]}
        return event
