"""Refuses a release that lacks too much of the one that is pinned, or has no file at all."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

from saltdeploy.config import Repo
from saltdeploy.git.repository import Difference, Repository, Tag
from saltdeploy.lib.errors import Corrupt, TooMuchRemoved, Unavailable
from saltdeploy.master.payloads.source import Source

# Of a small tree so much is soon a great share; it is no sign of a wrong release, unless nothing at all may go.
_FEW_FILES, _FEW_BYTES = 5, 4096


def refuse_empty(repo: Repo, source: Source, tag: Tag) -> None:
    """Refuse a release without any file.

    Raises:
        TooMuchRemoved: it has none.
    """
    repository = source.repository
    if repository.is_empty(tag.commit):
        raise TooMuchRemoved(
            f"{tag.name} has no file at all",
            repo=repo.name,
            next=f"git -C {repository.git_dir} ls-tree {tag.commit} shows nothing; or, if it is meant so: force=empty_release",
        )


def refuse_much_removed(repo: Repo, source: Source, tag: Tag, before: str) -> None:
    """Compare the trees as wholes: what was moved is not lost.

    Args:
        before: the commit that is pinned; "" when none is.

    Raises:
        TooMuchRemoved: the release is smaller than ``before`` by more than ``max_removed``.
    """
    if before in ("", tag.commit) or not source.repository.has(before):
        return
    with _whole(repo, source, tag, before) as repository:
        found = repository.difference(before, tag.commit)
        if not _is_too_much(repo.guards.max_removed, found, repository.sizes(before)):
            return
    raise TooMuchRemoved(
        f"{tag.name} lacks {found.fewer} files of the release that is pinned, and {max(found.lost, 0)} bytes "
        f"are gone: more than {repo.guards.max_removed}",
        repo=repo.name,
        path=f"repo_config:{repo.name}:max_removed",
        next=f"git -C {source.repository.git_dir} diff --stat {before} {tag.commit}; "
        "or, if it is meant so: force=max_removed",
    )


def refuse_shrunken(repo: Repo, mirror: Repository, before: str, tree: str, origin: str) -> None:
    """Compare what is to be staged with what was staged last: a disk that is not mounted, a half copied directory.

    Args:
        before, tree: git's ids of both trees.
        origin: what it would be made of.

    Raises:
        TooMuchRemoved: it is smaller by more than ``max_removed``.
    """
    if before == tree:
        return
    found = mirror.difference(before, tree)
    if _is_too_much(repo.guards.max_removed, found, mirror.sizes(before)):
        raise TooMuchRemoved(
            f"{origin} lacks {found.fewer} files of what was staged last, and {max(found.lost, 0)} bytes are gone: "
            f"more than {repo.guards.max_removed}; nothing was staged",
            repo=repo.name,
            path=f"repo_config:{repo.name}:max_removed",
            next="see whether all of it is there; or, if it is meant so, stage it with force=max_removed",
        )


@contextlib.contextmanager
def _whole(repo: Repo, source: Source, tag: Tag, before: str) -> Iterator[Repository]:
    """The repository that knows most of both releases: with the files of submodules, where those are at hand."""
    with contextlib.ExitStack() as opened:
        try:
            found = opened.enter_context(source.packer(tag.commit, repo.delivery.transport))
        except (Unavailable, Corrupt):  # it is said when they are packed, if they are
            found = source.repository
        # the source has it, as was seen before
        yield found if found is source.repository or found.has(before) else source.repository


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
