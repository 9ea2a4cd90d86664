"""The events of a deploy for whoever joins it, from the moment that it has an id: also while it is being prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.master.locking.locks import is_held, running_here
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events, journal

_LOOK_EVERY = 0.2  # seconds


class SeenEvents:
    """What one has seen of a deploy, and of those of the repos that it needs: they run before it, under their own ids.

    Attributes:
        repo, deploy: the one that runs now.
        begun: whether one of them has begun.
        last: the latest event; {} before the first.
    """

    def __init__(self, repo: str, deploy: str) -> None:
        self.repo, self.deploy = repo, deploy
        self.begun = False
        self.last: events.Event = {}

    def hear(self, event: events.Event) -> None:
        """Take in an event; {} is none."""
        self.last = event or self.last
        if event.get("event") in (events.STARTED, events.RESUMED):
            self.repo, self.deploy, self.begun = event["repo"], event["deploy"], True


def with_groups(
    told: Iterable[events.Event | None], tell: Callable[[list[dict[str, Any]]], object]
) -> Iterator[events.Event | None]:
    """The same events; which hosts switch together, ``name`` and ``hosts`` of each group, is told apart once the plan comes."""
    for event in told:
        if event is not None and event["event"] == events.PLANNED:
            tell([{"name": each["name"], "hosts": each["hosts"]} for each in event["script"]["waves"]])
        yield event


def being_prepared(root: Path, repos: Iterable[str], deploy: str = "") -> tuple[str, str] | None:
    """Repo and id of a deploy that has its lock and no journal yet: of this one, or of the first of ``repos``."""
    for repo in repos:
        lock = running_here(root, repo)
        known = lock.holder.deploy if lock else ""
        if known and deploy in ("", known) and not Journals(root).path(repo, known).is_file():
            return repo, known
    return None


def follow(
    repo: str, deploy: str, root: Path, pause: Callable[[float], None], after: events.Event | None = None
) -> Iterator[events.Event | None]:
    """The events of a deploy to its end, as :func:`saltdeploy.protocol.journal.follow`; first that it is being prepared.

    Nothing comes of a deploy that ends before it has asked any host.

    Args:
        after: an event that was seen already: only what comes after it.
    """
    path, told = Journals(root).path(repo, deploy), False
    while not path.is_file():
        lock = running_here(root, repo)
        if lock is None or lock.holder.deploy != deploy:
            break
        if not told:
            who = lock.holder.user
            yield events.preparing(deploy, repo, lock.since, action="", tag="", user=who)
        told = True
        yield None
        pause(_LOOK_EVERY)
    if not path.is_file():
        return
    # of a first sign of life the journal tells nothing
    seen = after is None or after.get("event") in (None, events.PREPARING)
    for event in journal.follow(path, lambda: is_held(root, repo), pause, repo=repo):
        if seen or event is None:
            yield event
        seen = seen or event == after
