"""Guards that refuse a deploy before anything is asked of any host; ``force=True`` overrides all but the signature."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.config.freeze import active
from saltdeploy.git.reader import checked_out
from saltdeploy.git.repository import Difference, Repository, Tag
from saltdeploy.lib.errors import (
    BadRelease,
    Corrupt,
    Frozen,
    MovedTag,
    NoTargets,
    NotAsRecorded,
    TooMuchRemoved,
    Unavailable,
    Unsigned,
)
from saltdeploy.master.history import History
from saltdeploy.master.pins import Pin
from saltdeploy.master.source import Source
from saltdeploy.protocol.release import Release

# Of a small tree so much is soon a great share; it is no sign of a wrong release, unless nothing at all may go.
_FEW_FILES, _FEW_BYTES = 5, 4096


def refuse_frozen(repo: Repo, now: float, *, force: bool) -> None:
    """Refuse to deploy within a freeze window.

    Raises:
        Frozen: with the window's reason and end.
    """
    window = active(repo.freeze, now)
    if window is not None and not force:
        raise Frozen(
            f"deploys are frozen: {window}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:freeze",
            next="wait for its end; or, if it must be now: force=True",
        )


def refuse_dangerous(repo: Repo, source: Source, tag: Tag, before: str, *, force: bool) -> None:
    """Refuse a release that is not signed where it must be, or that lacks too much of the one before.

    Args:
        before: the commit that is pinned; "" when none is.

    Raises:
        Unsigned: git cannot verify the tag's signature; ``force`` does not help.
        TooMuchRemoved: the release has no file at all, or is smaller than ``before`` by more than ``max_removed``.
        NotAsRecorded: the tree that was tagged has another commit of a submodule checked out than the tag records.
    """
    if repo.require_signed:
        _refuse_unsigned(repo, source.repository, tag)
    if not force:
        if repo.submodules and source.work_tree is not None:
            _refuse_forgotten_update(repo, source.work_tree, source.repository, tag)
        _refuse_empty(repo, source.repository, tag)
        _refuse_much_removed(repo, source, tag, before)


def _refuse_unsigned(repo: Repo, repository: Repository, tag: Tag) -> None:
    try:
        repository.verify(tag)
    except Unsigned as error:
        raise error.at(repo=repo.name) from None


def _refuse_forgotten_update(repo: Repo, place: Path, repository: Repository, tag: Tag) -> None:
    """Whoever tried out a staging tree that has other submodules than its commit records has tried another release.

    A submodule that was never checked out there has misled nobody; an older tag says nothing of the tree as it is now.
    """
    if checked_out(place) != tag.commit:
        return
    for path, recorded in repository.submodules(tag.commit).items():
        there = place / os.fsdecode(path)
        found = checked_out(there) if (there / ".git").exists() else recorded
        if found != recorded:
            raise NotAsRecorded(
                f"{tag.name} records commit {recorded} of this submodule, and {found or 'none'} is checked out here",
                repo=repo.name,
                path=str(there),
                next=f"git -C {place} submodule update --init --recursive; or, if what is checked out was meant: commit "
                "it and make a new tag; or, if the tag is right: force=True",
            )


def _refuse_empty(repo: Repo, repository: Repository, tag: Tag) -> None:
    if repository.is_empty(tag.commit):
        raise TooMuchRemoved(
            f"{tag.name} has no file at all",
            repo=repo.name,
            next=f"git -C {repository.git_dir} show {tag.name}; or, if it is meant so: force=True",
        )


def _refuse_much_removed(repo: Repo, source: Source, tag: Tag, before: str) -> None:
    """The trees are compared as wholes: what was moved is not lost."""
    if before in ("", tag.commit) or not source.repository.has(before):
        return
    with _whole(repo, source, tag, before) as repository:
        found = repository.difference(before, tag.commit)
        if not _is_too_much(repo.max_removed, found, repository.sizes(before)):
            return
    raise TooMuchRemoved(
        f"{tag.name} lacks {found.fewer} files of the release that is pinned, and {max(found.lost, 0)} bytes "
        f"are gone: more than {repo.max_removed}",
        repo=repo.name,
        path=f"repo_config:{repo.name}:max_removed",
        next=f"git -C {source.repository.git_dir} diff --stat {before} {tag.commit}; "
        "or, if it is meant so: force=True",
    )


@contextlib.contextmanager
def _whole(repo: Repo, source: Source, tag: Tag, before: str) -> Iterator[Repository]:
    """The repository that knows most of both releases: with the files of submodules, where those are at hand."""
    with contextlib.ExitStack() as opened:
        try:
            found = opened.enter_context(source.packer(tag.commit, repo.transport))
        except (Unavailable, Corrupt):  # it is said when they are packed, if they are
            found = source.repository
        yield found if found.has(before) else source.repository


def _is_too_much(most: str, found: Difference, sizes: Generator[int, None, None]) -> bool:
    """Whether more is lost than the share of the old files, or of their bytes, or than the count of files.

    Args:
        sizes: of the old files. They are read only until it is clear that so little was lost.
    """
    if not most.endswith("%"):
        return found.fewer > int(most)
    share = int(most[:-1])
    few_files, few_bytes = (_FEW_FILES, _FEW_BYTES) if share else (0, 0)
    lost_files = found.fewer if found.fewer > few_files else 0
    lost_bytes = found.lost if found.lost > few_bytes else 0
    files = total = 0
    with contextlib.closing(sizes) as left:
        while lost_files * 100 > share * files or lost_bytes * 100 > share * total:
            size = next(left, None)
            if size is None:
                return True
            files, total = files + 1, total + size
    return False


def refuse_moved(release: Release, history: History) -> None:
    """Compare a freshly resolved release with what its tag meant when it was deployed.

    Raises:
        MovedTag: naming both commits.
    """
    meant = history.commit_of(release.repo, release.tag)
    if meant and meant != release.commit:
        raise MovedTag(
            f"tag {release.tag} was deployed as commit {meant} and now means {release.commit}",
            repo=release.repo,
            next="never move a deployed tag: make a new tag for the new commit and deploy that",
        )


def refuse_bad(release: Release, history: History, *, force: bool) -> None:
    """Refuse a release that was rolled back from.

    Raises:
        BadRelease: it was, and nobody insists.
    """
    why = history.is_bad(release.repo, release.tag, release.commit)
    if why and not force:
        raise BadRelease(
            f"{release.tag} is marked bad: {why}",
            repo=release.repo,
            next=f"deploy a tag that mends it; or, if {release.tag} was not to blame: force=True",
        )


def refuse_bad_targets(
    repo: Repo, hosts: list[str], pin: Pin | None, accepted: set[str], *, force: bool
) -> None:
    """See to it that the deploy is for the whole fleet.

    Args:
        hosts: what Salt made of the target expression.
        pin: holds the targets of the last deploy.
        accepted: all minions that the master knows.

    Raises:
        NoTargets: nobody takes the repo; or, without ``force``, somebody is missing who did in the last deploy
            and is still a minion of this master (Salt leaves out minions whose grains it has lost).
    """
    if not hosts:
        raise NoTargets(
            f"no minion matches {repo.targets!r} ({repo.targets_type})",
            repo=repo.name,
            next=f"salt '*' grains.append deployment_target {repo.name}; or set repo_config:{repo.name}:targets; "
            "after a change of grains: salt '*' saltutil.refresh_grains",
        )
    missing = sorted((set(pin.hosts) if pin else set()) & accepted - set(hosts))
    if missing and not force:
        raise NoTargets(
            f"{', '.join(missing[:5])} took part in the last deploy and no longer matches {repo.targets!r}",
            repo=repo.name,
            next=f"salt -L {','.join(missing[:5])} saltutil.refresh_grains; if it is meant so: force=True",
        )
