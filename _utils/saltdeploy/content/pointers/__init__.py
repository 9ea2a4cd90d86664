"""What stands in a git tree for content that lies elsewhere: git-lfs, git-fat and git-annex pointers, one file each.

What is known of each kind stands in :mod:`saltdeploy.config.pointers`, to which packages of others may add theirs. Nothing
here reads or writes anything.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from typing import Any

from saltdeploy.config import plugins
from saltdeploy.config.pointers import TABLE, PointerKind, row
from saltdeploy.content.pointers.base import NoPointer, Pointer
from saltdeploy.lib.errors import Corrupt

#: No pointer is larger: git-annex reads 32 KiB of a file to see whether it is one.
MOST = 32_768


def read(mode: str, data: bytes, kinds: Collection[str] | None = None) -> Pointer | None:
    """The pointer that a file or a symbolic link is; None when it is none of these kinds.

    Args:
        mode: git's.
        data: the whole content of the file, or the link's target.
        kinds: those that are looked for; None: all that there are.

    Raises:
        NoPointer: it looks like one and cannot be read.
        ConfigError: a package brings one of the kinds, and it cannot be used.
    """
    if len(data) > MOST:
        return None
    for kind in _all() if kinds is None else map(row, kinds):
        pointer: Pointer | None = _function(kind.read, kind.name)(mode, data)
        if pointer is not None:
            return pointer
    return None


def at(path: bytes, mode: str, data: bytes, kinds: Collection[str]) -> Pointer | None:
    """As :func:`read`, of a file of a release.

    Raises:
        Corrupt: it looks like one and cannot be read.
    """
    try:
        return read(mode, data, kinds)
    except NoPointer as error:
        raise Corrupt(
            str(error),
            path=path.decode("utf-8", "backslashreplace"),
            next="mend the file in a new release; or take its kind out of `blobs`, if it is meant as it is",
        ) from None


def places(pointer: Pointer) -> list[str]:
    """The paths at which a directory of contents of its kind may hold the content, the likelier one first."""
    found: list[str] = _function(row(pointer.kind).places, pointer.kind)(pointer)
    return found


def _all() -> Iterator[PointerKind]:
    """All kinds. For others than those that this process knows already, metadata of packages are read."""
    known = TABLE.known()
    yield from known
    yield from (kind for kind in TABLE.rows() if kind not in known)


@functools.lru_cache
def _function(place: str, kind: str) -> Any:
    """What a row names; it is asked for once a file."""
    return plugins.resolve(place, f"kind of pointers {kind}")


__all__ = ["MOST", "NoPointer", "Pointer", "at", "places", "read"]
