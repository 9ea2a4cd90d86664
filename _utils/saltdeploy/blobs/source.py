"""Where contents come from: the protocol, and what an operator may write for each way.

====================================  ===========================================================================
``/srv/store``                        a directory
``http://host/path``                  the same directory, behind any web server
``rsync://host/module``,              the same, by rsync from a daemon or over ssh
``host::module``, ``host:/path``
``lfs+https://host/repo.git/info/lfs``  a git-lfs server (kind ``lfs`` only)
====================================  ===========================================================================

In a directory the contents lie as their tool lays them: see :func:`places`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.config.blobs import ANNEX, FAT, LFS
from saltdeploy.content.pointers import Pointer

Hear = Callable[[int], None]
"""Hears how many more bytes have come."""

_ANNEX_LETTERS = "0123456789zqjxkmvwgpfZQJXKMVWGPF"


@dataclass(frozen=True)
class Cap:
    """How much may come from a source.

    Attributes:
        rate: bytes per second at most; 0: as many as will.
        booked: see :class:`saltdeploy.config.delivery.Delivery`.
    """

    rate: int = 0
    booked: Path | None = None


class BlobSource(Protocol):
    """One place that contents come from."""

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """Put those contents on the shelf that can be had here.

        Returns:
            Of the others, name to the reason, without secrets. No error of the other side is raised.
        """


def places(pointer: Pointer) -> list[str]:
    """The paths at which a store of its kind may hold the content, the likelier one first.

    - git-lfs: as below ``.git/lfs/objects``.
    - git-fat: as in its rsync remote.
    - git-annex: as in a directory or rsync special remote, and as below ``.git/annex/objects`` (internals/hashing), also
      with ``annex.tune.objecthash1``.
    """
    if pointer.kind == LFS:
        return [f"{pointer.digest[:2]}/{pointer.digest[2:4]}/{pointer.digest}"]
    if pointer.kind == FAT:
        return [pointer.digest]
    assert pointer.kind == ANNEX
    ways = hash_directories(pointer.key)
    tuned = [way.partition("/")[0] for way in ways]
    return [f"{way}/{pointer.key}/{pointer.key}" for way in (*ways, *tuned)]


def hash_directories(key: str) -> tuple[str, str]:
    """The two directories in which git-annex may keep what belongs to a key: hashDirLower, and the older hashDirMixed."""
    digest = hashlib.md5(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    word = int.from_bytes(digest[:4], "little")
    two, one, four, three = (_ANNEX_LETTERS[word >> 6 * n & 31] for n in range(4))
    return f"{digest.hex()[:3]}/{digest.hex()[3:6]}", f"{one}{two}/{three}{four}"
