"""What lies in a tree and is of no release: what an application wrote there, or what a person put there.

Only names are looked at, and no file is opened. A directory of which a release knows nothing is named as one, and not
entered: it may hold a million sessions.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltdeploy.config.paths import NOTHING_SHARED, SharedPaths
from saltdeploy.content.manifest import Manifest
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.text import public

_NAMED = 8  # paths
_LONGEST = 60  # characters of a path
_MOST_LOOKED_AT = 200_000  # names; of a tree that no release of ours has made
_SIGN = "paths:"  # Salt would take some of these texts for numbers
_DIGEST = 6  # bytes; of 300,000 paths one in a billion is taken for another


class Known(Protocol):
    """What a release has."""

    def holds(self, path: bytes) -> bool:
        """Whether it has a file, a link or a submodule at this path."""

    def holds_below(self, directory: bytes) -> bool:
        """Whether it has something in this directory."""


class KnownPaths:
    """A release of which all paths are at hand.

    Args:
        files: its paths.
    """

    def __init__(self, files: Iterable[bytes]) -> None:
        self._files = set(files)
        self._directories = {above for path in self._files for above in _above(path)}

    def holds(self, path: bytes) -> bool:
        """See :class:`Known`."""
        return path in self._files

    def holds_below(self, directory: bytes) -> bool:
        """See :class:`Known`."""
        return directory in self._directories

    def digests(self) -> str:
        """The same in few characters, for :class:`KnownDigests`."""
        named = [*self._files, *(each + b"/" for each in self._directories)]
        return _SIGN + base64.urlsafe_b64encode(b"".join(sorted(map(_digest, named)))).decode()


class KnownDigests:
    """A release of which only digests of the paths are at hand: the master sends them to who has no release yet.

    Args:
        text: from :meth:`KnownPaths.digests`.

    Raises:
        BadArguments: it is something else.
    """

    def __init__(self, text: str) -> None:
        try:
            digests = base64.b64decode(text.removeprefix(_SIGN), altchars=b"-_", validate=True)
        except ValueError as error:
            raise BadArguments(
                f"{text[:40]} are no digests of paths: {error}", next="leave this argument to the master"
            ) from None
        self._known = {digests[at : at + _DIGEST] for at in range(0, len(digests), _DIGEST)}

    def holds(self, path: bytes) -> bool:
        """See :class:`Known`."""
        return _digest(path) in self._known

    def holds_below(self, directory: bytes) -> bool:
        """See :class:`Known`."""
        return _digest(directory + b"/") in self._known


class KnownOnDisk:
    """A release that is there as a tree.

    Args:
        tree: its files.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def holds(self, path: bytes) -> bool:
        """See :class:`Known`."""
        return os.path.lexists(self._at(path)) and not self.holds_below(path)

    def holds_below(self, directory: bytes) -> bool:
        """See :class:`Known`."""
        return os.path.isdir(self._at(directory)) and not os.path.islink(self._at(directory))

    def _at(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self._tree), path)


@dataclass(frozen=True)
class Untracked:
    """What was found.

    Attributes:
        named: the first of them; a directory ends in a slash.
        count: all of them; a directory counts once.
        is_whole: all names were looked at.
    """

    named: tuple[str, ...] = ()
    count: int = 0
    is_whole: bool = True

    def __bool__(self) -> bool:
        return bool(self.count)

    def __str__(self) -> str:
        more = self.count - len(self.named)
        unseen = "" if self.is_whole else f" (the first {_MOST_LOOKED_AT} names were looked at)"
        return ", ".join(self.named) + (f" and {more} more" if more else "") + unseen


NOTHING_UNTRACKED = Untracked()


def in_release(tree: Path, manifest: Manifest, limit: int, shared: SharedPaths = NOTHING_SHARED) -> Untracked:
    """What is in a release's tree besides the release.

    Of a tree of more files than ``limit`` those directories are looked at that somebody has changed since it was made, and
    each of the others costs one ``stat(2)``. Of a smaller one every directory is listed.

    Args:
        manifest: of the tree.
        shared: what belongs there all the same.
    """
    if not manifest.holds_more_than(limit):
        return _found(tree, KnownPaths(manifest.paths()), shared, None)
    changed = manifest.ctimes.changed(tree)
    return _found(tree, manifest, shared, changed)


def in_foreign(tree: Path, release: Known, shared: SharedPaths = NOTHING_SHARED) -> Untracked:
    """What is in a tree that we did not make, and not in a release that is to come in its place.

    Args:
        shared: what will be taken over.
    """
    return _found(tree, release, shared, None, foreign=True)


def _found(
    tree: Path,
    release: Known,
    shared: SharedPaths,
    among: Collection[bytes] | None,
    *,
    foreign: bool = False,
) -> Untracked:
    """Args:
    among: only what is directly in these directories; None: all.
    """
    named: list[str] = []
    count = looked = 0
    for number, path in enumerate(_strays(tree, release, shared, among, foreign=foreign)):
        looked = number + 1
        if path:
            count += 1
            if len(named) < _NAMED:
                named.append(_shown(path))
    return Untracked(tuple(sorted(named)), count, looked < _MOST_LOOKED_AT)


def _strays(
    tree: Path, release: Known, shared: SharedPaths, among: Collection[bytes] | None, *, foreign: bool
) -> Iterator[bytes]:
    """Each name that is looked at: b"" where it belongs there, else its path, with a slash behind a directory."""
    todo = [b""] if among is None else sorted(among, reverse=True)
    left = _MOST_LOOKED_AT
    with Below(tree) as below:
        while todo:
            directory = todo.pop()
            for name, is_directory in sorted(below.entries(directory)):
                if foreign and not left:
                    return
                left -= 1
                path = os.path.join(directory, name)
                if shared.holds(path) or (foreign and path == b".git"):
                    yield b""
                elif not is_directory:
                    yield b"" if release.holds(path) else path
                elif release.holds_below(path) or release.holds(path) or shared.is_above(path):
                    if among is None:
                        todo.append(path)
                    yield b""
                else:
                    yield path + b"/"


def _above(path: bytes) -> Iterator[bytes]:
    while path := os.path.dirname(path):
        yield path


def _digest(path: bytes) -> bytes:
    return hashlib.sha256(path).digest()[:_DIGEST]


def _shown(path: bytes) -> str:
    text = public(path.decode("utf-8", "backslashreplace"))
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"
