"""Payloads are brought ahead to real hosts with real disks; whoever deploys later finds them near."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.content.payloads import Payloads
from saltdeploy.download import nearest
from saltdeploy.download.swarm.client import SwarmAccess as Stand
from saltdeploy.git.repository import Progress
from saltdeploy.lib import flock
from saltdeploy.lib.errors import ConfigError, DeployError, NoSuchTag, Unavailable, Unsupported
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import fanouts
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.upkeep import preseed as master_preseed
from saltdeploy.minion import downloads, stages
from saltdeploy.minion import preseed as on_target
from saltdeploy.minion.context import Task
from saltdeploy.minion.record import Record
from saltdeploy.protocol import orders
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.result import Result
from saltdeploy.transports.bundle import Bundle
from saltdeploy.watch.console.results import render

from tests.support.payloadserver import embedded
from tests.support.repositories import Source
from tests.support.serving import free_port
from tests.support.stores import Directory
from tests.support.swarming import end_seeders
from tests.support.targets import Copies

DEPLOY = "20261123101112000000"
FAN = "localhost"  # its id is its name on the network, as the pillar says with __HOST__
WEBS = ["web1", "web2"]


def _nothing(*_: object) -> Any:
    raise AssertionError("no check runs")


class MastersChannel(Copies):
    """Salt's channel to one host; a test can close it."""

    closed = False

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        if self.closed:
            raise Unavailable("the master is away")
        super().fetch(payload, destination, progress)


class Bench:
    """A master, a fanout that is a minion, and two targets; jobs are done at once, by the real code of a target."""

    def __init__(self, place: Path, source: Source, fan_url: str) -> None:
        self.place = place
        self.source = source
        self.keys: dict[str, Any] = {"source": str(source.git_dir)}
        self.fanouts: list[dict[str, Any]] = [{"url": fan_url, "targets": "fan", "site": "here"}]
        self.payloads = Payloads(place / "master" / "payloads")
        self.channels = {name: MastersChannel(self.payloads) for name in [FAN, *WEBS]}
        self.least = 1
        self.silent: set[str] = set()
        self.told: list[str] = []
        self.done: list[tuple[str, str]] = []
        self._messages: list[tuple[str, dict[str, Any]]] = []
        self._now = 1_795_435_200.0
        self.master = Master(
            root=place / "master",
            bus=self,
            store=Directory(place / "store"),
            targets=lambda expression, kind: [FAN] if expression == "fan" else WEBS,
            accepted=lambda: [FAN, *WEBS],
            secret=lambda host: "",
            user="ci",
            place=CheckContext(_nothing, _nothing),
            interface="127.0.0.1",
        )

    # -- the bus

    def new_jid(self) -> str:
        return f"{len(self.done) + 1:020d}"

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        for host in hosts:
            self.done.append((function, host))
            if host in self.silent:
                continue
            if function == "deploy.join":
                answer = downloads.join(self.repo(host), self.host(host))
            else:
                assert function == "deploy.preseed"
                answer = self.preseed_on(host, orders.Order.from_wire(arguments[1]["order"]))
            self._messages.append((f"salt/job/{jid}/ret/{host}", {"return": answer.to_wire()}))

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        self._now += wait
        return self._messages.pop(0) if self._messages else None

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        raise AssertionError("nothing is to be told")

    def now(self) -> float:
        return self._now

    def elapsed(self) -> float:
        return self._now

    # -- what it is about

    def repo(self, host: str) -> config.Repo:
        """The repo as a host, or the master, reads it from its pillar."""
        mine = self.place / host
        swarm = {"ports": "17500-17599", "least": self.least}
        deployment = {"fanouts": self.fanouts, "payload_dir": str(mine / "shelf"), "swarm": swarm}
        keys = {"location": str(mine / "live"), **self.keys}
        pillar = {"deployment_config": deployment, "repo_config": {"demo": keys}}
        return config.load(pillar, "demo", site="here")

    def host(self, name: str) -> stages.Host:
        return stages.Host(
            name=name,
            cache=self.place / name / "cache",
            carrier=self.channels[name],
            send=lambda tag, data: None,
            call=lambda *_: None,
            clock=time.time,
            place=Stand(identity(self.master.root), "127.0.0.1"),
        )

    def preseed_on(self, host: str, order: Order) -> Result:
        return on_target.preseed(order, self.repo(host), self.host(host))

    def preseed(self, number: int = 0, *, targets: bool = False) -> dict[str, Any]:
        return master_preseed.preseed(
            self.repo("master"), f"v{number}", DEPLOY, self.master, targets=targets, tell=self.told.append
        )

    def fetch(self, host: str, number: int = 0, base: str = "") -> Result:
        """The stage that a deploy would ask for; what was packed for it is found again."""
        tag = self.source.tag(number)
        [payload] = Bundle().pack(self.payloads, self.source.repository, "demo", tag, base)
        sources = fanouts.sources(self.repo("master"), self.master.targets)
        release = self.source.release(number)
        order = Order(DEPLOY[::-1], 1, FETCH, release, "bundle", (payload,), sources=sources)
        return stages.run([Task(order, self.repo(host))], self.host(host))

    def close_the_masters_channel(self) -> None:
        for channel in self.channels.values():
            channel.closed = True

    def shelf(self, host: str) -> list[str]:
        place = self.place / host / "shelf"
        return sorted(path.name for path in place.iterdir()) if place.exists() else []


