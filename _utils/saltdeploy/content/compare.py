"""Compares a file on a disk with what it should be, and computes the ids of contents."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from saltdeploy.content import pointers
from saltdeploy.git.objects import EXECUTABLE, FILE, GITLINK, NOTHING, SYMLINK
from saltdeploy.lib.below import READ, plain

_CHUNK = 1 << 20


class Sums:
    """The ids of a content that passes by: git's of the blob, and its sha256.

    Args:
        size: bytes that will pass.
        oid_length: hexadecimal digits of git's ids.
    """

    def __init__(self, size: int, oid_length: int) -> None:
        self._blob = hasher(size, oid_length)
        self._sha256 = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        """The next bytes."""
        self._blob.update(piece)
        self._sha256.update(piece)

    @property
    def oid(self) -> str:
        """The id of the blob, when everything has passed."""
        return self._blob.hexdigest()

    @property
    def sha256(self) -> bytes:
        """The digest of the content."""
        return self._sha256.digest()


class FileEntry(NamedTuple):
    """A file that a tree should hold. A tuple: one is made for each file of a tree.

    Attributes:
        path: relative to the tree.
        mode, oid: as git says it.
        size, mtime, ctime, inode: as it was seen when it was last known to be right, times in ns; a file with the same
            ones need not be read. A ctime of 0 was not noted; an inode of 0: it was never seen.
        digest: the sha256 of its content; None where only git's id is known.
        pointer: what the blob holds, where the file should hold what that points to.
    """

    path: bytes
    mode: str
    oid: str
    size: int = 0
    mtime: int = 0
    ctime: int = 0
    inode: int = 0
    digest: bytes | None = None
    pointer: bytes = b""

    @property
    def seen(self) -> tuple[int, int, int, int]:
        """Its stat as it was seen."""
        return self.size, self.mtime, self.ctime, self.inode


def compare(
    place: bytes,
    expected: FileEntry,
    *,
    full: bool = False,
    now: os.stat_result | None = None,
    at: int | None = None,
) -> str:
    """How the file at ``place`` differs from what it should be: ``missing``, ``changed`` or "".

    Args:
        place: its name in the directory ``at``; or an absolute path.
        expected: what should be there.
        full: read it in any case.
        now: what was just seen of it; None: look.
        at: a descriptor, see :class:`saltdeploy.lib.below.Below`.
    """
    try:
        now = now or os.lstat(place, dir_fd=at)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if expected.mode == GITLINK:
        return "" if stat.S_ISDIR(now.st_mode) else "changed"
    if git_mode(now) != (FILE if expected.pointer and expected.mode == SYMLINK else expected.mode):
        return "changed"
    if not full and _is_as_seen(now, expected):
        return ""
    try:
        return "" if _is_same(place, now, expected, at) else "changed"
    except FileNotFoundError:  # its users are at work
        return "missing"


def _is_as_seen(now: os.stat_result, expected: FileEntry) -> bool:
    if (now.st_size, now.st_mtime_ns, now.st_ino) != (expected.size, expected.mtime, expected.inode):
        return False
    # the content may have further names in other trees, and the ctime changes with each that comes or goes
    return now.st_ctime_ns == expected.ctime or bool(expected.pointer) or not expected.ctime


def _is_same(place: bytes, now: os.stat_result, expected: FileEntry, at: int | None) -> bool:
    if expected.pointer:
        return _is_content(place, expected.mode, expected.oid, expected.pointer, at)
    if expected.digest is not None:
        return _fed(place, now, hashlib.sha256(), at).digest() == expected.digest
    return blob_id(place, now, len(expected.oid), at) == expected.oid


def digest_of(path: bytes, mode: str, oid: str, pointer: bytes = b"", at: int | None = None) -> bytes | None:
    """The digest of the content of a file that is what it should be; None where it is not.

    Args:
        path, at: as in :func:`compare`.
        mode, oid, pointer: as in :class:`FileEntry`.

    Returns:
        The sha256; of a content that a pointer points to, what the pointer has.
    """
    if mode == GITLINK:
        return bytes.fromhex(oid)
    try:
        now = os.lstat(path, dir_fd=at)
        if pointer:
            found = pointers.read(mode, pointer)
            same = _is_content(path, mode, oid, pointer, at)
            return bytes.fromhex(found.digest) if same and found is not None else None
        if git_mode(now) != mode:
            return None
        sums = Sums(now.st_size, len(oid))
        _feed(path, now, sums.update, at)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return sums.sha256 if sums.oid == oid else None


def _is_content(path: bytes, mode: str, oid: str, data: bytes, at: int | None) -> bool:
    """Whether the blob is this pointer, and the file what it points to."""
    blob = hasher(len(data), len(oid))
    blob.update(data)
    try:
        pointer = pointers.read(mode, data)
    except pointers.NoPointer:
        return False
    if blob.hexdigest() != oid or pointer is None:
        return False
    return _fed(path, os.lstat(path, dir_fd=at), pointer.hasher(), at).hexdigest() == pointer.digest


def git_mode(seen: os.stat_result) -> str:
    """git's mode of what ``seen`` describes; ``000000`` for what git cannot hold."""
    if stat.S_ISLNK(seen.st_mode):
        return SYMLINK
    if stat.S_ISREG(seen.st_mode):
        return EXECUTABLE if seen.st_mode & stat.S_IXUSR else FILE
    return NOTHING


def hasher(size: int, oid_length: int) -> hashlib._Hash:
    """A hash that becomes a blob's id once the content has been fed to it (gitformat: ``blob <size> NUL``)."""
    digest = hashlib.sha256() if oid_length == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    return digest


def blob_id(path: bytes, seen: os.stat_result, oid_length: int, at: int | None = None) -> str:
    """The git blob id of the file or symbolic link at ``path``; see :func:`compare` for ``at``."""
    return _fed(path, seen, hasher(seen.st_size, oid_length), at).hexdigest()


def _fed(path: bytes, seen: os.stat_result, digest: hashlib._Hash, at: int | None) -> hashlib._Hash:
    _feed(path, seen, digest.update, at)
    return digest


def _feed(path: bytes, seen: os.stat_result, take: Callable[[bytes], None], at: int | None) -> None:
    """Give what a file holds, or where a link leads.

    Raises:
        FileNotFoundError: something else is there now.
    """
    try:
        if stat.S_ISLNK(seen.st_mode):
            take(os.readlink(path, dir_fd=at))
            return
        fd = os.open(path, READ, dir_fd=at)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EINVAL):
            raise
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
    if plain(fd) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    with os.fdopen(fd, "rb") as file:
        while piece := file.read(_CHUNK):
            take(piece)
