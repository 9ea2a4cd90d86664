"""How a release travels to whom: an operator says it for all, else the group of a host, else the repo."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from saltdeploy import transports
from saltdeploy.blobs import annex_urls
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.config.delivery import DEFAULT, Link
from saltdeploy.config.transports import AUTO
from saltdeploy.git.repository import Tag
from saltdeploy.lib import programs
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.packing import IMAGES
from saltdeploy.master.plan_model import TransportChoice
from saltdeploy.master.planning import transport_cost
from saltdeploy.master.planning.transport_cost import Candidate
from saltdeploy.master.waves import assigned
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.transports import bundle, shared_trees

log = logging.getLogger(__name__)


Choose = Callable[[str], tuple[str, str]]
"""Host to the transport that is the cheapest for it, and why."""


def of_each(
    operators: str, repo: Repo, hosts: list[str], targets: Callable[[str, str], list[str]]
) -> dict[str, str]:
    """Host to the transport that somebody has named for it; ``auto`` among them.

    Args:
        operators: what the operator wants; "" for what the pillar says.
        targets: ``(expression, type)`` to minion ids.

    Raises:
        ConfigError: there is none of this name, or the layout does not support it.
    """
    operators, _ = config_transports.split(operators)
    if operators:
        config_transports.refuse_unfit(operators, repo.layout.name, repo.name)
        return dict.fromkeys(hosts, operators)
    found = dict.fromkeys(hosts, repo.delivery.transport)
    if any(group.transport for group in repo.rollout.groups):
        members = assigned(
            repo.rollout.groups, hosts, lambda group: targets(group.targets, group.targets_type)
        )
        for group, taken in members:
            found |= dict.fromkeys(taken, group.transport or repo.delivery.transport)
    return found


def ways(wanted: dict[str, str], choose: Choose) -> tuple[TransportChoice, ...]:
    """The ways to these hosts, that of most of them first.

    Args:
        wanted: see :func:`of_each`.
        choose: is asked for hosts with ``auto``.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host, transport in wanted.items():
        found.setdefault(choose(host) if transport == AUTO else (transport, ""), []).append(host)
    made = [TransportChoice(transport, tuple(hosts), why) for (transport, why), hosts in found.items()]
    return tuple(sorted(made, key=lambda way: (-len(way.hosts), way.transport, way.why)))


def most(of: Iterable[TransportChoice]) -> str:
    """The transport that most hosts take."""
    hosts: Counter[str] = Counter()
    for way in of:
        hosts[way.transport] += len(way.hosts)
    return min(hosts, key=lambda name: (-hosts[name], name))


class TransportChooser:
    """The choices of one deploy of one repo.

    Args:
        held: host to what it holds.
    """

    def __init__(
        self, repo: Repo, source: master_source.Source, tag: Tag, held: Mapping[str, Holdings], master: Master
    ) -> None:
        self._repo = repo
        self._source = source
        self._tag = tag
        self._held = held
        self._master = master
        self._payloads = master.payloads
        self._made: dict[tuple[str, Link, tuple[str, ...], tuple[str, ...]], tuple[str, str]] = {}

    def choose(self, host: str) -> tuple[str, str]:
        """The transport for a host, and one line that says why.

        Raises:
            DeployError: not even the usual one can be packed.
        """
        transport, why = self._choose(host)
        log.debug("repo %s, host %s: %s", self._repo.name, host, why)
        return transport, why

    def _choose(self, host: str) -> tuple[str, str]:
        held = self._held[host]
        names = config_transports.candidates(self._repo.layout.name)
        if self._tag.commit in held.held:
            return names[0], f"auto: {names[0]}, it holds the release already"
        if len(names) == 1:
            return names[0], f"auto: {names[0]}, nothing else fits"
        able = tuple(name for name in names if self._is_able(name, held))
        base = packing.base_of(held, self._source.repository, sound=self._repo.contents.submodules)
        key = (base, self._links.get(host, self._repo.delivery.link), held.programs, held.knows)
        if key not in self._made:
            self._made[key] = self._reckon(held, base, key[1], able[1:])
        return self._made[key]

    def _is_able(self, transport: str, held: Holdings) -> bool:
        """Whether this host and that one have the programs; bundles need none."""
        way = config_transports.row(transport)
        missing = {*way.programs} - {*held.programs}, {each for each in way.packers if not _has(each)}
        if any(missing):
            log.debug("not %s: missing on the host %s, on the master %s", transport, *map(sorted, missing))
        return not any(missing)

    def _reckon(self, held: Holdings, base: str, link: Link, others: Sequence[str]) -> tuple[str, str]:
        usual = self._packed(config_transports.DEFAULT, held, 0)
        if not transport_cost.could_pay(usual, link):
            return usual.transport, transport_cost.why(usual, [usual], link)
        known, failed = {usual.transport: usual}, []
        trees = self._trees(base)
        for name in others:
            if config_transports.cost(name).from_base and not base:
                continue
            if transports.of(name).is_packed(self._payloads, self._repo.packed_as, self._tag.commit, base):
                known[name] = self._packed(name, held, self._files)
            else:
                known[name] = transport_cost.estimate(name, self._files, usual.size, trees)
            log.debug("from %s: %s", base or "nothing", known[name])
        while not (best := transport_cost.cheapest(list(known.values()), link)).is_packed:
            try:
                known[best.transport] = self._packed(best.transport, held, self._files)
            except DeployError as error:
                del known[best.transport]
                failed.append(f"; {best.transport} cannot be packed: {error.cause}")
        return best.transport, "".join([transport_cost.why(best, list(known.values()), link), *failed])

    def _packed(self, transport: str, held: Holdings, files: int) -> Candidate:
        order = Order("pin", 0, FETCH, Release(self._repo.name, self._tag.name, self._tag.commit), transport)
        payloads = packing.pack(order, self._repo, self._source, self._payloads, self._tag, [held])
        received, count = needed(payloads, held)
        return transport_cost.packed(transport, received, count, files)

    def _trees(self, base: str) -> int:
        """Bytes of the trees that a host with this base lacks."""
        with self._source.packer(self._tag.commit, config_transports.DEFAULT) as packer:
            return shared_trees.pack_trees(self._payloads, packer, self._repo.packed_as, self._tag, base).size

    @functools.cached_property
    def _links(self) -> dict[str, Link]:
        """Host to its link, of those whose site the pillar knows; without one, a host has that of the default."""
        return {
            host: link
            for site, link in self._repo.delivery.links.items()
            if site != DEFAULT
            for host in self._master.targets(f"G@site:{site}", "compound")
        }

    @functools.cached_property
    def _files(self) -> int:
        """Bytes of all files of the release; without those of submodules."""
        return sum(self._source.repository.sizes(self._tag.commit))


def needed(payloads: Sequence[Payload], held: Holdings) -> tuple[int, int]:
    """How many bytes of these a host receives, and in how many files: the trees, all images, and the smallest that
    holds contents.
    """
    able = bundle.taken(payloads, held)
    fits = [each for each in able if each.kind in IMAGES or each.base in ("", *held.held)]
    images = [each.size for each in fits if each.kind in IMAGES]
    trees = [each.size for each in fits if each.kind == "trees"]
    others = [each.size for each in fits if each.kind not in (*IMAGES, "trees", annex_urls.KIND)]
    taken = [*sorted(trees)[:1], *images, *sorted(others)[:1]]
    return sum(taken), len(taken)


_has = functools.cache(programs.is_installed)
