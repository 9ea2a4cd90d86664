"""Transport ``bundle``: one git bundle per pair (from, to), packed once by the master.

A host that holds the previous release gets only what differs; a bare host gets the release without history.

Where master and host have zstd, what differs travels *squeezed*: all objects of the bundle compressed as one, which takes
a tenth to a half less than each by itself. The host makes the bundle again, as git had it, and its store knows no
difference. git alone is enough for whoever has no zstd.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from saltdeploy.content import compressed, payloads
from saltdeploy.git import recompress
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib import disk
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.programs import is_installed
from saltdeploy.protocol.holdings import SQUEEZED, Holdings
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.release import file_name
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport

log = logging.getLogger(__name__)

KIND = "bundle"

_PROGRAM = "zstd"
_ROOM = 2  # for the pack that is made of a bundle, and the index beside it
#: Bytes. Below there is little to gain, and above it the work takes longer than the bytes that it saves.
_TINY, _LARGE = 8 << 10, 16 << 20
_WORTH = 0.95  # of the bundle; what saves less is not worth the host's work


class Bundle(Transport):
    """See the module."""

    def pack(
        self, store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The bundle that brings a host from ``base`` to the tag; and the same one squeezed, where that is smaller."""

        def write(path: Path) -> None:
            source.pack(tag, base, path)

        bundle = store.find_or_pack(repo, base, tag.commit, write, KIND)
        if not base or not _TINY < bundle.size <= _LARGE or not is_installed(_PROGRAM):
            return (bundle,)
        squeezed = _squeezed(store, repo, bundle, tag.commit)
        return (bundle, squeezed) if squeezed.size <= _WORTH * bundle.size else (bundle,)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive the smallest payload whose base is here, check its digest, take it in."""
        store, commit = arrival.store, order.release.commit
        if store.has(commit):
            return arrival.stored(commit, bytes=0)
        payload = _choose(order, store)
        if payload is None:
            raise shared_trees.no_base(order, arrival)
        log.debug("takes %s from %s, %d bytes", payload.kind, payload.base or "nothing", payload.size)
        incoming = arrival.incoming / file_name(order.release.repo)
        disk.remove_tree(incoming)  # what was received when somebody killed us
        incoming.mkdir(parents=True)
        _refuse_without_space(payload.size, incoming, store.git_dir)
        received = incoming / f"{payload.sha256}.bundle"
        try:
            arrival.carrier.fetch(payload, received, progress)
            payloads.check(received, payload)
            if payload.kind == SQUEEZED:
                received = _expand(received, store.git_dir)
            store.unpack(received, commit, progress)
        finally:
            disk.remove_tree(incoming)
        return arrival.stored(commit, bytes=payload.size, base=payload.base)


def taken(offered: Sequence[Payload], held: Holdings) -> tuple[Payload, ...]:
    """These payloads without those that a host with these holdings never takes.

    Of two bundles from the same base it takes the squeezed one, if it can: it has the program and knows the kind.
    """
    able = _PROGRAM in held.programs and SQUEEZED in held.knows
    squeezed = {payload.base for payload in offered if payload.kind == SQUEEZED}
    passed_over = KIND if able else SQUEEZED
    return tuple(each for each in offered if each.kind != passed_over or each.base not in squeezed)


def _choose(order: Order, store: Repository) -> Payload | None:
    kinds = (SQUEEZED, KIND) if is_installed(_PROGRAM) else (KIND,)
    fitting = [found for kind in kinds if (found := shared_trees.choose(order, kind, store.has)) is not None]
    return min(fitting, key=lambda payload: payload.size, default=None)


def _squeezed(store: payloads.Payloads, repo: str, bundle: Payload, commit: str) -> Payload:
    """A bundle that is in the store, squeezed."""

    def write(path: Path) -> None:
        place = store.path(bundle.sha256)
        assert place is not None
        try:
            with (
                open(path, "wb") as out,
                open(place, "rb") as plain,
                tempfile.TemporaryFile(dir=path.parent) as decompressed,
            ):
                recompress.decompress(plain, decompressed)
                head = compressed.Head(compressed.BUNDLE, decompressed.tell(), 0, base_size=bundle.size)
                compressed.write(head, decompressed, out)
        except OSError as error:
            raise from_os(error, path=str(path.parent)) from error

    return store.find_or_pack(repo, bundle.base, commit, write, SQUEEZED)


def _expand(received: Path, store: Path) -> Path:
    """Make the bundle again that was squeezed.

    Raises:
        Corrupt: the file is something else.
        DiskFull: there is no room for the bundle.
    """
    bundle = received.with_name("bundle")
    try:
        with compressed.unpacked(received) as (head, stream), open(bundle, "wb") as out:
            _refuse_without_space(head.base_size, received.parent, store)
            recompress.close(stream, head.size, out)
    except OSError as error:
        raise from_os(error, path=str(received.parent)) from error
    received.unlink()
    return bundle


def _refuse_without_space(size: int, incoming: Path, store: Path) -> None:
    """Look for room for a bundle of so many bytes, and for what git makes of it."""
    shared = incoming.stat().st_dev == store.stat().st_dev
    disk.refuse_without_space(store, (_ROOM + shared) * size)
    disk.refuse_without_space(incoming, size)
