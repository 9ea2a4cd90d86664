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
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.lib.errors import DamagedFile

log = logging.getLogger(__name__)

_TRIES = 1000
_MOMENT = 0.001  # seconds
_of_this_thread = threading.local()


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
    with locked(path, wait=True):
        yield


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock while the block runs, together with the processes that are given :func:`held_locks`.

    If we die the kernel frees it, as soon as those are gone.

    Args:
        path: the lock file; created if need be, never deleted.
        wait: whether to wait for it.

    Yields:
        True when the lock is held; False when ``wait`` is false and somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = _opened(path)
    try:
        if not _try(fd, fcntl.LOCK_EX):
            if not wait:
                yield False
                return
            if log.isEnabledFor(logging.DEBUG):
                log.debug("waits for the lock %s, which %s holds", path, _named(holders(path)))
            fcntl.flock(fd, fcntl.LOCK_EX)
        with _held(fd):
            yield True
    finally:
        os.close(fd)


@contextlib.contextmanager
def _held(fd: int) -> Iterator[None]:
    _of_this_thread.locks = (*held_locks(), fd)
    owner = os.getpid()
    try:
        yield
    finally:
        _of_this_thread.locks = tuple(held for held in held_locks() if held != fd)
        if os.getpid() == owner:  # a fork that comes this way must not free what its parent holds
            fcntl.flock(fd, fcntl.LOCK_UN)  # closing alone would not, while a child has it


def held_locks() -> tuple[int, ...]:
    """The descriptors of the locks that this thread holds, for children that must not outlive them.

    A git that has lost its parent goes on for a while: who takes the lock meanwhile would share the repository
    with it, and a ``git repack`` that began before deletes objects that came after.
    """
    return getattr(_of_this_thread, "locks", ())


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
            raise DamagedFile(
                f"the file is damaged: no lock can be taken there ({error.strerror})",
                path=str(path),
                next=f"look at it, move it away (mv -- {path} {path}.bad), then run the same command again",
            ) from error
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
