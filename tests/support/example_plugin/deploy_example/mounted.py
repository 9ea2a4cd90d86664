"""Transport ``mounted``: contents are read from the master's exports, which each target has mounted at ``url``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saltdeploy.content.payloads import Payloads
from saltdeploy.content.source import ContentStream, Files
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.release import file_name
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport


class Mounted(Transport):
    """The trees come as a payload, bound to the commit id; each file is compared with its blob while it is written."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``; and export the release."""
        payloads.exports.ensure(source, repo, tag.commit)
        return (shared_trees.pack_trees(payloads, source, repo, tag, base),)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive the trees; files are read while the slot is written."""
        if not arrival.repo.origin.url:
            raise ConfigError(
                "transport mounted needs a directory",
                path=f"repo_config:{order.release.repo}:url",
                next="set url to where targets have mounted the master's exports",
            )
        came = shared_trees.bring_trees(order, arrival, progress)
        tree = Path(arrival.repo.origin.url, file_name(arrival.repo.packed_as), order.release.commit)
        return Brought({"bytes": came.bytes}, MountedTree(tree, came.brings))


class MountedTree:
    """A tree of the exports as a source of contents."""

    def __init__(self, tree: Path, brings: int) -> None:
        self.place = str(tree)
        self.advice = f"look at {tree} on this host and on the master"
        self.brings = brings
        self._files = Files(tree, self.advice)

    def need(self, oids: IO[bytes]) -> None:
        """Not known of single files."""

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """Give each file as it is."""
        yield self._files
