"""A fetch by way of fanouts, on a real host: what came is not lost when it dies, and the facts tell who served."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from saltdeploy.lib import priority
from saltdeploy.minion import downloads, stages
from saltdeploy.minion.context import Task
from saltdeploy.minion.record import Record
from saltdeploy.protocol.fanout import FanoutServer as Server
from saltdeploy.protocol.orders import Order

from tests.support.payloadserver import PayloadServer
from tests.support.repositories import Source
from tests.support.serving import until
from tests.support.targets import Target

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def target(tmp_path: Path, large: Source) -> Target:
    """A host that is to get a release of six megabytes."""
    return Target(tmp_path, large)


@pytest.fixture
def fanout(target: Target) -> Iterator[PayloadServer]:
    """A server that has the payload."""
    path = target.payloads.path(target.payload(1).sha256)
    assert path is not None
    with PayloadServer(path.read_bytes()).running() as running:
        yield running


def ordered(target: Target, *servers: PayloadServer) -> Order:
    return dataclasses.replace(target.order(1), sources=tuple(Server(one.url) for one in servers))


def run(target: Target, order: Order) -> Any:
    return stages.run([Task(order, target.repo)], target.host)


def test_a_fanout_serves_and_the_master_is_not_asked(target: Target, fanout: PayloadServer) -> None:
    order = ordered(target, fanout)
    done = run(target, order)
    assert done.ok, done.error
    assert (done.facts["source"], done.facts["bytes"]) == (fanout.url, order.payloads[0].size)
    assert done.facts["why"].endswith(" ms")
    assert target.carrier.fetched == []


def test_without_fanouts_the_master_serves(target: Target) -> None:
    done = run(target, ordered(target))
    assert (done.ok, done.facts["source"], done.facts["why"]) == (True, "master", "no fanout is named")
    assert "left" not in done.facts


def test_a_dead_and_a_corrupt_fanout_are_left_for_the_master(target: Target, fanout: PayloadServer) -> None:
    with PayloadServer().running() as dead:
        pass
    fanout.answer = fanout.flips_a_bit
    done = run(target, ordered(target, dead, fanout))
    assert (done.ok, done.facts["source"]) == (True, "master")
    assert f"{dead.url}: took no connection" in done.facts["left"]
    assert f"{fanout.url}: corrupt" in done.facts["left"]


def test_a_host_that_is_a_fanout_does_not_ask_itself(target: Target, fanout: PayloadServer) -> None:
    mine = Server(fanout.url, host=target.host.name)
    done = run(target, dataclasses.replace(target.order(1), sources=(mine,)))
    assert (done.facts["source"], fanout.asked) == ("master", [])


def test_what_came_before_the_host_died_is_not_fetched_again(target: Target, fanout: PayloadServer) -> None:
    """It is killed while bytes come; the next deploy of the release goes on from there."""
    fanout.answer = fanout.falls_silent
    order = ordered(target, fanout)
    partial = Record(target.cache, "demo").partial / order.payloads[0].sha256
    dies = _FORK.Process(target=run, args=(target, order))
    dies.start()
    until(lambda: partial.exists() and partial.stat().st_size >= 900_000)
    dies.kill()
    dies.join()
    came = partial.stat().st_size
    fanout.answer = fanout.well
    done = run(target, ordered(target, fanout))
    assert done.ok, done.error
    assert fanout.asked[-1][1] == f"bytes={came}-"
    assert done.facts["bytes"] == order.payloads[0].size - came
    assert not partial.exists()


def test_when_everybody_fails_each_one_is_named_and_nothing_has_changed(
    target: Target, fanout: PayloadServer
) -> None:
    fanout.answer = fanout.breaks_off
    target.carrier.spoil = lambda path: path.write_bytes(b"spoiled")  # type: ignore[assignment,return-value]
    done = run(target, ordered(target, fanout))
    assert (done.ok, done.error.kind) == (False, "corrupt")
    assert fanout.url in done.error.cause
    assert done.holdings.held == ()


def test_whoever_is_gentle_gives_way_and_so_do_the_programs_that_it_starts() -> None:
    """In a process of its own: who is not root cannot take it back."""

    def tell(answers: Any) -> None:
        with priority.gentle(7):
            child = subprocess.Popen(["sleep", "60"])
            process = psutil.Process(child.pid)
            answers.put((process.nice(), tuple(process.ionice())))
            child.kill()
            child.wait()

    answers = _FORK.Queue()
    process = _FORK.Process(target=tell, args=(answers,))
    process.start()
    assert answers.get(timeout=60) == (
        max(7, os.getpriority(os.PRIO_PROCESS, 0)),
        (psutil.IOPRIO_CLASS_BE, 7),
    )
    process.join()


def test_after_a_few_bad_fanouts_the_master_is_asked(target: Target, fanout: PayloadServer) -> None:
    """Each of them may take a while to be found out, and the stage has to end in time."""
    fanout.answer = lambda request: request.send(500)
    order = dataclasses.replace(
        target.order(1), sources=tuple(Server(f"{fanout.url}/{number}") for number in range(20))
    )
    done = run(target, order)
    assert (done.ok, done.facts["source"], len(fanout.asked)) == (True, "master", 5)


def test_what_was_brought_here_long_ago_and_nobody_wants_is_gone_after_a_fetch(target: Target) -> None:
    shelf = downloads.place(target.repo, target.host)
    shelf.mkdir(parents=True)
    old, new = shelf / ("a" * 64), shelf / ("b" * 64)
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert run(target, ordered(target)).ok
    assert [path.name for path in shelf.iterdir()] == [new.name]
