"""Lines of a host's own log about one stage, as they travel with its answer: few, short, and said when some are left out.

On the wire ``lines`` is a list of ``[seconds since the epoch, level as in Python's logging, text]``, oldest first, and ``lines_cut``
how many older ones there were. Both are left out where there are none; older masters and minions do not know them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from saltdeploy.lib.text import legible

MOST = 20  # lines of a host and stage
LONGEST = 300  # characters of one
_LATEST = 253_402_300_799.0  # the end of the year 9999, in seconds since the epoch
_HIGHEST = 100  # levels


@dataclass(frozen=True)
class HostLine:
    """One line.

    Attributes:
        created: seconds since the epoch, by the clock of the host.
        level: as in Python's logging.
    """

    created: float
    level: int
    text: str


def to_wire(lines: Sequence[HostLine]) -> list[list[float | int | str]]:
    """The lines as they travel."""
    return [[line.created, line.level, line.text] for line in lines[-MOST:]]


def from_wire(data: object) -> tuple[HostLine, ...]:
    """What came as lines, the newest of them; whatever has another form is left out."""
    listed = data[-MOST:] if isinstance(data, (list, tuple)) else ()
    return tuple(line for line in map(_line, listed) if line is not None)


def fitting(lines: Sequence[HostLine], room: int) -> list[list[float | int | str]]:
    """The newest lines, as they travel, in so many bytes of JSON."""
    kept: list[list[float | int | str]] = []
    for line in reversed(to_wire(lines)):
        room -= len(json.dumps(line)) + 2
        if room < 0:
            break
        kept.insert(0, line)
    return kept


def _line(data: object) -> HostLine | None:
    if not isinstance(data, (list, tuple)) or len(data) != 3:
        return None
    created, level, text = data
    if isinstance(created, bool) or not isinstance(created, (int, float)) or not 0 <= created < _LATEST:
        return None
    if type(level) is not int or not 0 <= level <= _HIGHEST or not isinstance(text, str):
        return None
    return HostLine(float(created), level, legible(text[:LONGEST]))
