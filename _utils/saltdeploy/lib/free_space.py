"""How much room a file system has left, as whoever reads of a failure wants to know it."""

from __future__ import annotations

import os
from pathlib import Path


def free_space(path: Path) -> tuple[int, int]:
    """Bytes and inodes that are free where a path is, or will be.

    Returns:
        Inodes are -1 where the file system makes them as it needs them.

    Raises:
        OSError: it does not tell.
    """
    there = next(each for each in (path, *path.parents) if each.exists())
    found = os.statvfs(there)
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else -1
