"""Compares files on a disk with what they should be, and computes the ids of contents."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from saltdeploy.content import pointers
from saltdeploy.git.objects import EXECUTABLE, FILE, GITLINK, NOTHING, SYMLINK

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


def compare(
    path: bytes,
    mode: str,
    oid: str,
    seen: tuple[int, ...] | None = None,
    pointer: bytes = b"",
    digest: bytes | None = None,
    now: os.stat_result | None = None,
) -> str:
    """How the file at ``path`` differs from what it should be: ``missing``, ``changed`` or "".

    Args:
        path: absolute.
        mode, oid: what it should be, as git says it.
        seen: size, mtime, ctime (ns) and inode when it was last known to be right; a file with the same ones is
            not read. A ctime of 0 was not noted. None: read it in any case.
        pointer: what the blob holds, where the file should hold what that points to.
        digest: the sha256 of its content; None where only git's id is known.
        now: what was just seen of it; None: look.
    """
    try:
        now = now or os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if mode == GITLINK:
        return "" if stat.S_ISDIR(now.st_mode) else "changed"
    if git_mode(now) != (FILE if pointer and mode == SYMLINK else mode):
        return "changed"
    found = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    if seen and found == seen:
        return ""
    # the content may have further names in other trees, and the ctime changes with each that comes or goes
    if seen and (pointer or not seen[2]) and _without_ctime(found) == _without_ctime(seen):
        return ""
    try:
        return "" if _is_same(path, now, mode, oid, pointer, digest) else "changed"
    except FileNotFoundError:  # its users are at work
        return "missing"


def _is_same(
    path: bytes, now: os.stat_result, mode: str, oid: str, pointer: bytes, digest: bytes | None
) -> bool:
    if pointer:
        return _is_content(path, mode, oid, pointer)
    if digest is not None:
        return _fed(path, now, hashlib.sha256()).digest() == digest
    return blob_id(path, now, len(oid)) == oid


def digest_of(path: bytes, mode: str, oid: str, pointer: bytes = b"") -> bytes | None:
    """The digest of the content of a file that is what it should be; None where it is not.

    Args:
        path, mode, oid, pointer: as in :func:`compare`.

    Returns:
        The sha256; of a content that a pointer points to, what the pointer has.
    """
    if mode == GITLINK:
        return bytes.fromhex(oid)
    try:
        now = os.lstat(path)
        if pointer:
            found = pointers.read(mode, pointer)
            same = _is_content(path, mode, oid, pointer)
            return bytes.fromhex(found.digest) if same and found is not None else None
        if git_mode(now) != mode:
            return None
        sums = Sums(now.st_size, len(oid))
        _feed(path, now, sums.update)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return sums.sha256 if sums.oid == oid else None


def _without_ctime(seen: tuple[int, ...]) -> tuple[int, ...]:
    size, mtime, _, inode = seen
    return size, mtime, inode


def _is_content(path: bytes, mode: str, oid: str, data: bytes) -> bool:
    """Whether the blob is this pointer, and the file what it points to."""
    blob = hasher(len(data), len(oid))
    blob.update(data)
    try:
        pointer = pointers.read(mode, data)
    except pointers.NoPointer:
        return False
    if blob.hexdigest() != oid or pointer is None:
        return False
    return _fed(path, os.lstat(path), pointer.hasher()).hexdigest() == pointer.digest


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


def blob_id(path: bytes, seen: os.stat_result, oid_length: int) -> str:
    """The git blob id of the file or symbolic link at ``path``."""
    return _fed(path, seen, hasher(seen.st_size, oid_length)).hexdigest()


def _fed(path: bytes, seen: os.stat_result, digest: hashlib._Hash) -> hashlib._Hash:
    _feed(path, seen, digest.update)
    return digest


def _feed(path: bytes, seen: os.stat_result, take: Callable[[bytes], None]) -> None:
    """Give what a file holds, or where a link leads."""
    if stat.S_ISLNK(seen.st_mode):
        take(os.readlink(path))
        return
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            take(piece)


def is_real(base: bytes, directory: bytes, known: set[bytes]) -> bool:
    """Whether ``directory`` and those above it are real directories; a link may show other files tomorrow.

    Args:
        known: those below ``base`` of which it is known; grows.
    """
    unknown = []
    while directory not in known:
        unknown.append(directory)
        directory = os.path.dirname(directory)
    for directory in reversed(unknown):
        try:
            if not stat.S_ISDIR(os.lstat(os.path.join(base, directory)).st_mode):
                return False
        except (FileNotFoundError, NotADirectoryError):
            return False
        known.add(directory)
    return True


def walk(root: Path) -> Iterator[bytes]:
    """Every path below ``root``, relative to it, except directories that hold something; no link is followed.

    An empty directory ends in ``/``.
    """
    base = os.fsencode(root)
    todo = [b""]
    while todo:
        directory = todo.pop()
        try:
            with os.scandir(os.path.join(base, directory)) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):  # its users are at work
            continue
        if directory and not found:
            yield directory + b"/"
        for name, is_directory in found:
            path = os.path.join(directory, name)
            if is_directory:
                todo.append(path)
            else:
                yield path
