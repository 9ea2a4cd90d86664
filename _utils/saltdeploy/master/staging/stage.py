"""Makes a release on the master: of a plain directory, of an archive, or composed of several repositories.

One commit and one annotated tag for each, in the master's own mirror. The directory stays what it is: a plain directory that
people edit.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.repository import Difference
from saltdeploy.git.snapshots import STAGED, SnapshotRepository
from saltdeploy.lib.errors import BadRelease, DeployError
from saltdeploy.lib.forcing import Force, covers
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.text import legible
from saltdeploy.master.cache import Store
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.planning.removal import refuse_shrunken
from saltdeploy.master.planning.revisions import Untagged, free_name
from saltdeploy.master.records.history import history_of
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.staging.stage_trees import StagedTree, make_tree
from saltdeploy.staging.tagging import TagText, make_tag

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageRequest:
    """What an operator asked for.

    Attributes:
        directory, archive: in place of what the pillar says; "" for that.
        user, reason: who, and why.
        force: guards that are gone past; ``max_removed`` is the one that is asked here.
    """

    directory: str = ""
    archive: str = ""
    user: str = ""
    reason: str = ""
    force: Force = False


def stage(
    repo: Repo, request: StageRequest, root: Path, store: Store, now: Callable[[], float]
) -> dict[str, Any]:
    """Make a release, where there is something new.

    Args:
        root: the master's directory for deploys.
        store: where histories lie.
        now: seconds since the epoch.

    Returns:
        The view ``stage``: ``tag`` and ``commit`` of what was staged, now or before; ``new``; ``added``, ``changed``,
        ``removed`` (files); ``origin``; ``output`` of the build.

    Raises:
        BadRelease: what is there makes no release; the message says why.
        TooMuchRemoved: it has become smaller than the one before by more than ``max_removed``.
        ConfigError: the pillar does not say what to make it of.
        DeployError: it cannot be read, built, fetched or written.
    """
    if request.directory and request.archive:
        raise BadRelease(
            "directory= and archive= exclude each other", repo=repo.name, next="give one of them"
        )
    source = Source(repo, root)
    mirror = SnapshotRepository(source.mirror.git_dir)
    mirror.access = source.mirror.access
    try:
        with source.alone():
            before = mirror.commit_of(STAGED)
            tree = mirror.tree_of(before) if before else ""
            made = make_tree(repo, request.directory, request.archive, source, mirror, tree)
            if tree and not covers(request.force, "max_removed"):
                refuse_shrunken(repo, mirror, tree, made.tree, made.origin)
            return _named(repo, request, source, mirror, before, made, store, now())
    except DeployError as error:
        raise error.at(repo=repo.name) from None
    except OSError as error:
        raise from_os(error, repo=repo.name) from error


# -- its name -------------------------------------------------------------------------------------------


def _named(
    repo: Repo,
    request: StageRequest,
    source: Source,
    mirror: SnapshotRepository,
    before: str,
    made: StagedTree,
    store: Store,
    now: float,
) -> dict[str, Any]:
    view = {"view": "stage", "retcode": 0, "repo": repo.name, "origin": made.origin, "output": made.output}
    view |= {"empty": made.empty}
    commit, changed = before, None
    if before and mirror.tree_of(before) == made.tree:
        known = _tag_of(source, before)
        if known:
            return {**view, "new": False, "tag": known, "commit": before}
        # else: a master was killed between the commit and its tag
    else:
        commit = _commit(repo, request, mirror, before, made, now)
        changed = mirror.difference(before, commit) if before else None
    history = history_of(repo.name, source.root, store, running=is_held(source.root, repo.name))
    taken = frozenset(source.tags())
    tag = make_tag(
        source.mirror,
        commit,
        lambda names: free_name(repo, Untagged(commit, STAGED, taken), names, history, now),
        _text(repo, request, made, source, now),
    )
    log.info("%s: staged %s (%s) of %s", repo.name, tag.name, commit, made.origin)
    return {**view, "new": True, "tag": tag.name, "commit": commit, **_counts(changed)}


def _tag_of(source: Source, commit: str) -> str:
    found = [ref for ref, meant in source.made_tags().items() if meant == commit]
    return found[0].removeprefix("refs/tags/") if found else ""


def _commit(
    repo: Repo, request: StageRequest, mirror: SnapshotRepository, before: str, made: StagedTree, now: float
) -> str:
    who = request.user or "unknown"
    message = f"{request.reason or 'Stage a release'}\n\nrepo: {repo.name}\nfrom: {made.origin}\n"
    if made.build:
        message += f"build: {made.build}\n\n{legible(made.output)}\n"
    return mirror.commit_staged(made.tree, before, who, f"{who}@{socket.gethostname()}", message, now)


def _text(repo: Repo, request: StageRequest, made: StagedTree, source: Source, now: float) -> TagText:
    pin = Pins(source.root).get(repo.name)
    facts = {
        "repo": repo.name,
        "from": made.origin,
        "by": request.user,
        "reason": request.reason,
        "previous": f"{pin.release.tag} ({pin.release.commit})" if pin else "",
    }
    return TagText(request.user, socket.gethostname(), now, facts)


def _counts(found: Difference | None) -> dict[str, int]:
    return {key: getattr(found, key) if found else 0 for key in ("added", "changed", "removed")}
