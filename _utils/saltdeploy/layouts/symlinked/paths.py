"""Makes and deletes paths in a work tree.

Paths come from a repository and are not trusted: none may leave the tree, by ``..`` or through a symbolic link.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from saltdeploy.content.manifest import Manifest
from saltdeploy.git.objects import GITLINK, Change
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt

_ILLEGAL = re.compile(rb"(?:^|/)(?:\.{0,2}|\.git)(?:/|\Z)", re.IGNORECASE)
_READABLE = 0o755  # directories
_Made = TypeVar("_Made")


class TreePaths:
    """The paths below a directory that nobody reads while it changes.

    Args:
        root: the tree; a real directory.

    Attributes:
        surprised: something in the tree was not as this class leaves it: somebody else has written there.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._real: set[bytes] = {b""}
        self._unsynced = disk.Unsynced(root)
        self.surprised = False

    def at(self, path: bytes) -> bytes:
        """Where a path is on disk."""
        return os.path.join(self._root, path) if path else self._root

    def written(self, path: bytes) -> None:
        """A path got new bytes or a new name: :meth:`sync` makes that durable."""
        self._unsynced.written(path)

    def sync(self) -> None:
        """Make what was written and deleted survive a power cut."""
        self._unsynced.sync()

    def delete(self, path: bytes) -> bool:
        """Delete a path; False when nothing is there."""
        if not self._parent_is_real(path) or not os.path.lexists(self.at(path)):
            return False
        disk.remove_tree(Path(os.fsdecode(self.at(path))))
        self._unsynced.entries_of(os.path.dirname(path))
        return True

    def _parent_is_real(self, path: bytes) -> bool:
        """Whether ``path`` can be reached through real directories only."""
        parent = os.path.dirname(path)
        while parent:
            try:
                if not stat.S_ISDIR(os.lstat(self.at(parent)).st_mode):
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
            parent = os.path.dirname(parent)
        return True

    def prune(self, directory: bytes, manifest: Manifest) -> None:
        """Remove a directory and its parents as far as they are empty; a submodule's is meant to be."""
        while directory and manifest.entry(directory) is None:
            try:
                os.rmdir(self.at(directory))
            except OSError:  # not empty, or gone already
                return
            directory = os.path.dirname(directory)
            self._unsynced.entries_of(directory)

    def make_parents(self, directory: bytes, manifest: Manifest) -> None:
        """See to it that a directory and those above it are real ones."""
        missing = []
        while directory not in self._real:
            missing.append(directory)
            directory = os.path.dirname(directory)
        for directory in reversed(missing):
            self._make_real(directory, manifest)
            self._real.add(directory)

    def _make_real(self, directory: bytes, manifest: Manifest) -> None:
        place = self.at(directory)
        try:
            mode = os.lstat(place).st_mode
            if stat.S_ISDIR(mode):
                if mode & _READABLE != _READABLE:  # whoever made it was killed before the mode was set
                    os.chmod(place, _READABLE)
                return
            if manifest.entry(directory) is not None:
                raise _twofold(directory)
            self.surprised = True
            os.unlink(place)
        except FileNotFoundError:
            self.surprised |= manifest.holds_below(directory)
        make_directory(place)
        self._unsynced.written(directory)

    def make_new(self, path: bytes, manifest: Manifest, make: Callable[[bytes], _Made]) -> _Made:
        """Make something that must be new; what is there is deleted."""
        place = self.at(path)
        try:
            return make(place)
        except FileExistsError:
            self.clear(path, manifest)
            return make(place)

    def clear(self, path: bytes, manifest: Manifest) -> None:
        """Delete what is at a path where something else is to be."""
        place = self.at(path)
        try:
            is_directory = stat.S_ISDIR(os.lstat(place).st_mode)
        except FileNotFoundError:
            return
        if not is_directory:
            os.unlink(place)
            return
        if manifest.holds_below(path):
            raise _twofold(path)
        entry = manifest.entry(path)
        self.surprised |= entry is None or entry[0] != GITLINK
        disk.remove_tree(Path(os.fsdecode(place)))


def make_directory(place: bytes) -> None:
    """Make a directory that all may read, whatever the umask."""
    os.mkdir(place)
    os.chmod(place, _READABLE)


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
