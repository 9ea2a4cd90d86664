"""Transport ``rsync``: the contents that a spare slot lacks come by rsync, from a tree that the master exports.

rsync is asked for exactly the paths that differ by the trees, so that neither side compares the rest. It writes beside
the spare slot, with the files there as a basis for its differences; what it brings is compared with the trees' blobs
when it is written into the slot. So neither the server nor rsync's own judgement of what has changed is trusted.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saltdeploy.config import Repo
from saltdeploy.content.payloads import Payloads
from saltdeploy.content.source import ContentStream, Files
from saltdeploy.git.objects import GITLINK, NOTHING, read_changes
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib import disk, process, rsync
from saltdeploy.lib.errors import ConfigError, DeployError, DiskFull, Unavailable, Unsupported
from saltdeploy.lib.text import public
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.release import file_name
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport

_OPTIONS = [
    "--links",
    "--ignore-times",  # a file of the same size and time may be another
    "--no-implied-dirs",  # a directory on the way may be a link over there
    "--stats",
    "--protect-args",
]
_RECEIVED = re.compile(r"Total bytes received: ([0-9,.]+)")


class Rsync(Transport):
    """See the module."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``; and export the release."""
        payloads.exports.ensure(source, repo, tag.commit)
        return (shared_trees.pack_trees(payloads, source, repo, tag, base),)

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive the trees; the contents come while the slot is written."""
        release = order.release
        if arrival.store.has(release.commit):
            return arrival.stored(release.commit)
        if not arrival.repo.origin.rsync_url:
            raise ConfigError(
                "transport rsync needs a place to fetch from",
                path=f"repo_config:{release.repo}:rsync_url",
                next="set rsync_url to where targets reach the master's exports: rsync://host/module, or host:/path",
            )
        came = shared_trees.bring_trees(order, arrival, progress)
        beside: dict[str, int] = {}
        directory = shared_trees.room(order, arrival) / secrets.token_hex(8)
        tree = f"{file_name(arrival.repo.packed_as)}/{release.commit}"
        files = Rsynced(arrival.repo, tree, directory, beside, came.brings)
        return Brought({"bytes": came.bytes}, files, beside)


class Rsynced:
    """A tree that rsync reaches, as a source of contents.

    Args:
        repo: says where the exports are, and how long it may take.
        tree: the tree, as a path in the exports.
        directory: made for what comes.
        beside: learns how many ``bytes`` came.
        brings: see :class:`saltdeploy.content.source.Contents`.
    """

    def __init__(
        self, repo: Repo, tree: str, directory: Path, beside: dict[str, int], brings: int = 0
    ) -> None:
        place = f"{repo.origin.rsync_url.rstrip('/')}/{tree}/"
        self._exports, self._front = rsync.split(place)
        self.place = public(place)
        self.advice = (
            f"look at what {self.place} holds; run the same command again, or choose another transport"
        )
        self._directory = directory
        self._timeout = repo.rollout.timeout
        self._rate = repo.delivery.rate
        self._beside = beside
        self.brings = brings

    def need(self, oids: IO[bytes]) -> None:
        """Not known before rsync has asked."""

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """Bring the files, and give each away once."""
        disk.remove_tree(self._directory)
        self._directory.mkdir(mode=0o700)
        names = self._directory.with_suffix(".names")
        try:
            if _write_names(changes, self._front, names):
                self._run(names, basis)
            yield Files(self._directory, self.advice, drop=True)
        finally:
            names.unlink(missing_ok=True)
            disk.remove_tree(self._directory)

    def _run(self, names: Path, basis: Path) -> None:
        options = [*_OPTIONS, f"--compare-dest={basis}", *rsync.cap(self._rate)]
        try:
            with open(names, "rb") as given:
                ended = rsync.run(options, self._exports, self._directory, given, timeout=self._timeout)
        except FileNotFoundError:
            raise Unsupported(
                "rsync is not installed",
                next="install rsync on this host, then run the same command again; or choose another transport",
            ) from None
        except process.Overran as error:
            raise self._failed(f"took longer than {self._timeout:g} seconds: {error.output[-500:]}") from None
        if ended.code:
            raise self._failed(f"ended with {ended.code}: {ended.output[-1500:]}")
        found = _RECEIVED.search(ended.output)
        received = int(re.sub("[,.]", "", found[1])) if found else 0
        self._beside["bytes"] = self._beside.get("bytes", 0) + received

    def _failed(self, said: str) -> DeployError:
        said = public("; ".join(filter(None, map(str.strip, said.splitlines()))))
        if "No space left" in said:
            return DiskFull(f"rsync {said}", path=str(self._directory.parent))
        return Unavailable(
            f"rsync from {self.place} {said}", next=f"on this host: rsync --list-only -- {self.place}"
        )


def _write_names(changes: IO[bytes], front: str, names: Path) -> int:
    """List the paths that have contents, each with ``front`` before it and a NUL behind it; return how many."""
    count = 0
    with open(names, "wb") as file:
        for change in read_changes(changes):
            if change.mode not in (NOTHING, GITLINK):
                file.write(os.fsencode(front) + change.path + b"\0")
                count += 1
    return count
