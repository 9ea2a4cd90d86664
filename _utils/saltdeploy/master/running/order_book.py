"""Which order which host gets, at which stage, of all repos that are deployed as one."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from saltdeploy.master.fleet import fanouts
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.plan_model import Part
from saltdeploy.master.records.state import DeployState
from saltdeploy.protocol import answers
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Swarm


class OrderBook:
    """The orders of one deploy.

    Args:
        state: where the deploy stands; it is read only.
        leases: repo to the lock that this process holds.
        offers: repo to what can be packed for hosts; empty where nothing is to be fetched (``deploy.checkout``).
        targets: ``(expression, type)`` to minion ids.
    """

    def __init__(
        self,
        state: DeployState,
        leases: Mapping[str, Lease],
        offers: Mapping[str, Packing],
        targets: Callable[[str, str], list[str]],
    ) -> None:
        self._state = state
        self._plan = state.script
        self._leases = leases
        self._offers = offers
        self._takes = {part.repo: frozenset(part.hosts) for part in self._plan.parts}
        self._transports = {part.repo: part.transports for part in self._plan.parts}
        self._turns = {part.repo: self._turns_of(part, targets) for part in self._plan.parts}
        self._group_of = {host: wave.group for wave in self._plan.waves for host in wave.hosts}

    @property
    def fetch(self) -> dict[str, Order]:
        """Repo to its fetch order, with all that was packed for it."""
        return {
            part.repo: self._offers[part.repo].order if part.repo in self._offers else part.order
            for part in self._plan.parts
        }

    def parts_of(self, host: str) -> list[Part]:
        """What one host takes, the repo that leads first."""
        return [part for part in self._plan.parts if host in self._takes[part.repo]]

    def of(self, stage: str, hosts: list[str]) -> Iterator[tuple[list[str], tuple[Order, ...]]]:
        """The orders for a stage, each with the hosts that can have the same ones: one job for those."""
        alike: dict[tuple[Order, ...], list[str]] = defaultdict(list)
        made = functools.cache(partial(self._order, stage, self.fetch))
        for host in hosts:
            alike[self._of_host(host, stage, made)].append(host)
        for orders, those in alike.items():
            yield those, self._handed_out(orders, those) if stage == FETCH else orders

    def pack_for(self, needy: list[Result]) -> list[str]:
        """Pack what hosts need that none of the offers fits.

        Returns:
            Those of the hosts that have more to choose from now.
        """
        helped = []
        for repo, offers in self._offers.items():
            those = [result for result in needy if answers.lacks(result) == repo]
            offers.pack(
                (result.host, part.holdings) for result in those for part in result.parts if part.repo == repo
            )
            helped += [result.host for result in those if offers.helps(result)]
        return helped

    def _handed_out(self, orders: tuple[Order, ...], hosts: list[str]) -> tuple[Order, ...]:
        """Fetch orders as these hosts get them; what they were offered is remembered."""
        for order in orders:
            if order.release.repo in self._offers:
                self._offers[order.release.repo].given(hosts)
        return tuple(fanouts.with_turns(order, hosts, self._turns[order.release.repo]) for order in orders)

    def _of_host(self, host: str, stage: str, made: Callable[[str, str], Order]) -> tuple[Order, ...]:
        """One order for each repo that the host takes.

        Args:
            made: repo and transport to an order for this stage.
        """
        orders = (
            (part.repo, made(part.repo, self._transports[part.repo].get(host, "")))
            for part in self.parts_of(host)
        )
        return tuple(
            dataclasses.replace(
                order,
                release=self._release_before(host, repo) if stage == ROLLBACK else order.release,
                seal=None if stage == ROLLBACK else order.seal,  # it is that of another release
                group=self._group_of[host],
                attempt=max(1, self._state.attempts[stage, host]),
            )
            for repo, order in orders
        )

    def _order(self, stage: str, fetch: Mapping[str, Order], repo: str, transport: str) -> Order:
        """The order for a stage, made of that for a fetch; only there the transport makes a difference."""
        order = dataclasses.replace(fetch[repo], epoch=self._leases[repo].epoch, stage=stage)
        if stage != FETCH:
            back = stage == CHECKOUT and self._plan.action == ROLLBACK
            return dataclasses.replace(order, payloads=(), swarm=Swarm(), back=back)
        return packing.by(order, transport or order.transport)

    def _release_before(self, host: str, repo: str) -> Release:
        commit, tag = self._state.hosts[host].before.get(repo, ("", ""))
        return Release(repo, tag or f"commit-{commit[:12]}", commit)

    def _turns_of(self, part: Part, targets: Callable[[str, str], list[str]]) -> dict[str, int]:
        hosts = [host for host in self._plan.hosts if host in self._takes[part.repo]]
        return fanouts.turns(hosts, part.order.sources, targets)
