"""Deletes what nobody needs, and says how much that was; or only says it.

Bytes are those that the file system has free again: a file with several names counts once the last of them is gone.
Blocks that files share by reflink are counted for each of them, since the file system does not tell.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.lib import disk
from saltdeploy.lib.below import Below

_BLOCK = 512  # st_blocks counts in these, whatever the file system


@dataclass
class _File:
    kind: str
    names: int
    links: int
    size: int


class Cleanup:
    """What is deleted in one go.

    Args:
        test: delete nothing.
        measure: without it nothing is counted, which would take a look at each file.
    """

    def __init__(self, *, test: bool = False, measure: bool = True) -> None:
        self.test = test
        self._measure = measure
        self._files: dict[tuple[int, int], _File] = {}
        self._freed: dict[str, int] = {}

    def drop(self, kind: str, *paths: Path, by: Callable[[], object] | None = None) -> None:
        """Delete paths; those that are not there are fine.

        Args:
            kind: a word for people.
            by: deletes them, where that takes more than deleting; False when they are still needed.
        """
        for path in paths if self._measure else ():
            self._look_at(kind, os.fsencode(path))
        if self.test:
            return
        if by is not None:
            by()
        else:
            for path in paths:
                disk.remove_tree(path)

    def add(self, kind: str, size: int) -> None:
        """Count what somebody else has deleted."""
        self._freed[kind] = self._freed.get(kind, 0) + size

    @contextlib.contextmanager
    def shrinking(self, kind: str, directory: Path) -> Iterator[None]:
        """Count by how much a directory shrinks while the block runs."""
        before = _bytes_in(directory)
        yield
        if (less := before - _bytes_in(directory)) > 0:
            self.add(kind, less)

    def freed(self) -> dict[str, int]:
        """Kind to bytes; kinds of which nothing was found are left out."""
        found = dict(self._freed)
        for file in self._files.values():
            if file.names >= file.links:
                found[file.kind] = found.get(file.kind, 0) + file.size
        return dict(sorted(found.items()))

    def _look_at(self, kind: str, path: bytes) -> None:
        below, name = Below.around(path)
        todo = [name]
        while todo:
            each = todo.pop()
            seen = below.seen(each)
            if seen is None:
                continue
            if stat.S_ISDIR(seen.st_mode):
                self.add(kind, seen.st_blocks * _BLOCK)
                todo += [os.path.join(each, entry) for entry, _ in below.entries(each)]
                continue
            # the number of links is that of the first look: it falls while the names go one by one
            known = _File(kind, 0, seen.st_nlink, seen.st_blocks * _BLOCK)
            self._files.setdefault((seen.st_dev, seen.st_ino), known).names += 1


def _bytes_in(directory: Path) -> int:
    """Of plain files, in whatever is there."""
    return sum(path.lstat().st_blocks * _BLOCK for path in directory.rglob("*") if path.is_file())


def left_out(skipped: Mapping[str, str]) -> str:
    """What was not looked at, as one line: repo to the reason."""
    return "; ".join(f"{name}: {why}" for name, why in skipped.items())
