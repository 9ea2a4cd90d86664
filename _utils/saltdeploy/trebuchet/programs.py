"""The small programs beside ``git deploy`` that people and Trigger's driver call: ``deploy-info``, ``trigger-submodule-update``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from saltdeploy.git import staging_tree
from saltdeploy.git.staging_tree import StagingTree
from saltdeploy.lib.errors import DeployError, NoSuchTag
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol.release import check_repo
from saltdeploy.staging.deploy_files import DeployDirectory
from saltdeploy.trebuchet import settings
from saltdeploy.trebuchet.doors import View
from saltdeploy.trebuchet.doors.opening import open_door
from saltdeploy.trebuchet.progress import StageProgress, combined
from saltdeploy.trebuchet.refusal import Refusal
from saltdeploy.trebuchet.report import details

_PARENT = "/srv/deployment"


def deploy_info(argv: Sequence[str] | None = None) -> int:
    """``deploy-info --repo=R``: how many hosts lack a tag.

    Returns:
        The exit code: 0 when it could be told.
    """
    typed = _parser().parse_args(argv)
    try:
        repo = check_repo(typed.repo)
        own = staging_tree.own_configuration()
        told = open_door(settings.of_doors(repo, own)).ask("report", {"repo": repo})
        tag = typed.tag or _tag(repo, own.get("deploy.parent-dir", _PARENT), told)
        for line in _lines(repo, tag, told, typed):
            print(line)
    except Refusal as refused:
        print(*refused.lines, sep="\n", file=sys.stderr)
        return refused.status
    except DeployError as error:
        print(error.at(repo=typed.repo), file=sys.stderr)
        return 1
    return 0


def submodule_update() -> int:
    """``trigger-submodule-update``, in the directory of a submodule: let who reads it by plain http find its tags.

    Returns:
        The exit code; 1 where no submodule is.
    """
    place = Path.cwd()
    if not (place / ".git").is_file():
        return 1
    try:
        StagingTree(place).update_server_info()
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy-info", description="Tell how many minions lack a release.")
    parser.add_argument("--repo", required=True, help="the repo's name in the pillar")
    parser.add_argument("--tag", default="", help="what is looked for; without it what was synced last")
    parser.add_argument("--fetch", action="store_true", help="whether it is there, and not whether it runs")
    parser.add_argument("--detailed", action="store_true", help="name the minions that are pending")
    parser.add_argument("--full-report", action="store_true", help="name all minions")
    parser.add_argument(
        "--nodeps", action="store_true", help="accepted: the repo alone is told of in any case"
    )
    return parser


def _tag(repo: str, parent: str, told: View) -> str:
    """What was synced last, by the staging repository that is here; else what is pinned.

    Raises:
        NoSuchTag: nothing was.
    """
    for directory in _staging_directories(repo, parent):
        with contextlib.suppress(ValueError, KeyError):
            try:
                found = directory.deployed()
            except OSError as error:
                raise from_os(error, repo=repo) from None
            if found:
                return found.tag
    pinned = told.get("pinned")
    if isinstance(pinned, dict) and pinned.get("tag"):
        return str(pinned["tag"])
    raise NoSuchTag("nothing of it was ever synced", repo=repo, next=f"deploy-info --repo={repo} --tag=...")


def _staging_directories(repo: str, parent: str) -> Iterator[DeployDirectory]:
    with contextlib.suppress(DeployError):
        here = StagingTree(Path.cwd())
        if here.configuration("local").get("deploy.repo-name") == repo:
            yield DeployDirectory(here.git_dir)
    yield DeployDirectory(Path(parent, repo, ".git"))


def _lines(repo: str, tag: str, told: View, typed: argparse.Namespace) -> list[str]:
    fetch, checkout = combined(told, tag, {})
    stage = fetch if typed.fetch else checkout
    pending = [host for host in stage.hosts if host not in stage.done]
    count = f"{len(pending)} minions pending ({len(stage.hosts)} reporting)"
    if typed.full_report:
        count = f"{len(stage.hosts)} minions reporting"
    lines = [f"Repo: {repo}; checking tag: {tag}", "", count]
    shown = {host: stage.hosts[host] for host in (stage.hosts if typed.full_report else pending)}
    if typed.detailed or typed.full_report:
        lines += ["", *details([StageProgress(stage.name, shown)], time.time(), every=True)]
    return lines
