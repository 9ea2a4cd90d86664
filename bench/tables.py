"""Figures as a person reads them, and tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTHING = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown: the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def seconds(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def size(count: float | None) -> str:
    """Bytes, in decimal units."""
    if count is None:
        return NOTHING
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if abs(count) >= least:
            return f"{count / least:.1f} {unit}" if count < 100 * least else f"{count / least:.0f} {unit}"
    return f"{count:.0f} B"


def ratio(value: float | None, base: float | None) -> str:
    """How many times the base a value is."""
    if value is None or not base:
        return NOTHING
    times = value / base
    return f"{times:.0f} ×" if times >= 10 else f"{times:.1f} ×" if times >= 1.95 else f"{times:.2f} ×"
