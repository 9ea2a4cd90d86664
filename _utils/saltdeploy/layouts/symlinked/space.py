"""How many bytes a release will take, before any of them is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import IO

from saltdeploy.content.manifest import Manifest
from saltdeploy.content.source import Contents
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import GITLINK, NOTHING, read_changes
from saltdeploy.layouts.symlinked.tree import Slot

_BLOCK = 4096  # what the last block of a file may take beyond its bytes


def need(changes: IO[bytes], oids: IO[bytes], count: int, contents: Contents, trees: Iterable[Slot]) -> int:
    """Bytes that the files of these changes take.

    Where the contents come from somewhere that does not know sizes, a file that another tree has at the same path is as
    large as it is there, and all others together are what the release is said to bring.

    Args:
        changes: from :meth:`saltdeploy.git.reader.Reader.diff`.
        oids, count: the blobs that they need, and how many these are.
        trees: complete ones.

    Raises:
        Corrupt: a blob is missing.
    """
    size = contents.need(oids)
    if size is None:
        try:
            size = _known(changes, contents.brings, trees)
        except Unreadable:  # of another tree: nobody knows yet, and its own fetch will tell
            size = contents.brings
    return size + count * _BLOCK


def _known(changes: IO[bytes], brings: int, trees: Iterable[Slot]) -> int:
    size, unknown = 0, False
    with contextlib.ExitStack() as opened:
        manifests = [opened.enter_context(manifest) for manifest in map(Slot.manifest, trees)]
        for change in read_changes(changes):
            if change.mode not in (NOTHING, GITLINK):
                found = _size_of(change.path, change.oid, manifests)
                unknown |= found is None
                size += found or 0
    return size + (brings if unknown else 0)


def _size_of(path: bytes, oid: str, manifests: list[Manifest]) -> int | None:
    found = (manifest.size_of(path, oid) for manifest in manifests)
    return next((size for size in found if size is not None), None)
