"""Transport ``bundle``: one git bundle per pair (from, to), packed once by the master.

A host that holds the previous release gets only what differs; a bare host gets the release without history.
"""

from __future__ import annotations

from pathlib import Path

from saltdeploy import disk, payloads
from saltdeploy.orders import Order, Payload
from saltdeploy.release import file_name
from saltdeploy.repository import Progress, Repository, Tag
from saltdeploy.transports import apart
from saltdeploy.transports.arrival import Arrival, Brought

KIND = "bundle"

_ROOM = 2  # for the pack that is made of a bundle, and the index beside it


class Bundle:
    """See the module."""

    kinds: tuple[str, ...] = (KIND,)
    programs: tuple[str, ...] = ()
    packers: tuple[str, ...] = ()

    def pack(
        self, store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The bundle that brings a host from ``base`` to the tag."""

        def write(path: Path) -> None:
            source.pack(tag, base, path)

        return (store.find_or_pack(repo, base, tag.commit, write, KIND),)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive the smallest payload whose base is here, check its digest, take it in."""
        store, commit = arrival.store, order.release.commit
        if store.has(commit):
            return arrival.stored(commit, bytes=0)
        payload = apart.choose(order, KIND, store.has)
        if payload is None:
            raise apart.no_base(order, arrival)
        incoming = arrival.incoming / file_name(order.release.repo)
        disk.remove_tree(incoming)  # what was received when somebody killed us
        incoming.mkdir(parents=True)
        _refuse_without_space(payload, incoming, store.git_dir)
        received = incoming / f"{payload.sha256}.bundle"
        try:
            arrival.carrier.fetch(payload, received, progress)
            payloads.check(received, payload)
            store.unpack(received, commit, progress)
        finally:
            disk.remove_tree(incoming)
        return arrival.stored(commit, bytes=payload.size, base=payload.base)


def _refuse_without_space(payload: Payload, incoming: Path, store: Path) -> None:
    shared = incoming.stat().st_dev == store.stat().st_dev
    disk.refuse_without_space(store, (_ROOM + shared) * payload.size)
    disk.refuse_without_space(incoming, payload.size)
