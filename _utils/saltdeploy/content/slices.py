"""A share of the files of a tree, the same on each host and on each day: ten tenths are the whole, and have nothing in common."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class PathSlice:
    """The ``number``-th of ``of`` slices, counted from 1."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> PathSlice:
        """Of ``3/10``, as :func:`saltdeploy.lib.readers.part` has checked it."""
        number, _, of = text.partition("/")
        return cls(int(number), int(of))

    def __contains__(self, path: bytes) -> bool:
        """Whether a path is in it; how, must never change: a schedule that has begun would leave files out."""
        return zlib.crc32(path) % self.of == self.number - 1
