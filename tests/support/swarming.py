"""A swarm on the loopback interface: a master that seeds, and hosts, each with an address and a seeder of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from saltdeploy.config.delivery import Swarming
from saltdeploy.download.swarm import torrent
from saltdeploy.download.swarm.client import Member, Party, SwarmAccess, SwarmDownloader
from saltdeploy.download.swarm.spool import Listen, SeedRequest, Spool
from saltdeploy.git.repository import Progress, no_progress
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.protocol.orders import Payload
from saltdeploy.protocol.swarm import Identity, Peer, Swarm, Torrent

PORTS = (17200, 17399)
MASTER = "127.0.0.1"
DATA = os.urandom(6_000_000)
PAYLOAD = Payload("", hashlib.sha256(DATA).hexdigest(), len(DATA))


@dataclass(frozen=True)
class At(SwarmAccess):
    """A host with an address that a test gives it; all of them are this machine."""

    address: str = ""

    def own_address(self) -> str:
        return self.address


class Host:
    """A host of the swarm.

    Attributes:
        peer: as an order tells of it.
    """

    def __init__(self, world: World, name: str, site: str, number: int, known: Identity, upload: int) -> None:
        self.world = world
        self.name = name
        self.site = site
        self.place = world.place / name
        self.place.mkdir()
        self.file = self.place / "file"
        at = At(known, MASTER, f"127.0.{number // 250}.{2 + number % 250}")
        self.member = Member(Spool(self.place / "swarm"), at, Swarming(True, PORTS, upload))
        self.den = self.member.den
        self.peer = replace(self.member.join(), host=name, site=site)

    def carrier(self, *, silence: float = 20.0, timeout: float = 120.0, rate: int = 0) -> SwarmDownloader:
        """The carrier of one stage."""
        party = Party("demo", self.name, self.site, self.world.swarm, timeout, rate)
        return SwarmDownloader(self.member, party, self.world.bring, silence)

    def fetch(self, progress: Progress = no_progress, **keys: float) -> bytes:
        carrier = self.carrier(**keys)  # type: ignore[arg-type]
        carrier.fetch(PAYLOAD, self.file, progress)
        self.told = carrier.told()
        return self.file.read_bytes()

    @property
    def sources(self) -> dict[str, int]:
        """Name of a host, or ``master``, to the bytes that came from there."""
        names = {host.peer.address: host.name for host in self.world.hosts} | {MASTER: "master"}
        return {names[address]: came for address, came in self.den.state(PAYLOAD.sha256).sources.items()}

    def seeder(self) -> psutil.Process:
        """Its seeder, which runs."""
        return next(process for process in _seeders(self.place))


class World:
    """The master's side: a payload, its torrent, a seeder."""

    def __init__(self, place: Path, upload: int = 0) -> None:
        self.place = place
        self.upload = upload
        self.store = place / "store"
        self.store.mkdir()
        self.known = identity(place / "root")
        self.path = self.store / PAYLOAD.sha256
        self.path.write_bytes(DATA)
        made = torrent.make(self.path, self.known.certificate)
        self.torrent = Torrent(PAYLOAD.sha256, hashlib.sha256(made).hexdigest(), len(made))
        (self.store / self.torrent.sha256).write_bytes(made)
        self.described = made
        self.hosts: list[Host] = []
        self.den = Spool(place / "master")
        self.peers: list[Peer] = []
        self.site = ""

    @property
    def swarm(self) -> Swarm:
        return Swarm((self.torrent,), tuple(self.peers))

    def bring(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Salt's channel, for the torrent alone."""
        assert payload.sha256 == self.torrent.sha256
        shutil.copyfile(self.store / payload.sha256, destination)

    def seed(self) -> None:
        """Let the master take part."""
        listen = Listen(MASTER, PORTS)
        self.process = self.den.start(listen, owned=True)
        self.den.wish(PAYLOAD.sha256, self.wish(seeds=str(self.store), upload=self.upload))
        self.peers.append(Peer("", "", self.den.port(listen, self.process), self.site))

    def wish(self, **keys: object) -> SeedRequest:
        """What somebody wishes who knows the certificate."""
        known = self.known
        made = SeedRequest(
            "demo", self.described.hex(), known.certificate, known.key, len(DATA), time.time() + 600
        )
        return replace(made, **keys)  # type: ignore[arg-type]

    def add(self, name: str, site: str = "", *, known: Identity | None = None, listed: bool = True,
            upload: int = 0) -> Host:  # fmt: skip
        host = Host(self, name, site, len(self.hosts), known or self.known, upload)
        self.hosts.append(host)
        if listed:
            self.peers.append(host.peer)
        return host


@contextlib.contextmanager
def swarm(place: Path, upload: int = 0) -> Iterator[World]:
    """A world; nothing of it runs when the block has ended."""
    world = World(place, upload)
    try:
        yield world
    finally:
        end_seeders(place)


def end_seeders(place: Path) -> None:
    """Let no seeder go on that has its directory below this one."""
    for process in _seeders(place):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait()


def _seeders(place: Path) -> Sequence[psutil.Process]:
    def is_one(process: psutil.Process) -> bool:
        command = process.info["cmdline"] or []
        return "saltdeploy.download.swarm.seeder" in command and any(
            word.startswith(f"{place}/") for word in command
        )

    return [process for process in psutil.process_iter(["cmdline"]) if is_one(process)]
