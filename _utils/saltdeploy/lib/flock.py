"""An exclusive ``flock`` that can be looked at without being disturbed; the kernel frees it when its holder dies.

A lock file is its owner's alone: whoever may open it may hold it, and stop everybody who needs it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.lib.durable import damaged

log = logging.getLogger(__name__)

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
        if not _try(fd, fcntl.LOCK_EX):
            log.info("waits for the lock %s, which %s holds", path, _named(holders(path)))
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


def holders(path: Path) -> frozenset[int]:
    """The processes that hold the lock, shared or not, as far as the kernel tells."""
    try:
        found = os.stat(path)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return frozenset()
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    held = (line.split() for line in lines if " -> " not in line)  # those with an arrow wait for it
    return frozenset(int(parts[4]) for parts in held if parts[1] == "FLOCK" and parts[5] == wanted)


def _named(pids: frozenset[int]) -> str:
    return ", ".join(f"process {pid}" for pid in sorted(pids)) or "somebody"


def _opened(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.fstat(fd)
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():  # an older version made it for all to see
            os.fchmod(fd, 0o600)
        return fd
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
