"""Garbage on the master, and hosts that are asked to free theirs: by the real code of a target."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.lib import flock
from saltdeploy.lib.errors import NoTargets
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.master.context import Master
from saltdeploy.master.records.pin import Pin, pin_order
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.upkeep import gc
from saltdeploy.minion import gc as on_target
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.watch.console.results import render

from tests.support.repositories import Source, tree
from tests.support.stores import Directory
from tests.support.targets import Target
from tests.unit.master.buses import Quiet

NOW = 1_795_435_200.0
LONG_AGO = NOW - 10 * 86_400


class Fleet(Quiet):
    """A master, and a host ``web1``; ``web2`` never answers."""

    def __init__(self, place: Path, source: Source) -> None:
        super().__init__(NOW)
        self.host = Target(place / "host", source, layout="releases")
        self.asked: list[tuple[str, list[str], list[Any]]] = []
        self.targets = ["web1"]
        self.master = Master(
            root=place / "master",
            bus=self,
            store=Directory(place / "store"),
            targets=lambda expression, kind: self.targets,
            accepted=lambda: ["web1", "web2"],
            secret=lambda host: "",
            user="op",
            place=CheckContext(lambda *_: None, lambda *_: None),  # type: ignore[arg-type, return-value]
        )

    def new_jid(self) -> str:
        return f"{len(self.asked) + 1:020d}"

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        self.asked.append((function, hosts, arguments))
        for host in set(hosts) & {"web1"}:
            answer = True if function == "test.ping" else self._collect(arguments)
            self.messages.append((f"salt/job/{jid}/ret/{host}", {"return": answer}))

    def _collect(self, arguments: list[Any]) -> dict[str, Any]:
        *repo, options = arguments
        named = {key: value for key, value in options.items() if key != "__kwarg__"}
        return on_target.collect([self.host.repo], self.host.host, whole=not repo, **named).to_wire()

    def repo(self, name: str = "demo") -> config.Repo:
        return config.load({"repo_config": {name: {"location": "/srv/x", "targets": "web1"}}}, name)

    def pack(self, data: bytes, used: float = LONG_AGO, repo: str = "demo") -> Payload:
        commit = f"{len(list(self.master.root.rglob('pairs/*/*'))):040d}"
        made = self.master.payloads.find_or_pack(repo, "", commit, lambda path: _write(path, data))
        for path in (self.path(made), *self.master.root.rglob(f"pairs/*/*{commit}*")):
            os.utime(path, (used, used))
        return made

    def path(self, payload: Payload) -> Path:
        return self.master.root / "payloads" / payload.sha256

    def pin(self, payload: Payload, repo: str = "demo") -> None:
        release = self.host.source.release(0)
        order = Order("pin", 1, FETCH, type(release)(repo, "v0", release.commit), "bundle", (payload,))
        Pins(self.master.root).put(Pin(pin_order(order, 1), ("web1",)))

    def collect(self, *, whole: bool = True, test: bool = False) -> dict[str, Any]:
        return gc.collect([self.repo()], self.master, whole=whole, test=test)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path, Source(tmp_path / "s.git", *(tree(a=str(n)) for n in range(3))))


def test_payloads_go_that_no_pin_offers_and_that_nobody_has_used_for_a_day(fleet: Fleet) -> None:
    old, pinned, fresh = fleet.pack(b"old"), fleet.pack(b"pinned"), fleet.pack(b"fresh", NOW)
    fleet.pin(pinned)
    told = fleet.collect(test=True)
    assert fleet.path(old).exists()
    view = fleet.collect()
    assert view["master"] == told["master"]
    assert view["master"]["payloads"] > 0
    assert [fleet.path(each).exists() for each in (old, pinned, fresh)] == [False, True, True]


def test_while_a_repo_cannot_be_read_nothing_goes_that_might_be_its_own(fleet: Fleet) -> None:
    old = fleet.pack(b"old")
    mirror = fleet.master.root / "mirrors" / "wiki.git"
    mirror.mkdir(parents=True)
    view = gc.collect(
        [fleet.repo()], fleet.master, whole=True, test=False, unreadable={"wiki": "'slotz' is not a key"}
    )
    assert (view["retcode"], view["skipped"]) == (1, "wiki: 'slotz' is not a key")
    assert view["master"] == {}
    assert mirror.exists() and fleet.path(old).exists()
    assert {host["state"] for host in view["hosts"].values()} == {"collected"}


def test_F31_a_repo_whose_targets_cannot_be_told_is_named_and_the_others_are_collected(fleet: Fleet) -> None:
    def targets(expression: str, kind: str) -> list[str]:
        if kind == "nodegroup":
            raise NoTargets("the master's configuration has no nodegroup 'canarys'")
        return fleet.targets

    odd = config.load({"repo_config": {"wiki": {"targets": "canarys", "targets_type": "nodegroup"}}}, "wiki")
    fleet.master = dataclasses.replace(fleet.master, targets=targets)
    view = gc.collect([odd, fleet.repo()], fleet.master, whole=True, test=False)
    assert view["retcode"] == 1
    assert "wiki" in view["skipped"] and "no nodegroup 'canarys'" in view["skipped"]
    assert {host: told["state"] for host, told in view["hosts"].items()} == {"web1": "collected"}
    with pytest.raises(NoTargets, match="wiki"):
        gc.collect([odd], fleet.master, whole=False, test=False)


def test_F33_while_pins_are_damaged_nothing_goes_that_they_might_offer(fleet: Fleet) -> None:
    pinned = fleet.pack(b"pinned")
    fleet.pin(pinned)
    pins = fleet.master.root / "pins" / "demo.json"
    pins.write_bytes(b"")
    view = fleet.collect()
    assert view["retcode"] == 1 and str(pins) in view["skipped"]
    assert fleet.path(pinned).exists()


def test_what_belongs_to_repos_that_are_not_in_the_pillar_goes(fleet: Fleet) -> None:
    gone = fleet.pack(b"pinned once", repo="gone")
    fleet.pin(gone, repo="gone")
    mirrors = fleet.master.root / "mirrors"
    for name in ("demo.git", "gone.git", "gone.submodules.git"):
        (mirrors / name).mkdir(parents=True)
    exports = fleet.master.root / "exports"
    for repo in ("demo", "gone"):
        (exports / repo / ("a" * 40)).mkdir(parents=True)
        os.utime(exports / repo / ("a" * 40), (LONG_AGO, LONG_AGO))
    fleet.collect()
    assert [path.name for path in mirrors.glob("*.git")] == ["demo.git"]
    assert [path.parent.name for path in exports.glob("*/*")] == ["demo"]
    assert not fleet.path(gone).exists()


def test_a_mirror_that_somebody_works_in_stays(fleet: Fleet) -> None:
    mirror = fleet.master.root / "mirrors/gone.git"
    mirror.mkdir(parents=True)
    with flock.alone(mirror.with_suffix(".lock")):
        fleet.collect()
        assert mirror.exists()
    fleet.collect()
    assert not mirror.exists()


def test_hosts_answer_and_the_silent_are_named_and_not_waited_for(fleet: Fleet) -> None:
    for number in range(3):
        fleet.host.deploy(number)
    fleet.targets = ["web1", "web2"]
    view = fleet.collect()
    assert view["retcode"] == 1
    assert view["hosts"]["web2"] == {"state": "unreachable"}
    assert view["hosts"]["web1"]["state"] == "collected"
    assert ("deploy.gc", ["web1"]) in [(function, hosts) for function, hosts, _ in fleet.asked]
    assert fleet.now() - NOW < fleet.repo().rollout.timeout


def test_the_names_of_payloads_are_not_told_to_every_minion(fleet: Fleet) -> None:
    kept = fleet.pack(b"fresh", NOW)
    fleet.collect()
    assert kept.sha256 not in str(fleet.asked)


def test_of_one_repo_only_its_hosts_are_asked(fleet: Fleet) -> None:
    old = fleet.pack(b"old")
    view = fleet.collect(whole=False)
    assert fleet.path(old).exists()
    assert (view["retcode"], view["master"]) == (0, {})
    assert fleet.asked[-1][2][0] == "demo"


def test_a_host_whose_answer_is_an_error_is_a_failure(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = from_wire({"status": 1, "cause": "no such repo"})
    wire = {"status": 1, "host": "web1", "repo": "demo", "error": refused.to_wire()}
    monkeypatch.setattr(fleet, "_collect", lambda arguments: wire)
    view = fleet.collect()
    assert (view["retcode"], view["hosts"]["web1"]["state"]) == (1, "failed")


@pytest.mark.parametrize(
    ("over_ssh", "ask"), [((), "salt -L web2 test.ping"), (("web2",), "salt-run deploy.doctor")]
)
def test_a_silent_host_is_asked_in_the_way_in_which_it_can_be_reached(
    fleet: Fleet, over_ssh: tuple[str, ...], ask: str
) -> None:
    fleet.targets = ["web1", "web2"]
    fleet.master = dataclasses.replace(fleet.master, over_ssh=frozenset(over_ssh))
    assert str(render(fleet.collect())).endswith(f"Next: {ask}; then the same command again")
