"""What the master packs for hosts, and offers in its orders: once per pair of releases, however many ask."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from saltdeploy.config import Repo
from saltdeploy.holdings import Holdings
from saltdeploy.master import plan
from saltdeploy.orders import Order, Payload, Result
from saltdeploy.payloads import Payloads
from saltdeploy.repository import Tag

_NOTHING = Holdings()


class Offers:
    """The payloads of one deploy.

    Args:
        order: the fetch order; it grows by what is packed.
        tag: what is packed.
        source: opens the repository to pack from; a rollback never needs it where the release is still on disk.
    """

    def __init__(
        self, order: Order, tag: Tag, repo: Repo, payloads: Payloads, source: Callable[[], plan.Source]
    ) -> None:
        self.order = order
        self._tag = tag
        self._repo = repo
        self._payloads = payloads
        self._source = source
        self._offered: dict[str, tuple[Payload, ...]] = {}

    def pack(self, holdings: Iterable[Holdings]) -> None:
        """Pack what hosts with these holdings need, once, and put it into the order."""
        lacking = [held for held in holdings if self.order.release.commit not in held.held]
        if not lacking:
            return
        before = self.order
        self._offer(lacking)
        if self.order == before:  # what they hold does not help them: its contents may have come another way
            self._offer([_NOTHING])

    def _offer(self, holdings: list[Holdings]) -> None:
        packed = plan.pack(self.order, self._repo, self._source(), self._payloads, self._tag, holdings)
        offers = {(payload.kind, payload.base): payload for payload in (*self.order.payloads, *packed)}
        self.order = dataclasses.replace(self.order, payloads=tuple(offers.values()))

    def given(self, hosts: list[str]) -> None:
        """Hosts get the order as it is now."""
        self._offered |= dict.fromkeys(hosts, self.order.payloads)

    def helps(self, answer: Result) -> bool:
        """Whether there is more to offer now than the host was given when it said that nothing fits."""
        return self._offered.get(answer.host) != self.order.payloads
