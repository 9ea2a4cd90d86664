"""The file of a manifest's database, and what sqlite's errors about it mean."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from saltdeploy.content.tree_digest import unreadable
from saltdeploy.lib.errors import DeployError, DiskFull, Immutable, NoPermission, ReadOnly
from saltdeploy.lib.os_errors import from_os


def remove(path: Path) -> None:
    """Delete the database of a manifest."""
    # a journal that outlived its database would be applied to the next one
    for each in (path, Path(f"{path}-journal")):
        each.unlink(missing_ok=True)


def explained(error: sqlite3.Error, path: Path) -> DeployError:
    """What sqlite's error means; before Python 3.11 there is nothing but its text to tell by."""
    text = str(error)
    if "full" in text:
        return DiskFull(
            f"no space left for the manifest ({text})",
            path=str(path),
            next=f"free space (df -h {path.parent}), then run the same command again",
        )
    if "readonly" in text or "unable to open" in text:
        number = errno.EROFS if _is_read_only(path.parent) else errno.EPERM
        ours = from_os(OSError(number, text, str(path)))
        if isinstance(ours, (ReadOnly, Immutable)):
            return ours
        return NoPermission(
            f"the manifest cannot be written ({text})",
            path=str(path),
            next="check the owner and mode of this path, and the user that Salt runs as",
        )
    if "locked" in text or "I/O error" in text:
        return DeployError(
            f"the manifest cannot be used ({text})",
            path=str(path),
            next="look for a process that holds it (fuser) and at the kernel's log (dmesg), then try again",
        )
    return unreadable(path, text)


def _is_read_only(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    return False
