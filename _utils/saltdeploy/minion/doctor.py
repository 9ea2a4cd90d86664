"""What a target tells of itself when the set-up is looked through. Changes nothing, and judges nothing: the master does."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import saltdeploy
from saltdeploy import config
from saltdeploy.config import Repo, transports
from saltdeploy.git.repository import git_version
from saltdeploy.lib import places, programs
from saltdeploy.lib.errors import DeployError, UnknownRepo
from saltdeploy.protocol.result import Result

_EMPTY: Mapping[str, Any] = {}


def look(
    name: str,
    repo: str,
    cached: Mapping[str, Any],
    fresh: Mapping[str, Any],
    site: str,
    seconds: float,
    record: Path,
    lacks_doors: Collection[str],
) -> Result:
    """What there is on this host.

    Args:
        name: the minion's id.
        repo: the repo that it is about; "" for none.
        cached: the pillar as this minion has it.
        fresh: the pillar as the master gives it now; with ``_error`` where it gives none.
        site: the grain ``site``.
        seconds: since the epoch, by this host's clock.
        record: where this host keeps what it did.
        lacks_doors: directories of this project of which Salt finds nothing here.
    """
    facts: dict[str, Any] = {
        "version": saltdeploy.__version__,
        "time": seconds,
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "has_secret": bool(_ours(cached).get("secret")),
        "gets_secret": bool(_ours(fresh).get("secret")),
        "git": _git(),
        **_place("record", record),
        "lacks_doors": " ".join(sorted(lacks_doors)),
    }
    if fresh.get("_error"):
        facts["pillar_error"] = str(fresh["_error"])
    if repo:
        facts |= _of_repo(repo, cached, fresh, site)
    return Result(name, repo, facts=facts)


def _ours(pillar: Mapping[str, Any]) -> Mapping[str, Any]:
    return pillar.get("deploy") or _EMPTY


def _place(name: str, path: Path) -> dict[str, str | int | bool]:
    """What can be known of a place, for an answer: that has no dicts in it."""
    return {f"{name}_{key}": value for key, value in places.look(path).facts().items()}


def _git() -> str:
    """Why git cannot be used; "" where it can."""
    try:
        git_version()
    except DeployError as error:
        return error.cause
    return ""


def _of_repo(name: str, cached: Mapping[str, Any], fresh: Mapping[str, Any], site: str) -> dict[str, Any]:
    has, gets = (name in config.repo_names(dict(pillar)) for pillar in (cached, fresh))
    facts: dict[str, Any] = {"has_repo": has, "gets_repo": gets}
    try:
        repo = config.load(dict(fresh if gets else cached), name, site)
    except UnknownRepo:
        return facts
    except DeployError as error:
        return {**facts, "config": str(error)}
    facts |= _place("place", repo.paths.location.parent)
    facts["lacks"] = " ".join(_lacking(repo))
    return facts


def _lacking(repo: Repo) -> list[str]:
    """The programs that its transport runs here and this host does not have."""
    if repo.delivery.transport == transports.AUTO:  # it takes what every host can
        return []
    return [
        each for each in transports.row(repo.delivery.transport).programs if not programs.is_installed(each)
    ]
