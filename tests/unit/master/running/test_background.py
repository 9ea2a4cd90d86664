"""A deploy runs in a process of its own, and whoever began it only looks on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.master.running import background
from saltdeploy.watch import follow

Watchers = tuple[background.Listener, ...]


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def hear(self, event: dict[str, object]) -> None:
        self.events.append(event)

    def tick(self, now: float) -> None:
        pass


def until(there: Callable[[], bool]) -> None:
    while not there():
        time.sleep(0.01)


def test_events_and_the_result_come_through(tmp_path: Path) -> None:
    def work(watchers: Watchers, aborted: Callable[[], str]) -> dict[str, object]:
        for number in range(1000):
            watchers[0].hear({"event": "warned", "number": number})
        return {"view": "outcome", "pid": os.getpid(), "session": os.getsid(0)}

    heard = Heard()
    view = background.look_on(background.start(work, tmp_path / "log"), lambda told: follow(told, [heard]))
    assert view is not None
    assert [event["number"] for event in heard.events] == list(range(1000))
    assert view["pid"] != os.getpid()
    assert view["session"] != os.getsid(0)


def test_what_the_process_prints_goes_to_the_log(tmp_path: Path) -> None:
    def work(watchers: Watchers, aborted: Callable[[], str]) -> dict[str, object]:
        os.write(1, b"said\n")
        os.write(2, b"complained\n")
        return {}

    background.look_on(background.start(work, tmp_path / "log"), list)
    assert (tmp_path / "log").read_text() == "said\ncomplained\n"
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_process_that_dies_has_no_result(tmp_path: Path) -> None:
    def work(watchers: Watchers, aborted: Callable[[], str]) -> dict[str, object]:
        watchers[0].hear({"event": "started"})
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    heard = Heard()
    assert (
        background.look_on(background.start(work, tmp_path / "log"), lambda told: follow(told, [heard]))
        is None
    )
    assert heard.events == [{"event": "started"}]


def test_one_may_look_away_and_the_process_goes_on(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def work(watchers: Watchers, aborted: Callable[[], str]) -> dict[str, object]:
        watchers[0].hear({"event": "started"})
        until(lambda: (tmp_path / "looked away").exists())
        done.touch()
        return {}

    reader = background.start(work, tmp_path / "log")
    assert background.look_on(reader, lambda told: follow(told, [], enough=bool)) is None
    (tmp_path / "looked away").touch()
    until(done.exists)


def test_whoever_does_not_read_does_not_hold_up_the_deploy(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def work(watchers: Watchers, aborted: Callable[[], str]) -> dict[str, object]:
        with pytest.raises(OSError):
            while True:
                watchers[0].hear({"event": "warned", "text": "x" * 1000})
        done.touch()
        return {}

    reader = background.start(work, tmp_path / "log")
    try:
        until(done.exists)
    finally:
        os.close(reader)


STARTER = """
import os, signal, sys, time
from pathlib import Path
from saltdeploy.master.running import background

# nohup, and a shell that runs the tests in the background, let us ignore them
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

place = Path(sys.argv[1])

def work(watchers, aborted):
    (place / "began").write_text(str(os.getpid()))
    while not (place / "go on").exists() and not aborted():
        time.sleep(0.01)
    (place / "ended").write_text(aborted() or "went on")
    return {}

background.look_on(background.start(work, place / "log"), list)
"""


@pytest.fixture
def starter(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A command that began a deploy and looks on, as the leader of its terminal's process group."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(STARTER), str(tmp_path)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    until((tmp_path / "began").exists)
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_the_deploy_outlives_the_whole_terminal(
    starter: subprocess.Popen[bytes], tmp_path: Path, number: int
) -> None:
    os.killpg(starter.pid, number)
    starter.wait()
    (tmp_path / "go on").touch()
    until((tmp_path / "ended").exists)
    until(lambda: bool((tmp_path / "ended").read_text()))
    assert (tmp_path / "ended").read_text() == "went on"


def test_sigterm_asks_the_deploy_itself_to_stop(starter: subprocess.Popen[bytes], tmp_path: Path) -> None:
    until(lambda: bool((tmp_path / "began").read_text()))
    os.kill(int((tmp_path / "began").read_text()), signal.SIGTERM)
    assert starter.wait() == 0
    assert (tmp_path / "ended").read_text() == "stopped by SIGTERM"
