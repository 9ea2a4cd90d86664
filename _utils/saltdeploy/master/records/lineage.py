"""What a fleet has accepted, one release after the other: which is the present one, and which was before it.

Nobody else answers that. It follows from what was accepted and pinned, in the order of the epochs of deploys, and from what
hosts said that they ran where the memory of this master has a gap; not from clocks, and not from the word of an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from saltdeploy.master.plan_model import RESTART
from saltdeploy.protocol.orders import ROLLBACK
from saltdeploy.protocol.release import Release


@dataclass(frozen=True)
class LineageStep:
    """One release in the line.

    Attributes:
        release: None where it is only known that there was some other.
        partial: only a part of the fleet took it.
        gap: what was right before it is not known here.
    """

    release: Release | None
    partial: bool = False
    gap: bool = False

    def is_of(self, commit: str) -> bool:
        """Whether it is about this commit, under whatever tag."""
        return self.release is not None and self.release.commit == commit


@dataclass(frozen=True)
class Lineage:
    """The line that leads to the present release.

    Attributes:
        steps: oldest first; what a fleet was rolled back from is not among them.
        bad: commits of bad releases.
    """

    steps: tuple[LineageStep, ...] = ()
    bad: frozenset[str] = frozenset()

    @property
    def present(self) -> Release | None:
        """What the fleet accepted last, or was led back to since; None when nothing was, or it is not known."""
        return self.steps[-1].release if self.steps else None

    @property
    def before(self) -> Release | None:
        """The release before the present one, as far as it is known: a good one, and rather one that all of the fleet had."""
        known, is_all = self._below()
        whole = [step.release for step in known if not step.partial]
        found = whole or [step.release for step in known if is_all]
        return found[0] if found else None

    @property
    def is_broken(self) -> bool:
        """Whether there was a release before the present one of which this master knows nothing."""
        _, is_all = self._below()
        return self.before is None and not is_all

    def _below(self) -> tuple[list[LineageStep], bool]:
        """What was before the present one, the newest first, as far as there is no gap; and whether that is all."""
        found: list[LineageStep] = []
        out = {*self.bad, *([self.present.commit] if self.present else [])}  # a way back leads somewhere else
        for place in reversed(range(len(self.steps))):
            if self.steps[place].gap:
                return found, False
            below = self.steps[place - 1] if place else None
            if below and not (below.release and below.release.commit in out):
                found.append(below)
        return found, True


def lineage(repo: str, versions: Sequence[dict[str, Any]]) -> Lineage:
    """The line of a repo.

    Args:
        versions: see :meth:`saltdeploy.master.records.history.History.versions`.
    """
    steps: list[LineageStep] = []
    for version in reversed(versions):
        if "left" in version:
            steps = _found(steps, repo, version["left"])
        if version["accepted"] and version["action"] != RESTART:
            release = Release(repo, version["tag"], version["commit"])
            accept = _back if version["action"] == ROLLBACK else _forth
            steps = accept(steps, release, bool(version.get("left_out")))
    bad = frozenset(version["commit"] for version in versions if version.get("bad"))
    return Lineage(tuple(steps), bad)


def _found(steps: list[LineageStep], repo: str, left: dict[str, str]) -> list[LineageStep]:
    """Hosts had heard of deploys that this master knew nothing of, and ran this; {}: not all the same."""
    place = _last(steps, left.get("commit", ""))
    release = Release(repo, left["tag"], left["commit"]) if left else None
    return [*(steps[:place] if place >= 0 else steps), LineageStep(release, gap=True)]


def _forth(steps: list[LineageStep], release: Release, partial: bool) -> list[LineageStep]:
    if steps and steps[-1].is_of(release.commit):
        top = replace(steps[-1], release=release, partial=partial and steps[-1].partial)
        return [*steps[:-1], top]
    return [*steps, LineageStep(release, partial)]


def _back(steps: list[LineageStep], release: Release, partial: bool) -> list[LineageStep]:
    """Those that are led back leave the line; where only a part is, what all of the fleet has stays."""
    place = _last(steps, release.commit)
    if place < 0:
        return (
            [*steps[:-1], LineageStep(release, gap=True)]
            if steps and steps[-1].gap
            else [*steps, LineageStep(release, partial)]
        )
    left = steps[place + 1 :]
    if partial and any(not step.partial for step in left):
        return [*steps[: place + 1], *(step for step in left if not step.partial)]
    gap = any(step.gap for step in steps[place:])
    return [*steps[:place], LineageStep(release, partial and steps[place].partial, gap)]


def _last(steps: list[LineageStep], commit: str) -> int:
    """Where the commit stands last; -1 where it does not."""
    return max((at for at, step in enumerate(steps) if step.is_of(commit)), default=-1)
