"""A time axis on which an hour of waiting takes no more room than it deserves."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_GAP = 0.05  # of all time in which somebody works


class TimeAxis:
    """Moments to places from 0 to 1.

    Args:
        spans: begin and end of whatever has to be seen; between them nothing happens, and what is long there is cut short.
    """

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        self._busy: list[tuple[float, float]] = []
        for begin, end in sorted(spans):
            end = max(begin, end)
            if self._busy and begin <= self._busy[-1][1]:
                self._busy[-1] = (self._busy[-1][0], max(end, self._busy[-1][1]))
            else:
                self._busy.append((begin, end))
        worked = sum(end - begin for begin, end in self._busy) or 1.0
        self._most = worked * _LONGEST_GAP
        self._length = self._at(self._busy[-1][1]) if self._busy else 0.0

    def place(self, moment: float) -> float:
        """Where a moment stands: never before an earlier one."""
        return min(1.0, max(0.0, self._at(moment) / self._length)) if self._length else 0.0

    def cuts(self) -> list[tuple[float, float]]:
        """Of each gap that was cut short: its place, and how many seconds it lasted."""
        ends = zip(self._busy, self._busy[1:], strict=False)
        return [
            (self.place(before[1]), after[0] - before[1])
            for before, after in ends
            if after[0] - before[1] > self._most
        ]

    def _at(self, moment: float) -> float:
        """Seconds from the begin, with long gaps cut short."""
        passed, last = 0.0, moment
        for place, (begin, end) in enumerate(self._busy):
            if place and begin > last:
                part = min(1.0, max(0.0, (moment - last) / (begin - last)))
                passed += part * min(begin - last, self._most)
            passed += max(0.0, min(moment, end) - begin)
            last = end
        return passed
