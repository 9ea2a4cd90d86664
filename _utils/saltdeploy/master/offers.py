"""What the master packs for hosts, and offers in its orders: once per pair of releases, however many ask."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from saltdeploy.config import Repo
from saltdeploy.holdings import Holdings
from saltdeploy.master import addresses, plan
from saltdeploy.orders import Order, Payload, Result
from saltdeploy.payloads import Payloads
from saltdeploy.repository import Tag
from saltdeploy.seals import Seal
from saltdeploy.swarms import Swarm

_NOTHING = Holdings()


class Offers:
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
        source: Callable[[], plan.Source],
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
            before = plan.by(self.order, transport)
            self._offer(those, transport)
            if plan.by(self.order, transport) == before:
                self._offer([_NOTHING], transport)  # what they hold has come another way, and helps them not

    def order_for(self, host: str) -> Order:
        """The order as one host gets it."""
        return plan.by(self.order, self._transport_of(host))

    def _transport_of(self, host: str) -> str:
        return self._transports.get(host, self.order.transport)

    def _offer(self, holdings: list[Holdings], transport: str) -> None:
        order = plan.by(self.order, transport)
        source = self._source()
        packed = plan.pack(order, self._repo, source, self._payloads, self._tag, holdings)
        bases = [payload.base for payload in packed]
        packed += addresses.pack(order, self._repo, source, self._payloads, bases)
        offers = {(payload.kind, payload.base): payload for payload in (*self.order.payloads, *packed)}
        if (found := tuple(offers.values())) != self.order.payloads:
            self.order = dataclasses.replace(self.order, payloads=found, swarm=self._swarm_of(found))

    def given(self, hosts: list[str]) -> None:
        """Hosts get the order as it is now."""
        self._offered |= {host: self.order_for(host).payloads for host in hosts}

    def helps(self, answer: Result) -> bool:
        """Whether there is more to offer now than the host was given when it said that nothing fits."""
        return self._offered.get(answer.host) != self.order_for(answer.host).payloads
