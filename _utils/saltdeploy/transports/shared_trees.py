"""What transports have in common whose contents travel apart from the commit: its trees come as a small git bundle.

With the trees a target knows each path, mode and blob of the release, bound to the commit id that came over Salt's
channel. Whatever brings the contents need not be trusted any more.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.content import payloads
from saltdeploy.git.objects import list_blobs, read_changes
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.lib import disk
from saltdeploy.lib.errors import GitFailed, NoBase, Unsupported
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.release import file_name
from saltdeploy.transports.base import Arrival

log = logging.getLogger(__name__)

TREES = "trees"
_BLOCK = 4096  # bytes that the last block of a file may take beyond its own
_ROOM = 2  # for the pack that is made of a bundle, and the index beside it


@dataclass(frozen=True)
class Came:
    """What came with the trees of a release.

    Attributes:
        bytes: of them.
        brings: bytes of the files that the release has and a release that is here has not, as the master says.
        base: that release; "" for none.
    """

    bytes: int
    brings: int
    base: str = ""


def pack_trees(store: payloads.Payloads, source: Repository, repo: str, tag: Tag, base: str) -> Payload:
    """The bundle of the commit and of those of its trees that ``base`` has not."""

    def write(path: Path) -> None:
        source.pack(tag, base, path, contents=False)

    return store.find_or_pack(
        repo, base, tag.commit, write, TREES, lambda: _bytes_of(source, base, tag.commit)
    )


def _bytes_of(source: Repository, base: str, commit: str) -> int:
    """Bytes of the files that a commit has and ``base`` has not."""
    with tempfile.TemporaryFile() as changes, tempfile.TemporaryFile() as oids:
        source.diff(base, commit, changes)
        list_blobs(read_changes(changes), oids)
        return source.total_size(oids)


def bring_trees(order: Order, arrival: Arrival, progress: Progress) -> Came:
    """Let the trees of the order's release be here.

    Raises:
        NoBase: none of the order's payloads fits what is here.
        Unsupported: the layout needs the contents in its store.
        Unavailable, Corrupt, DiskFull: nothing has changed for anybody.
    """
    trees, commit = trees_of(order, arrival), order.release.commit
    trees.open()
    payload = choose(order, TREES, lambda base: trees.has(base) or arrival.store.has(base))
    if trees.has(commit):
        trees.keep(commit)
        return Came(0, payload.brings, payload.base) if payload else Came(0, 0)
    if payload is None:
        raise no_base(order, arrival)
    if payload.base and not trees.has(payload.base):
        trees.adopt(payload.base, arrival.store, room(order, arrival) / "base")
    received = receive(payload, order, arrival, progress)
    disk.refuse_without_space(trees.git_dir, _ROOM * payload.size)
    trees.unpack(received, commit, progress)
    received.unlink()
    return Came(payload.size, payload.brings, payload.base)


def refuse_without_room(came: Came, archive: int, order: Order, arrival: Arrival) -> None:
    """See to it, before an archive travels, that its files will have room, and the archive with them.

    Args:
        archive: bytes that are about to travel.

    Raises:
        DiskFull: with the number of bytes that are missing.
    """
    area, directory = arrival.repo.paths.area, room(order, arrival)
    # of a host that holds other releases than the base nobody knows how much of it is here
    if not came.brings or (came.base not in arrival.held if came.base else arrival.held):
        return
    need = came.brings + _BLOCK * _number_of_files(came.base, order, arrival)
    disk.refuse_without_space(area, need)
    if os.stat(area).st_dev == os.stat(directory).st_dev:
        disk.refuse_without_space(area, need + archive)


def _number_of_files(base: str, order: Order, arrival: Arrival) -> int:
    reader = trees_of(order, arrival).beside(arrival.store)
    with tempfile.TemporaryFile() as changes, tempfile.TemporaryFile() as oids:
        try:
            reader.diff(base, order.release.commit, changes)
        except GitFailed:  # the trees of the base are not here any more
            return 0
        return list_blobs(read_changes(changes), oids)


def trees_of(order: Order, arrival: Arrival) -> TreeStore:
    """Where the trees are kept.

    Raises:
        Unsupported: the layout keeps none.
    """
    if arrival.trees is None:
        raise Unsupported(
            f"transport {order.transport} cannot fill the repository of layout {arrival.repo.layout.name}",
            path=f"repo_config:{order.release.repo}:transport",
            next="choose transport bundle or git, or layout slots",
        )
    return arrival.trees


def choose(order: Order, kind: str, fits: Callable[[str], bool]) -> Payload | None:
    """The smallest payload of a kind whose base fits; one without a base always does."""
    for payload in sorted(order.payloads, key=lambda payload: payload.size):
        if payload.kind == kind and (not payload.base or fits(payload.base)):
            return payload
    return None


def receive(payload: Payload, order: Order, arrival: Arrival, progress: Progress) -> Path:
    """Bring one payload to a file, whose digest is what the order says.

    Raises:
        Unavailable, Corrupt, DiskFull: there is no such file.
    """
    log.debug("takes %s from %s, %d bytes", payload.kind, payload.base or "nothing", payload.size)
    directory = room(order, arrival)
    disk.refuse_without_space(directory, payload.size)
    received = directory / payload.sha256
    arrival.carrier.fetch(payload, received, progress)
    payloads.check(received, payload)
    return received


def room(order: Order, arrival: Arrival) -> Path:
    """A directory for what is on its way; whoever runs the stage deletes it."""
    directory = arrival.incoming / file_name(order.release.repo)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def no_base(order: Order, arrival: Arrival) -> NoBase:
    """What makes the master pack something else."""
    return NoBase(
        f"none of the {len(order.payloads)} payloads fits what this host holds",
        path=str(arrival.store.git_dir),
        next=f"salt-run deploy.sync repo={order.release.repo} {argument('tag', order.release.tag)}",
    )
