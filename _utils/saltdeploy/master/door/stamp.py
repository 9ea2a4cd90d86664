"""Whether the files that a process was loaded from are still the same."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable

log = logging.getLogger(__name__)

_OURS = ("saltdeploy", "saltbridge", "saltclient")


class Stamp:
    """What a process was loaded from: its modules of ours, and whatever else counts for what it does.

    Args:
        more: paths of files and directories; those that are missing must stay so.
    """

    def __init__(self, more: Iterable[str]) -> None:
        modules = [
            getattr(module, "__file__", None)
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in _OURS
        ]
        self._seen = {path: _state(path) for path in {*filter(None, modules), *more}}

    def is_stale(self) -> bool:
        """Whether any of them was written, came or went."""
        changed = next((path for path, state in self._seen.items() if _state(path) != state), None)
        if changed is not None:
            log.warning("The warm door is closed: %s is not what was loaded", changed)
        return changed is not None


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
