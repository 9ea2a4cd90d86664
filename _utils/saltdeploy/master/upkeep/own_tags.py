"""Which tags ``deploy.gc`` deletes on the master's mirrors: the older ones of those that were made here, where the pillar says so.

Tags that came from elsewhere are neither counted nor deleted, and nothing is deleted in a source. A release whose tag is
gone stays what it is on hosts, and its commit stays on the mirror.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.naming import NamingRepository, OwnTag
from saltdeploy.lib import flock
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.history import history_of
from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.release import file_name

_STEPS = 5  # releases that a repo can be led back through, one after the other


def collect(repos: Iterable[Repo], master: Master, *, test: bool) -> dict[str, dict[str, Any]]:
    """Delete the tags that are old and not needed.

    Args:
        test: change nothing.

    Returns:
        Repo to how many go and how many stay, or to why none could be looked at; repos of which none goes are left out.
    """
    found = {}
    for repo in repos:
        mirror = NamingRepository(master.root / "mirrors" / f"{file_name(repo.name)}.git")
        # a deploy under way may be about a tag that nothing else knows yet
        if not repo.staging.keep_tags or not mirror.git_dir.is_dir() or is_held(master.root, repo.name):
            continue
        try:
            told = _collect_one(repo, mirror, master, test=test)
        except DeployError as error:
            told = {"unread": error.cause}
        if told.get("dropped") or "unread" in told:
            found[repo.name] = told
    return found


def _collect_one(repo: Repo, mirror: NamingRepository, master: Master, *, test: bool) -> dict[str, Any]:
    with flock.taken(mirror.git_dir.with_suffix(".lock")) as free:
        if not free:
            return {}
        own = sorted(mirror.own_tags(repo.name), key=_age, reverse=True)
        wanted = _needed(repo.name, master)
        gone = [tag for tag in own[repo.staging.keep_tags :] if tag.name not in wanted]
        for tag in gone if not test else ():
            mirror.delete_tag(tag)
        return {"dropped": len(gone), "kept": len(own) - len(gone)}


def _age(tag: OwnTag) -> tuple[int, list[int]]:
    """By when it was made; those of one second by their names, of which ``/10`` follows ``/9``."""
    return tag.made, [int(digits) for digits in re.findall(r"[0-9]+", tag.name)]


def _needed(repo: str, master: Master) -> set[str]:
    """What is pinned, and the ways back."""
    history = history_of(repo, master.root, master.store, running=False)
    steps = lineage(repo, history.versions(repo)).steps[-_STEPS:]
    pinned = {pin.release.tag for pin in Pins(master.root).all(repo)}
    return pinned | {step.release.tag for step in steps if step.release is not None}
