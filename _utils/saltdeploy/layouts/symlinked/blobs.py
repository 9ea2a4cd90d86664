"""Puts contents into a tree where the release has pointers; deletes those that no tree needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.fetch import BlobFetch
from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked.apply import WorkTree, Written
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib.cleanup import Cleanup


class BlobFilling:
    """The contents of one repo's trees, next to them."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._cache = BlobCache(repo.paths.area / "blobs")

    def fill(
        self,
        tree: Path,
        work: WorkTree,
        manifest: Manifest,
        written: Written,
        progress: Progress,
        noted: BlobSource | None,
    ) -> dict[str, Any]:
        """Fetch what the pointers that were found need, and put it in their places.

        Args:
            written: grows by the bytes of the contents.
            noted: see :class:`saltdeploy.blobs.fetch.BlobFetch`.

        Returns:
            Facts: ``blobs`` and ``blob_bytes`` received; none where there was no pointer.

        Raises:
            Unavailable, DiskFull: see :meth:`saltdeploy.blobs.fetch.BlobFetch.provide`.
        """
        if not work.stubs:
            return {}
        self._cache.open()
        fetch = BlobFetch(self._repo, tree, self._cache, noted)
        stubs = ((stub.change.path, stub.pointer) for stub in work.stubs)
        received, size = fetch.provide(stubs, progress)
        work.place(self._cache, manifest, written)
        return {"blobs": received, "blob_bytes": size}

    def collect(self, slots: Iterable[Slot], cleanup: Cleanup) -> None:
        """Delete the contents that no tree uses. Where it cannot be told what a tree uses, all stay."""
        used: set[str] = set()
        try:
            for slot in slots:
                used |= slot.contents()
        except Unreadable:
            return
        self._cache.collect(used, cleanup)
