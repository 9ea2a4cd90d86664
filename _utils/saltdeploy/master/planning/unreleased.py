"""What is staged and not deployed: what ``deploy.sync`` and ``deploy.plan`` are about where nobody names a release."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saltdeploy.config import Repo
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.spelling import argument
from saltdeploy.master.records.history import History
from saltdeploy.master.records.pins import Pins

if TYPE_CHECKING:
    from saltdeploy.master.payloads.source import Source

_NUMBER = re.compile(r"([0-9]+)")
_STARTS = "-start-"  # Trigger's tags of where a deployment began


@dataclass(frozen=True)
class Unreleased:
    """A commit of a repo, and the tag that it has; "" where a deploy gives it one.

    Attributes:
        is_deployed: whether that is what the fleet should run already.
    """

    repo: str
    commit: str
    tag: str
    is_deployed: bool = False

    @property
    def view(self) -> dict[str, object]:
        """The view ``nothing``: what is staged is deployed."""
        return {"view": "nothing", "repo": self.repo, "tag": self.tag, "commit": self.commit, "retcode": 0}

    @property
    def named(self) -> dict[str, str]:
        """It as an argument of ``deploy.sync``."""
        return {"tag": self.tag} if self.tag else {"commit": self.commit}


def newest(repo: Repo, root: Path, history: History, action: str) -> Unreleased:
    """What ``git deploy sync`` has written down and was never accepted; else what was staged last; else what is checked out.

    Args:
        root: the master's directory for deploys.
        action: the runner's function, for the error.

    Raises:
        BadArguments: there is no staging repository on this host, so it has to be said.
        DeployError: it cannot be read.
    """
    if not Path(repo.origin.source).is_dir():
        raise _unsaid(repo, action)
    from saltdeploy.master.payloads.source import Source

    source = Source(repo, root)
    pin = Pins(root).get(repo.name)
    for found in (
        _written_down(repo, root, source, history),
        _staged(repo, source),
        _checked_out(repo, source),
    ):
        if found is None:
            continue
        if pin is not None and source.origin_of(pin.release.commit) == found.commit:
            return replace(found, tag=pin.release.tag, is_deployed=True)
        return found
    raise _unsaid(repo, action)


def _written_down(repo: Repo, root: Path, source: Source, history: History) -> Unreleased | None:
    """The tag in ``.git/deploy/deploy``, unless it is of long ago: what was accepted once, nobody has to sync."""
    from saltdeploy.master.planning import staged

    tag = staged.tag_of(repo, root)
    commit = source.tag(tag).commit if tag else ""
    versions = [each for each in history.versions(repo.name) if each.get("accepted")]
    accepted = any(commit in (each["commit"], source.origin_of(each["commit"])) for each in versions)
    return Unreleased(repo.name, commit, tag) if commit and not accepted else None


def _staged(repo: Repo, source: Source) -> Unreleased | None:
    """What ``deploy.stage`` has made last."""
    if not source.is_staged and repo.staging.plan is None:
        return None
    from saltdeploy.git.snapshots import STAGED

    commit = source.mirror.commit_of(STAGED)
    return Unreleased(repo.name, commit, _tag(source.made_tags(), commit)) if commit else None


def _checked_out(repo: Repo, source: Source) -> Unreleased | None:
    if source.work_tree is None:
        return None
    from saltdeploy.git.work_tree import checked_out

    commit = checked_out(source.work_tree)
    return Unreleased(repo.name, commit, _tag(source.histories().refs(), commit)) if commit else None


def _tag(refs: dict[str, str], commit: str) -> str:
    """The tag that somebody has given the commit already, the greatest of several."""
    from saltdeploy.git.histories import TAGS

    names = [
        ref.removeprefix(TAGS) for ref, meant in refs.items() if ref.startswith(TAGS) and meant == commit
    ]
    return max((name for name in names if _STARTS not in name), key=_natural, default="")


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """What sorts ``v1.10`` behind ``v1.9``."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _NUMBER.split(name)]


def _unsaid(repo: Repo, action: str) -> BadArguments:
    command = f"salt-run deploy.{action} {argument('repo', repo.name)}"
    return BadArguments(
        "missing a required argument: 'tag'",
        next=f"{command} tag=...; or what a branch has: {command} branch=main",
    )
