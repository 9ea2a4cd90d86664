"""Names what would go from users' sight with a switch and is of no release; refuses it where the pillar says so."""

from __future__ import annotations

import logging
import shlex
import sqlite3
from collections.abc import Sequence
from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.content.untracked import NOTHING_UNTRACKED, KnownDigests, Untracked
from saltdeploy.layouts import Layout
from saltdeploy.lib.errors import DeployError, UntrackedFiles

log = logging.getLogger(__name__)

REFUSE, WARN, IGNORE = "refuse", "warn", "ignore"


def look(repo: Repo, layout: Layout, commit: str) -> dict[str, Any]:
    """What a release will hide, once it is live.

    Args:
        commit: the release, which is whole on this host.

    Returns:
        Facts: ``untracked`` names it; none where there is nothing.

    Raises:
        UntrackedFiles: there is something, and the pillar says ``refuse``.
    """
    if repo.guards.untracked == IGNORE:
        return {}
    if repo.guards.untracked == REFUSE:
        found = layout.untracked(commit)
        if found:
            raise _refused(repo, found)
        return {}
    found = _as_far_as_known(repo, layout, commit)
    if not found:
        return {}
    log.warning("%s: of no release, and not in the next one: %s", repo.name, found)
    return {"untracked": str(found)}


def look_back(repo: Repo, layout: Layout) -> dict[str, Any]:
    """As :func:`look`, of a release that one goes back from. Nothing keeps a roll back waiting: what cannot be told is not."""
    found = NOTHING_UNTRACKED if repo.guards.untracked == IGNORE else _as_far_as_known(repo, layout)
    return {"untracked": str(found)} if found else {}


def of_each(facts: Sequence[dict[str, Any]], repos: Sequence[Repo]) -> list[dict[str, Any]]:
    """The facts of several repos, of which each names whose files it names."""
    if len(repos) < 2:
        return list(facts)
    return [
        {**each, "untracked": f"{repo.name}: {each['untracked']}"} if "untracked" in each else each
        for each, repo in zip(facts, repos, strict=True)
    ]


def _as_far_as_known(repo: Repo, layout: Layout, commit: str = "") -> Untracked:
    try:
        return layout.untracked(commit)
    except (DeployError, OSError, sqlite3.Error) as error:
        log.info("%s: what is of no release cannot be told: %s", repo.name, error)
        return NOTHING_UNTRACKED


def asked(repo: Repo, digests: str) -> dict[str, Any]:
    """What is live and would go with the next switch.

    Args:
        digests: of the paths of the release that is to come, see :class:`saltdeploy.content.untracked.KnownDigests`; ""
            where nobody has told.

    Returns:
        Facts: ``untracked`` names it; none where there is nothing.
    """
    found = layouts.of(repo).untracked(coming=KnownDigests(digests) if digests else None)
    return {"untracked": str(found)} if found else {}


def _refused(repo: Repo, found: Untracked) -> UntrackedFiles:
    return UntrackedFiles(
        f"what is live has what is of no release, and would go with it: {found}",
        repo=repo.name,
        path=str(repo.paths.location),
        next=f"name what is to stay in `shared` of the pillar, and move away what is not (ls -la -- "
        f"{shlex.quote(str(repo.paths.location))}); or say `untracked: warn`; then run the same command again",
    )
