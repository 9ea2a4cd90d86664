"""A swarm as the master has it: what is worth one, who is told of whom, and the seeder beside the deploy."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from subprocess import Popen, TimeoutExpired
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.download.swarm import torrent
from saltdeploy.download.swarm.spool import Listen, SeedRequest, Spool
from saltdeploy.lib import disk
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.payloads.swarm_identity import identity
from saltdeploy.master.plan_model import Part
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.orders import Payload
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Identity, Peer, Swarm, Torrent, chosen

log = logging.getLogger(__name__)

_JOIN_WITHIN = 10.0  # seconds
_END_WITHIN = 5.0  # seconds
_MOST_NAMED = 5
_FOREVER = 10 * 365 * 86_400.0  # seconds; the seeder ends with us
_KIND = "torrent"


@contextlib.contextmanager
def seeding(
    parts: Sequence[Part],
    repos: Sequence[Repo],
    offers: Mapping[str, Packing],
    master: Master,
    warn: Callable[[str], Any],
) -> Iterator[None]:
    """While the block runs, what is packed for hosts is offered by swarm as well, where the deploy is to go that way.

    Args:
        parts, repos: of one deploy, in the same order.
        offers: repo to what can be packed for its hosts; empty where nothing is to be fetched.
        warn: hears of what does not work.
    """
    wanting = [
        (part, repo)
        for part, repo in zip(parts, repos, strict=True)
        if part.swarm and part.repo in offers and _is_worth_it(part, repo, offers[part.repo], master)
    ]
    if not wanting:
        yield
        return
    hosts = sorted({host for part, _ in wanting for host in part.hosts})
    with contextlib.closing(Seeding(parts[0].order.deploy, wanting[0][1], hosts, master, warn)) as spread:
        if spread.join():
            for part, _ in wanting:
                offers[part.repo].spread(spread.swarm)
        yield


@contextlib.contextmanager
def ahead(
    deploy: str, repo: Repo, hosts: list[str], offers: Packing, master: Master, warn: Callable[[str], Any]
) -> Iterator[None]:
    """While the block runs, hosts that take payloads ahead of any deploy may have them by swarm, where the repo wants that.

    Args:
        deploy: an id for it.
        offers: with all that was packed.
    """
    if not (hosts and repo.delivery.swarm.wanted and _is_big(offers, repo)):
        yield
        return
    with contextlib.closing(Seeding(deploy, repo, hosts, master, warn)) as spread:
        if spread.join():
            offers.spread(spread.swarm)
        yield


def _is_worth_it(part: Part, repo: Repo, offers: Packing, master: Master) -> bool:
    """Whether something big is to travel, or may be: nobody knows what hosts need that were never seen."""
    known = Pins(master.root).holdings(part.repo)
    return _is_big(offers, repo) or any(host not in known for host in part.hosts)


def _is_big(offers: Packing, repo: Repo) -> bool:
    return any(payload.size >= repo.delivery.swarm.least for payload in offers.order.payloads)


class Seeding:
    """The swarm of one deploy.

    Args:
        lead: the repo whose settings hold for the seeder.
        hosts: who is asked to join.
    """

    def __init__(
        self, deploy: str, lead: Repo, hosts: list[str], master: Master, warn: Callable[[str], Any]
    ) -> None:
        self._deploy = deploy
        self._lead = lead
        self._keeps = lead.delivery.swarm
        self._hosts = hosts
        self._master = master
        self._warn = warn
        self._den = Spool(master.root / "swarms" / deploy)
        self._process: Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._peers: tuple[Peer, ...] = ()

    def join(self) -> bool:
        """Ask the hosts who takes part; whether there is a swarm."""
        if not torrent.is_possible():
            self._warn("no swarm: libtorrent is not installed on the master")
            return False
        try:
            heard = gather(self._master, self._hosts, "deploy.join", [self._lead.name], _JOIN_WITHIN)
        except Exception as error:  # whatever Salt raises when its master goes away: the deploy will find out
            log.exception("no swarm")
            self._warn(f"no swarm: {type(error).__name__}: {error}")
            return False
        found = {host: _peer(answer) for host, answer in heard.items()}
        self._peers = _reachable(peer for peer in found.values() if peer is not None)
        self._tell_who_does_not(heard, found)
        return bool(self._peers)

    def swarm(self, payloads: Iterable[Payload]) -> Swarm:
        """The swarm for these payloads, as far as they are worth it; nobody, where that does not work."""
        worth = [payload for payload in payloads if payload.size >= max(1, self._keeps.least)]
        if not worth:
            return Swarm()
        try:
            seed = self._seed()
            torrents = [self._torrent(payload) for payload in worth]
        except (
            DeployError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # libtorrent's are of the last two kinds
            self._warn(f"no swarm: {error.cause if isinstance(error, DeployError) else error}")
            return Swarm()
        return Swarm(tuple(torrents), (seed, *chosen(self._peers, self._deploy)))

    def close(self) -> None:
        """Seed no more."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(_END_WITHIN)
            except TimeoutExpired:
                self._process.kill()
                self._process.wait()
        disk.remove_tree(self._den.directory)

    # -- seeding ----------------------------------------------------------------------------------------

    def _seed(self) -> Peer:
        listen = Listen(self._master.interface, self._keeps.ports)
        if self._process is None:
            self._identity = identity(self._master.root)
            disk.remove_tree(self._den.directory)  # of a process that was killed
            self._process = self._den.start(listen, owned=True)
        return Peer("", "", self._den.port(listen, self._process), self._lead.delivery.site)

    def _torrent(self, payload: Payload) -> Torrent:
        assert self._identity is not None  # or nobody seeds
        certificate = self._identity.certificate
        payloads = self._master.payloads
        kind = f"{_KIND}.{hashlib.sha256(certificate.encode()).hexdigest()[:16]}"
        made = payloads.made_of(payload, lambda path: torrent.make(path, certificate), kind)
        path, seeded = payloads.path(made.sha256), payloads.path(payload.sha256)
        assert path is not None and seeded is not None  # they have just been made and found
        self._den.wish(
            payload.sha256,
            SeedRequest(
                owner=self._lead.name,
                torrent=path.read_bytes().hex(),
                certificate=certificate,
                key=self._identity.key,
                size=payload.size,
                until=time.time() + _FOREVER,
                upload=self._keeps.upload,
                seeds=str(seeded.parent),
            ),
        )
        return Torrent(payload.sha256, made.sha256, made.size)

    # -- telling ----------------------------------------------------------------------------------------

    def _tell_who_does_not(self, heard: Mapping[str, Result], found: Mapping[str, Peer | None]) -> None:
        reasons: dict[str, list[str]] = defaultdict(list)
        for host in self._hosts:
            if found.get(host) is None:
                error = heard[host].error if host in heard else None
                reasons[error.cause if error else "no answer"].append(host)
        for reason, hosts in reasons.items():
            more = f" and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else ""
            self._warn(f"not in the swarm: {', '.join(hosts[:_MOST_NAMED])}{more}: {reason}")


def _peer(answer: Result) -> Peer | None:
    facts = answer.facts
    try:
        wire = [answer.host, facts["swarm_address"], facts["swarm_port"], facts["swarm_site"]]
        return Peer.from_wire(wire) if answer.ok else None
    except (KeyError, DeployError):
        return None


def _reachable(peers: Iterable[Peer]) -> tuple[Peer, ...]:
    """A minion that has its master on its own machine may know no other address of itself; others cannot dial that."""
    found = tuple(peers)
    away = tuple(peer for peer in found if not ipaddress.ip_address(peer.address).is_loopback)
    return away or found
