"""Transport ``tar``: one reproducible archive per release, packed once, whoever asks and whatever it holds.

A target goes through the archive once, as a stream, and takes the files that its spare slot lacks. zstd packs it, and
not gzip: at the same size it is several times faster on both sides.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from saltdeploy.content import compressed, payloads
from saltdeploy.content import tar as content_tar
from saltdeploy.content.source import Contents, Stored, supplied
from saltdeploy.git.objects import read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport

KIND = "tar"


class Tar(Transport):
    """See the module."""

    def pack(
        self, store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``, and the archive."""
        trees = shared_trees.pack_trees(store, source, repo, tag, base)
        return trees, pack_archive(store, source, repo, tag.commit)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive both."""
        if arrival.store.has(order.release.commit):
            return arrival.stored(order.release.commit)
        came = shared_trees.bring_trees(order, arrival, progress)
        return receive_archive(order, arrival, progress, came)

    def is_packed(self, store: payloads.Payloads, repo: str, commit: str, base: str) -> bool:
        """Whether there is the archive."""
        return store.find(repo, "", commit, KIND) is not None


def pack_archive(store: payloads.Payloads, source: Repository, repo: str, commit: str) -> Payload:
    """The archive of a commit."""

    def write(path: Path) -> None:
        try:
            with open(path, "wb") as out, tempfile.TemporaryFile(dir=path.parent) as tar:
                files = write_tar(source, commit, Stored(source), path.parent, tar)
                compressed.write(compressed.Head(compressed.TAR, tar.tell(), files), tar, out)
        except OSError as error:
            raise from_os(error, path=str(path.parent)) from error

    return store.find_or_pack(repo, "", commit, write, KIND)


def receive_archive(order: Order, arrival: Arrival, progress: Progress, came: shared_trees.Came) -> Brought:
    """Receive the order's archive.

    Args:
        came: what has come before.

    Raises:
        NoBase: the order has none.
        DiskFull: before anything of it has travelled.
    """
    payload = shared_trees.choose(order, KIND, lambda base: False)
    if payload is None:
        raise shared_trees.no_base(order, arrival)
    shared_trees.refuse_without_room(came, payload.size, order, arrival)
    received = shared_trees.receive(payload, order, arrival, progress)
    return Brought(
        {"bytes": came.bytes + payload.size, "base": ""}, compressed.Packed(received, brings=came.brings)
    )


def write_tar(reader: Reader, commit: str, contents: Contents, basis: Path, out: IO[bytes]) -> int:
    """Write the tar of a commit; return how many members it has.

    Args:
        reader: knows the commit's trees.
        contents: the contents of its files.
        basis: see :meth:`Contents.open`.
    """
    with supplied(reader, "", commit, contents, basis) as (changes, supply):
        return content_tar.write(read_changes(changes), supply, out)
