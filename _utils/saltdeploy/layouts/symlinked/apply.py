"""Bring a work tree from one commit to another by writing only what differs.

Every file is a new one, in the place of the old one, so that a process that still has that open keeps its bytes. It is
written where it stays: file systems put a file near its first directory, and a directory through which all files go makes
each of them search the same full part of the disk (ext4: ten times the processor time). Nobody looks into a tree that
changes, so half a file in it harms nobody.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.content import pointers
from saltdeploy.content.compare import Sums
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.owner import TreeOwner
from saltdeploy.content.pointers import Pointer
from saltdeploy.content.source import Contents, ContentStream
from saltdeploy.git.objects import (
    EXECUTABLE,
    GITLINK,
    NOTHING,
    SYMLINK,
    Change,
    list_blobs,
    read_changes,
)
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked.paths import TreePaths, legal
from saltdeploy.lib import disk
from saltdeploy.lib.below import make_directory_at
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull
from saltdeploy.lib.os_errors import from_os

_TOLD_EVERY = 64
_Noted = tuple[bytes, os.stat_result]  # the digest of what was written, and how it was seen then
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Stub:
    """A path that is to hold what its blob points to.

    Attributes:
        data: the blob.
    """

    change: Change
    data: bytes
    pointer: Pointer


@dataclass
class Written:
    """What was done to a tree: files written and removed, bytes written."""

    files: int = 0
    removed: int = 0
    bytes: int = 0


class WorkTree:
    """The directory ``root``, which nobody reads while it changes.

    Args:
        root: the tree; a real directory.
        incoming: a directory on the same file system, for contents that are given a name of their own before they move.
        contents: where the contents of files come from.
        kinds: of pointers, which are not written themselves.
        owner: whose what is written is; None: ours.

    Attributes:
        stubs: the paths that :meth:`apply` found to be pointers; :meth:`place` gives them their contents.
    """

    def __init__(self, root: Path, incoming: Path, contents: Contents, kinds: Collection[str] = (),
                 owner: TreeOwner | None = None) -> None:  # fmt: skip
        self._tree = root
        self._owner = owner
        self._paths = TreePaths(root, owner)
        self._aside = os.path.join(os.fsencode(incoming), b"file")
        self._incoming = incoming
        self._contents = contents
        self._kinds = kinds
        self.stubs: list[Stub] = []

    @property
    def surprised(self) -> bool:
        """Whether something in the tree was not as this class leaves it: somebody else has written there."""
        return self._paths.surprised

    def oids_to_write(self, changes: IO[bytes], oids: IO[bytes]) -> int:
        """List in the file ``oids`` the blobs that the changes need, one a line; return how many.

        Raises:
            Corrupt: a path is not legal.
        """
        return list_blobs(legal(read_changes(changes)), oids)

    def apply(
        self, changes: IO[bytes], oids: IO[bytes], count: int, manifest: Manifest, tell: Progress
    ) -> Written:
        """Make the changes, and note each in the manifest. They are durable after :meth:`sync`.

        Args:
            changes: from :meth:`Repository.diff`; each path once.
            oids, count: from :meth:`oids_to_write`.
            manifest: of this tree, within a transaction.
            tell: hears of progress in files.

        Raises:
            Corrupt: a blob is missing, its bytes are not what its id says, or the tree cannot be laid out.
            DiskFull, NoPermission, DeployError: the operating system's errors, with the path.
        """
        done = Written()
        path = b""
        try:
            self._remove(changes, manifest, done)
            with self._contents.open(changes, oids, self._tree) as supply:
                for change in read_changes(changes):
                    if change.mode == NOTHING:
                        continue
                    path = change.path
                    done.bytes += self._put(change, supply, manifest)
                    done.files += 1
                    if done.files % _TOLD_EVERY == 0:
                        tell("write", done.files, count, "files")
        except OSError as error:
            raise self._explained(error, path) from error
        tell("write", done.files, count, "files")
        return done

    def place(self, cache: BlobCache, manifest: Manifest, written: Written) -> None:
        """Put the contents, which are in the cache, where the stubs are, and note them in the manifest.

        Raises:
            DiskFull, NoPermission, DeployError: the operating system's errors, with the path.
        """
        path = b""
        try:
            for stub in self.stubs:
                path = stub.change.path
                cache.place(stub.pointer, self._aside, executable=stub.change.mode == EXECUTABLE)
                self._paths.make_parents(os.path.dirname(path), manifest)
                self._paths.move_in(self._aside, path)
                with contextlib.suppress(
                    FileNotFoundError
                ):  # rename(2) leaves one of two links to the same file
                    os.unlink(self._aside)
                seen = self._paths.seen(path)
                digest = bytes.fromhex(stub.pointer.digest)
                manifest.put(path, stub.change.mode, stub.change.oid, seen, digest, stub.data)
                self._paths.written(path)
                written.bytes += seen.st_size
        except OSError as error:
            raise self._explained(error, path) from error
        finally:
            disk.remove_tree(Path(os.fsdecode(self._aside)))

    def _explained(self, error: OSError, path: bytes) -> DeployError:
        ours = from_os(error, path=self._paths.at(path).decode("utf-8", "backslashreplace"))
        # of a full disk a directory says more: df needs one that is still there
        return from_os(error, path=str(self._incoming)) if isinstance(ours, DiskFull) else ours

    def sync(self) -> None:
        """Make what was written and removed survive a power cut."""
        self._paths.sync()

    def close(self) -> None:
        """Let go of the tree; it may be worked on again."""
        self._paths.close()

    def remove_stray(self, path: bytes, manifest: Manifest) -> None:
        """Delete a path that the manifest does not know, and the directories that are empty without it."""
        if not path.endswith(b"/"):
            self._paths.delete(path)
        directory = path.rstrip(b"/") if path.endswith(b"/") else os.path.dirname(path)
        manifest.ctimes.touch(directory)
        self._paths.prune(directory, manifest)

    # -- one path ---------------------------------------------------------------------------------------

    def _remove(self, changes: IO[bytes], manifest: Manifest, done: Written) -> None:
        emptied: set[bytes] = set()
        for change in read_changes(changes):
            if change.mode == NOTHING:
                self._paths.surprised |= not self._paths.delete(change.path)
                manifest.drop(change.path)
                done.removed += 1
                emptied.add(os.path.dirname(change.path))
        for directory in sorted(emptied, key=len, reverse=True):
            self._paths.prune(directory, manifest)

    def _put(self, change: Change, supply: ContentStream, manifest: Manifest) -> int:
        """Write one path; return its size."""
        self._paths.make_parents(os.path.dirname(change.path), manifest)
        write = {GITLINK: self._submodule, SYMLINK: self._link}.get(change.mode, self._file)
        made = write(change, supply, manifest)
        if made is None:
            self._paths.clear(change.path, manifest)
            return 0
        digest, seen = made
        manifest.put(change.path, change.mode, change.oid, seen, digest)
        self._paths.written(change.path)
        return 0 if change.mode == GITLINK else seen.st_size

    def _submodule(self, change: Change, _supply: ContentStream, manifest: Manifest) -> _Noted:
        """Make a submodule's directory."""
        self._paths.make_new(change.path, manifest, self._directory_new)
        return bytes.fromhex(change.oid), self._paths.seen(change.path)

    def _link(self, change: Change, supply: ContentStream, manifest: Manifest) -> _Noted | None:
        """Write a symbolic link; None when it is a pointer."""
        size, pieces = supply.next(change)
        target = b"".join(pieces)
        digest = self._checked(change, size, target)
        if self._is_stub(change, target):
            return None
        self._paths.make_new(change.path, manifest, functools.partial(self._link_new, target))
        return digest, self._paths.seen(change.path)

    def _file(self, change: Change, supply: ContentStream, manifest: Manifest) -> _Noted | None:
        """Write a file; None when it is a pointer."""
        size, pieces = supply.next(change)
        if self._kinds and size <= pointers.MOST:
            data = b"".join(pieces)
            if self._is_stub(change, data):
                self._checked(change, size, data)
                return None
            pieces = iter([data])
        sums = Sums(size, len(change.oid))
        mode = 0o755 if change.mode == EXECUTABLE else 0o644
        fd = self._paths.make_new(change.path, manifest, functools.partial(_open_new, mode=mode))
        try:
            for piece in pieces:
                sums.update(piece)
                _write_all(fd, piece)
            seen = os.fstat(fd)
            if self._owner is not None:
                self._owner.give_file(fd, change.mode)
                seen = os.fstat(fd)
            elif stat.S_IMODE(seen.st_mode) != mode:  # the umask is another than usual
                os.fchmod(fd, mode)
                seen = os.fstat(fd)
        finally:
            os.close(fd)
        self._check_digest(change, sums.oid)
        return sums.sha256, seen

    def _directory_new(self, name: bytes, at: int) -> None:
        make_directory_at(name, at)
        if self._owner is not None:
            self._owner.give_directory(b"", name, at)

    def _link_new(self, target: bytes, name: bytes, at: int) -> None:
        os.symlink(target, name, dir_fd=at)
        if self._owner is not None:
            self._owner.give_link(name, at)

    def _checked(self, change: Change, size: int, data: bytes) -> bytes:
        """See to it that a complete content is what its blob is; return its digest."""
        sums = Sums(size, len(change.oid))
        sums.update(data)
        self._check_digest(change, sums.oid)
        return sums.sha256

    def _is_stub(self, change: Change, data: bytes) -> bool:
        """Whether the blob is a pointer; it is noted then."""
        pointer = pointers.at(change.path, change.mode, data, self._kinds)
        if pointer is not None:
            self.stubs.append(Stub(change, data, pointer))
        return pointer is not None

    def _check_digest(self, change: Change, digest: str) -> None:
        if digest != change.oid:
            raise Corrupt(
                f"other bytes came than those of blob {change.oid} ({change.path.decode('utf-8', 'backslashreplace')})",
                path=self._contents.place,
                next=self._contents.advice,
            )


def _open_new(name: bytes, at: int, mode: int) -> int:
    return os.open(name, _NEW, mode, dir_fd=at)


def _write_all(fd: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(fd, left) :]
