"""Where payloads come from, as the pillar says it: legal, or one error that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.config.delivery import Link
from saltdeploy.lib.errors import BadName, ConfigError
from saltdeploy.master.fleet import fanouts
from saltdeploy.protocol.fanout import MOST, FanoutServer, check_url, from_wire


def load(deployment: dict[str, Any], **keys: Any) -> config.Repo:
    pillar = {"deployment_config": deployment, "repo_config": {"demo": {"location": "/srv/demo", **keys}}}
    return config.load(pillar, "demo", "eqiad")


FANS = {"url": "http://__HOST__:8010/", "targets": "fan*", "targets_type": "glob", "site": "eqiad"}
SERVER = {"url": "https://payloads.example.org/deploy"}


def test_minions_and_servers_become_sources_each_once() -> None:
    repo = load({"fanouts": [FANS, SERVER]}, fanouts=[SERVER])
    asked = []

    def targets(expression: str, kind: str) -> list[str]:
        asked.append((expression, kind))
        return ["fan1", "fan2"]

    found = fanouts.sources(repo, targets)
    assert found == (
        FanoutServer("https://payloads.example.org/deploy"),
        FanoutServer("http://fan1:8010", "eqiad", "fan1"),
        FanoutServer("http://fan2:8010", "eqiad", "fan2"),
    )
    assert asked == [("fan*", "glob")]
    assert fanouts.minions(found) == ["fan1", "fan2"]
    assert fanouts.servers(found) == found[:1]
    assert from_wire([source.to_wire() for source in found]) == found


def test_more_fanouts_than_an_order_can_name_are_refused() -> None:
    with pytest.raises(ConfigError):
        fanouts.sources(load({"fanouts": [FANS]}), lambda *_: [f"fan{n}" for n in range(MOST + 1)])


def test_what_a_transfer_keeps_to() -> None:
    supply = load(
        {"transfer": {"rate": 12_500_000, "jitter": 5, "nice": 10}, "payload_dir": "/srv/payloads"}
    ).delivery
    assert (supply.rate, supply.jitter, supply.nice) == (12_500_000, 5.0, 10)
    assert (supply.place, supply.site) == (Path("/srv/payloads"), "eqiad")
    assert load({}).delivery.place is None


@pytest.mark.parametrize(
    ("transfer", "hosts"),
    [({}, 0), ({"rate": 1_000_000}, 0), ({"rate": 1_000_000, "fleet_rate": 7_900_000}, 7)],
)
def test_how_many_hosts_together_keep_to_the_cap_of_the_fleet(transfer: dict[str, int], hosts: int) -> None:
    assert load({"transfer": transfer}).delivery.at_once == hosts


@pytest.mark.parametrize(
    ("said", "link"),
    [
        ({}, Link()),
        ({"rate": "12.5MB", "rtt": "40ms"}, Link(12_500_000.0, 0.04)),
        ({"rate": 2048, "rtt": 1}, Link(2048.0, 1.0)),
        ({"rate": "1.5 GB", "rtt": "0.2 s"}, Link(1_500_000_000.0, 0.2)),
    ],
)
def test_how_far_it_is_to_a_site(said: dict[str, Any], link: Link) -> None:
    found = load({"links": {"codfw": said}}).delivery
    assert found.links == {"codfw": link}
    assert found.link == Link()
    assert load({"links": {"default": said}}).delivery.link == link


@pytest.mark.parametrize(
    ("deployment", "path"),
    [
        ({"fanouts": SERVER}, "fanouts"),
        ({"fanouts": ["http://fan1"]}, "fanouts:0"),
        ({"fanouts": [SERVER, {}]}, "fanouts:1"),
        ({"fanouts": [{"url": "ftp://fan1"}]}, "fanouts:0:url"),
        ({"fanouts": [{"url": 7}]}, "fanouts:0:url"),
        ({"fanouts": [{**SERVER, "sites": "eqiad"}]}, "fanouts:0:sites"),
        ({"fanouts": [{**SERVER, "site": ""}]}, "fanouts:0:site"),
        ({"fanouts": [{**SERVER, "targets": "fan*"}]}, "fanouts:0"),
        ({"fanouts": [{"url": "http://__HOST__"}]}, "fanouts:0"),
        ({"fanouts": [{**SERVER, "targets_type": "glob"}]}, "fanouts:0:targets_type"),
        ({"fanouts": [{**FANS, "targets_type": "guess"}]}, "fanouts:0:targets_type"),
        ({"payload_dir": "here"}, "payload_dir"),
        ({"transfer": {"speed": 1}}, "transfer:speed"),
        ({"transfer": {"rate": 0}}, "transfer:rate"),
        ({"transfer": {"rate": True}}, "transfer:rate"),
        ({"transfer": {"jitter": -1}}, "transfer:jitter"),
        ({"transfer": {"nice": 20}}, "transfer:nice"),
        ({"transfer": {"fleet_rate": 10_000_000}}, "transfer:fleet_rate"),
        ({"transfer": {"rate": 20_000, "fleet_rate": 10_000}}, "transfer:fleet_rate"),
        ({"links": []}, "links"),
        ({"links": {"codfw": 7}}, "links:codfw"),
        ({"links": {"or *": {}}}, "links:or *"),
        ({"links": {"codfw": {"latency": 1}}}, "links:codfw:latency"),
        ({"links": {"codfw": {"rate": "12.5 furlongs"}}}, "links:codfw:rate"),
        ({"links": {"codfw": {"rate": 0}}}, "links:codfw:rate"),
        ({"links": {"codfw": {"rate": True}}}, "links:codfw:rate"),
        ({"links": {"codfw": {"rtt": "40MB"}}}, "links:codfw:rtt"),
        ({"links": {"codfw": {"rtt": -1}}}, "links:codfw:rtt"),
    ],
)
def test_what_cannot_be_meant_is_one_error_that_names_its_place(
    deployment: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(deployment)
    assert caught.value.path == f"deployment_config:{path}"


@pytest.mark.parametrize("url", ["http://h", "https://h:8443", "http://[::1]:80/a/b", "http://10.0.0.7/x"])
def test_a_usual_url_is_taken(url: str) -> None:
    assert check_url(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    [
        "", "fan1", "//fan1", "file:///etc", "http://", "http:///x", "http://h:x", "http://h:0", "http://h:99999",
        "http://[::1", "http://h/ x", "http://h/\r\nHost: x", "http://h/é", "http://h?x", "http://h#x",
        "http://me@h", "http://me:secret@h", "ftp://me:secret@h", f"http://h/{'x' * 500}",
    ],
)  # fmt: skip
def test_what_is_no_base_of_payloads_is_refused(url: str) -> None:
    with pytest.raises(BadName) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [None, "http://h", [1], [{}], [{"url": "http://h", "site": None, "host": ""}],
     [{"url": "http://h", "site": "", "host": "x" * 501}], [{"url": "gopher://h", "site": "", "host": ""}],
     [{"url": "http://h", "site": "", "host": ""}] * (MOST + 1)],
)  # fmt: skip
def test_sources_of_another_form_are_refused(data: object) -> None:
    with pytest.raises(BadName):
        from_wire(data)
