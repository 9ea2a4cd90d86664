"""A release travels by a transport, and is checked by a kind of check, that a package of somebody else brings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import CheckFailed, Corrupt
from saltdeploy.protocol.orders import FETCH
from saltdeploy.protocol.result import Result

from tests.support import plugins
from tests.support.repositories import Source
from tests.support.repositories import repo as configured
from tests.support.travels import Traveller
from tests.unit.master.planning.test_preview import World

pytestmark = pytest.mark.component("a package of somebody else, built and installed")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plugins.install(tmp_path_factory.mktemp("example") / "site", plugins.EXAMPLE)


@pytest.fixture(autouse=True)
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with plugins.beside(installed, monkeypatch):
        yield


def target(tmp_path: Path, odd: Source, **keys: Any) -> Traveller:
    """A target that has the master's exports mounted."""
    made = Traveller(tmp_path, odd, "mounted", **keys)
    made.payloads.exports = type(made.payloads.exports)(tmp_path / "exports")
    section = {"transport": "mounted", "url": str(tmp_path / "exports"), **keys}
    made.repo = configured(made.location, **section)
    return made


@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_each_release_is_what_git_would_check_out(tmp_path: Path, odd: Source, layout: str) -> None:
    host = target(tmp_path, odd, layout=layout)
    for number in (0, 1, 3, 2):
        fetched, switched = host.travel(number)
        assert fetched.ok and switched.ok, (fetched.error, switched.error)
        assert host.shows(number)
    assert host.go_back(3).ok
    assert host.shows(3)
    assert host.received[0]["bytes"] > 0


def test_it_follows_other_transports_and_others_follow_it(tmp_path: Path, odd: Source) -> None:
    host = target(tmp_path, odd)
    for number, transport in enumerate(["mounted", "tar", "mounted", "bundle"]):
        host.transport = transport
        assert all(result.ok for result in host.travel(number)), transport
        assert host.shows(number)


def test_what_somebody_wrote_into_the_exports_is_refused(tmp_path: Path, odd: Source) -> None:
    host = target(tmp_path, odd)
    order = host.order_for(0)
    (plain,) = (tmp_path / "exports").glob("demo/*/plain")
    plain.chmod(0o644)
    plain.write_bytes(b"9")
    result = host.run(order)
    assert isinstance(result.error, Corrupt)
    assert "look at" in result.error.next
    assert not host.location.exists()


def test_a_check_of_the_package_lets_a_release_pass_or_stops_it(tmp_path: Path, odd: Source) -> None:
    host = target(
        tmp_path, odd, checks={"has-swap": {"type": "exists", "after": "fetch", "path": "swap/inner"}}
    )
    steps = _ok(host.fetch(0)).facts["steps"]
    assert [(step["step"], step["status"]) for step in steps] == [("check has-swap", "ok")]
    stopped = host.fetch(3)  # which has no such file
    assert isinstance(stopped.error, CheckFailed)
    assert stopped.error.next.startswith("on web1: ls -l -- ")


def test_a_plan_names_the_transport_and_the_check(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.section |= {
        "transport": "mounted",
        "checks": {"has-keep": {"type": "exists", "after": "fetch", "path": "keep"}},
    }
    plan = world.plan()
    assert (plan["transport"], plan["retcode"]) == ("mounted", 0)
    assert [way["transport"] for way in plan["ways"]] == ["mounted"]
    assert plan["hosts"]["web3"]["bytes"] > 0
    assert any("has-keep" in each for each in plan["checks"])


def test_an_operator_takes_it_for_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    plan = world.plan(transport="mounted")
    _, offers = world.prepare(plan["hash"], transport="mounted")
    order = offers["demo"].order
    assert (plan["transport"], order.transport, order.stage) == ("mounted", "mounted", FETCH)
    assert {payload.kind for payload in order.payloads} == {"trees"}


def test_a_host_without_the_package_says_so(
    tmp_path: Path, odd: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = target(tmp_path, odd)
    order = host.order_for(0)
    monkeypatch.undo()
    host.repo = dataclasses.replace(
        host.repo, delivery=dataclasses.replace(host.repo.delivery, transport="bundle")
    )
    result = host.run(order)
    assert result.error is not None
    assert "no transport 'mounted'" in result.error.cause


def _ok(result: Result) -> Result:
    assert result.ok, result.error
    return result
