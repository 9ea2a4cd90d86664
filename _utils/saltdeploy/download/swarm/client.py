"""Carrier ``swarm``: BitTorrent among the hosts of one deploy (:mod:`saltdeploy.protocol.swarm`), and the master as its first seed.

The bytes come to the host's seeder, a process of its own, which goes on giving them to others when the payload is here. A
swarm in which nothing moves, or which would not be done in time, is left for the next carrier.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from saltdeploy.config.delivery import Swarming
from saltdeploy.content import payloads
from saltdeploy.download.swarm import torrent
from saltdeploy.download.swarm.spool import Address, Listen, SeedRequest, SeedState, Spool
from saltdeploy.git.repository import Progress, no_progress
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.orders import Payload
from saltdeploy.protocol.swarm import Dialled, Identity, Peer, Swarm, dialled

_LOOK_EVERY = 0.2  # seconds
_SILENCE = 20.0  # seconds without a byte


@dataclass(frozen=True)
class SwarmAccess:
    """Where a host stands: what it needs to take part in swarms.

    Attributes:
        identity: what the pillar of the host has for it; None where the master has no ext_pillar ``deploy_pins``.
        master: the address at which it has its master; "" where it has none.
    """

    identity: Identity | None = None
    master: str = ""

    def why_not(self) -> str:
        """Why the host cannot take part; "" where it can."""
        if not torrent.is_possible():
            return "libtorrent is not installed"
        if self.identity is None:
            return "the pillar has no certificate for it (ext_pillar deploy_pins)"
        return "" if self.own_address() else "no way to the master is known"

    def own_address(self) -> str:
        """The host's own address on its way to the master; "" where there is no way. Nothing is sent."""
        try:
            family = socket.AF_INET6 if ":" in self.master else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as way:
                way.connect((self.master, 9))
                return str(way.getsockname()[0])
        except OSError:
            return ""


class Member:
    """A host that takes part in swarms.

    Args:
        den: where it speaks with its seeder.
        place: where it stands.
        keeps: what it keeps to.
    """

    def __init__(self, den: Spool, place: SwarmAccess, keeps: Swarming) -> None:
        self.den = den
        self.place = place
        self.keeps = keeps

    def join(self) -> Peer:
        """Let the seeder run, and tell where it can be reached; the host and its site are for others to say.

        Raises:
            Unavailable: the host cannot take part.
        """
        if why := self.place.why_not():
            raise Unavailable(why, next="see docs/swarm.md; the deploy goes on without it")
        listen = Listen(self.place.own_address(), self.keeps.ports)
        return Peer("", listen.address, self.den.port(listen))


@dataclass(frozen=True)
class Party:
    """Somebody's part in one swarm.

    Attributes:
        owner: the repo on whose behalf.
        host, site: who takes part.
        swarm: the order's.
        timeout: seconds that a host may take for the stage: half of them for the swarm, and all of them it gives to others.
        rate: bytes per second that may come; 0: as many as will.
    """

    owner: str
    host: str
    site: str
    swarm: Swarm
    timeout: float
    rate: int = 0


