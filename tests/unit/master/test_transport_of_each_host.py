"""Who takes which transport: the operator says it for all, else the group of a host, else the repo."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.config import transports
from saltdeploy.lib.errors import ConfigError
from saltdeploy.master.payloads import packing
from saltdeploy.master.plan_model import Part, with_another_transport
from saltdeploy.master.planning import transport_choice
from saltdeploy.master.planning.transport_choice import TransportChoice
from saltdeploy.master.records.pin import Pin
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release

HOSTS = ["edge1", "edge2", "web1", "web2", "web3"]
EDGE = {"name": "edge", "targets": "edge", "transport": "tar"}
FAR = {"name": "far", "targets": "web3", "transport": "auto"}


def repo(**keys: Any) -> config.Repo:
    return config.load({"repo_config": {"demo": {"location": "/srv/demo", **keys}}}, "demo")


def targets(expression: str, kind: str) -> list[str]:
    return [host for host in HOSTS if host.startswith(expression)]


@pytest.mark.parametrize(
    ("operators", "keys", "wanted"),
    [
        ("", {}, "bundle bundle bundle bundle bundle"),
        ("", {"transport": "delta"}, "delta delta delta delta delta"),
        ("", {"groups": [EDGE]}, "tar tar bundle bundle bundle"),
        ("", {"groups": [EDGE, FAR], "transport": "git"}, "tar tar git git auto"),
        ("", {"groups": [{"name": "rest", "transport": "git"}, FAR]}, "git git git git auto"),
        ("rsync", {"groups": [EDGE, FAR]}, "rsync rsync rsync rsync rsync"),
        ("auto", {"groups": [EDGE]}, "auto auto auto auto auto"),
    ],
)
def test_who_has_the_word(operators: str, keys: dict[str, Any], wanted: str) -> None:
    found = transport_choice.of_each(operators, repo(**keys), HOSTS, targets)
    assert [found[host] for host in HOSTS] == wanted.split()


def test_a_transport_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="pigeon"):
        transport_choice.of_each("pigeon", repo(), HOSTS, targets)


@pytest.mark.parametrize("transport", ["tar", "delta"])
def test_what_the_layout_cannot_take_is_refused_before_anybody_is_asked(transport: str) -> None:
    with pytest.raises(ConfigError, match="layout overlay"):
        transport_choice.of_each(transport, repo(layout="overlay", transport="squashfs"), HOSTS, targets)


@pytest.mark.parametrize("layout", ["overlay", "inplace"])
def test_a_group_cannot_take_what_the_layout_cannot(layout: str) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(layout=layout, transport="auto", groups=[{"name": "first"}, EDGE])
    assert caught.value.path == "repo_config:demo:groups:1:transport"


def test_every_layout_takes_the_cheapest() -> None:
    for layout in ("slots", "inplace", "overlay"):
        assert repo(layout=layout, transport="auto").delivery.transport == "auto"


def test_hosts_with_the_same_transport_for_the_same_reason_are_one_way() -> None:
    chosen = {"web2": ("delta", "auto: delta"), "web3": ("bundle", "auto: bundle")}
    wanted = {**dict.fromkeys(HOSTS, "bundle"), "web2": "auto", "web3": "auto"}
    found = transport_choice.ways(wanted, chosen.__getitem__)
    assert found == (
        TransportChoice("bundle", ("edge1", "edge2", "web1")),
        TransportChoice("bundle", ("web3",), "auto: bundle"),
        TransportChoice("delta", ("web2",), "auto: delta"),
    )
    assert transport_choice.most(found) == "bundle"
    assert with_another_transport(found, "bundle") == {"web2": "delta"}


def part(*found: TransportChoice) -> Part:
    order = Order("20261123101112000000", 7, FETCH, Release("demo", "v1", "1" * 40), "bundle")
    return Part(order, tuple(HOSTS), ways=found)


def test_what_was_decided_crosses_the_journal() -> None:
    decided = part(
        TransportChoice("bundle", ("web1",)), TransportChoice("tar", ("edge1",), "auto: tar, 8 MB")
    )
    assert Part.from_wire(json.loads(json.dumps(decided.to_wire()))) == decided
    assert decided.transports == {"edge1": "tar"}


def test_a_journal_of_an_older_version_is_read() -> None:
    wire = part().to_wire()
    del wire["ways"]
    assert Part.from_wire(wire) == part()


def test_a_pin_of_an_older_version_is_read() -> None:
    pin = Pin(part().order, ("web1",), transports={"edge1": "tar"})
    wire = pin.to_wire()
    assert Pin.from_wire(json.loads(json.dumps(wire))) == pin
    del wire["transports"]
    assert Pin.from_wire(wire).transports == {}


def test_a_payload_of_another_kind_is_kept_from_a_host() -> None:
    kinds = ("bundle", "trees", "tar", "delta", "image", "overlay")
    order = Order(
        "pin",
        1,
        FETCH,
        Release("demo", "v1", "1" * 40),
        payloads=tuple(Payload("", "a" * 64, 1, k) for k in kinds),
    )
    shown = {
        name: " ".join(p.kind for p in packing.by(order, name).payloads) for name in transports.TABLE.names()
    }
    assert shown == {
        "bundle": "bundle",
        "git": "",
        "tar": "trees tar",
        "delta": "trees tar delta",
        "rsync": "trees",
        "squashfs": "trees image overlay",
    }
