"""Rebuilds from the journals what was kept beside them and is damaged, where they know it for certain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile, DeployError
from saltdeploy.lib.spelling import argument
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.pin import Pin, pin_order, with_epoch, with_pin
from saltdeploy.protocol import events
from saltdeploy.protocol.journal import is_whole


@dataclass(frozen=True)
class _Told:
    """What a journal tells of one repo.

    Attributes:
        path: of the journal.
        epoch: the highest that it tells; -1: none.
        part: what was to be done with the repo; None where that is not told.
        settled: it is over, and nothing of its end is missing.
        pinned: whether its release was pinned.
    """

    path: Path
    epoch: int
    part: Part | None
    settled: bool
    pinned: bool

    @property
    def is_open(self) -> bool:
        """Whether it may have pinned something that is not told."""
        return not self.settled and not is_whole(self.path)


def pins(repo: str, journals: Journals, damage: DamagedFile) -> list[Pin]:
    """The repo's pins as its deploys made them, in the order of their epochs.

    They are certain from the last release on that was pinned for the whole fleet, if each later journal is whole.

    Raises:
        DamagedFile: they are not certain; it is ``damage``, with what is missing.
    """
    deploys = [_told(repo, journals.path(repo, deploy)) for deploy in journals.all(repo)]
    known = sorted((each for each in deploys if each.part), key=lambda each: each.epoch)
    bases = [place for place, each in enumerate(known) if _for_all(each)]
    if not bases:
        raise _with(damage, "no journal tells of a release that was pinned for all targets", repo)
    since = known[bases[-1] :]
    strange = [each for each in deploys if each.part is None and each.path.stem > since[0].path.stem]
    torn = [each.path for each in (*since, *strange) if each.is_open]
    if torn:
        raise _with(damage, f"the journal {torn[0]} is damaged too", repo, since[-1].part)
    found: list[Pin] = []
    for each in since:
        if each.part and each.pinned:
            order = pin_order(each.part.order, each.epoch)
            pin = Pin(order, each.part.hosts, partial=each.part.partial, transports=each.part.transports)
            found = with_pin(found, pin)
    return with_epoch(found, max(each.epoch for each in since if each.settled or each.pinned))


def epoch(repo: str, journals: Journals, others: Iterable[int], damage: DamagedFile) -> int:
    """The highest epoch of the repo that is told of anywhere.

    Args:
        others: epochs that are known from elsewhere; 0 where nothing is.

    Raises:
        DamagedFile: nothing tells of one, or the newest journal does not; it is ``damage``, with what is missing.
    """
    elsewhere = max(others, default=0)
    deploys = [_told(repo, journals.path(repo, deploy)) for deploy in journals.all(repo)]
    if not elsewhere and (not deploys or deploys[-1].epoch < 0):
        why = (
            f"the journal {deploys[-1].path} does not tell it" if deploys else "no journal tells of a deploy"
        )
        raise DamagedFile(
            f"{damage.cause}; the last epoch of the repo is not known: {why}",
            repo=repo,
            path=damage.path,
            next=f"see that the clock of this host is right (date -u), then mv -- {damage.path} {damage.path}.bad "
            "and run the same command again: epochs go on from the present time",
        )
    return max([elsewhere, *(each.epoch for each in deploys)])


def _for_all(told: _Told) -> bool:
    return told.pinned and told.part is not None and not told.part.partial


def _told(repo: str, path: Path) -> _Told:
    numbers, part, settled, pinned = [-1], None, False, False
    try:
        for event in replay(path):
            kind = event["event"]
            if kind == events.PLANNED:
                part = _part(event["script"], repo)
                numbers += [part.order.epoch] if part else []
            elif kind == events.RESUMED:
                numbers.append(durable.whole_number(event.get("epoch")))
            settled = settled or kind == events.FINISHED
            pinned = pinned or (kind == events.PINNED and event["repo"] == repo)
    except (DeployError, *durable.WRONG_FORM):
        return _Told(path, max(numbers), None, False, False)
    return _Told(path, max(numbers), part, settled, pinned)


def _part(script: Any, repo: str) -> Part | None:
    return next((part for part in Plan.from_wire(script).parts if part.repo == repo), None)


def _with(damage: DamagedFile, why: str, repo: str, last: Part | None = None) -> DamagedFile:
    tag = last.release.tag if last else "..."
    return DamagedFile(
        f"{damage.cause}; what is pinned is not known: {why}",
        repo=repo,
        path=damage.path,
        next=f"mv -- {damage.path} {damage.path}.bad; then salt-run deploy.sync repo={repo} {argument('tag', tag)}",
    )
