"""What is between two releases of a repo, above all between what runs and what would: commits, their authors, files.

Git is asked, and no host: what should run is what is pinned.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.commits import CommitReader, Commits, paths
from saltdeploy.lib.errors import Corrupt, GitFailed, NoSuchDeploy, NoSuchTag, Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.records.history import History
from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.release import Release

MOST_COMMITS = 200  # that are listed
MOST_PATHS = 1_000  # that are listed


def changes(repo: Repo, old: str, new: str, root: Path, history: History) -> dict[str, Any]:
    """The view ``changes``.

    Args:
        old: a tag. Without it, what is pinned; without ``new`` as well, what was accepted before that.
        new: a tag. Without it, what is pinned.
        root: the master's directory for deploys.

    Raises:
        DeployError: a tag is not there, or nothing was deployed yet and no ``new`` is given.
    """
    source = Source(repo, root)
    before, after = _releases(repo, old, new, root, history, source)
    start = before.commit if before else ""
    repository = source.repository
    for each in (before, after):
        if each and not repository.has(each.commit):  # a mirror that was lost
            source.release(source.tag(each.tag))
    try:
        difference = repository.difference(start, after.commit)
        listed = paths(repository, start, after.commit, MOST_PATHS)
    except GitFailed as error:
        raise Unavailable(
            f"the repository has not all of both releases: {error.cause}",
            repo=repo.name,
            path=str(repository.git_dir),
            next=f"git --git-dir={repository.git_dir} fsck",
        ) from error
    return {
        "view": "changes",
        "retcode": 0,
        "repo": repo.name,
        "old": _told(before) if before else None,
        "new": _told(after),
        **_commits(source, before, after),
        "files": {
            "added": difference.added,
            "changed": difference.changed,
            "removed": difference.removed,
            "grown": -difference.lost,
            "listed": [{"path": path, "kind": kind} for path, kind in listed],
        },
        "next": _next(repo.name, after, root),
    }


def _releases(
    repo: Repo, old: str, new: str, root: Path, history: History, source: Source
) -> tuple[Release | None, Release]:
    pin = Pins(root).get(repo.name)
    pinned = pin.release if pin else None
    after = _resolved(repo.name, new, history, source) if new else pinned
    if after is None:
        raise NoSuchDeploy(
            "nothing is pinned yet, so that there is nothing to compare with",
            repo=repo.name,
            next=f"salt-run deploy.changes repo={repo.name} new=...",
        )
    if old:
        return _resolved(repo.name, old, history, source), after
    return pinned if new else lineage(repo.name, history.versions(repo.name)).before, after


def _resolved(repo: str, tag: str, history: History, source: Source) -> Release:
    """What a tag means now; one that is gone from the repository, what it meant when it was deployed."""
    try:
        return Release(repo, tag, source.release(source.tag(tag)).commit)
    except NoSuchTag:
        known = history.commit_of(repo, tag)
        if not known or not source.repository.has(known):
            raise
        return Release(repo, tag, known)


def _commits(source: Source, before: Release | None, after: Release) -> dict[str, Any]:
    """Commits forth and back, as far as they can be told; else ``unknown`` says why they cannot."""
    before = replace(before, commit=source.origin_of(before.commit)) if before else None
    after = replace(after, commit=source.origin_of(after.commit))
    try:
        commits = _with_both(source, before, after)
        if not commits.knows(after.commit) or (before and not commits.knows(before.commit)):
            missing = before if before and commits.knows(after.commit) else after
            raise Unavailable(f"the repository does not know the commit of {missing.tag} any more")
        start = before.commit if before else ""
        brought = commits.between(start, after.commit, MOST_COMMITS)
        taken = commits.between(after.commit, start, MOST_COMMITS) if start else Commits()
    except (Unavailable, NoSuchTag, Corrupt, GitFailed) as error:
        return {"unknown": error.cause}
    cut = {"cut_off": True} if commits.is_cut_off else {}
    return {"brings": _of(brought), "takes_back": _of(taken), **cut}


def _with_both(source: Source, before: Release | None, after: Release) -> CommitReader:
    commits = source.history(after.tag)
    if before and not commits.knows(before.commit):  # not on the way to the new one
        commits = source.history(before.tag, after.tag)
    return commits


def _of(found: Commits) -> dict[str, Any]:
    return {
        "count": found.count,
        "authors": dict(found.authors.most_common()),
        "listed": [
            {
                "commit": each.oid,
                "author": each.author,
                "email": each.email,
                "time": each.time,
                "subject": each.subject,
            }
            for each in found.listed
        ],
    }


def _told(release: Release) -> dict[str, str]:
    return {"tag": release.tag, "commit": release.commit}


def _next(repo: str, after: Release, root: Path) -> str:
    """The command that leads on; "" where the release is what should run already."""
    pin = Pins(root).get(repo)
    if pin and pin.release.commit == after.commit:
        return ""
    return f"salt-run deploy.plan repo={repo} {argument('tag', after.tag)}"
