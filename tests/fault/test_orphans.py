"""A git whose parent was killed goes on for a while: nobody works on the same host's repo until it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from saltdeploy.git import command as git_command
from saltdeploy.lib import flock

from tests.fault.conftest import Start


@pytest.fixture
def busy_git(tmp_path: Path) -> tuple[list[str], int, int]:
    """The arguments of a git that works until the other end of its input is closed; both ends."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "store.git")], check=True)
    return [f"--git-dir={tmp_path}/store.git", "cat-file", "--batch-check"], *os.pipe()


def is_free(lock: Path) -> bool:
    with flock.locked(lock, wait=False) as free:
        return free


def test_the_lock_of_a_killed_process_is_held_until_its_git_has_ended(
    busy_git: tuple[list[str], int, int], tmp_path: Path, start: Start
) -> None:
    command, read, write = busy_git
    lock = tmp_path / "lock"

    def work() -> None:
        with flock.locked(lock, wait=True), os.fdopen(read, "rb") as given:
            git_command.start(command, given, subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.kill(os.getpid(), signal.SIGKILL)

    parent = start(work)
    parent.join()
    assert not is_free(lock)
    os.close(write)
    os.close(read)
    with flock.locked(lock, wait=True) as held:
        assert held


def test_a_lock_that_was_given_back_is_free_whatever_its_git_does(
    busy_git: tuple[list[str], int, int], tmp_path: Path
) -> None:
    command, read, write = busy_git
    lock = tmp_path / "lock"
    with os.fdopen(read, "rb") as given:
        with flock.locked(lock, wait=True):
            process = git_command.start(command, given, subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.poll() is None
        assert is_free(lock)
        os.close(write)
        process.wait()


def test_a_fork_does_not_give_back_what_its_parent_holds(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = flock.locked(lock, wait=True)
    held.__enter__()
    child = os.fork()
    if child == 0:
        held.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    assert not is_free(lock)
    held.__exit__(None, None, None)
    assert is_free(lock)
