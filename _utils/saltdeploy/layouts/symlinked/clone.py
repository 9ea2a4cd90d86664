"""A second tree with the files of a first one, which take no second space where the file system can do that.

Each file is a reflink of the other where that can be; else a hard link; else a copy. A hard link is the same file: whoever
writes *into* it changes both trees. So only a file that nobody but its owner may write, and whose owner we are, is linked;
services that run as other users cannot spoil it. Whoever brings a tree to a release never writes into a file
(:mod:`saltdeploy.layouts.symlinked.apply`). Times of files stay as they are, for those who tell clients when a file changed.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Collection
from pathlib import Path

from saltdeploy.content.compare import FileEntry, compare
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.verify import is_real
from saltdeploy.git.objects import GITLINK, SYMLINK
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib import reflink
from saltdeploy.lib.errors import from_os

log = logging.getLogger(__name__)

_BLOCK = 4096
_TOLD_EVERY = 4096
_OTHERS_MAY_WRITE = 0o022


class Differs(Exception):
    """A tree is not what its manifest says.

    Attributes:
        damaged: blobs whose files in it hold something else, as far as they are known.
    """

    def __init__(self, why: str, damaged: Collection[str] = ()) -> None:
        super().__init__(why)
        self.damaged = damaged


class Clone:
    """What is needed to make a tree out of another one.

    Args:
        base: a complete tree.
        scratch: a directory on the same file system, to find out what that can do.
        tell: hears of progress in files.

    Attributes:
        way: how files are shared: :data:`saltdeploy.lib.reflink.CLONE`, ``LINK`` or ``COPY``.
        bytes, inodes: the space that it takes at most.

    Raises:
        Unreadable: the manifest of the base is damaged.
    """

    def __init__(self, base: Slot, scratch: Path, tell: Progress) -> None:
        self.base = base
        self.way = reflink.way(scratch)
        log.debug("%s is cloned by %s", base.tree, self.way)
        self._tell = tell
        with base.manifest() as manifest:
            self._files, size = manifest.sizes()
        copied = self.way == reflink.COPY
        self.bytes = size + self._files * _BLOCK if copied else 0
        self.inodes = 0 if self.way == reflink.LINK else self._files

    def make(self, tree: Path, manifest: Manifest) -> None:
        """Make the tree, and note each file in its manifest.

        Args:
            tree: an empty directory.
            manifest: of this tree, within a transaction.

        Raises:
            Differs: a file of the base is not what it was.
            DiskFull, NoPermission: the operating system's errors, with the path.
        """
        with self.base.manifest() as known:
            if self.way == reflink.LINK:
                known.forget_ctimes()
                manifest.take(known)
            made, real = {b""}, {b""}
            for number, entry in enumerate(known.entries()):
                self._make_one(entry, tree, manifest, made, real)
                if number % _TOLD_EVERY == 0:
                    self._tell("copy", number, self._files, "files")
            manifest.digests.take(known.digests)

    def _make_one(
        self, entry: FileEntry, tree: Path, manifest: Manifest, made: set[bytes], real: set[bytes]
    ) -> None:
        """Make one file; note it, if it is another one than that of the base.

        Args:
            made: directories of the new tree that are there; grows.
            real: directories of the base that are no links; grows.
        """
        old, new, above = os.fsencode(self.base.tree), os.fsencode(tree), os.path.dirname(entry.path)
        source, place = os.path.join(old, entry.path), os.path.join(new, entry.path)
        now = _seen(source) if is_real(old, above, real) else None
        if now is None or compare(source, entry, now=now):
            named = entry.path.decode("utf-8", "backslashreplace")
            raise Differs(f"{named} of {self.base.tree} differed", [entry.oid])
        try:
            _make_directories(new, above, made)
            if self._put(entry, source, now, place):
                return
            seen = os.lstat(place)
        except OSError as error:
            raise from_os(error, path=place.decode("utf-8", "backslashreplace")) from error
        manifest.put(entry.path, entry.mode, entry.oid, seen, entry.digest, entry.pointer)

    def _put(self, entry: FileEntry, source: bytes, now: os.stat_result, place: bytes) -> bool:
        """Make one; whether it is the same file as that of the base."""
        if entry.mode == GITLINK:
            os.mkdir(place)
            os.chmod(place, 0o755)
        elif entry.mode == SYMLINK and not entry.pointer:
            os.symlink(os.readlink(source), place)
            os.utime(place, ns=(now.st_mtime_ns, now.st_mtime_ns), follow_symlinks=False)
        elif self.way == reflink.LINK and _is_ours(now) and reflink.link(source, place):
            return True
        else:
            self._copy(source, now, place)
        return False

    def _copy(self, source: bytes, now: os.stat_result, place: bytes) -> None:
        mode = stat.S_IMODE(now.st_mode) & ~_OTHERS_MAY_WRITE
        if not (self.way == reflink.CLONE and reflink.clone(source, place, mode)):
            reflink.copy(source, place, mode)
        os.utime(place, ns=(now.st_mtime_ns, now.st_mtime_ns))


def _seen(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_ours(seen: os.stat_result) -> bool:
    """Whether nobody but us may write into a file."""
    return seen.st_uid == os.geteuid() and not seen.st_mode & _OTHERS_MAY_WRITE


def _make_directories(root: bytes, directory: bytes, made: set[bytes]) -> None:
    if directory in made:
        return
    _make_directories(root, os.path.dirname(directory), made)
    place = os.path.join(root, directory)
    os.mkdir(place)
    os.chmod(place, 0o755)
    made.add(directory)
