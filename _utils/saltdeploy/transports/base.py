"""Where a release arrives on a target, and what a transport has brought there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.content.payloads import Downloader
from saltdeploy.content.source import Contents, Stored
from saltdeploy.git.repository import Repository
from saltdeploy.git.tree_store import TreeStore


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
    """

    repo: Repo
    store: Repository
    carrier: Downloader
    incoming: Path
    trees: TreeStore | None = None
    tree: Callable[[str], Path | None] = _no_tree

    def stored(self, commit: str, **facts: Any) -> Brought:
        """What there is when the store has the whole release, which it holds on to from now on."""
        self.store.keep(commit)
        return Brought(facts, Stored(self.store))
