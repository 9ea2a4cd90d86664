"""Where transfers under one cap book what they take: one alone, or all of a host, in whatever process."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Protocol

from saltdeploy import disk

_BURST = 0.25  # seconds that a cap lets pass at once
_FARTHEST = 60.0  # seconds; what is booked for later was booked by a clock that has begun anew since
_FORM = struct.Struct("<d")


class Meter(Protocol):
    """See the module."""

    def book(self, now: float, seconds: float) -> float:
        """Book so many seconds of the cap.

        Args:
            now: seconds, by a clock that all who book here share.

        Returns:
            When they will be over.
        """


class Alone:
    """Of one transfer."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def book(self, now: float, seconds: float) -> float:
        """See :class:`Meter`."""
        self._free_at = max(self._free_at, now - _BURST) + seconds
        return self._free_at


class Shared:
    """Of all that book in the same file.

    Args:
        path: the file; a lock lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._alone = Alone()

    def book(self, now: float, seconds: float) -> float:
        """See :class:`Meter`; where the file cannot be written, what others take is not known."""
        mine = self._alone.book(now, seconds)
        try:
            with disk.locked(self._path.with_suffix(".lock"), wait=True):
                free_at = max(self._booked(now), now - _BURST) + seconds
                self._path.write_bytes(_FORM.pack(free_at))
                return free_at
        except OSError:
            return mine

    def _booked(self, now: float) -> float:
        """Until when others have booked; 0 where nothing is known of them."""
        try:
            (free_at,) = _FORM.unpack(self._path.read_bytes())
        except (FileNotFoundError, struct.error):  # nobody has, or one was killed over it
            return 0.0
        return float(free_at) if free_at <= now + _FARTHEST else 0.0
