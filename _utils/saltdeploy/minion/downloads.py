"""Who brings payloads to this host: its own shelf, then a swarm if there is one, then fanouts, the nearest first, then the master."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from saltdeploy.blobs import annex_urls
from saltdeploy.blobs.annex_web import WebRemote
from saltdeploy.blobs.source import Cap
from saltdeploy.config import Repo
from saltdeploy.content.payloads import Downloader, Payloads
from saltdeploy.download import nearest
from saltdeploy.download.failover import DownloadSource, Failover
from saltdeploy.download.http import Http
from saltdeploy.download.local import LocalPayloads
from saltdeploy.download.swarm.client import Member, Party, SwarmDownloader
from saltdeploy.download.swarm.spool import Spool
from saltdeploy.git.repository import Progress
from saltdeploy.lib import priority
from saltdeploy.lib.errors import DeployError, Unavailable
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.minion.context import Host
from saltdeploy.minion.record import Record
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Swarm

#: What facts and events call these.
HERE, SWARM, MASTER = "here", "swarm", "master"
KEPT = 7 * 86_400.0  # seconds
_MOST_ASKED = 5  # fanouts that may turn out to be bad, each after a while, before the master is asked


def carrier(order: Order, repo: Repo, host: Host) -> Failover:
    """The carrier for one stage of one repo."""
    tidy(order, repo, host)
    return Failover(DownloadSources(order, repo, host), Record(host.cache, repo.name).partial, names(order))


def booking(repo: Repo, host: Host) -> Repo:
    """The repo, whose transfers share one rate with all others of this host."""
    return replace(repo, delivery=replace(repo.delivery, booked=host.cache / "booked"))


def noted(order: Order, repo: Repo, holdings: Holdings, carrier: Downloader, room: Path) -> WebRemote:
    """The last source of contents that git-annex's pointers point to: the lists of URLs of an order that are for this host.

    Args:
        room: for lists that are being read; the caller deletes it.
    """
    lists = (payload for payload in order.payloads if payload.kind == annex_urls.KIND)
    fit = [payload for payload in lists if payload.base in ("", *holdings.held)]
    fit.sort(key=lambda payload: payload.size)
    return WebRemote(fit, carrier, room, Cap(repo.delivery.rate, repo.delivery.booked))


def names(order: Order) -> frozenset[str]:
    """The names of the payloads that an order offers."""
    return frozenset(payload.sha256 for payload in order.payloads)


def place(repo: Repo, host: Host) -> Path:
    """Where this host keeps payloads: for others if it is a fanout, and for itself when it was preseeded."""
    return repo.delivery.place or host.cache / "payloads"


def tidy(order: Order, repo: Repo, host: Host) -> None:
    """Delete payloads that were brought here and that nobody has wanted for a week."""
    Payloads(place(repo, host)).collect(set(names(order)), time.time() - KEPT)


def member(repo: Repo, host: Host) -> Member:
    """This host, as one that takes part in swarms."""
    return Member(Spool(host.cache / "swarm"), host.place, repo.delivery.swarm)


def _party(swarm: Swarm, repo: Repo, host: Host) -> Party:
    supply = repo.delivery
    return Party(repo.name, host.name, supply.site, swarm, float(repo.rollout.timeout), supply.rate)


class DownloadSources:
    """All who may have a payload, in the order in which this host asks them.

    Args:
        order: names fanouts and the swarm. How near the fanouts are is measured once, when the first of them is needed.
    """

    def __init__(self, order: Order, repo: Repo, host: Host) -> None:
        self._others = [source for source in order.sources if source.host != host.name]
        self._turn = dict(order.turns).get(host.name)
        self._repo = repo
        self._host = host
        self._swarm = order.swarm
        self._by_swarm = SwarmDownloader(
            member(repo, host), _party(order.swarm, repo, host), host.carrier.fetch
        )
        self._silent: list[FanoutServer] = []
        self._chosen: list[nearest.Choice] | None = None

    def __call__(self, payload: Payload) -> Iterator[DownloadSource]:
        """For one payload."""
        kept = Payloads(place(self._repo, self._host))
        if kept.path(payload.sha256) is not None:
            yield DownloadSource(HERE, "preseeded", LocalPayloads(kept))
        if self._swarm.torrent(payload.sha256) is not None:
            yield DownloadSource(SWARM, "", self._by_swarm, self._by_swarm.told)
        if self._chosen is None:
            self._chosen = self._choose()
        for source in self._silent:
            yield DownloadSource(source.url, "", _Silent())
        for choice in self._chosen:
            http = Http(choice.source, self._limits(payload), self._host.ca_bundle)
            yield DownloadSource(choice.source.url, choice.why, http)
        why = "the last resort" if self._others else "no fanout is named"
        yield DownloadSource(MASTER, why, self._host.carrier)

    def _choose(self) -> list[nearest.Choice]:
        if not self._others:
            return []
        time.sleep(random.uniform(0, self._repo.delivery.jitter))
        trips = nearest.round_trips(self._others)
        self._silent = [source for source, trip in trips.items() if trip is None]
        site = self._repo.delivery.site
        return nearest.arrange(self._others, trips, self._host.name, site, self._turn)[:_MOST_ASKED]

    def _limits(self, payload: Payload) -> Limits:
        """A server with which the fetch would not be done in time is too slow as well."""
        supply = self._repo.delivery
        least = max(Limits.least, payload.size / self._repo.rollout.timeout)
        return Limits(rate=supply.rate, least=least, shared=supply.booked)


class _Silent:
    """A source that took no connection: it is noted as left, and nobody waits for it again."""

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        raise Unavailable("took no connection")


#: Facts of an answer: where the host can be reached.
ADDRESS, PORT, SITE = "swarm_address", "swarm_port", "swarm_site"


def join(repo: Repo, host: Host) -> Result:
    """Let the host's seeder run, and answer where it listens. A host that cannot take part says why, as its error."""
    try:
        with priority.gentle(repo.delivery.nice):
            peer = member(repo, host).join()
    except (DeployError, OSError) as error:
        ours = error if isinstance(error, DeployError) else from_os(error)
        placed = ours.at(repo=repo.name, host=host.name)
        return Result(host.name, repo.name, status=placed.status, error=placed)
    facts = {ADDRESS: peer.address, PORT: peer.port, SITE: repo.delivery.site}
    return Result(host.name, repo.name, facts=facts)


def leave(repo: Repo, host: Host) -> None:
    """Give nobody anything of this repo any more: hosts switch when all of them have what they need."""
    member(repo, host).den.withdraw_of(repo.name)
