"""The history of a repo, made anew from the journals where the store has lost it."""

from __future__ import annotations

from pathlib import Path

from saltdeploy import events
from saltdeploy.master.history import History
from saltdeploy.master.journal import Journals, replay
from saltdeploy.master.store import Store


def history_of(repo: str, root: Path, store: Store, *, running: bool) -> History:
    """The history, complete up to the newest deploy that has ended.

    A master's cache may be emptied by anybody, and may have been away when a deploy ended: the journals know all.

    Args:
        running: whether some deploy of the repo runs: then it is not complete, and that is right.
    """
    history, journals = History(store), Journals(root)
    latest = journals.latest(repo)
    if latest and not history.tells(repo, latest) and not running:
        history.rebuild(
            event
            for deploy in journals.all(repo)
            for told in replay(journals.path(repo, deploy))
            for event in events.of_each_repo(told)
            if event["repo"] == repo
        )
    return history
