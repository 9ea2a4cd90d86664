"""What the master packs for hosts, and offers in its orders: once per pair of releases, however many ask."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from saltdeploy import transports
from saltdeploy.blobs.annex_urls import KIND as _URLS
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.master.payloads import annex_urls
from saltdeploy.master.payloads.source import Source
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal
from saltdeploy.protocol.swarm import Swarm
from saltdeploy.transports import bundle

_NOTHING = Holdings()
log = logging.getLogger(__name__)


class Packing:
    """The payloads of one deploy.

    Args:
        order: the fetch order; it grows by what is packed.
        tag: what is packed.
        source: opens the repository to pack from; a rollback never needs it where the release is still on disk.
        transports: host to transport, of those that take another one than the order's.

    Attributes:
        order: with all that was packed, for hosts of every transport.
    """

    def __init__(
        self,
        order: Order,
        tag: Tag,
        repo: Repo,
        payloads: Payloads,
        source: Callable[[], Source],
        transports: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.order = order
        self._transports = transports
        self._tag = tag
        self._repo = repo
        self._payloads = payloads
        self._source = source
        self._offered: dict[str, tuple[Payload, ...]] = {}
        self._swarm_of: Callable[[tuple[Payload, ...]], Swarm] = lambda payloads: Swarm()

    def spread(self, swarm_of: Callable[[tuple[Payload, ...]], Swarm]) -> None:
        """From now on the order's payloads may come by swarm too.

        Args:
            swarm_of: seeds payloads, and tells who takes part.
        """
        self._swarm_of = swarm_of
        self.order = dataclasses.replace(self.order, swarm=swarm_of(self.order.payloads))

    def seal(self, seal: Seal | None) -> None:
        """Put the seal of the release into the order."""
        self.order = dataclasses.replace(self.order, seal=seal)

    def pack(self, held: Iterable[tuple[str, Holdings]]) -> None:
        """Pack what these hosts need that hold this, once, and put it into the order."""
        lacking: dict[str, list[Holdings]] = {}
        for host, holdings in held:
            if self.order.release.commit not in holdings.held:
                lacking.setdefault(self._transport_of(host), []).append(holdings)
        for transport, those in lacking.items():
            before = by(self.order, transport)
            self._offer(those, transport)
            if by(self.order, transport) == before:
                self._offer([_NOTHING], transport)  # what they hold has come another way, and helps them not

    def order_for(self, host: str) -> Order:
        """The order as one host gets it."""
        return by(self.order, self._transport_of(host))

    def _transport_of(self, host: str) -> str:
        return self._transports.get(host, self.order.transport)

    def _offer(self, holdings: list[Holdings], transport: str) -> None:
        order = by(self.order, transport)
        source = self._source()
        packed = pack(order, self._repo, source, self._payloads, self._tag, holdings)
        bases = [payload.base for payload in packed]
        packed += annex_urls.pack(order, self._repo, source, self._payloads, bases)
        offers = {(payload.kind, payload.base): payload for payload in (*self.order.payloads, *packed)}
        if (found := tuple(offers.values())) != self.order.payloads:
            log.debug("%s by %s: %d payloads", order.release, transport, len(found))
            self.order = dataclasses.replace(self.order, payloads=found, swarm=self._swarm_of(found))

    def given(self, hosts: list[str]) -> None:
        """Hosts get the order as it is now."""
        self._offered |= {host: self.order_for(host).payloads for host in hosts}

    def helps(self, answer: Result) -> bool:
        """Whether there is more to offer now than the host was given when it said that nothing fits."""
        return self._offered.get(answer.host) != self.order_for(answer.host).payloads


_MOST_PAYLOADS = 8


#: Kinds of payloads that build upon another, and not upon what a host holds.
IMAGES = ("image", "overlay")


def by(order: Order, transport: str) -> Order:
    """A fetch order for hosts that take another transport: with the payloads of this one, and with lists of URLs."""
    kinds = (*config_transports.row(transport).kinds, _URLS)
    payloads = tuple(payload for payload in order.payloads if payload.kind in kinds)
    return dataclasses.replace(order, transport=transport, payloads=payloads)


def by_swarm(wanted: str, repo: Repo) -> bool:
    """Whether the payloads of a deploy travel by swarm: as the operator wants, or as the repo does."""
    return config_transports.split(wanted)[1] if wanted else repo.delivery.swarm.wanted


def pack(
    order: Order, repo: Repo, source: Source, payloads: Payloads, tag: Tag, holdings: list[Holdings]
) -> tuple[Payload, ...]:
    """The payloads that bring hosts with these holdings to the order's release.

    One per distinct starting point, at most eight: whoever fits none gets the whole release.
    """
    way = transports.of(order.transport)
    with source.packer(tag.commit, order.transport) as packer:
        starts: dict[str, list[Holdings]] = {}
        for held in holdings:
            if tag.commit not in held.held:
                starts.setdefault(base_of(held, packer, sound=repo.contents.submodules), []).append(held)
        chosen = dict(list(starts.items())[:_MOST_PAYLOADS])
        if len(starts) > len(chosen):
            chosen.setdefault("", [Holdings()])
        packed = [
            payload
            for base, those in chosen.items()
            for payload in _wanted(way.pack(payloads, packer, repo.packed_as, tag, base), those)
        ]
    return tuple(dict.fromkeys(packed))


def _wanted(packed: tuple[Payload, ...], hosts: list[Holdings]) -> list[Payload]:
    """Those of the payloads from one base that any of these hosts takes."""
    wanted = {payload for held in hosts for payload in bundle.taken(packed, held)}
    return [payload for payload in packed if payload in wanted]


def fitting(payloads: tuple[Payload, ...], base: str) -> tuple[Payload, ...]:
    """What a host needs of these that holds ``base``: of the trees and of what holds contents, what builds upon it."""
    chosen = [payload for payload in payloads if payload.kind in IMAGES]
    chosen += [each for each in payloads if each.kind == _URLS and each.base in ("", base)]
    others = [payload for payload in payloads if payload.kind not in (*IMAGES, _URLS)]
    for trees in (True, False):
        those = [payload for payload in others if (payload.kind == "trees") == trees]
        chosen += [each for each in those if each.base == base] or [each for each in those if not each.base]
    return tuple(chosen)


def base_of(held: Holdings, source: Repository, *, sound: bool) -> str:
    """The commit that a payload for a host with these holdings starts from; "" where they share none.

    Args:
        sound: only one that the host holds with all that belongs to it.
    """
    known = [c for c in (held.live, *held.held) if c and (c in held.held or not sound)]
    return next((c for c in dict.fromkeys(known) if source.has(c)), "")
