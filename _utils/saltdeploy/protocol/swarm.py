"""What a swarm is: who takes part in it, and which peers a host dials.

A swarm is the hosts of one deploy that give each other pieces of its payloads, as BitTorrent does. Who they are comes with
an order, over Salt's channel; there is no tracker, and nobody is looked for. Hosts of one site give each other what they
have. As long as that goes well only two of them, the site's gates, fetch from the master and from elsewhere: so the master gives
no more than two payloads for each site, however many hosts there are.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from saltdeploy.lib.errors import BadName, DeployError

#: Peers that an order names; a host that is not among them dials those who are.
MOST = 150

_GATES = 2  # hosts of a site
_NEAR, _FAR = 30, 3  # peers that a host dials; of other sites it dials the gates
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 256  # characters of a name


@dataclass(frozen=True)
class Torrent:
    """What tells the pieces of a payload: a small file that has a digest of each.

    Attributes:
        payload: the sha256 of the payload.
        sha256, size: of the torrent itself, which is served as a payload is.
    """

    payload: str
    sha256: str
    size: int

    def to_wire(self) -> list[Any]:
        """The torrent's names as plain data."""
        return [self.payload, self.sha256, self.size]

    @classmethod
    def from_wire(cls, data: object) -> Torrent:
        """Rebuild and check what crossed a host boundary.

        Raises:
            DeployError: it has the wrong form.
        """
        if not isinstance(data, (list, tuple)) or len(data) != 3:
            raise DeployError("a torrent of an unreadable form")
        payload, sha256, size = data
        if not all(isinstance(name, str) and _SHA256.fullmatch(name) for name in (payload, sha256)):
            raise DeployError("a torrent without the sha256 of its payload or its own")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 < size < 1 << 26:
            raise DeployError("a torrent without a size")
        return cls(payload, sha256, size)


@dataclass(frozen=True)
class Peer:
    """Somebody who takes part.

    Attributes:
        host: the minion; "" for the master, which has everything.
        address: an IP address; "" (of the master only) for the one where a minion has its master.
        port: where it listens.
        site: its grain ``site``; "" for nowhere in particular.
    """

    host: str
    address: str
    port: int
    site: str = ""

    def to_wire(self) -> list[Any]:
        """The peer as plain data."""
        return [self.host, self.address, self.port, self.site]

    @classmethod
    def from_wire(cls, data: object) -> Peer:
        """Rebuild and check what crossed a host boundary.

        Raises:
            BadName: a part has the wrong form.
        """
        if not isinstance(data, (list, tuple)) or len(data) != 4:
            raise BadName("a peer of an unreadable form")
        host, address, port, site = data
        if not all(isinstance(text, str) and len(text) <= _LONGEST for text in (host, address, site)):
            raise BadName("a peer without a host, an address or a site")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 1 << 16:
            raise BadName("a peer without a port")
        if address or host:
            address = check_address(address)
        return cls(host, address, port, site)


@dataclass(frozen=True)
class Swarm:
    """A swarm, as an order tells it.

    Attributes:
        torrents: one for each payload that travels this way.
        peers: who takes part.
    """

    torrents: tuple[Torrent, ...] = ()
    peers: tuple[Peer, ...] = ()

    def torrent(self, payload: str) -> Torrent | None:
        """The torrent of a payload; None for one that travels another way."""
        return next((torrent for torrent in self.torrents if torrent.payload == payload), None)

    def to_wire(self) -> dict[str, Any]:
        """The swarm as plain data; {} for none."""
        if not self.torrents:
            return {}
        return {
            "torrents": [torrent.to_wire() for torrent in self.torrents],
            "peers": [peer.to_wire() for peer in self.peers],
        }

    @classmethod
    def from_wire(cls, data: object) -> Swarm:
        """Rebuild and check what crossed a host boundary; {} stands for no swarm.

        Raises:
            DeployError: it has the wrong form.
        """
        if data == {}:
            return cls()
        torrents, peers = (
            (data.get("torrents"), data.get("peers")) if isinstance(data, dict) else (None, None)
        )
        if not isinstance(torrents, (list, tuple)) or not isinstance(peers, (list, tuple)):
            raise DeployError("a swarm of an unreadable form")
        if len(peers) > MOST + 1 or len(torrents) > MOST:
            raise DeployError(f"a swarm of more than {MOST} peers or torrents")
        return cls(tuple(map(Torrent.from_wire, torrents)), tuple(map(Peer.from_wire, peers)))


@dataclass(frozen=True)
class Identity:
    """What lets a host take part: who has it is a minion of this master, or the master.

    Attributes:
        certificate, key: PEM; all of a fleet have the same ones, and believe nobody else.
    """

    certificate: str
    key: str

    @classmethod
    def from_wire(cls, data: object) -> Identity | None:
        """What the pillar says; None when it says nothing that could be meant."""
        if not isinstance(data, dict):
            return None
        certificate, key = data.get("certificate"), data.get("key")
        return cls(certificate, key) if isinstance(certificate, str) and isinstance(key, str) else None


@dataclass(frozen=True)
class Dialled:
    """Whom a host dials.

    Attributes:
        first: at once.
        later: when no more comes from those.
    """

    first: tuple[Peer, ...]
    later: tuple[Peer, ...] = ()


def dialled(swarm: Swarm, host: str, site: str, draw: str) -> Dialled:
    """Whom a host dials: those of its own site; the master and others only as a gate of its site, or when that is no help.

    Args:
        host, site: who dials.
        draw: draws the gates; another one for each payload, so that the load is shared.
    """

    def order(peer: Peer) -> bytes:
        return _drawn(host, peer.host, draw)

    others = [peer for peer in swarm.peers if peer.host and peer.host != host]
    master = [peer for peer in swarm.peers if not peer.host]
    near = sorted((peer for peer in others if _same(peer.site, site)), key=order)[:_NEAR]
    elsewhere = [peer for peer in others if not _same(peer.site, site)]
    their_gates = {gate for other in {peer.site for peer in elsewhere} for gate in gates(swarm, other, draw)}
    far = sorted((peer for peer in elsewhere if peer.host in their_gates), key=order)[:_FAR]
    away = (*master, *far)
    if not near or host in gates(swarm, site, draw):
        return Dialled((*near, *away))
    return Dialled(tuple(near), away)


def gates(swarm: Swarm, site: str, draw: str) -> list[str]:
    """The hosts of a site that fetch from the master and from elsewhere; every host draws the same ones."""
    here = [peer.host for peer in swarm.peers if peer.host and peer.site == site]
    return sorted(here, key=lambda host: _drawn(host, draw))[:_GATES]


def chosen(peers: Iterable[Peer], draw: str) -> tuple[Peer, ...]:
    """Of many peers those that an order can name: as many of each site as of the others, drawn anew each time."""
    sites: dict[str, list[Peer]] = defaultdict(list)
    for peer in sorted(peers, key=lambda peer: _drawn(peer.host, draw)):
        sites[peer.site].append(peer)
    in_turn = chain.from_iterable(zip_longest(*sites.values()))
    return tuple([peer for peer in in_turn if peer is not None][:MOST])


def check_address(address: object) -> str:
    """An IP address of one machine.

    Raises:
        BadName: it is none.
    """
    try:
        found = ipaddress.ip_address(str(address))
    except ValueError:
        raise BadName("a peer without an address") from None
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        raise BadName(f"{found} is not the address of one machine")
    return str(found)


def _same(one: str, other: str) -> bool:
    return not one or not other or one == other


def _drawn(*names: str) -> bytes:
    return hashlib.sha256(" ".join(names).encode()).digest()
