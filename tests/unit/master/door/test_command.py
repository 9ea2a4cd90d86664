"""The command ``saltdeploy`` itself: on a real terminal, with Ctrl-C, and where it has to become ``salt-run``."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltclient import places

from tests.conftest import CHECKOUT
from tests.support.doors import RunningDoor, listening

SALT_RUN = '#!/bin/sh\nprintf "salt-run"; printf " <%s>" "$@"; exit 5\n'


@pytest.fixture(scope="module")
def door() -> Iterator[RunningDoor]:
    with tempfile.TemporaryDirectory(prefix="door-", dir="/tmp") as name:  # the path of a socket is short
        programs = Path(name) / "bin"
        programs.mkdir()
        (programs / "salt-run").write_text(SALT_RUN)
        (programs / "salt-run").chmod(0o755)
        with listening(Path(name) / places.NAME) as found:
            yield found


def environment(door: RunningDoor, **more: str) -> dict[str, str]:
    own = {"SALTDEPLOY_SOCKET": str(door.place), "PATH": f"{door.place.parent / 'bin'}:/usr/bin:/bin"}
    return {**os.environ, **own, "TERM": "xterm", **more}


def command(*words: str) -> list[str]:
    return [sys.executable, str(CHECKOUT / "bin" / "saltdeploy"), *words]


def run(door: RunningDoor, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*words), capture_output=True, text=True, env=environment(door, **more))
    assert "Traceback" not in done.stderr
    return done


class Person:
    """Somebody at a terminal of 77 columns, who has typed a command."""

    def __init__(self, door: RunningDoor, *words: str) -> None:
        self.seen = ""
        pid, self._terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 77, 0, 0))
            os.execve(sys.executable, command(*words), environment(door))
        self._pid = pid

    def until(self, text: str) -> None:
        while text not in self.seen:
            self.seen += os.read(self._terminal, 4096).decode()

    def type(self, text: bytes) -> None:
        os.write(self._terminal, text)

    def status(self) -> int:
        try:
            while piece := os.read(self._terminal, 4096):
                self.seen += piece.decode()
        except OSError:  # EIO: nobody has the other end any more
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def test_the_terminal_of_who_asks_is_the_commands_own(door: RunningDoor) -> None:
    person = Person(door, "screen")
    person.until("screen for")
    person.type(b"yes\n")
    assert person.status() == 0
    assert "True 77 xterm" in person.seen
    assert "typed yes" in person.seen


def test_ctrl_c_at_the_terminal_reaches_the_command(door: RunningDoor) -> None:
    person = Person(door, "wait")
    person.until("wait for")
    person.type(b"\x03")
    assert person.status() == 130


def test_who_loses_the_process_that_looked_on_is_told_that_a_deploy_goes_on(door: RunningDoor) -> None:
    with subprocess.Popen(
        command("pid"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(door),
    ) as process:
        assert process.stdout is not None
        looking_on = next(
            found[1] for line in process.stdout if (found := re.fullmatch(r"pid (\d+)\n", line))
        )
        os.kill(int(looking_on), signal.SIGKILL)
        _, told = process.communicate()
    assert process.returncode == 1
    assert told == (
        "saltdeploy: the process that looked on has ended. A deploy that has begun goes on. "
        "Next: saltdeploy watch\n"
    )


BECOMES = {
    "no door": (
        ["sync", "repo=a", "tag=v1"],
        "-c /etc/salt deploy.sync repo=a tag=v1",
        "/nonexistent/socket",
    ),
    "another master": (["-c", "/srv/other", "locks"], "-c /srv/other deploy.locks", ""),
    "an option that it does not take": (
        ["--out-file=/tmp/x", "--out", "json", "report", "repo=a"],
        "-c /etc/salt --out-file=/tmp/x --out=json deploy.report repo=a",
        "",
    ),
    "more than a frame holds": (["lock", f"reason={'x' * 70_000}"], f"deploy.lock reason={'x' * 70_000}", ""),
}


@pytest.mark.parametrize("why", BECOMES)
def test_it_becomes_salt_run_with_every_argument(door: RunningDoor, why: str) -> None:
    words, expected, socket = BECOMES[why]
    done = run(door, *words, **({"SALTDEPLOY_SOCKET": socket} if socket else {}))
    assert done.returncode == 5, "the status is that of salt-run"
    assert expected in done.stdout.replace("<", "").replace(">", "")


def test_it_says_why_it_becomes_salt_run_to_who_asks(door: RunningDoor) -> None:
    done = run(door, "locks", "--log-level=info", SALTDEPLOY_SOCKET="/nonexistent/socket")
    assert done.stderr == "saltdeploy: the engine deploy does not run: this becomes salt-run\n"


def test_without_salt_run_it_says_what_to_do(door: RunningDoor) -> None:
    done = run(door, "locks", SALTDEPLOY_SOCKET="/nonexistent/socket", PATH="/nonexistent")
    assert done.returncode == 1
    assert "the engine deploy does not run, and salt-run cannot be run" in done.stderr
    assert done.stderr.endswith("Next: systemctl status salt-master\n")


def test_without_words_it_shows_how_it_is_used(door: RunningDoor) -> None:
    assert run(door).returncode == 64
    assert "usage: saltdeploy" in run(door, "--help").stdout
