"""Processes that do a target's work and are killed at it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import pytest

#: What a process may do to the file system, as audit hooks hear of it, before it is done.
EVENTS = {
    *("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.truncate"),
    *(
        "shutil.rmtree",
        "subprocess.Popen",
        "sqlite3.connect",
        "sqlite3.connect/handle",
        "fcntl.flock",
        "os.utime",
    ),
}

Start = Callable[[Callable[[], object]], BaseProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a function in a process of its own, the first of its process group; none outlives the test."""
    started: list[BaseProcess] = []

    def begin(work: Callable[[], object]) -> BaseProcess:
        process = get_context("fork").Process(target=_alone, args=(work,))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        kill_group(process)


def _alone(work: Callable[[], object]) -> None:
    os.setsid()
    work()


def kill_group(process: BaseProcess) -> None:
    """SIGKILL for a process and the gits that it has started."""
    process.kill()
    process.join()
    if process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