@pytest.fixture
def bench(tmp_path: Path, plain: Source) -> Iterator[Bench]:
    with embedded(tmp_path / FAN / "shelf") as url:
        yield Bench(tmp_path, plain, url.replace("127.0.0.1", "__HOST__"))
    end_seeders(tmp_path)


def test_a_fanout_gets_the_payloads_and_serves_them(bench: Bench) -> None:
    view = bench.preseed()
    assert (view["retcode"], view["hosts"][FAN]["state"]) == (0, "fetched")
    assert len(bench.shelf(FAN)) == view["payloads"] == 1
    bench.close_the_masters_channel()
    fetched = bench.fetch("web1")
    assert fetched.ok, fetched.error
    assert fetched.facts["source"] != "master"
    assert fetched.facts["why"].startswith("same site, ")


def test_F27_what_a_fanout_has_is_asked_of_it_by_the_way_that_a_target_will_go(bench: Bench) -> None:
    served = bench.preseed()
    assert "unserved" not in served["hosts"][FAN]
    assert "1/1 host have it" in shown(served)
    bench.fanouts[0]["url"] = f"http://__HOST__:{free_port()}"
    unserved = bench.preseed()
    assert (unserved["retcode"], unserved["hosts"][FAN]["state"]) == (0, "held")
    assert "localhost" in unserved["hosts"][FAN]["unserved"]
    assert f"{FAN} has it and does not serve it: http://localhost" in shown(unserved)
    assert "of 1 of them nobody can fetch it" in shown(unserved)


def test_F27_a_server_of_another_directory_is_named_though_it_answers(bench: Bench, tmp_path: Path) -> None:
    with embedded(tmp_path / "another") as url:
        bench.fanouts[0]["url"] = url.replace("127.0.0.1", "__HOST__")
        told = bench.preseed()["hosts"][FAN]
    assert told["state"] == "fetched"
    assert told["unserved"].endswith("does not have it")


def shown(view: dict[str, Any]) -> str:
    return str(render(view))


def test_a_target_that_has_it_ahead_fetches_nothing(bench: Bench) -> None:
    view = bench.preseed(targets=True)
    assert {host["state"] for host in view["hosts"].values()} == {"fetched"}
    assert view["hosts"]["web1"]["source"] != "master"  # from the fanout, which was served first
    assert bench.channels["web1"].fetched == bench.channels["web2"].fetched == []
    bench.close_the_masters_channel()
    bench.fanouts = []
    fetched = bench.fetch("web1")
    assert (fetched.ok, fetched.facts["bytes"], fetched.facts["source"]) == (True, 0, "here")


