"""The listening process of the warm door, with Salt in it: it is kept alive, and never older than what lies on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from saltclient import places

from tests.functional.test_doors import configuration
from tests.support.doors import greeting

_PATIENCE = 120.0  # seconds; only a broken test waits for so long
_ENGINE = """
import logging, sys
from pathlib import Path
from saltdeploy.master.door.keeper import DoorKeeper
logging.basicConfig(stream=sys.stderr)
DoorKeeper(sys.argv[1], Path(sys.argv[2])).keep(3600)
"""


@dataclass
class Engine:
    """A process that keeps a door as the engine does; no master runs."""

    config: Path
    place: Path
    process: subprocess.Popen[str]

    def listener(self) -> int:
        """The process that greets; 0 where none does."""
        process, said = greeting(self.place)
        assert not said or places.is_same(str(said["config"]), str(self.config))
        return process

    def wait(self, *, other_than: int = 0) -> int:
        wait_for(lambda: self.listener() not in (0, other_than))
        return self.listener()


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where sockets may lie: their paths are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="keeper-", dir="/tmp") as name:
        (Path(name) / "run").mkdir()
        yield Path(name)


@pytest.fixture
def engine(checkout: Path, directory: Path) -> Iterator[Engine]:
    settings = {"module_dirs": [str(checkout)], "pillar_dirs": [str(checkout / "_pillar")]}
    config = configuration(checkout, directory, **settings)
    command = [sys.executable, "-c", _ENGINE, str(config), str(directory / "deploy.log")]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "_utils")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield Engine(config, directory / "run" / places.NAME, process)
    finally:
        process.kill()
        process.communicate()


def test_a_listening_process_that_was_killed_is_followed_by_another_one(engine: Engine) -> None:
    first = engine.wait()
    os.kill(first, signal.SIGKILL)
    assert engine.wait(other_than=first) != first


def test_a_changed_configuration_is_read_before_the_next_command(engine: Engine) -> None:
    first = engine.wait()
    engine.config.write_text(engine.config.read_text() + "\n")
    assert engine.listener() != first, "nobody is greeted by a process that has read the old one"
    assert engine.wait(other_than=first) != first


def test_it_ends_with_the_engine_and_takes_its_socket_away(engine: Engine) -> None:
    engine.wait()
    engine.process.kill()
    wait_for(lambda: not engine.place.exists())


def test_a_door_that_cannot_open_is_tried_more_and_more_seldom(engine: Engine, directory: Path) -> None:
    (directory / "run").rmdir()
    assert engine.process.stderr is not None
    told = engine.process.stderr.readline()
    assert "The warm door ended" in told
    assert f"Next: tail {directory / 'deploy.log'}" in told
    assert "FileNotFoundError" in (directory / "deploy.log").read_text()
