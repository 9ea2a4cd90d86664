"""What a transport does, where a release arrives on a target, and what a transport has brought there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from saltdeploy.config import Repo
from saltdeploy.content.payloads import Downloader, Payloads
from saltdeploy.content.source import Contents, Stored
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.protocol.orders import Order, Payload

if TYPE_CHECKING:
    from saltdeploy.git.ssh_access import SshAccess


@dataclass(frozen=True)
class Brought:
    """What a transport has brought.

    Attributes:
        facts: for people: ``bytes`` received, ``base``.
        contents: where the contents of the release's files are now.
        beside: ``bytes`` that no carrier has brought, known once the contents were taken.
    """

    facts: dict[str, Any]
    contents: Contents
    beside: dict[str, int] = field(default_factory=dict)


def _no_tree(commit: str) -> Path | None:
    return None


@dataclass(frozen=True)
class Arrival:
    """Where a release arrives.

    Attributes:
        repo: this host's configuration of the repo.
        store: the store of whole releases.
        carrier: brings payloads.
        incoming: room for files on the way.
        trees: the store of trees whose contents come another way; None where the layout has none.
        tree: where the files of a release are that the host holds.
        held: the releases that are whole on the host.
        access: how git speaks by ssh; None: as the minion's user may.
    """

    repo: Repo
    store: Repository
    carrier: Downloader
    incoming: Path
    trees: TreeStore | None = None
    tree: Callable[[str], Path | None] = _no_tree
    held: tuple[str, ...] = ()
    access: SshAccess | None = None

    def stored(self, commit: str, **facts: Any) -> Brought:
        """What there is when the store has the whole release, which it keeps from now on."""
        self.store.keep(commit)
        return Brought(facts, Stored(self.store))


class Transport(Protocol):
    """pack() on the master faces unpack() on a target. It is made without arguments and keeps nothing between two calls."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """Make what a host that holds ``base`` (or "") needs of the master; nothing where targets fetch by themselves.

        Args:
            payloads: where it is made; ``find_or_pack`` makes each payload once.
            source: has the commits of ``tag`` and of ``base``.
            repo: the name under which the repo's payloads are kept.
        """

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Bring the order's release: commit and trees, bound to the commit id, and a source of its contents.

        Raises:
            NoBase: no payload of the order fits what the host holds.
            Unavailable, Corrupt, DiskFull: nothing has changed for anybody.
        """

    def is_packed(self, payloads: Payloads, repo: str, commit: str, base: str) -> bool:
        """Whether ``pack`` would find all that takes long made already, for ``auto``."""
        return False
