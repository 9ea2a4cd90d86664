"""The two commands that a mixed fleet is left with are run as they were printed, and each leads where it says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master import deploy
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.protocol.orders import ROLLBACK

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet

pytestmark = pytest.mark.component("whole deploys of three hosts, which are stopped or lose one")

HOSTS = ("web1", "web2", "web3")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("next") / "source.git", *(tree(a=str(n)) for n in range(3)))


@pytest.fixture
def fleet(tmp_path: Path, source: Source) -> Fleet:
    """Three hosts on v1, which were on v0; one at a time switches, and whoever stops a deploy leaves it as it is."""
    made = Fleet(tmp_path, source, hosts=HOSTS, batch=1, rollback_batch=1, on_abort="hold", failure_limit=1)
    for tag in ("v0", "v1"):
        assert str(made.sync(tag).outcome) == "CONVERGED 3/3"
    return made


@contextmanager
def publishing(fleet: Fleet, act: Callable[..., None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        publish = fleet.publish
        patch.setattr(fleet, "publish", lambda *job: act(publish, *job))
        yield


def without(host: str, publish: Any, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
    publish([name for name in hosts if name != host], function, arguments, jid)


def stopped_after(host: str, fleet: Fleet) -> Callable[..., None]:
    def act(publish: Any, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        publish(hosts, function, arguments, jid)
        if function == "deploy.checkout" and host in hosts:
            running = arguments[1]["order"]["deploy"]
            OperatorSignals(fleet.root, REPO, running).abort("bob", "enough")

    return act


def away(fleet: Fleet, begin: Callable[[], deploy.Report]) -> deploy.Report:
    """A deploy while web3 is away."""
    with publishing(fleet, lambda *job: without("web3", *job)):
        return begin()


def stopped(fleet: Fleet, begin: Callable[[], deploy.Report]) -> deploy.Report:
    """A deploy that is stopped when web1 has switched."""
    with publishing(fleet, stopped_after("web1", fleet)):
        return begin()


def commands(report: deploy.Report) -> dict[str, str]:
    """``forward`` and ``back``."""
    _, forward, back = report.next.split("; ")
    return {"forward": forward.partition(": ")[2], "back": back.partition(": ")[2]}


def run(fleet: Fleet, command: str) -> deploy.Report:
    """Do what an operator types."""
    program, function, *words = shlex.split(command)
    named = dict(word.split("=", 1) for word in words)
    assert (program, named.pop("repo")) == ("salt-run", REPO)
    force = tuple(filter(None, [named.pop("force", "")]))
    action, key = {"deploy.sync": (SYNC, "tag"), "deploy.rollback": (ROLLBACK, "to")}[function]
    tag = named.pop(key)
    assert not named
    return fleet._run(Request(action, REPO, tag, force=force))


def shown(fleet: Fleet) -> set[str]:
    return {f"v{(host.location / 'a').read_text()}" for host in fleet.minions.values()}


@pytest.mark.parametrize("way", ["forward", "back"])
@pytest.mark.parametrize("trouble", [away, stopped])
@pytest.mark.parametrize(
    ("begin", "leads_to"),
    [
        pytest.param(lambda fleet: fleet.sync("v2"), {"forward": "v2", "back": "v1"}, id="sync"),
        pytest.param(lambda fleet: fleet.roll_back(), {"forward": "v0", "back": "v1"}, id="rollback"),
    ],
)
def test_F13_the_commands_that_are_printed_lead_forward_and_back(fleet, begin, trouble, way, leads_to):
    report = trouble(fleet, lambda: begin(fleet))
    assert report.outcome.word == "MIXED"
    assert len(shown(fleet)) == 2
    assert ("when the hosts are back" in report.next) == (trouble is away)
    assert run(fleet, commands(report)[way]).outcome.word == "CONVERGED"
    assert shown(fleet) == {leads_to[way]}


def test_F13_a_roll_back_that_is_stopped_leads_nobody_to_the_release_that_is_left(tmp_path, source):
    fleet = Fleet(tmp_path, source, hosts=HOSTS, rollback_batch=1)  # on_abort: rollback, the default
    for tag in ("v0", "v1"):
        fleet.sync(tag)
    report = stopped(fleet, fleet.roll_back)
    assert (fleet.minions["web1"].location / "a").read_text() == "0", "it went back, and stays there"
    assert report.outcome.word == "MIXED"
    assert report.outcome.reason.endswith("1 of 3 hosts have switched: web1")
