"""Heavy work that gives way to what the host is there for."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import psutil

_LOWEST = 7  # of the best-effort class, see ioprio_set(2)


@contextlib.contextmanager
def gentle(niceness: int) -> Iterator[None]:
    """Give way while the block runs, and let every program that it starts do so.

    Only the thread that runs the block changes: on Linux each has a niceness of its own. Whoever is not root cannot
    take it back; a job of a minion ends soon after.

    Args:
        niceness: 0 to 19, for the processor; with 0 nothing changes. For the disk it is the lowest priority.
    """
    if not niceness:
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(niceness, before))
    with _gentle_to_the_disk():
        try:
            yield
        finally:
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, before)


@contextlib.contextmanager
def _gentle_to_the_disk() -> Iterator[None]:
    process = psutil.Process()
    if threading.current_thread() is not threading.main_thread():  # psutil would change the main thread's
        yield
        return
    before = process.ionice()
    process.ionice(psutil.IOPRIO_CLASS_BE, _LOWEST)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.AccessDenied):
            process.ionice(*before)
