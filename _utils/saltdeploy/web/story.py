"""One deploy, as its journal tells it, in pieces: each call gives what came after the piece before."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from saltdeploy.master.journal import Journals, replay
from saltdeploy.master.locking.locks import is_held
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
        whether a process carries the repo's deploy on. Nothing is missed and nothing comes twice, for a journal only grows.
    """
    runs = is_held(root, repo)  # asked first: what it writes before it ends is in the journal then
    told = (
        event
        for event in replay(Journals(root).path(repo, deploy))
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
    }
