"""Makes and deletes paths in a work tree.

Paths come from a repository and are not trusted: none may leave the tree, by ``..`` or through a symbolic link. Nor are
directories in the tree: they may belong to others, who exchange them at any moment (:mod:`saltdeploy.lib.below`).
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from saltdeploy.content.manifest import Manifest
from saltdeploy.content.owner import TreeOwner
from saltdeploy.git.objects import GITLINK, Change
from saltdeploy.lib import disk
from saltdeploy.lib.below import READABLE, Below
from saltdeploy.lib.errors import Corrupt

_ILLEGAL = re.compile(rb"(?:^|/)(?:\.{0,2}|\.git)(?:/|\Z)", re.IGNORECASE)
_MOST_TRIES = 8
_Made = TypeVar("_Made")


class TreePaths:
    """The paths below a directory that nobody reads while it changes.

    Args:
        root: the tree; a real directory.
        owner: whose directories are; None: ours.

    Attributes:
        surprised: something in the tree was not as this class leaves it: somebody else has written there.
    """

    def __init__(self, root: Path, owner: TreeOwner | None = None) -> None:
        self._below = Below(root)
        self._owner = owner
        self._real: set[bytes] = {b""}
        self._unsynced = disk.Unsynced(root)
        self.surprised = False

    def at(self, path: bytes) -> bytes:
        """Where a path is on disk, for people."""
        return self._below.at(path)

    def seen(self, path: bytes) -> os.stat_result:
        """What ``lstat(2)`` tells of a path that was just made.

        Raises:
            Corrupt: it is gone.
        """
        found = self._below.seen(path)
        if found is None:
            raise self._disturbed(path)
        return found

    def written(self, path: bytes) -> None:
        """A path got new bytes or a new name: :meth:`sync` makes that durable."""
        self._unsynced.written(path)

    def sync(self) -> None:
        """Make what was written and deleted survive a power cut."""
        self._unsynced.sync()

    def close(self) -> None:
        """Let go of the tree: who looks for its users would find this process."""
        self._below.close()

    def delete(self, path: bytes) -> bool:
        """Delete a path; False when nothing is there that can be reached through real directories only."""
        if self._below.seen(path) is None:
            return False
        self._below.remove(path)
        self._unsynced.entries_of(os.path.dirname(path))
        return True

    def prune(self, directory: bytes, manifest: Manifest) -> None:
        """Remove a directory and its parents as far as they are empty; a submodule's is meant to be."""
        while directory and manifest.entry(directory) is None:
            if not self._below.remove_empty(directory):
                return
            self._real.discard(directory)
            directory = os.path.dirname(directory)
            self._unsynced.entries_of(directory)

    def make_parents(self, directory: bytes, manifest: Manifest) -> None:
        """See to it that a directory and those above it are real ones. What is made in it next is made in that one.

        Raises:
            Corrupt: somebody exchanges them all the time.
        """
        for _ in range(_MOST_TRIES):
            try:
                for each in self._unknown(directory):
                    self._make_real(each, manifest)
                    self._real.add(each)
                self._below.directory(directory)  # stays open
                return
            except (FileNotFoundError, NotADirectoryError, FileExistsError):
                self.surprised = True
                self._real = {b""}
        raise self._disturbed(directory)

    def _unknown(self, directory: bytes) -> list[bytes]:
        """A directory and those above it, as far as they were not found to be real, the topmost first."""
        unknown = []
        while directory not in self._real:
            unknown.append(directory)
            directory = os.path.dirname(directory)
        return unknown[::-1]

    def _make_real(self, directory: bytes, manifest: Manifest) -> None:
        name, at = self._below.place(directory)
        try:
            seen = os.lstat(name, dir_fd=at)
        except FileNotFoundError:
            self.surprised |= manifest.holds_below(directory)
        else:
            if stat.S_ISDIR(seen.st_mode):
                self._dress(directory, seen, name, at)
                return
            if manifest.entry(directory) is not None:
                raise _twofold(directory)
            self.surprised = True
            os.unlink(name, dir_fd=at)
        self._below.make_directory(directory)
        if self._owner is not None:
            self._owner.give_directory(directory, name, at)
        self._unsynced.written(directory)

    def _dress(self, directory: bytes, seen: os.stat_result, name: bytes, at: int) -> None:
        """Whoever made a directory may have been killed before it had its owner and mode."""
        if self._owner is not None:
            if not self._owner.fits_directory(seen, directory):
                self._owner.give_directory(directory, name, at)
        elif seen.st_mode & READABLE != READABLE:
            self._below.let_read(directory)

    def make_new(self, path: bytes, manifest: Manifest, make: Callable[[bytes, int], _Made]) -> _Made:
        """Make something that must be new; what is there is deleted.

        Args:
            make: takes a name, and a descriptor of the directory in which it is to be.
        """
        for _ in range(_MOST_TRIES):
            name, at = self._below.place(path)
            try:
                return make(name, at)
            except FileExistsError:
                self.clear(path, manifest)
        raise self._disturbed(path)

    def move_in(self, source: bytes, path: bytes) -> None:
        """Rename a file to a path, in the place of what is there."""
        name, at = self._below.place(path)
        os.rename(source, name, dst_dir_fd=at)

    def clear(self, path: bytes, manifest: Manifest) -> None:
        """Delete what is at a path where something else is to be."""
        seen = self._below.seen(path)
        if seen is not None and stat.S_ISDIR(seen.st_mode):
            if manifest.holds_below(path):
                raise _twofold(path)
            entry = manifest.entry(path)
            self.surprised |= entry is None or entry[0] != GITLINK
        if seen is not None:
            self._below.remove(path)

    def _disturbed(self, path: bytes) -> Corrupt:
        return disturbed(self.at(path).decode("utf-8", "backslashreplace"))


def disturbed(place: str, how: str = "") -> Corrupt:
    """The error where a tree changes while it is written."""
    return Corrupt(
        f"somebody exchanges files or directories here while the release is written{how}",
        path=place,
        next=f"see who may rename in these directories (namei -l {shlex.quote(place)}) and stop them; "
        "then run the same command again",
    )


def legal(changes: Iterator[Change]) -> Iterator[Change]:
    """The changes; a path that git would not check out either is refused.

    Raises:
        Corrupt: for ``..``, ``.git`` and the like as a part of a path.
    """
    for change in changes:
        if _ILLEGAL.search(change.path):
            raise Corrupt(
                f"the release holds the illegal path {change.path!r}",
                next="git fsck in the repository of the release",
            )
        yield change


def _twofold(path: bytes) -> Corrupt:
    return Corrupt(
        f"the release holds {path!r} as a file and as a directory",
        next="git fsck in the repository of the release",
    )
