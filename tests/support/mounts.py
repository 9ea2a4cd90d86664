"""Tests in a process with mounts of its own: they mount without being root, and nothing stays mounted whatever happens."""

from __future__ import annotations

import ctypes
import functools
import os
import pickle
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_RECURSIVE, _PRIVATE = 0x4000, 0x40000


def run_apart(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Run a test, with the fixtures that it is the first to need, in a forked process; report it here."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _forked(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # what it shared with the tests before it


@functools.cache
def possible() -> bool:
    """Whether this machine lets us mount."""
    users = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *users, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def _forked(item: pytest.Item) -> list[pytest.TestReport]:
    hook = item.config.hook
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _end_with(writing, lambda: [
            hook.pytest_report_to_serializable(config=item.config, report=report) for report in _here(item)
        ])  # fmt: skip
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    told = pickle.loads(said) if said else f"the process of the test ended with status {status}"
    if isinstance(told, str):
        call = pytest.CallInfo.from_call(lambda: pytest.fail(told, pytrace=False), "call")
        return [pytest.TestReport.from_item_and_call(item, call)]
    return [hook.pytest_report_from_serializable(config=item.config, data=data) for data in told]


def _end_with(fd: int, work: Callable[[], Any]) -> None:
    """Tell on ``fd`` what ``work`` gives, and be gone; nothing of the parent's is ended with us."""
    try:
        told = work()
    except BaseException:
        told = traceback.format_exc()
    with open(fd, "wb") as pipe:
        pickle.dump(told, pipe)
    os._exit(0)


def _here(item: pytest.Item) -> list[pytest.TestReport]:
    _leave_the_mounts_of_others()
    # what would remove its temporary files when Python ends does not run here
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        os.environ["TMPDIR"] = tempfile.tempdir = place
        # its own fixtures end with it; those of its file are the parent's to end, or stay as long as this process
        return runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]


def _leave_the_mounts_of_others() -> None:
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USERS))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _check(libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
