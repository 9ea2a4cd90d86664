"""A step that runs once on a host: whoever is killed, it is never begun twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from saltdeploy.minion import stages
from saltdeploy.protocol.orders import ONCE, Order
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, repo
from tests.support.serving import ServingHost, until

pytestmark = pytest.mark.component("processes that are killed")

SCRIPT = 'echo ran >> "$0"; while [ -e "$0.shut" ]; do sleep 0.02; done'


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def serving(server: ServingHost, notes: Path) -> ServingHost:
    """v0 is live, and v1 on disk."""
    server.keys = {
        "once": [{"name": "migrate", "before": "checkout", "command": ["sh", "-c", SCRIPT, str(notes)]}]
    }
    assert server.deploy(0).ok
    assert server.fetch(1, deploy="7" * 20).ok
    return server


def order(server: ServingHost, number: int = 1, **more: object) -> Order:
    return server.order(1, ONCE, deploy="7" * 20, attempt=number, step="migrate", **more)


def asked(server: ServingHost, number: int = 1, **more: object) -> Result:
    task = stages.Task(order(server, number, **more), repo(server.location, **server.keys))
    return stages.run([task], server.host)


def ran(notes: Path) -> int:
    return len(notes.read_text().splitlines()) if notes.exists() else 0


def test_asked_twice_it_runs_once_and_gives_the_same_answer(serving: ServingHost, notes: Path) -> None:
    assert asked(serving).ok
    assert asked(serving).ok
    assert ran(notes) == 1
    assert asked(serving, number=2).ok, "another run, by the word of an operator"
    assert ran(notes) == 2


def test_killed_in_the_middle_it_is_not_begun_again_and_the_host_says_that_nobody_knows(
    serving: ServingHost, notes: Path
) -> None:
    gate = notes.with_name("notes.shut")
    gate.touch()
    job = multiprocessing.get_context("fork").Process(target=lambda: (os.setsid(), asked(serving)))
    job.start()
    until(lambda: ran(notes) == 1)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    job.join()
    found = repo(serving.location, **serving.keys)
    assert stages.is_running(ONCE, found, serving.host), "what it has started still works on the host"
    gate.unlink()
    until(lambda: not stages.is_running(ONCE, found, serving.host))
    answer = asked(serving)
    assert answer.error is not None
    assert (answer.error.kind, answer.error.inconclusive) == ("step-unknown", True)
    assert "what ran it has died" in answer.error.cause
    assert ran(notes) == 1


def test_an_order_that_comes_late_finds_the_deploy_rolled_back(serving: ServingHost, notes: Path) -> None:
    assert serving.checkout(1, deploy="7" * 20).ok
    assert serving.rollback(0, deploy="7" * 20).ok
    answer = asked(serving)
    assert answer.error is not None and answer.error.kind == "fenced"
    assert ran(notes) == 0


def test_a_step_that_the_hosts_own_pillar_does_not_name_is_refused(
    serving: ServingHost, source: Source
) -> None:
    serving.keys = {}  # and no deploy has begun here while it did
    wanted = serving.order(1, ONCE, deploy="8" * 20, step="migrate")
    answer = stages.run([stages.Task(wanted, repo(serving.location))], serving.host)
    assert answer.error is not None and answer.error.kind == "step-failed"
    assert "saltutil.refresh_pillar" in answer.error.next


def test_without_its_release_on_disk_it_is_not_begun(serving: ServingHost, notes: Path) -> None:
    wanted = serving.order(2, ONCE, deploy="8" * 20, step="migrate")
    answer = stages.run([stages.Task(wanted, repo(serving.location, **serving.keys))], serving.host)
    assert answer.error is not None and answer.error.kind == "not-ready"
    assert ran(notes) == 0
