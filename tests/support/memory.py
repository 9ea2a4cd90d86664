"""Temporary files in memory, where the many small writes that are flushed to disk cost nothing."""

from __future__ import annotations

import os
import tempfile

_SHARED_MEMORY = "/dev/shm"
_ENOUGH = 4 << 30


def keep_temporary_files() -> None:
    """Let this process and those that it starts keep them in memory, if somebody has not said where, and it is large."""
    if "TMPDIR" not in os.environ and _is_fit(_SHARED_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = _SHARED_MEMORY


def _is_fit(place: str) -> bool:
    if not os.access(place, os.W_OK | os.X_OK):
        return False
    seen = os.statvfs(place)
    return not seen.f_flag & os.ST_NOEXEC and seen.f_bavail * seen.f_frsize >= _ENOUGH
