"""Where the checks and hooks of a deploy stand, the pillar's and those of the release, as its plan tells it."""

from __future__ import annotations

import contextlib
from typing import Any

from saltdeploy.config import Repo, scap_checks
from saltdeploy.config.rollout import Check
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import BadChecks, Corrupt, DeployError

_MEND = f"mend {scap_checks.FILE} in the release, or take it out and write the checks into the pillar"
_DEPOOL, _REPOOL = "before the switch", "at the end"
#: In the order in which a deploy comes to them.
_POINTS = (
    "before fetch",
    "after fetch",
    "before rollback",
    "before checkout",
    _DEPOOL,
    "after checkout",
    "before restart",
    "after restart",
    "after rollback",
    _REPOOL,
    "before final",
    "after final",
)


def of(repo: Repo, repository: Repository, commit: str) -> list[dict[str, Any]]:
    """The checks of a deploy, each with its place, in the order in which it comes to them.

    Args:
        repository: has the release, whose own checks are read.

    Returns:
        Of each check ``check``, ``kind``, ``place``, ``group``, ``where``, ``source``; ``said``: the place that the
        release's file gives it, when it runs at another; ``idle``: it is for a group that there is not. A release whose
        file is refused brings none.
    """
    found: tuple[scap_checks.ReleaseChecks, ...] = ()
    with contextlib.suppress(DeployError):
        found = brought(repo, repository, commit)
    rows = [_row(check, check.point, "pillar") for check in repo.hooks.checks]
    rows += [_row(each.check, each.check.point, scap_checks.FILE, each.said) for each in found]
    rows += [_row(repo.hooks.depool, _DEPOOL, "pillar")] if repo.hooks.depool else []
    rows += [_row(repo.hooks.repool, _REPOOL, "pillar")] if repo.hooks.repool else []
    groups = {"", *(group.name for group in repo.rollout.groups)}
    rows = [{**row, "idle": row["group"] not in groups} for row in rows]
    return sorted(rows, key=lambda row: _POINTS.index(row["place"]))


def brought(repo: Repo, repository: Repository, commit: str) -> tuple[scap_checks.ReleaseChecks, ...]:
    """The checks that a release brings itself.

    Raises:
        BadChecks: every host would refuse the file that they stand in.
    """
    if repo.contents.exclude.holds(scap_checks.FILE.encode()):
        return ()  # no host has the file, so none runs what stands in it
    try:
        text = repository.file(commit, scap_checks.FILE, scap_checks.MOST)
    except Corrupt as error:
        raise BadChecks(error.cause, repo=repo.name, path=scap_checks.FILE, next=_MEND) from error
    try:
        return scap_checks.read(text or b"", repo)
    except BadChecks as error:
        raise error.at(repo=repo.name) from None


def _row(check: Check, place: str, source: str, said: str = "") -> dict[str, Any]:
    return {
        "check": check.name,
        "kind": check.kind,
        "place": place,
        "group": check.group,
        "where": "master" if check.master else "target",
        "source": source,
        "said": said,
    }
