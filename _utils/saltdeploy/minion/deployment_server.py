"""The staging repositories of a deployment server, made where they are not there yet. What is there is never touched.

git runs as the owner of the repositories alone: a directory that others write to may name programs for it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.command import run_as
from saltdeploy.lib.errors import ConfigError, DeployError, GitFailed, Unavailable
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.process import Account
from saltdeploy.protocol.release import base_of

_MODE = 0o2775  # a group shares it, and what is made in it stays the group's
_UMASK = 0o002


@dataclass(frozen=True)
class StagingRepository:
    """One that should be there.

    Attributes:
        repo: the repo's name in the pillar.
        place: where.
        upstream: what it is cloned from; "" for a new one.
        with_submodules: whether sync tags go into submodules as well.
    """

    repo: str
    place: Path
    upstream: str
    with_submodules: bool


def wanted(repos: Iterable[Repo], parent_dir: str) -> list[StagingRepository]:
    """The staging repositories of these repos: where ``source`` says, if that is a path, else below the parent directory."""
    found: dict[str, StagingRepository] = {}
    for repo in repos:
        keys: dict[str, Any] = repo.pillar.trebuchet
        if keys.get("stage") is not None:  # what is staged there stays a plain directory
            continue
        name, source = base_of(repo.name), str(keys.get("source") or "")
        place = Path(source) if os.path.isabs(source) else Path(parent_dir, name)
        found.setdefault(
            name,
            StagingRepository(
                name, place, str(keys.get("upstream") or ""), bool(keys.get("checkout_submodules"))
            ),
        )
    return list(found.values())


def make(staging: StagingRepository, owner: str = "") -> bool:
    """Make one, unless a repository is there.

    Args:
        owner: who owns it; "" for root.

    Returns:
        Whether it was made.

    Raises:
        Unavailable: something else is there.
        GitFailed: git could not.
        ConfigError: this host has no such user.
        DeployError: the directory could not be made.
    """
    place = staging.place
    if (place / ".git").exists():
        return False
    account = _account(staging, owner)
    _make_directory(staging, account)
    if staging.upstream:
        _run(["clone", "--quiet", "--", staging.upstream, "."], staging, account)
    else:
        _run(["init", "--quiet"], staging, account)
    _run(["config", "deploy.repo-name", staging.repo], staging, account)
    said = "true" if staging.with_submodules else "false"
    _run(["config", "deploy.checkout-submodules", said], staging, account)
    if staging.upstream:
        # all of them, whatever the pillar wants of hosts: who turns submodules on later need not think of this place
        _run(["submodule", "--quiet", "update", "--init", "--recursive"], staging, account)
    return True


def _account(staging: StagingRepository, owner: str) -> Account | None:
    try:
        return Account.of(owner) if owner else None
    except KeyError:
        raise ConfigError(
            f"this host has no user {owner}", repo=staging.repo, path="grain deployment_repo_user",
            next=f"useradd --system {shlex.quote(owner)}, or another user in that grain",
        ) from None  # fmt: skip


def _make_directory(staging: StagingRepository, account: Account | None) -> None:
    place = staging.place
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise Unavailable(
                "files are here, and no git repository", repo=staging.repo, path=str(place),
                next=f"move them away, or make one of it: git -C {shlex.quote(str(place))} init",
            )  # fmt: skip
        if account:
            os.chown(place, account.uid, -1)
        place.chmod(_MODE)
    except OSError as error:
        raise from_os(error, repo=staging.repo) from None


def _run(words: list[str], staging: StagingRepository, account: Account | None) -> None:
    try:
        run_as(account, words, staging.place, _UMASK)
    except DeployError as error:
        command = f"git -C {shlex.quote(str(staging.place))} {shlex.join(words)}"
        who = f"sudo -u {account.name} " if account else ""
        cause = f"git {words[0]}: {error.cause}"
        raise GitFailed(cause, repo=staging.repo, path=str(staging.place), next=f"{who}{command}") from error
