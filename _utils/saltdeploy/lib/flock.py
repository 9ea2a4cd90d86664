"""An exclusive ``flock`` that can be looked at without being disturbed; the kernel frees it when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.lib.durable import damaged

_TRIES = 1000
_MOMENT = 0.001  # seconds


@contextlib.contextmanager
def taken(path: Path) -> Iterator[bool]:
    """Hold the lock while the block runs, if nobody else holds it.

    Args:
        path: the lock file; created if need be, never deleted.

    Yields:
        Whether it is held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = _opened(path)
    try:
        yield _take(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs; wait for it for as long as somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = _opened(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_taken(path: Path) -> bool:
    """Whether somebody holds the lock."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):  # none, or what nobody can take
            return False
        raise
    try:
        return not _try(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ELOOP, errno.ENOTDIR):
            raise damaged(path, f"no lock can be taken there ({error.strerror})") from error
        raise


def _take(fd: int) -> bool:
    """Try for the exclusive lock; whoever only looks (shared, for a moment) does not make it fail."""
    for _ in range(_TRIES):
        if _try(fd, fcntl.LOCK_EX):
            return True
        if not _try(fd, fcntl.LOCK_SH):
            return False
        fcntl.flock(fd, fcntl.LOCK_UN)
        time.sleep(random.uniform(0, _MOMENT))
    return False


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
