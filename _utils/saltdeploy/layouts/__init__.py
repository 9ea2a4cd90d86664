"""How releases are kept on a target's disk; one file per name that an operator can write as ``layout:``.

What is known of each layout without its code is in :mod:`saltdeploy.config.layouts`, by the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.source import Contents
from saltdeploy.content.untracked import Known, Untracked
from saltdeploy.content.verify import Findings
from saltdeploy.git.repository import Progress, Repository
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.layouts.inplace import Inplace
from saltdeploy.layouts.overlay import Overlay
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.release import Release


class Layout(Protocol):
    """What the stages of a target need of a layout. Only one process at a time uses a repo's layout."""

    @property
    def store(self) -> Repository:
        """Where transports put a release's objects."""

    @property
    def trees(self) -> TreeStore | None:
        """Where transports put commits and trees whose contents come apart from them; None where they must not."""

    def holdings(self) -> Holdings:
        """What is complete on disk, and what is live. Reads only."""

    def open(self) -> dict[str, Any]:
        """Make ``store`` usable. Returns facts, as :meth:`activate` does."""

    def prepare(
        self,
        release: Release,
        progress: Progress,
        contents: Contents | None = None,
        root: str = "",
        needed: Collection[str] = (),
        noted: BlobSource | None = None,
    ) -> dict[str, Any]:
        """Make the release's tree, complete and verified, without touching what is live.

        Args:
            contents: where the contents of its files come from; None: the store.
            root: that the tree must have, see :mod:`saltdeploy.protocol.merkle`; "" where nobody has said.
            needed: commits that are to stay on disk whatever else is deleted.
            noted: where contents of git-annex's pointers are that no other source has; None: nobody has said.

        Returns:
            Facts for people: ``files`` written, ``bytes`` written, ``slot``, ``root``, ...

        Raises:
            DiskFull, Corrupt, SlotsBusy: nothing has changed for the users of ``location``.
        """

    def collect(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete what nothing needs: releases beyond those to keep, what was on its way, what belonged to them.

        Args:
            needed: commits that stay.
        """

    def activate(self, release: Release, *, back: bool = False) -> dict[str, Any]:
        """Make a prepared release live; a release that is live already stays.

        Args:
            back: this host is rolled back from what is live.

        Returns:
            Facts: ``moved_aside`` names what was found at ``location`` and kept.

        Raises:
            NotReady: the release was not prepared, or is not complete any more.
        """

    def tree(self, commit: str) -> Path | None:
        """Where the files of a release are once it is live; None when it is not held."""

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """The bytes of a file of a release that is held, live or not; None when the release has no such file.

        Raises:
            Corrupt: it is not a plain file of at most ``most`` bytes.
        """

    def untracked(self, commit: str = "", coming: Known | None = None) -> Untracked:
        """What lies at ``location`` and is of no release, and goes from there with the next switch. Reads names only.

        Args:
            commit: the release that is to come; it is held.
            coming: the same, where it is not held; neither: nothing is known of it.
        """

    def verify(self, *, full: bool, part: PathSlice | None = None) -> Findings:
        """Compare what is live with what it should be.

        Args:
            full: every file is read; otherwise those that look as if they had changed.
            part: files that are read besides. Only ``full`` clears a tree that was found to differ.

        Raises:
            NotReady: nothing is live.
        """


def of(repo: Repo) -> Layout:
    """The layout that the repo's configuration names."""
    return _TABLE[repo.layout.name](repo)


_TABLE: dict[str, Callable[[Repo], Layout]] = {
    "slots": Slots,
    "releases": Releases,
    "inplace": Inplace,
    "overlay": Overlay,
}
