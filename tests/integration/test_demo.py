"""The demo as a user runs it: a whole tour, and Ctrl-C in the middle of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import processes

HANGS = 300  # seconds: a demo that takes longer than this will never end


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where the demo makes its own directory; short, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="dd-", dir="/tmp", ignore_cleanup_errors=True) as path:
        yield Path(path)
        processes.end_all(Path(path))


def begun(directory: Path, checkout: Path, *options: str) -> subprocess.Popen[str]:
    """A demo with two minions, in a process group of its own as if it had a terminal."""
    with open(directory / "said", "w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "demo", "--minions", "2", *options],
            cwd=checkout,
            env={**os.environ, "TMPDIR": str(directory)},
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def demo(directory: Path, checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """See :func:`begun`."""
    tour = begun(directory, checkout)
    yield tour
    tour.kill()
    tour.wait()


def nothing_is_left_in(directory: Path) -> bool:
    return not list(directory.glob("deploy-demo-*")) and not processes.alive(directory)


def test_F21_a_tour_shows_a_canary_that_fails_and_the_way_back_and_leaves_nothing_behind(
    demo: subprocess.Popen[str], directory: Path
) -> None:
    silence, last, size = 0.0, time.monotonic(), 0
    while demo.poll() is None:
        time.sleep(0.2)
        if (now := (directory / "said").stat().st_size) > size:
            silence, last, size = max(silence, time.monotonic() - last), time.monotonic(), now
    said = (directory / "said").read_text()
    assert demo.returncode == 0, said
    assert said.count("\nCONVERGED 2/2\n") == 2, said
    assert said.count("\nROLLED BACK 1/1\n") == 1, said
    assert "cat: VERSION: Is a directory" in said
    assert "bad: v3" in said
    assert "2/2 hosts run what is pinned" in said
    assert [line.split()[1] for line in said.splitlines() if line.endswith("-> .demo.deploy/slots/1")] == [
        "v2",
        "v2",
    ]
    assert "unclosed" not in said
    assert silence < 60, (
        "seconds without a sign of life; a person's patience is five, a busy machine's is not"
    )
    assert nothing_is_left_in(directory)


def test_F21_every_command_that_a_kept_demo_prints_works(directory: Path, checkout: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(directory)}
    tour = begun(directory, checkout, "--keep")
    assert tour.wait(HANGS) == 0
    said = (directory / "said").read_text()
    _, _, tries = said.partition("the fleet is up; try\n")
    place, *commands = [line.strip() for line in tries.splitlines() if line.startswith("  ")]
    assert commands.pop() == "make demo-stop"
    assert len(commands) > 5
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", f"{place}\n{command}"], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    subprocess.run([sys.executable, "-m", "demo", "--stop"], cwd=checkout, env=environment, check=True)
    assert nothing_is_left_in(directory)


def minions_are_starting(directory: Path) -> bool:
    return bool(list(directory.glob("deploy-demo-*/web2/out")))


def a_deploy_is_under_way(directory: Path) -> bool:
    return bool(list(directory.glob("deploy-demo-*/master/cache/deploy/journal/*/*")))


@pytest.mark.parametrize("moment", [minions_are_starting, a_deploy_is_under_way])
def test_ctrl_c_leaves_nothing_behind(
    demo: subprocess.Popen[str], directory: Path, moment: Callable[[Path], bool]
) -> None:
    while not moment(directory):
        assert demo.poll() is None, (directory / "said").read_text()
        time.sleep(0.05)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(HANGS) == 130, (directory / "said").read_text()
    assert nothing_is_left_in(directory)
