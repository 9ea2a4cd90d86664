"""What ``git deploy`` shows and does not change: tags, what would be synced, how far a deployment is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saltdeploy.git.staging_tree import TagLine
from saltdeploy.staging.deploy_files import DeployFile
from saltdeploy.trebuchet.staging import Staging

_MOST_TAGS, _MOST_COMMITS = 20, 1_000
_DIGITS = 12  # of a commit


def tags_of(staging: Staging, most: int = _MOST_TAGS) -> list[str]:
    """The tags that can be reverted to, as git-deploy listed them.

    Args:
        most: how many; 0: all.
    """
    return listed(staging.releases(), staging.tree.head(), most)


def listed(tags: list[TagLine], head: str, most: int) -> list[str]:
    """Git-deploy's list: the star is at what is checked out, the arrow leads to the oldest tag of the same commit::

        7e25a770901c.. *tag: sheep-20080827-1419
        19587c195a8b..  tag: sheep-20080825-2116 -> sheep-20080825-2105

    Args:
        tags: made last first.
        head: the commit that is checked out.
        most: how many; 0: all.
    """
    shown = tags[:most] if most else tags
    oldest = {tag.commit: tag.name for tag in shown}
    lines = []
    for tag in shown:
        star = "*" if tag.commit == head else " "
        first = oldest[tag.commit]
        arrow = f" -> {first}" if first != tag.name else ""
        lines.append(f"{tag.commit[:_DIGITS]}.. {star}tag: {tag.name}{arrow}")
    return lines


def changes(staging: Staging) -> list[str]:
    """The commits that the next sync would bring and the last one has not, newest first."""
    return staging.tree.subjects(_synced(staging), staging.tree.head(), _MOST_COMMITS)


def status(staging: Staging, overview: Mapping[str, Any]) -> list[str]:
    """How far a deployment is: lock, what was synced, what was not, and what the master knows.

    Args:
        overview: the runner's view of that name, of this repo.
    """
    lock, deployed = staging.lock(), _deployed(staging)
    lines = [f"Repo: {staging.repo}"]
    lines.append(
        f"Tag: {deployed.tag} (synced by {deployed.user} at {deployed.time})" if deployed else "Tag: None"
    )
    lines.append(
        f"Deployment: started by {lock.user or 'somebody'} at {lock.time}"
        if lock
        else "Deployment: not started"
    )
    waiting = changes(staging)
    lines.append(
        f"Not synced: {len(waiting)} commits"
        + (" and uncommitted changes" if staging.tree.is_dirty() else "")
    )
    repos = overview.get("repos")
    for known in repos if isinstance(repos, list) else ():
        lines += _of_master(known)
    return lines


def _of_master(known: Mapping[str, Any]) -> list[str]:
    pinned, running, hosts = known.get("pinned"), known.get("unfinished"), known.get("hosts")
    lines = [f"Pinned: {pinned['tag'] if pinned else None}"]
    if isinstance(hosts, dict):
        well = [name for name, host in hosts.items() if host.get("state") == "pinned"]
        lines.append(f"{len(well)}/{len(hosts)} minions run what is pinned, as they told last")
        behind = sorted(set(hosts) - set(well))
        lines += [
            f"\t{name}: {hosts[name].get('state')}, {hosts[name].get('tag') or None}" for name in behind
        ]
    if running:
        lines.append(
            f"Underway: {running.get('action')} of {running.get('tag')} by {running.get('user')} ({running.get('state')})"
        )
    return lines


def _deployed(staging: Staging) -> DeployFile | None:
    return staging.deployed() if staging.files.deploy_path.exists() else None


def _synced(staging: Staging) -> str:
    """The commit of what was synced last; "" where nothing was."""
    deployed = _deployed(staging)
    return staging.tree.commit_of(deployed.tag) if deployed else ""
