"""The branches in which git-annex keeps what it knows of contents: those of a repo's own repository and of its submodules'."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Repository

#: The second is what ``git annex sync`` pushes: where the first has changed meanwhile, that one alone arrives.
_BRANCHES = ("git-annex", "synced/git-annex")
_HERE = "refs/heads"
_MOST_HEADS = 8


@dataclass(frozen=True)
class Annex:
    """What git-annex knows in one repository.

    Attributes:
        reader: reads the commits.
        heads: the commits of its branches; none where git-annex was never used.
    """

    reader: Reader
    heads: tuple[str, ...]


def follow(repository: Repository, url: str, of: str = "") -> None:
    """Bring the branches as they are in another repository now; where they cannot be had, all stays.

    Args:
        url: of the other repository.
        of: the same URL, where this repository holds the branches of several; "" where they are its own.
    """
    repository.follow(url, {branch: f"{_place(of)}/{branch}" for branch in _BRANCHES})


def own(reader: Reader) -> Annex:
    """A repository's own branches, and those of where it was cloned from."""
    return _found(reader, _HERE, "refs/remotes/*")


def other(reader: Reader, of: str) -> Annex:
    """The branches that were brought from a URL; see :func:`follow`."""
    return _found(reader, _place(of))


def _found(reader: Reader, *places: str) -> Annex:
    refs = [f"{place}/{branch}" for place in places for branch in _BRANCHES]
    return Annex(reader, tuple(reader.heads(*refs)[:_MOST_HEADS]))


def _place(of: str) -> str:
    # a URL is no name of a ref, and may hold a password
    return f"refs/deploy-annexes/{hashlib.sha256(of.encode()).hexdigest()[:40]}" if of else _HERE
