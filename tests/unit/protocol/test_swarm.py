"""Who takes part in a swarm, who dials whom, and what of it may cross a host boundary."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol.swarm import (
    MOST,
    Peer,
    Swarm,
    Torrent,
    chosen,
    dialled,
    gates,
)

TORRENT = Torrent("a" * 64, "b" * 64, 100)
MASTER = Peer("", "", 6881, "s0")


def fleet(*sites: str) -> tuple[Peer, ...]:
    """A host for each of these sites."""
    return tuple(
        Peer(f"web{n}", f"10.0.{n // 250}.{n % 250 + 1}", 6881, site) for n, site in enumerate(sites)
    )


SITES = st.lists(st.sampled_from(["s0", "s1", "s2", ""]), min_size=1, max_size=60)


@given(SITES)
def test_everybody_is_reached_from_the_master_without_anybody_who_is_dialled_later(sites: list[str]) -> None:
    peers = fleet(*sites)
    swarm = Swarm((TORRENT,), (MASTER, *peers))
    reached, fresh = {""}, True
    edges = {
        (peer.host, other.host) for peer in peers for other in dialled(swarm, peer.host, peer.site, "x").first
    }
    while fresh:
        fresh = {b if a in reached else a for a, b in edges if (a in reached) != (b in reached)}
        reached |= fresh
    assert reached == {"", *(peer.host for peer in peers)}


@given(SITES.filter(lambda sites: "" not in sites))
def test_only_two_hosts_of_a_site_dial_the_master_or_anybody_elsewhere(sites: list[str]) -> None:
    peers = fleet(*sites)
    swarm = Swarm((TORRENT,), (MASTER, *peers))
    for site in set(sites):
        far = [
            peer.host
            for peer in peers
            if peer.site == site
            and any(
                not other.host or other.site != site for other in dialled(swarm, peer.host, site, "x").first
            )
        ]
        assert sorted(far) == sorted(gates(swarm, site, "x"))
        assert len(far) <= 2


@given(SITES.filter(lambda sites: "" not in sites))
def test_of_another_site_the_gates_are_dialled_and_nobody_else(sites: list[str]) -> None:
    peers = fleet(*sites)
    swarm = Swarm((TORRENT,), (MASTER, *peers))
    for peer in peers:
        found = dialled(swarm, peer.host, peer.site, "x")
        for other in (*found.first, *found.later):
            assert not other.host or other.site == peer.site or other.host in gates(swarm, other.site, "x")


def test_a_host_dials_neither_itself_nor_anybody_twice() -> None:
    swarm = Swarm((TORRENT,), (MASTER, *fleet(*["s1"] * 5, *["s2"] * 5)))
    for host, site in [("web0", "s1"), ("web9", "s2"), ("late", "s3"), ("bare", "")]:
        found = dialled(swarm, host, site, "x")
        names = [peer.host for peer in (*found.first, *found.later)]
        assert len(set(names)) == len(names)
        assert host not in names
        assert "" in names


def test_a_host_dials_few_however_many_there_are() -> None:
    swarm = Swarm((TORRENT,), (MASTER, *fleet(*["s1"] * 120)))
    found = dialled(swarm, "web0", "s1", "x")
    assert len(found.first) + len(found.later) <= 35
    assert dialled(swarm, "late", "s1", "x").first[0].host  # hosts that are not named dial those who are


def test_other_payloads_have_other_gates() -> None:
    swarm = Swarm((TORRENT,), (MASTER, *fleet(*["s1"] * 20)))
    assert len({tuple(gates(swarm, "s1", f"{n}")) for n in range(20)}) > 10


def test_an_order_names_as_many_of_a_small_site_as_of_a_big_one() -> None:
    found = chosen(fleet(*["big"] * 1000, *["small"] * 20, "alone"), "x")
    assert len(found) == MOST
    assert sum(peer.site == "small" for peer in found) == 20
    assert sum(peer.site == "alone" for peer in found) == 1
    assert chosen(reversed(fleet(*["big"] * 1000)), "x") == chosen(fleet(*["big"] * 1000), "x")


def test_a_swarm_crosses_a_host_boundary() -> None:
    swarm = Swarm((TORRENT,), (MASTER, *fleet("s1", ""), Peer("six", "fd00::1", 1, "s")))
    assert Swarm.from_wire(swarm.to_wire()) == swarm
    assert Swarm.from_wire(Swarm().to_wire()) == Swarm()
    assert swarm.torrent("a" * 64) == TORRENT
    assert swarm.torrent("b" * 64) is None


@pytest.mark.parametrize(
    "change",
    [
        {"torrents": [["../etc", "b" * 64, 1]]},
        {"torrents": [["a" * 64, "b" * 64, 0]]},
        {"torrents": [["a" * 64, "b" * 64, True]]},
        {"torrents": [["a" * 64, "b" * 64, 1 << 40]]},
        {"torrents": [["a" * 64, "b" * 64]]},
        {"torrents": "abc"},
        {"peers": [["web1", "", 6881, ""]]},
        {"peers": [["web1", "web1.example.org", 6881, ""]]},
        {"peers": [["web1", "224.0.0.1", 6881, ""]]},
        {"peers": [["web1", "0.0.0.0", 6881, ""]]},
        {"peers": [["web1", "10.0.0.1", 0, ""]]},
        {"peers": [["web1", "10.0.0.1", 1 << 16, ""]]},
        {"peers": [["web1", "10.0.0.1", "6881", ""]]},
        {"peers": [["w" * 300, "10.0.0.1", 6881, ""]]},
        {"peers": [["web1", "10.0.0.1", 6881]]},
        {"peers": None},
        {"peers": [["web1", "10.0.0.1", 6881, ""]] * (MOST + 2)},
    ],
    ids=repr,
)
def test_what_has_a_wrong_form_is_refused(change: dict[str, Any]) -> None:
    wire = {"torrents": [TORRENT.to_wire()], "peers": [MASTER.to_wire()], **change}
    with pytest.raises(DeployError):
        Swarm.from_wire(wire)


@pytest.mark.parametrize("wire", [None, [], "x", 1, {"torrents": []}])
def test_what_is_no_swarm_is_refused(wire: object) -> None:
    with pytest.raises(DeployError):
        Swarm.from_wire(wire)
