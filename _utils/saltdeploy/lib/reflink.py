"""A second file with the same bytes that takes no second space, as far as the file system can do that.

A reflink (``ioctl_ficlone(2)``: xfs, btrfs) is a file of its own whose blocks are shared until somebody writes. A
hard link is the same file under another name: who writes into it changes both.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CLONE, LINK, COPY = "reflink", "hard link", "copy"

_FICLONE = 0x40049409
_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS)
_CANNOT_LINK = (errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOSYS)


def clone(source: Path | bytes | int, destination: bytes, mode: int, at: int | None = None) -> bool:
    """Make a reflink of ``source``; False, and nothing is there, where that cannot be done.

    Args:
        source: a path, or the descriptor of an open file.
        at: a descriptor of the directory in which ``destination`` is a name.
    """
    with _opened(source) as old, _new(destination, mode, at) as fd:
        try:
            fcntl.ioctl(fd, _FICLONE, old.fileno())
            return True
        except OSError as error:
            os.unlink(destination, dir_fd=at)
            if error.errno in _CANNOT_CLONE:
                return False
            raise


def link(
    source: Path | bytes, destination: bytes, source_at: int | None = None, at: int | None = None
) -> bool:
    """Make a hard link to ``source``; False where that cannot be done.

    Args:
        source_at, at: descriptors of the directories in which the two are names.
    """
    try:
        os.link(source, destination, src_dir_fd=source_at, dst_dir_fd=at, follow_symlinks=False)
        return True
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            return False
        raise


def copy(source: Path | bytes | int, destination: bytes, mode: int, at: int | None = None) -> None:
    """Copy the bytes; see :func:`clone`."""
    with _opened(source) as old, _new(destination, mode, at) as fd, open(fd, "wb", closefd=False) as new:
        shutil.copyfileobj(old, new, 1 << 20)


def _opened(source: Path | bytes | int) -> IO[bytes]:
    return open(source, "rb", closefd=not isinstance(source, int))


def shares(directory: Path) -> bool:
    """Whether two files in this directory can share their bytes."""
    return way(directory) != COPY


def way(directory: Path) -> str:
    """The best way to have a second file in this directory: :data:`CLONE`, :data:`LINK` or :data:`COPY`."""
    one, other = directory / "share-1", os.fsencode(directory / "share-2")
    one.write_bytes(b"?")
    try:
        if clone(one, other, 0o644):
            return CLONE
        return LINK if link(one, other) else COPY
    finally:
        one.unlink()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(other)


@contextlib.contextmanager
def _new(path: bytes, mode: int, at: int | None = None) -> Iterator[int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600, dir_fd=at)
    try:
        os.fchmod(fd, mode)
        yield fd
    finally:
        os.close(fd)
