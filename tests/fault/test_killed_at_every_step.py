"""Killed before each single thing that a stage does to the file system: no gap between two of them is left out.

An audit hook counts the file events of a process and kills it at the n-th. Each n starts from the same state.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fault.conftest import EVENTS, Start
from tests.fault.hosts import Host, releases
from tests.support.repositories import Source

STRIDE = int(os.environ.get("SALTDEPLOY_STRIDE", "89"))  # 1: every step


def kill_at(step: int, work: Callable[[], object]) -> Callable[[], object]:
    """The work, ended by SIGKILL when its process begins its ``step``-th file event."""

    def killed() -> None:
        seen = 0

        def hook(event: str, _: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in EVENTS:
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        os.umask(0o077)
        work()

    return killed


def nothing(host: Host) -> None:
    host.location.parent.mkdir(parents=True)


def a_directory(host: Host) -> None:
    host.location.mkdir(parents=True)
    (host.location / "precious").write_text("theirs")
    host.remember_what_is_there()


def three_releases(host: Host) -> None:
    for number in (0, 1, 2):
        host.take(number)


def a_broken_slot(host: Host) -> None:
    three_releases(host)
    spare = {"slots": "slots/0", "releases": "releases/v1"}[host.repo.layout.name]
    (host.repo.paths.area / spare / "lib/version").write_text("rubbish")


def a_lost_store(host: Host) -> None:
    three_releases(host)
    shutil.rmtree(host.repo.paths.area / "store.git")


STATES = {
    "a bare host": (nothing, {"nothing"}),
    "a directory at location": (a_directory, {"what was before"}),
    "three releases": (three_releases, {2}),
    "three releases, the spare slot written into": (a_broken_slot, {2}),
    "three releases, the object store gone": (a_lost_store, {2}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *releases(random.Random(1)))


@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("state", STATES)
def test_location_shows_a_whole_release_and_the_next_deploy_repairs(
    state: str, layout: str, tmp_path: Path, source: Source, start: Start
) -> None:
    begin, before = STATES[state]
    host = Host(tmp_path / "host", source, layout=layout, keep_releases=3)
    host.pack_all()
    begin(host)
    shutil.copytree(tmp_path / "host", tmp_path / "begin", symlinks=True)
    step = 0
    ended_by_itself = False
    while not ended_by_itself:
        step += STRIDE
        process = start(kill_at(step, lambda: host.take(3)))
        process.join()
        ended_by_itself = process.exitcode == 0
        assert process.exitcode in (0, -signal.SIGKILL)
        shown = host.shows()
        assert len(shown) == 1 and shown <= {*before, 3}, f"at step {step}: {shown}"
        host.take(3)
        assert host.shows() == {3}
        host.take(4)
        assert host.shows() == {4}
        assert host.leftovers() == set(), f"at step {step}"
        precious = list(host.location.parent.glob("demo.2*/precious"))
        assert len(precious) == (state == "a directory at location")
        shutil.rmtree(tmp_path / "host")
        shutil.copytree(tmp_path / "begin", tmp_path / "host", symlinks=True)
    assert step > 60, "the hook has not seen what it should"
