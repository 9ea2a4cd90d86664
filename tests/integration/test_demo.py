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


@pytest.fixture
def demo(directory: Path, checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo with two minions, in a process group of its own as if it had a terminal."""
    with open(directory / "said", "w") as said:
        tour = subprocess.Popen(
            [sys.executable, "-m", "demo", "--minions", "2"],
            cwd=checkout,
            env={**os.environ, "TMPDIR": str(directory)},
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    yield tour
    tour.kill()
    tour.wait()


def nothing_is_left_in(directory: Path) -> bool:
    return not list(directory.glob("deploy-demo-*")) and not processes.alive(directory)


def test_a_tour_ends_at_the_release_before_and_leaves_nothing_behind(
    demo: subprocess.Popen[str], directory: Path
) -> None:
    status = demo.wait(HANGS)
    said = (directory / "said").read_text()
    assert status == 0, said
    assert said.count("\nCONVERGED 2/2\n\n") == 4, said
    assert "2/2 hosts run what is pinned" in said
    assert [line.split()[1] for line in said.splitlines() if line.endswith("-> .demo.deploy/slots/1")] == [
        "v2",
        "v2",
    ]
    assert "unclosed" not in said
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
