"""Bring a work tree from one commit to another by writing only what differs.

Every file is written beside the tree and renamed into place, so that a process that still has the old file
open keeps the old bytes. Paths come from a repository and are not trusted: none may leave the tree, by
``..`` or through a symbolic link.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from saltdeploy import disk
from saltdeploy.errors import Corrupt
from saltdeploy.manifest import Manifest, hasher
from saltdeploy.repository import GITLINK, NOTHING, SYMLINK, Blobs, Change, Progress, Repository, read_changes

_BAD_PARTS = (b"", b".", b"..")
_BLOCK = 4096
_TOLD_EVERY = 64


@dataclass
class Written:
    """What was done to a tree: files written and removed, bytes written."""

    files: int = 0
    removed: int = 0
    bytes: int = 0
    _synced: list[bytes] = field(default_factory=list)

    def note(self, path: bytes, size: int) -> None:
        """Count a written file; of many files only the number matters to :func:`disk.fsync_tree`."""
        self.files += 1
        self.bytes += size
        if len(self._synced) <= disk.FSYNC_EACH_LIMIT:
            self._synced.append(path)


class WorkTree:
    """The directory ``root``, which nobody reads while it changes.

    Args:
        root: the tree; made if need be.
        incoming: a directory on the same file system for files that are being written.
        store: has the objects.
    """

    def __init__(self, root: Path, incoming: Path, store: Repository) -> None:
        self._root = os.fsencode(root)
        self._path = root
        self._aside = os.path.join(os.fsencode(incoming), b"file")
        self._incoming = incoming
        self._store = store
        self._parents: set[bytes] = set()

    def oids_to_write(self, changes: IO[bytes], oids: IO[bytes]) -> int:
        """List in the file ``oids`` the blobs that the changes need, one a line; return how many."""
        count = 0
        for change in read_changes(changes):
            _check(change.path)
            if change.mode not in (NOTHING, GITLINK):
                oids.write(change.oid.encode() + b"\n")
                count += 1
        oids.flush()
        return count

    def refuse_if_full(self, oids: IO[bytes], count: int) -> None:
        """Find out before anything is written whether it fits.

        Raises:
            DiskFull: with the number of bytes or inodes that are missing.
        """
        need = self._store.total_size(oids) + count * _BLOCK
        disk.refuse_without_space(self._incoming, need, count)

    def apply(self, changes: IO[bytes], oids: IO[bytes], count: int, manifest: Manifest, tell: Progress) -> Written:
        """Make the changes, and note each in the manifest.

        Args:
            changes: from :meth:`Repository.diff`; may name a path twice, with the same new side.
            oids, count: from :meth:`oids_to_write`.
            manifest: of this tree, within a transaction.
            tell: hears of progress in files.

        Raises:
            Corrupt: a blob is missing, or its bytes are not what its id says.
        """
        done = Written()
        self._remove(changes, manifest, done)
        with self._store.blobs(oids) as blobs:
            for change in read_changes(changes):
                if change.mode == NOTHING:
                    continue
                self._make_room(change.path)
                size = 0
                if change.mode == GITLINK:
                    os.mkdir(self._at(change.path))
                elif change.mode == SYMLINK:
                    size = self._link(change, blobs)
                else:
                    size = self._file(change, blobs)
                manifest.put(change.path, change.mode, change.oid, os.lstat(self._at(change.path)))
                done.note(change.path, size)
                if done.files % _TOLD_EVERY == 0:
                    tell("write", done.files, count, "files")
        tell("write", done.files, count, "files")
        disk.fsync_tree(self._path, done._synced)
        return done

    # -- one path ---------------------------------------------------------------------------------------

    def _remove(self, changes: IO[bytes], manifest: Manifest, done: Written) -> None:
        emptied: set[bytes] = set()
        for change in read_changes(changes):
            if change.mode == NOTHING:
                self._delete(change.path)
                manifest.drop(change.path)
                done.removed += 1
                emptied.add(os.path.dirname(change.path))
        for directory in sorted(emptied, key=len, reverse=True):
            self._prune(directory)

    def _delete(self, path: bytes) -> None:
        if self._parent_is_real(path):
            disk.remove_tree(Path(os.fsdecode(self._at(path))))

    def _parent_is_real(self, path: bytes) -> bool:
        """Whether ``path`` can be reached through real directories only."""
        parent = os.path.dirname(path)
        while parent and parent not in self._parents:
            try:
                if not stat.S_ISDIR(os.lstat(self._at(parent)).st_mode):
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
            parent = os.path.dirname(parent)
        return True

    def _prune(self, directory: bytes) -> None:
        while directory:
            try:
                os.rmdir(self._at(directory))
            except OSError:  # not empty, or gone already
                return
            directory = os.path.dirname(directory)

    def _make_room(self, path: bytes) -> None:
        """See to it that the parents are real directories and that no directory is in the way."""
        self._make_parents(os.path.dirname(path))
        try:
            if stat.S_ISDIR(os.lstat(self._at(path)).st_mode):
                disk.remove_tree(Path(os.fsdecode(self._at(path))))
                self._parents = {p for p in self._parents if p != path and not p.startswith(path + b"/")}
        except FileNotFoundError:
            pass

    def _make_parents(self, directory: bytes) -> None:
        if directory in self._parents:
            return
        if directory:
            self._make_parents(os.path.dirname(directory))
        place = self._at(directory)
        try:
            seen = os.lstat(place)
        except FileNotFoundError:
            seen = None
        if seen is not None and not stat.S_ISDIR(seen.st_mode):
            os.unlink(place)
            seen = None
        if seen is None:
            os.mkdir(place)
            os.chmod(place, 0o755)
        self._parents.add(directory)

    def _link(self, change: Change, blobs: Blobs) -> int:
        size, pieces = blobs.next(change.oid)
        target = b"".join(pieces)
        digest = hasher(size, len(change.oid))
        digest.update(target)
        self._check_digest(change, digest.hexdigest())
        os.symlink(target, self._aside)
        os.rename(self._aside, self._at(change.path))
        return size

    def _file(self, change: Change, blobs: Blobs) -> int:
        size, pieces = blobs.next(change.oid)
        digest = hasher(size, len(change.oid))
        fd = os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for piece in pieces:
                digest.update(piece)
                _write_all(fd, piece)
            os.fchmod(fd, 0o755 if change.mode == "100755" else 0o644)
        finally:
            os.close(fd)
        self._check_digest(change, digest.hexdigest())
        os.rename(self._aside, self._at(change.path))
        return size

    def _check_digest(self, change: Change, digest: str) -> None:
        if digest != change.oid:
            raise Corrupt(
                f"the object store gave other bytes than blob {change.oid}",
                path=os.fsdecode(self._at(change.path)),
                next=f"git --git-dir={self._store.git_dir} fsck",
            )

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self._root, path) if path else self._root


def _write_all(fd: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(fd, left) :]


def _check(path: bytes) -> None:
    """Refuse a path that git would not check out either.

    Raises:
        Corrupt: for ``..``, ``.git`` and the like as a part of the path.
    """
    parts = path.split(b"/")
    if any(part in _BAD_PARTS or part.lower() == b".git" for part in parts):
        raise Corrupt(f"the release holds the illegal path {path!r}", next="git fsck in the repository")
