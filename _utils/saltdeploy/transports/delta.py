"""Transport ``delta``: the difference between the archives of two releases; by zstd or by xdelta3, whichever is smaller.

A target keeps no archives: it makes that of the older release anew from the release's tree, and every file that goes
into it is compared with its blob. Where this does not give the archive that the master had (somebody wrote into the
tree, a program is missing), the target takes the whole archive.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saltdeploy.content import compressed, payloads
from saltdeploy.content.compare import hasher
from saltdeploy.content.source import ContentStream, Files, Piece, Stored
from saltdeploy.git.objects import Change
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, GitFailed
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.programs import is_installed
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport
from saltdeploy.transports.tar import pack_archive, receive_archive, write_tar

log = logging.getLogger(__name__)

KIND = "delta"


class Delta(Transport):
    """See the module."""

    def pack(
        self, store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``, and a difference; or the archive where that is not larger."""
        trees = shared_trees.pack_trees(store, source, repo, tag, base)
        whole = pack_archive(store, source, repo, tag.commit)
        if not base:
            return trees, whole
        difference = store.find_or_pack(
            repo, base, tag.commit, lambda path: _write_difference(source, base, tag.commit, path), KIND
        )
        return trees, min(difference, whole, key=lambda payload: payload.size)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive a difference from what is here, or the archive."""
        if arrival.store.has(order.release.commit):
            return arrival.stored(order.release.commit)
        came = shared_trees.bring_trees(order, arrival, progress)
        payload = shared_trees.choose(order, KIND, lambda base: arrival.tree(base) is not None)
        if payload is not None and payload.base:
            shared_trees.refuse_without_room(came, payload.size, order, arrival)
            received = shared_trees.receive(payload, order, arrival, progress)
            came = dataclasses.replace(came, bytes=came.bytes + payload.size)
            base = _base_of(payload, compressed.head_of(received), order, arrival)
            if base is not None:
                archive = compressed.Packed(received, base, brings=came.brings)
                return Brought({"bytes": came.bytes, "base": payload.base}, archive)
        return receive_archive(order, arrival, progress, came)

    def is_packed(self, store: payloads.Payloads, repo: str, commit: str, base: str) -> bool:
        """Whether there is the difference."""
        return store.find(repo, base, commit, KIND) is not None


def _write_difference(source: Repository, base: str, commit: str, path: Path) -> None:
    """Pack the difference in each way that is possible; keep the smallest."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".delta-") as directory:
            old, new = Path(directory, "old"), Path(directory, "new")
            for place, release in ((old, base), (new, commit)):
                with open(place, "wb") as tar:
                    files = write_tar(source, release, Stored(source), path.parent, tar)
            candidates = []
            for form in _forms(old, new):
                head = compressed.Head(
                    form, new.stat().st_size, files, payloads.digest_of(old), old.stat().st_size
                )
                candidates.append(Path(directory, form))
                with open(new, "rb") as tar, open(candidates[-1], "wb") as out:
                    compressed.write(head, tar, out, old)
            min(candidates, key=lambda each: each.stat().st_size).rename(path)
    except OSError as error:
        raise from_os(error, path=str(path.parent)) from error


def _forms(old: Path, new: Path) -> list[str]:
    small = max(old.stat().st_size, new.stat().st_size) <= compressed.MOST_FOR_ZSTD
    forms = [compressed.XDELTA] if is_installed("xdelta3") else []
    # whoever has neither may as well be told that zstd is missing
    return [*forms, compressed.ZSTD] if small or not forms else forms


def _base_of(payload: Payload, head: compressed.Head, order: Order, arrival: Arrival) -> Path | None:
    """Make the archive of the payload's base anew; None where that cannot be."""
    tree = arrival.tree(payload.base)
    if tree is None or not is_installed(head.program) or not head.base_sha256:
        log.debug("the difference is of no use: tree %s, program %s", tree, head.program)
        return None
    place = shared_trees.room(order, arrival) / "base.tar"
    disk.refuse_without_space(place.parent, head.base_size)
    contents = _Verified(tree, len(payload.base))
    try:
        with open(place, "wb") as out:
            reader = shared_trees.trees_of(order, arrival).beside(arrival.store)
            write_tar(reader, payload.base, contents, tree, out)
    except (Corrupt, GitFailed) as error:  # somebody wrote into the tree, or its trees are not here
        log.info("the archive of %s cannot be made again, so the whole one comes: %s", payload.base, error)
        return None
    return place if payloads.digest_of(place) == head.base_sha256 else None


class _Verified:
    """The files of a tree, each compared with its blob while it is read."""

    def __init__(self, tree: Path, oid_length: int) -> None:
        self.place = str(tree)
        self.advice = "deploy.verify"
        self._files = Files(tree, self.advice)
        self._oid_length = oid_length

    brings = 0

    def need(self, oids: IO[bytes]) -> int:
        """Nothing: it is only read."""
        return 0

    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> _Verified:
        """Itself."""
        return self

    def __enter__(self) -> ContentStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def next(self, change: Change) -> Piece:
        """The file at the change's path."""
        size, pieces = self._files.next(change)
        return size, self._compared(change, size, pieces)

    def _compared(self, change: Change, size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        digest = hasher(size, self._oid_length)
        for piece in pieces:
            digest.update(piece)
            yield piece
        if digest.hexdigest() != change.oid:
            raise Corrupt(f"{change.path!r} is not what its blob says", path=self.place, next=self.advice)
