"""Words and numbers for people's eyes: safe to print, short, the same in every view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

HELD = "HELD"  # the one outcome without numbers: no host has changed

# colours and window titles; what is left of other sequences loses its control characters below
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
_SPACE = re.compile(r"\s+")
_MOST = 2**63
_LATEST = 253_402_300_799.0  # the end of the year 9999, in seconds since the epoch


def clean(value: object, longest: int = 500) -> str:
    """One line of printable text; without this a hostile host could move the cursor and rewrite the screen.

    Args:
        value: from an event or an answer; anything but text and numbers becomes "".
        longest: characters that may remain; the last one is an ellipsis when some were cut off.
    """
    if isinstance(value, (int, float)):
        return str(value)[:longest] if abs(value) < _MOST else ""
    if not isinstance(value, str):
        return ""
    plain = _SPACE.sub(" ", _SEQUENCE.sub("", value[: 4 * longest])).strip()
    plain = "".join(char if char.isprintable() else "?" for char in plain)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def count(value: object) -> int:
    """A number of something; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        return 0
    return int(value)


def moment(value: object) -> float | None:
    """A time in seconds since the epoch, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _LATEST:
        return None
    return float(value)


def short(commit: object) -> str:
    """The first seven digits of a commit id.

    >>> short("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678")
    'a1b2c3d'
    """
    return clean(commit)[:7]


def hosts(number: int) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} host" if number == 1 else f"{number} hosts"


def clock(seconds: float) -> str:
    """A duration as ``00:31``, or ``1:00:31`` from an hour on."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def duration(seconds: float) -> str:
    """A duration as scap says it: ``00m 31s``."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes:02}m {rest:02}s"


def ago(seconds: float) -> str:
    """How long ago something was, in one unit: ``40 s ago``, ``3 d ago``."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{int(max(0.0, seconds))} s ago"


def outcome(word: str, ok: int, total: int) -> str:
    """``CONVERGED 5/5``, ``HELD``."""
    return word if word == HELD else f"{word} {ok}/{total}"


def some(named: Sequence[str], most: int = 5) -> str:
    """Names, the first ones if they are many: ``web1, web2 and 8 more``."""
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more


def with_next(cause: str, next_act: str) -> str:
    """What happened and what to do, as one line: ``the disk is full. Next: df -h /srv``."""
    told = cause.rstrip(".")
    return f"{told}. Next: {next_act}" if next_act else told


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts ``web2`` before ``web10``."""
    return [(int(part[:18]), part) if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines with aligned columns; the first row is the heading."""
    cells = list(rows)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
