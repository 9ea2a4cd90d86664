"""The master asks who takes part, makes torrents and seeds; whatever fails there, the deploy does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.download.swarm.client import SwarmAccess as Stand
from saltdeploy.download.swarm.spool import Spool
from saltdeploy.lib.errors import ConfigError
from saltdeploy.master.context import Master
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads import swarm as master_swarm
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.master.plan_model import Part
from saltdeploy.master.planning import transport_choice
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.upkeep.ext_pillar import data_for
from saltdeploy.minion import downloads, stages
from saltdeploy.minion.context import Task
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Identity, Peer

from tests.support.repositories import Source
from tests.support.stores import Directory
from tests.support.targets import Copies
from tests.unit.master.buses import Quiet

pytestmark = pytest.mark.component("seeders of libtorrent in processes of their own")

DEPLOY = "20261123101112000000"
HOSTS = ("web1", "web2", "web3")


class Bench(Quiet):
    """A master and three targets on one machine; jobs are done at once, by the real code of a target."""

    def __init__(self, place: Path, source: Source) -> None:
        super().__init__()
        self.place = place
        self.source = source
        self.silent: set[str] = set()
        self.warned: list[str] = []
        self.least = 1000
        self.known: Identity | None = identity(place / "master")
        self.master = Master(
            root=place / "master",
            bus=self,
            store=Directory(place / "store"),
            targets=lambda expression, kind: list(HOSTS),
            accepted=lambda: list(HOSTS),
            secret=lambda host: "",
            user="ops",
            place=CheckContext(lambda *_: None, lambda *_: None),  # type: ignore[arg-type,return-value]
            interface="127.0.0.1",
        )
        self.offers = self._offers()

    def new_jid(self) -> str:
        return "1" * 20

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        assert (function, arguments) == ("deploy.join", ["demo"])
        for host in hosts:
            if host not in self.silent:
                wire = downloads.join(self.repo(host), self.host(host)).to_wire()
                self.messages.append((f"salt/job/{jid}/ret/{host}", {"return": wire}))

    def repo(self, host: str = "master") -> config.Repo:
        swarm = {"ports": "17400-17499", "least": self.least}
        keys = {
            "location": str(self.place / host / "live"),
            "source": str(self.source.git_dir),
            "transport": "swarm",
        }
        pillar = {"deployment_config": {"swarm": swarm}, "repo_config": {"demo": keys}}
        return config.load(pillar, "demo")

    def host(self, name: str) -> stages.Host:
        return stages.Host(
            name=name,
            cache=self.place / name,
            carrier=Copies(self.master.payloads),
            send=lambda tag, data: None,
            call=lambda *_: None,
            clock=time.time,
            place=Stand(self.known, "127.0.0.1"),
        )

    def den(self, host: str) -> Spool:
        return Spool(self.place / host / "swarm")

    def _offers(self) -> Packing:
        there = master_source.Source(self.repo(), self.master.root)
        order = Order(DEPLOY, 1, FETCH, self.source.release(1), "bundle")
        offers = Packing(order, self.source.tag(1), self.repo(), self.master.payloads, lambda: there)
        offers.pack([("web1", Holdings())])
        return offers

    def seeding(self, *, swarm: bool = True) -> Any:
        part = Part(self.offers.order, HOSTS, swarm=swarm)
        return master_swarm.seeding(
            [part], [self.repo()], {"demo": self.offers}, self.master, self.warned.append
        )

    def fetch(self, host: str) -> Result:
        return stages.run([Task(self.offers.order, self.repo(host))], self.host(host))

    def seeders(self) -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline"])
        return [
            each
            for each in found
            if any(word.startswith(f"{self.place}/") for word in each.info["cmdline"] or [])
        ]


@pytest.fixture
def bench(tmp_path: Path, large: Source) -> Iterator[Bench]:
    made = Bench(tmp_path, large)
    yield made
    for process in made.seeders():
        process.kill()


def test_hosts_fetch_by_swarm_and_give_until_they_switch(bench: Bench) -> None:
    with bench.seeding():
        [seed, *peers] = bench.offers.order.swarm.peers
        assert (seed.host, seed.address) == ("", "")
        assert {peer.host for peer in peers} == set(HOSTS)
        for host in HOSTS:
            done = bench.fetch(host)
            assert done.ok, done.error
            assert (done.facts["source"], "left" in done.facts) == ("swarm", False)
        assert all(len(bench.den(host).wishes()) == 1 for host in HOSTS)
    assert bench.warned == []
    assert not any("owned" in process.cmdline() for process in bench.seeders())
    assert not (bench.master.root / "swarms" / DEPLOY).exists()
    order = Order(DEPLOY, 1, CHECKOUT, bench.source.release(1))
    assert stages.run([Task(order, bench.repo("web1"))], bench.host("web1")).ok
    assert [len(bench.den(host).wishes()) for host in HOSTS] == [0, 1, 1]


def test_what_is_packed_later_is_seeded_too(bench: Bench) -> None:
    with bench.seeding():
        before = bench.offers.order.swarm.torrents
        bench.offers.pack(
            [("web2", Holdings(live=bench.source.tag(0).commit, held=(bench.source.tag(0).commit,)))]
        )
        assert len(bench.offers.order.payloads) == 2
        assert len(bench.offers.order.swarm.torrents) == len(before) + 1


def test_a_deploy_that_goes_another_way_asks_nobody(bench: Bench) -> None:
    with bench.seeding(swarm=False):
        assert not bench.offers.order.swarm.torrents
    assert bench.seeders() == []


def test_what_is_small_travels_without_a_swarm_and_nobody_is_asked(bench: Bench) -> None:
    bench.least = 1 << 30
    known = [Result(host, "demo", holdings=Holdings()) for host in HOSTS]
    Pins(bench.master.root).note("demo", known, 1.0)
    with bench.seeding():
        assert not bench.offers.order.swarm.torrents
    assert bench.seeders() == []


def test_who_does_not_join_is_named_with_the_reason(bench: Bench) -> None:
    bench.silent = {"web2"}
    with bench.seeding():
        assert {peer.host for peer in bench.offers.order.swarm.peers} == {"", "web1", "web3"}
    assert bench.warned == ["not in the swarm: web2: no answer"]


def test_where_nobody_can_take_part_there_is_no_swarm(bench: Bench) -> None:
    bench.known = None
    with bench.seeding():
        assert not bench.offers.order.swarm.torrents
        assert bench.fetch("web1").facts["source"] == "master"
    [why] = bench.warned
    assert why.startswith("not in the swarm: web1, web2, web3: the pillar has no certificate")


def test_a_master_without_libtorrent_deploys_without_a_swarm(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libtorrent", None)
    with bench.seeding():
        assert not bench.offers.order.swarm.torrents
    assert bench.warned == ["no swarm: libtorrent is not installed on the master"]


def test_a_master_without_a_free_port_deploys_without_a_swarm(bench: Bench) -> None:
    object.__setattr__(bench.master, "interface", "203.0.113.1")  # an address that is not this machine's
    with bench.seeding():
        assert not bench.offers.order.swarm.torrents
    assert bench.warned == ["no swarm: no seeder runs: OSError: no port of 203.0.113.1:17400-17499 is free"]


def test_a_seeder_of_the_master_that_is_killed_does_not_keep_hosts_from_the_release(bench: Bench) -> None:
    with bench.seeding():
        assert bench.fetch("web1").facts["source"] == "swarm"
        next(process for process in bench.seeders() if "owned" in process.cmdline()).kill()
        done = bench.fetch("web2")
        assert (done.ok, done.facts["source"]) == (True, "swarm")


def test_a_seeder_of_the_master_that_hangs_does_not_keep_the_deploy_from_its_end(bench: Bench) -> None:
    with bench.seeding():
        seeder = next(process for process in bench.seeders() if "owned" in process.cmdline())
        seeder.suspend()
    assert not seeder.is_running()


def test_addresses_that_only_their_own_machine_can_dial_are_left_out() -> None:
    away = Peer("web1", "10.0.0.1", 6881)
    own = Peer("deploy1", "127.0.0.1", 6881)
    assert master_swarm._reachable([away, own]) == (away,)
    assert master_swarm._reachable([own]) == (own,)


# -- the certificate ------------------------------------------------------------------------------------


def test_the_fleet_has_one_certificate_which_only_the_master_can_read(tmp_path: Path) -> None:
    made = identity(tmp_path)
    assert identity(tmp_path) == made
    assert (tmp_path / "swarm.json").stat().st_mode & 0o077 == 0


def test_every_minion_is_told_it(tmp_path: Path) -> None:
    told = data_for("web1", tmp_path, {}, lambda expression, kind: False)
    assert Identity.from_wire(told["swarm"]) == identity(tmp_path)


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    made = identity(tmp_path)
    for damaged in ("{", "[]", '{"certificate": "x", "key": "y"}'):
        (tmp_path / "swarm.json").write_text(damaged)
        assert identity(tmp_path) not in (None, made)


# -- configuration --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ports", ["0-1", "5-4", "1-70000", "x", "", [1, 2], True, "1-2-3"])
def test_ports_that_cannot_be_meant_are_an_error_with_their_path(ports: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"deployment_config": {"swarm": {"ports": ports}}, "repo_config": {"demo": {}}}, "demo")
    assert caught.value.path == "deployment_config:swarm:ports"


def test_one_port_is_a_range_too() -> None:
    pillar = {
        "deployment_config": {"swarm": {"ports": 6881}},
        "repo_config": {"demo": {"transport": "tar+swarm"}},
    }
    repo = config.load(pillar, "demo")
    assert (repo.delivery.transport, repo.delivery.swarm.wanted, repo.delivery.swarm.ports) == (
        "tar",
        True,
        (6881, 6881),
    )


def test_layout_overlay_takes_its_images_by_swarm(tmp_path: Path) -> None:
    pillar = {"repo_config": {"demo": {"layout": "overlay", "transport": "squashfs+swarm"}}}
    assert config.load(pillar, "demo").delivery.transport == "squashfs"
    pillar["repo_config"]["demo"]["transport"] = "tar+swarm"
    with pytest.raises(ConfigError):
        config.load(pillar, "demo")


def test_the_operator_chooses_for_once(bench: Bench) -> None:
    repo = bench.repo()
    assert packing.by_swarm("", repo)
    assert not packing.by_swarm("tar", repo)
    assert packing.by_swarm("tar+swarm", repo)
    assert transport_choice.of_each("tar+swarm", repo, ["web1"], bench.master.targets) == {"web1": "tar"}
    assert transport_choice.of_each("auto+swarm", repo, ["web1"], bench.master.targets) == {"web1": "auto"}
    with pytest.raises(ConfigError, match="git\\+swarm"):
        transport_choice.of_each("git+swarm", repo, ["web1"], bench.master.targets)
