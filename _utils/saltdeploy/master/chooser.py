"""Chooses the transport of each host that has ``auto``: packs what has to be known, and reckons (:mod:`saltdeploy.master.choice`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from saltdeploy import fitting, programs, transports
from saltdeploy.blobs import urls
from saltdeploy.config import Repo
from saltdeploy.errors import DeployError
from saltdeploy.holdings import Holdings
from saltdeploy.master import choice, plan
from saltdeploy.master.choice import Candidate
from saltdeploy.master.plan import IMAGES
from saltdeploy.master.world import Master
from saltdeploy.orders import FETCH, Order, Payload
from saltdeploy.release import Release
from saltdeploy.repository import Tag
from saltdeploy.supply import DEFAULT, Link
from saltdeploy.transports import apart, bundle


class Chooser:
    """The choices of one deploy of one repo.

    Args:
        held: host to what it holds.
    """

    def __init__(
        self, repo: Repo, source: plan.Source, tag: Tag, held: Mapping[str, Holdings], master: Master
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
        held = self._held[host]
        names = fitting.candidates(self._repo.layout)
        if self._tag.commit in held.held:
            return names[0], f"auto: {names[0]}, it holds the release already"
        if len(names) == 1:
            return names[0], f"auto: {names[0]}, nothing else fits"
        able = tuple(name for name in names if self._is_able(name, held))
        base = plan.base_of(held, self._source.repository, sound=self._repo.submodules)
        key = (base, self._links.get(host, self._repo.supply.link), held.programs, held.knows)
        if key not in self._made:
            self._made[key] = self._reckon(held, base, key[1], able[1:])
        return self._made[key]

    def _is_able(self, transport: str, held: Holdings) -> bool:
        """Whether this host and that one have the programs; bundles need none."""
        way = transports.of(transport)
        return set(way.programs) <= set(held.programs) and all(map(_has, way.packers))

    def _reckon(self, held: Holdings, base: str, link: Link, others: Sequence[str]) -> tuple[str, str]:
        usual = self._packed("bundle", held, 0)
        if not choice.could_pay(usual, link):
            return usual.transport, choice.why(usual, [usual], link)
        known, failed = {usual.transport: usual}, []
        trees = self._trees(base)
        for name in others:
            if name == "delta" and not base:  # it would be the archive
                continue
            if self._is_packed(name, base):
                known[name] = self._packed(name, held, self._files)
            else:
                known[name] = choice.estimate(name, self._files, usual.size, trees)
        while not (best := choice.cheapest(list(known.values()), link)).is_packed:
            try:
                known[best.transport] = self._packed(best.transport, held, self._files)
            except DeployError as error:
                del known[best.transport]
                failed.append(f"; {best.transport} cannot be packed: {error.cause}")
        return best.transport, "".join([choice.why(best, list(known.values()), link), *failed])

    def _packed(self, transport: str, held: Holdings, files: int) -> Candidate:
        order = Order("pin", 0, FETCH, Release(self._repo.name, self._tag.name, self._tag.commit), transport)
        payloads = plan.pack(order, self._repo, self._source, self._payloads, self._tag, [held])
        received, count = needed(payloads, held)
        return choice.packed(transport, received, count, files)

    def _trees(self, base: str) -> int:
        """Bytes of the trees that a host with this base lacks."""
        with self._source.packer(self._tag.commit, "bundle") as packer:
            return apart.pack_trees(self._payloads, packer, self._repo.packed_as, self._tag, base).size

    def _is_packed(self, transport: str, base: str) -> bool:
        commit, known = self._tag.commit, functools.partial(self._payloads.find, self._repo.packed_as)
        if transport == "delta":
            return known(base, commit, "delta") is not None
        if transport == "tar":
            return known("", commit, "tar") is not None
        if known(commit, commit, "image"):
            return True
        image = self._payloads.last(self._repo.packed_as, "image")
        return image is not None and known(image.base, commit, "overlay") is not None

    @functools.cached_property
    def _links(self) -> dict[str, Link]:
        """Host to its link, of those whose site the pillar knows; without one, a host has that of the default."""
        return {
            host: link
            for site, link in self._repo.supply.links.items()
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
    others = [each.size for each in fits if each.kind not in (*IMAGES, "trees", urls.KIND)]
    taken = [*sorted(trees)[:1], *images, *sorted(others)[:1]]
    return sum(taken), len(taken)


_has = functools.cache(programs.is_installed)
