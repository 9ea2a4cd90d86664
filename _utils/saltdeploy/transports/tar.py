"""Transport ``tar``: one reproducible archive per release, packed once, whoever asks and whatever it holds.

A target goes through the archive once, as a stream, and takes the files that its spare slot lacks. zstd packs it, and
not gzip: at the same size it is several times faster on both sides.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from saltdeploy import archives, packed, payloads
from saltdeploy.contents import Contents, Stored, supplied
from saltdeploy.errors import from_os
from saltdeploy.gitobjects import read_changes
from saltdeploy.gitreader import Reader
from saltdeploy.orders import Order, Payload
from saltdeploy.repository import Progress, Repository, Tag
from saltdeploy.transports import apart
from saltdeploy.transports.arrival import Arrival, Brought

KIND = "tar"


class Tar:
    """See the module."""

    kinds: tuple[str, ...] = (apart.TREES, KIND)
    programs: tuple[str, ...] = ("zstd",)
    packers: tuple[str, ...] = ("zstd",)

    def pack(
        self, store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``, and the archive."""
        trees = apart.pack_trees(store, source, repo, tag, base)
        return trees, pack_archive(store, source, repo, tag.commit)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive both."""
        if arrival.store.has(order.release.commit):
            return arrival.stored(order.release.commit)
        came = apart.bring_trees(order, arrival, progress)
        return receive_archive(order, arrival, progress, came)


def pack_archive(store: payloads.Payloads, source: Repository, repo: str, commit: str) -> Payload:
    """The archive of a commit."""

    def write(path: Path) -> None:
        try:
            with open(path, "wb") as out, tempfile.TemporaryFile(dir=path.parent) as tar:
                files = write_tar(source, commit, Stored(source), path.parent, tar)
                packed.write(packed.Head(packed.TAR, tar.tell(), files), tar, out)
        except OSError as error:
            raise from_os(error, path=str(path.parent)) from error

    return store.find_or_pack(repo, "", commit, write, KIND)


def receive_archive(order: Order, arrival: Arrival, progress: Progress, came: apart.Came) -> Brought:
    """Receive the order's archive.

    Args:
        came: what has come before.

    Raises:
        NoBase: the order has none.
    """
    payload = apart.choose(order, KIND, lambda base: False)
    if payload is None:
        raise apart.no_base(order, arrival)
    received = apart.receive(payload, order, arrival, progress)
    return Brought(
        {"bytes": came.bytes + payload.size, "base": ""}, packed.Packed(received, brings=came.brings)
    )


def write_tar(reader: Reader, commit: str, contents: Contents, basis: Path, out: IO[bytes]) -> int:
    """Write the tar of a commit; return how many members it has.

    Args:
        reader: knows the commit's trees.
        contents: the contents of its files.
        basis: see :meth:`Contents.open`.
    """
    with supplied(reader, "", commit, contents, basis) as (changes, supply):
        return archives.write(read_changes(changes), supply, out)
