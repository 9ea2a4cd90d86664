"""A deploy whose hosts take different transports, and one whose process dies meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.plan_model import SYNC, Part
from saltdeploy.master.planning.transport_choice import TransportChoice
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order, Payload

from tests.unit.master.simulated_deploys import DEPLOY, SimulatedDeploy
from tests.unit.master.simulation import JOB, NEW, Simulation

HOSTS = ("edge1", "web1", "web2", "web3")
PAYLOADS = tuple(Payload("", "a" * 64, 1, kind) for kind in ("bundle", "trees", "tar"))
WAYS = (
    TransportChoice("bundle", HOSTS[1:]),
    TransportChoice("tar", HOSTS[:1], "auto: tar, 8.0 MB (bundle 14.3 MB)"),
)
PART = Part(Order(DEPLOY, 1, FETCH, NEW, payloads=PAYLOADS), HOSTS, ways=WAYS)


class Recording(Simulation):
    """A fleet that remembers what it was asked.

    Attributes:
        orders: every ``(hosts, order)``.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.orders: list[tuple[tuple[str, ...], Order]] = []

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        if function != "deploy.result":
            self.orders.append((tuple(hosts), Order.from_wire(arguments[1]["order"])))
        super().publish(hosts, function, arguments, jid)

    def travelled(self) -> dict[str, set[tuple[str, tuple[str, ...]]]]:
        """Host to the transports that it was asked to fetch by, with the kinds of payloads."""
        found: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
        for hosts, order in self.orders:
            if order.stage == FETCH:
                kinds = tuple(payload.kind for payload in order.payloads)
                for host in hosts:
                    found.setdefault(host, set()).add((order.transport, kinds))
        return found


BUNDLE = {("bundle", ("bundle",))}
TAR = {("tar", ("trees", "tar"))}


@pytest.fixture
def world() -> Recording:
    return Recording(1, HOSTS)


def deploy(root: Path, world: Recording, part: Part = PART) -> SimulatedDeploy:
    return SimulatedDeploy(root, world, (Wave("", "", HOSTS, 4, 0),), Rules(), part)


def test_each_host_is_asked_to_fetch_by_its_own_transport(tmp_path: Path, world: Recording) -> None:
    assert deploy(tmp_path, world).run().word == "CONVERGED"
    assert world.travelled() == {"edge1": TAR, "web1": BUNDLE, "web2": BUNDLE, "web3": BUNDLE}


def test_all_are_asked_to_switch_by_one_job(tmp_path: Path, world: Recording) -> None:
    deploy(tmp_path, world).run()
    [(hosts, order)] = [each for each in world.orders if each[1].stage == CHECKOUT]
    assert (hosts, order.payloads) == (HOSTS, ())


def test_to_fetch_each_host_has_a_number_of_its_own_by_which_fanouts_are_shared(
    tmp_path: Path, world: Recording
) -> None:
    served = (FanoutServer("http://fan1:8010"), FanoutServer("http://fan2:8010"))
    part = replace(PART, order=replace(PART.order, sources=served))
    deploy(tmp_path, world, part).run()
    told = {host: order.turns for hosts, order in world.orders if order.stage == FETCH for host in hosts}
    assert [dict(told[host])[host] for host in HOSTS] == [0, 1, 2, 3]
    assert all(order.turns == () for _, order in world.orders if order.stage == CHECKOUT)


def test_with_one_fanout_nobody_is_numbered(tmp_path: Path, world: Recording) -> None:
    part = replace(PART, order=replace(PART.order, sources=(FanoutServer("http://fan1:8010"),)))
    deploy(tmp_path, world, part).run()
    assert all(order.turns == () for _, order in world.orders)


@pytest.mark.parametrize(("action", "back"), [(SYNC, False), (ROLLBACK, True)])
def test_hosts_are_told_whether_they_are_led_back(
    tmp_path: Path, world: Recording, action: str, back: bool
) -> None:
    """Then they never go by themselves to what they had."""
    waves = (Wave("", "", HOSTS, 4, 0),)
    assert SimulatedDeploy(tmp_path, world, waves, Rules(), PART, action).run().word == "CONVERGED"
    assert {order.back for _, order in world.orders if order.stage == CHECKOUT} == {back}
    assert not any(order.back for _, order in world.orders if order.stage == FETCH)


@pytest.mark.parametrize("after", [3, 5, 8, 13])
def test_whoever_goes_on_asks_by_the_same_transports(tmp_path: Path, world: Recording, after: int) -> None:
    for host in HOSTS:
        world.minions[host].mishaps[JOB] = 1  # nobody hears the first process
    assert deploy(tmp_path, world).run(kills=[after]).word == "CONVERGED"
    assert world.travelled() == {"edge1": TAR, "web1": BUNDLE, "web2": BUNDLE, "web3": BUNDLE}
