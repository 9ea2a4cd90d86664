"""A second tree with the files of a first one, which take no second space where the file system can do that.

Each file is a reflink of the other where that can be; else a hard link; else a copy. A hard link is the same file: whoever
writes *into* it changes both trees. So only a file that nobody but its owner may write, and whose owner we are, is linked;
services that run as other users cannot spoil it. Whoever brings a tree to a release never writes into a file
(:mod:`saltdeploy.layouts.symlinked.apply`). Times of files stay as they are, for those who tell clients when a file changed.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Collection
from pathlib import Path

from saltdeploy.config.owner import NOBODYS, Ownership
from saltdeploy.content.compare import FileEntry, compare
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.owner import TreeOwner, of_host
from saltdeploy.git.objects import GITLINK, SYMLINK
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib import reflink
from saltdeploy.lib.below import Below
from saltdeploy.lib.os_errors import from_os

log = logging.getLogger(__name__)

_BLOCK = 4096
_TOLD_EVERY = 4096
_OTHERS_MAY_WRITE = 0o022
_EXCHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


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
        said: whose the files are to be.

    Attributes:
        way: how files are shared: :data:`saltdeploy.lib.reflink.CLONE`, ``LINK`` or ``COPY``.
        bytes, inodes: the space that it takes at most.

    Raises:
        Unreadable: the manifest of the base is damaged.
    """

    def __init__(self, base: Slot, scratch: Path, tell: Progress, said: Ownership = NOBODYS) -> None:
        self.base = base
        self._said = said
        self.way = reflink.way(scratch)
        log.debug("%s is cloned by %s", base.tree, self.way)
        self._tell = tell
        with base.manifest() as manifest:
            self._files, size = manifest.sizes()
        linked = self.way == reflink.LINK and not said  # a file of somebody else's is not shared with him
        copied = self.way == reflink.COPY or (self.way == reflink.LINK and bool(said))
        self.bytes = size + self._files * _BLOCK if copied else 0
        self.inodes = 0 if linked else self._files

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
            with Below(self.base.tree) as old, Below(tree) as new:
                copying = _Copying(old, new, of_host(self._said))
                for number, entry in enumerate(known.entries()):
                    self._make_one(entry, copying, manifest)
                    if number % _TOLD_EVERY == 0:
                        self._tell("copy", number, self._files, "files")
            manifest.digests.take(known.digests)

    def _make_one(self, entry: FileEntry, copying: _Copying, manifest: Manifest) -> None:
        """Make one file; note it, if it is another one than that of the base."""
        old, new = copying.old, copying.new
        now = old.seen(entry.path)
        at = old.find(os.path.dirname(entry.path))
        if now is None or at is None or compare(os.path.basename(entry.path), entry, now=now, at=at):
            raise self._differs(entry)
        try:
            copying.make_directories(os.path.dirname(entry.path))
            if self._put(entry, copying, now):
                return
            seen = new.seen(entry.path)
        except OSError as error:
            named = new.at(entry.path).decode("utf-8", "backslashreplace")
            raise from_os(error, path=named) from error
        if seen is None:
            raise self._differs(entry)
        manifest.put(entry.path, entry.mode, entry.oid, seen, entry.digest, entry.pointer)

    def _differs(self, entry: FileEntry) -> Differs:
        named = entry.path.decode("utf-8", "backslashreplace")
        return Differs(f"{named} of {self.base.tree} differed", [entry.oid])

    def _put(self, entry: FileEntry, copying: _Copying, now: os.stat_result) -> bool:
        """Make one; whether it is the same file as that of the base."""
        if entry.mode == GITLINK:
            copying.new.make_directory(entry.path)
            copying.own_directory(entry.path)
            return False
        (name, at), (_, source_at) = copying.new.place(entry.path), copying.old.place(entry.path)
        if entry.mode == SYMLINK and not entry.pointer:
            os.symlink(os.readlink(name, dir_fd=source_at), name, dir_fd=at)
            os.utime(name, ns=(now.st_mtime_ns, now.st_mtime_ns), follow_symlinks=False, dir_fd=at)
            if copying.owner is not None:
                copying.owner.give_link(name, at)
        elif self.way == reflink.LINK and _is_ours(now) and reflink.link(name, name, source_at, at):
            if os.lstat(name, dir_fd=at).st_ino != now.st_ino:
                raise self._differs(entry)
            return True
        else:
            self._copy(entry, copying, now)
        return False

    def _copy(self, entry: FileEntry, copying: _Copying, now: os.stat_result) -> None:
        mode = stat.S_IMODE(now.st_mode) & ~_OTHERS_MAY_WRITE
        if copying.owner is not None:
            mode = copying.owner.file(entry.mode)
        name, at = copying.new.place(entry.path)
        source = self._opened(entry, copying.old, now)
        try:
            if not (self.way == reflink.CLONE and reflink.clone(source, name, mode, at)):
                reflink.copy(source, name, mode, at)
        finally:
            os.close(source)
        os.utime(name, ns=(now.st_mtime_ns, now.st_mtime_ns), dir_fd=at, follow_symlinks=False)
        if copying.owner is not None:
            copying.owner.give_link(name, at)

    def _opened(self, entry: FileEntry, old: Below, now: os.stat_result) -> int:
        """The file that was compared, and no other: it may be one that its readers must not read."""
        try:
            fd = old.open(entry.path)
        except OSError as error:
            if error.errno in _EXCHANGED:
                raise self._differs(entry) from None
            raise
        if not os.path.samestat(os.fstat(fd), now):
            os.close(fd)
            raise self._differs(entry)
        return fd


class _Copying:
    """The tree that there is, and the one that is being made.

    Args:
        old, new: the two.
        owner: whose the new one is; None: ours.
    """

    def __init__(self, old: Below, new: Below, owner: TreeOwner | None) -> None:
        self.old = old
        self.new = new
        self.owner = owner
        self._made = {b""}

    def make_directories(self, directory: bytes) -> None:
        """Make a directory of the new tree, and those above it, once."""
        if directory not in self._made:
            self.make_directories(os.path.dirname(directory))
            self.new.make_directory(directory)
            self.own_directory(directory)
            self._made.add(directory)

    def own_directory(self, directory: bytes) -> None:
        """Give a directory of the new tree to its owner."""
        if self.owner is not None:
            name, at = self.new.place(directory)
            self.owner.give_directory(directory, name, at)


def _is_ours(seen: os.stat_result) -> bool:
    """Whether nobody but us may write into a file."""
    return seen.st_uid == os.geteuid() and not seen.st_mode & _OTHERS_MAY_WRITE