class SwarmDownloader:
    """One host's way to the payloads of one order.

    Args:
        fetch: brings the torrent of a payload, by a carrier that needs none.
        silence: seconds without a byte after which the swarm is left.
    """

    def __init__(
        self,
        member: Member,
        party: Party,
        fetch: Callable[[Payload, Path, Progress], None],
        silence: float = _SILENCE,
    ) -> None:
        self._member = member
        self._den = member.den
        self._party = party
        self._fetch = fetch
        self._silence = silence
        self._end = time.monotonic() + party.timeout / 2
        self._told = ""

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Let the payload be at ``destination``; it stays with the seeder too, as the same file where that can be.

        Raises:
            Unavailable: the host cannot take part, or nothing moves, or it would not be done in time.
            OSError: our own disk's.
        """
        self._member.join()
        wish = self._wish(payload, destination.with_name(f"{payload.sha256}.torrent"))
        self._den.wish(payload.sha256, wish)
        try:
            state = self._followed(payload, wish, progress)
        except (Unavailable, OSError):
            self._den.withdraw(payload.sha256)
            raise
        try:
            disk.link_or_copy(self._den.data / payload.sha256, destination)
        except FileNotFoundError:
            raise Unavailable("the seeder has just given it away") from None
        self._told = _told(state, self._master())

    def told(self) -> str:
        """From how many peers it came, and how much of it from the master."""
        return self._told

    def _followed(self, payload: Payload, wish: SeedRequest, progress: Progress) -> SeedState:
        done, grown = -1, time.monotonic()
        while True:
            state = self._den.state(payload.sha256)
            if state.whole:
                progress("receive", payload.size, payload.size, "bytes")
                return state
            if state.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._den.data))
            if state.error:
                raise Unavailable(f"the seeder gave up: {state.error}", path=str(self._den.log))
            now = time.monotonic()
            if state.done > done:
                done, grown = state.done, now
                progress("receive", done, payload.size, "bytes")
            self._refuse_to_wait(now - grown, now, state, payload)
            self._keep_alive(payload, wish)
            time.sleep(_LOOK_EVERY)

    def _refuse_to_wait(self, silent: float, now: float, state: SeedState, payload: Payload) -> None:
        came = f"{state.done} of {payload.size} bytes from {len(state.sources)} peers"
        if silent > self._silence:
            raise Unavailable(f"nothing moves for {silent:.0f} seconds: {came}")
        if now > self._end:
            raise Unavailable(f"is too slow: {came} in half of the time that there is")

    def _keep_alive(self, payload: Payload, wish: SeedRequest) -> None:
        """A seeder that was killed starts again and finds what it had; another repo may have withdrawn the wish."""
        if not self._den.is_wanted(payload.sha256):
            self._den.wish(payload.sha256, wish)
        if self._den.is_free():
            self._member.join()

    def _wish(self, payload: Payload, aside: Path) -> SeedRequest:
        identity = self._member.place.identity
        assert identity is not None  # or it could not have joined
        described, peers = self._torrent(payload, aside), self._dialled(payload)
        if identity.certificate.encode() not in described:
            raise Unavailable(
                "the master's certificate is not the one in this host's pillar",
                next=f"salt '{self._party.host}' saltutil.refresh_pillar",
            )
        return SeedRequest(
            owner=self._party.owner,
            torrent=described.hex(),
            certificate=identity.certificate,
            key=identity.key,
            size=payload.size,
            until=time.time() + self._party.timeout,
            first=self._addresses(peers.first),
            later=self._addresses(peers.later),
            download=self._party.rate,
            upload=self._member.keeps.upload,
        )

    def _torrent(self, payload: Payload, aside: Path) -> bytes:
        known = self._party.swarm.torrent(payload.sha256)
        if known is None:
            raise Unavailable("it does not travel by swarm")
        wanted = replace(payload, sha256=known.sha256, size=known.size)
        try:
            self._fetch(wanted, aside, no_progress)
            payloads.check(aside, wanted)
            return aside.read_bytes()
        finally:
            aside.unlink(missing_ok=True)

    def _dialled(self, payload: Payload) -> Dialled:
        return dialled(self._party.swarm, self._party.host, self._party.site, payload.sha256)

    def _addresses(self, peers: tuple[Peer, ...]) -> tuple[Address, ...]:
        return tuple((peer.address or self._member.place.master, peer.port) for peer in peers)

    def _master(self) -> str:
        peers = [
            peer.address or self._member.place.master for peer in self._party.swarm.peers if not peer.host
        ]
        return peers[0] if peers else ""


def _told(state: SeedState, master: str) -> str:
    givers = f"{len(state.sources)} peer{'' if len(state.sources) == 1 else 's'}"
    came = sum(state.sources.values())
    share = round(100 * state.sources.get(master, 0) / came) if came else 0
    return f"{givers}, {share} % from the master"
