"""The history of a repo, made anew from the journals where the store has lost it."""

from __future__ import annotations

from pathlib import Path

from saltdeploy import events
from saltdeploy.errors import DamagedFile, Unavailable
from saltdeploy.master.history import History
from saltdeploy.master.journal import Journals, replay
from saltdeploy.master.store import Store


def history_of(repo: str, root: Path, store: Store, *, running: bool) -> History:
    """The history, complete up to the newest deploy that has ended.

    A master's cache may be emptied by anybody, may have been away when a deploy ended, and may hold what cannot be read:
    the journals know all. What is damaged and stands in no journal is an error of whoever wants to read it.

    Args:
        running: whether some deploy of the repo runs: then it is not complete, and that is right.
    """
    journals = Journals(root)
    mended: list[DamagedFile] = []

    def mend(error: DamagedFile) -> bool:
        """Once: what is damaged then as well, no journal tells."""
        if running or mended:
            raise error.at(repo=repo)
        mended.append(error)
        try:
            rebuild()
        except Unavailable as failed:  # nothing can be written over what is there
            raise error.at(repo=repo) from failed
        return True

    def rebuild() -> None:
        History(store, lambda _: False).rebuild(
            event
            for deploy in journals.all(repo)
            for told in replay(journals.path(repo, deploy))
            for event in events.of_each_repo(told)
            if event["repo"] == repo
        )

    history = History(store, mend)
    latest = journals.latest(repo)
    if latest and not history.tells(repo, latest) and not running:
        rebuild()
    return history
