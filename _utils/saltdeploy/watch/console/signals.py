"""What somebody tells the process that looks on at a deploy by Ctrl-C, or an init system by SIGTERM; no traceback follows."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class LookingOn:
    """While one looks on, the first Ctrl-C stops the deploy, the second one leaves it alone; SIGTERM leaves at once.

    Use as a context manager. In a thread of somebody else's process signals are left as they are.

    Args:
        stop: tells the deploy to stop; None where one only watches: then the first Ctrl-C leaves.

    Attributes:
        stops: the deploy was told to stop.
        leaves: nobody wants to look on any more.
    """

    def __init__(self, stop: Callable[[], object] | None = None) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self.stops = self.leaves = False

    def __enter__(self) -> LookingOn:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM or self._stop is None or self.stops:
            self.leaves = True
            return
        self.stops = True
        self._stop()
        print("Stopping. Ctrl-C again leaves it to itself.", file=sys.stderr, flush=True)