def test_targets_share_two_fanouts_evenly(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("_EQUAL", "_BUSY"):  # both are this process: how near they are says how busy the machine is
        monkeypatch.setattr(nearest, limit, 60.0)
    bench.preseed()
    shelf = bench.place / FAN / "shelf"
    with embedded(shelf) as also:
        bench.fanouts.append({"url": also, "site": "here"})
        hosts = bench.preseed(targets=True)["hosts"]
    assert len({hosts[host]["source"] for host in WEBS}) == len(WEBS) == 2
    assert hosts["web1"]["why"].endswith(", its turn among 2")


@pytest.mark.component("seeders of libtorrent in processes of their own")
def test_where_the_repo_wants_it_targets_are_served_by_swarm(bench: Bench) -> None:
    bench.keys["transport"] = "swarm"
    view = bench.preseed(targets=True)
    assert (view["retcode"], {view["hosts"][host]["state"] for host in WEBS}) == (0, {"fetched"})
    assert {view["hosts"][host]["source"] for host in WEBS} == {"swarm"}
    assert view["hosts"][FAN]["source"] == "master"  # before the others: it is not asked to join
    assert ("deploy.join", FAN) not in bench.done


def test_what_is_too_small_for_a_swarm_comes_as_ever(bench: Bench) -> None:
    bench.keys["transport"] = "swarm"
    bench.least = 1 << 30
    view = bench.preseed(targets=True)
    assert view["retcode"] == 0
    assert "swarm" not in {view["hosts"][host]["source"] for host in WEBS}
    assert not [function for function, _ in bench.done if function == "deploy.join"]


def test_nothing_that_anybody_sees_changes(bench: Bench) -> None:
    bench.preseed(targets=True)
    for host in WEBS:
        assert not bench.repo(host).paths.location.exists()
        assert stages.status(bench.repo(host), bench.host(host)).holdings.held == ()


def test_what_is_there_is_not_brought_again(bench: Bench) -> None:
    bench.preseed()
    again = bench.preseed()
    assert (again["retcode"], again["hosts"][FAN]["state"], again["hosts"][FAN]["bytes"]) == (0, "held", 0)
    assert len(bench.channels[FAN].fetched) == 1


def test_what_has_rotted_is_brought_again(bench: Bench) -> None:
    bench.preseed()
    (name,) = bench.shelf(FAN)
    (bench.place / FAN / "shelf" / name).write_bytes(b"rotten")
    assert bench.preseed()["hosts"][FAN]["state"] == "fetched"


def test_targets_with_different_releases_get_what_fits_each(bench: Bench) -> None:
    held = {"web1": bench.source.release(0), "web2": bench.source.release(1)}
    answers = [
        Result(host, "demo", holdings=Holdings(live=release.commit, held=(release.commit,)))
        for host, release in held.items()
    ]
    Pins(bench.master.root).note("demo", answers, 1.0)
    view = bench.preseed(2, targets=True)
    assert (view["payloads"], len(bench.shelf(FAN))) == (2, 2)
    assert len(bench.shelf("web1")) == len(bench.shelf("web2")) == 1
    assert bench.shelf("web1") != bench.shelf("web2")


def test_a_target_that_holds_the_release_is_left_alone(bench: Bench) -> None:
    release = bench.source.release(1)
    answer = Result("web1", "demo", holdings=Holdings(live=release.commit, held=(release.commit,)))
    Pins(bench.master.root).note("demo", [answer], 1.0)
    assert set(bench.preseed(1, targets=True)["hosts"]) == {FAN, "web2"}


def test_a_fanout_that_is_away_is_named_and_the_others_have_it(bench: Bench) -> None:
    bench.silent = {FAN}
    view = bench.preseed(targets=True)
    assert (view["retcode"], view["hosts"][FAN]["state"]) == (1, "unreachable")
    assert f"demo: waits for {FAN}" in bench.told
    assert {view["hosts"][host]["state"] for host in WEBS} == {"fetched"}


def test_a_fanout_that_cannot_fetch_says_why(bench: Bench) -> None:
    bench.channels[FAN].closed = True
    view = bench.preseed()
    assert (view["retcode"], view["hosts"][FAN]["state"]) == (1, "failed")
    assert "the master is away" in view["hosts"][FAN]["error"]["cause"]


def test_nothing_half_is_served_and_what_nobody_wants_any_more_goes(bench: Bench) -> None:
    shelf = bench.place / FAN / "shelf"
    shelf.mkdir(parents=True)
    old, new = shelf / ("a" * 64), shelf / ("b" * 64)
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    bench.channels[FAN].spoil = lambda path: path.write_bytes(b"half")
    assert bench.preseed()["hosts"][FAN]["state"] == "failed"
    assert [name for name in bench.shelf(FAN) if not name.startswith(".")] == [new.name]


def test_others_can_read_a_payload_of_a_fanout_and_cannot_list_them(bench: Bench) -> None:
    """A web server of another user."""
    bench.preseed()
    shelf = bench.place / FAN / "shelf"
    (name,) = bench.shelf(FAN)
    assert (shelf.stat().st_mode & 0o077, (shelf / name).stat().st_mode & 0o077) == (0o011, 0o044)


def test_a_deploy_does_not_wait_for_what_is_brought_ahead(bench: Bench) -> None:
    record = Record(bench.host("web1").cache, "demo")
    with flock.locked(record.preseeding, wait=False) as ours:
        assert ours
        assert bench.fetch("web1").ok
        assert stages.is_running(orders.PRESEED, bench.repo("web1"), bench.host("web1"))
        assert not stages.is_running(FETCH, bench.repo("web1"), bench.host("web1"))


@pytest.mark.parametrize(
    ("keys", "fanouts_too", "error"),
    [
        ({}, False, ConfigError),
        ({"transport": "git", "url": "file:///nowhere"}, True, Unsupported),
        ({"source": "/nowhere"}, True, Unavailable),
    ],
    ids=["nobody to bring it to", "nothing is packed", "no repository"],
)
def test_what_cannot_be_brought_is_refused_before_anybody_is_asked(
    bench: Bench, keys: dict[str, Any], fanouts_too: bool, error: type[DeployError]
) -> None:
    bench.keys |= keys
    bench.fanouts = bench.fanouts if fanouts_too else []
    with pytest.raises(error) as caught:
        bench.preseed()
    assert caught.value.next
    assert bench.done == []


def test_there_is_no_such_tag(bench: Bench) -> None:
    with pytest.raises(NoSuchTag):
        bench.preseed(99)
