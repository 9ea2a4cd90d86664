"""What can be known of a place on a disk before anything is written there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskPlace:
    """A place, which need not be there yet.

    Attributes:
        wanted: the place.
        path: it, or the nearest directory above it that is there: what is missing is made in that one.
        mount: where its file system is mounted.
        obstacle: why this user cannot write there; "" where nothing is in the way.
        read_only: whether its file system is.
        is_file: whether something that is no directory is in the way.
        free: bytes; ``inodes``: files that can still be made, -1 where the file system counts none.
    """

    wanted: Path
    path: Path
    mount: Path
    obstacle: str
    read_only: bool
    is_file: bool
    free: int
    inodes: int

    def facts(self) -> dict[str, str | int | bool]:
        """The same as plain data."""
        return {
            "for": str(self.wanted),
            "path": str(self.path),
            "mount": str(self.mount),
            "obstacle": self.obstacle,
            "read_only": self.read_only,
            "is_file": self.is_file,
            "free": self.free,
            "inodes": self.inodes,
        }


def look(wanted: Path) -> DiskPlace:
    """Look at a place; nothing is written."""
    path = next(each for each in (wanted, *wanted.parents) if os.path.lexists(each) or each == each.parent)
    found = os.statvfs(path if path.exists() else path.parent)  # a link that leads nowhere has none
    read_only = bool(found.f_flag & os.ST_RDONLY)
    is_file = not path.is_dir()
    if is_file:
        obstacle = f"{path} is no directory"
    elif read_only:
        obstacle = "its file system is read-only"
    elif not os.access(path, os.W_OK | os.X_OK):
        obstacle = f"there are no rights to write {path}"
    else:
        obstacle = ""
    return DiskPlace(
        wanted,
        path,
        next(each for each in (path, *path.parents) if os.path.ismount(each) or each == each.parent),
        obstacle,
        read_only,
        is_file,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_favail if found.f_files else -1,  # btrfs and the like count none
    )
