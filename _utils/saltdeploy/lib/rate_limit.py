"""Where transfers under one cap book what they take: one alone, or all of a host, in whatever process."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltdeploy.lib import flock
from saltdeploy.lib.errors import DeployError

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
            with flock.locked(self._path.with_suffix(".lock"), wait=True):
                free_at = max(self._booked(now), now - _BURST) + seconds
                self._path.write_bytes(_FORM.pack(free_at))
                return free_at
        except (DeployError, OSError):
            return mine

    def _booked(self, now: float) -> float:
        """Until when others have booked; 0 where nothing is known of them."""
        try:
            (free_at,) = _FORM.unpack(self._path.read_bytes())
        except (FileNotFoundError, struct.error):  # nobody has, or one was killed over it
            return 0.0
        return float(free_at) if free_at <= now + _FARTHEST else 0.0


_AT_ONCE = 0.25  # seconds of a cap that one piece takes
_PIECE = 1 << 18  # bytes
_SMALLEST_PIECE = 4096


class TooSlow(Exception):
    """Fewer bytes come than the floor allows."""


@dataclass(frozen=True)
class Limits:
    """What a transfer keeps to.

    Attributes:
        connect: seconds in which a server must take a connection.
        answer: seconds in which it must begin to answer.
        silence: seconds that may pass without a byte.
        least, window: so many bytes per second must come, on average over so many seconds.
        rate: so many bytes per second may come at most; 0: as many as will.
        shared: a file in which all transfers under this cap book what they take; None: this one is alone.
    """

    connect: float = 3.0
    answer: float = 10.0
    silence: float = 10.0
    least: float = 16_384.0
    window: float = 15.0
    rate: float = 0.0
    shared: Path | None = None

    @property
    def piece(self) -> int:
        """Bytes to take at once: under a cap many small pieces make an even flow."""
        return min(_PIECE, max(_SMALLEST_PIECE, int(self.rate * _AT_ONCE))) if self.rate else _PIECE

    @property
    def floor(self) -> float:
        """The least rate; our own cap must never look like a slow server."""
        return min(self.least, self.rate / 4) if self.rate else self.least


class Pace:
    """The pace of one transfer.

    Args:
        clock, sleep: seconds, of a clock that never goes back, and is the same for all processes of the host.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._meter: Meter = Shared(limits.shared) if limits.shared else Alone()
        self._since = clock()
        self._came = 0
        self._slept = 0.0

    def took(self, size: int) -> None:
        """So many bytes came: wait if that was too fast.

        Raises:
            TooSlow: it was too slow.
        """
        self._hold_back(size)
        self._came += size
        now = self._clock()
        passed = now - self._since - self._slept  # nobody is slow while we sleep
        if passed < self._limits.window:
            return
        if self._came < self._limits.floor * passed:
            raise TooSlow(f"{self._came} bytes in {passed:.0f} seconds")
        self._since, self._came, self._slept = now, 0, 0.0

    def _hold_back(self, size: int) -> None:
        if not self._limits.rate:
            return
        now = self._clock()
        free_at = self._meter.book(now, size / self._limits.rate)
        if free_at > now:
            self._sleep(free_at - now)
            self._slept += self._clock() - now
