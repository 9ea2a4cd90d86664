"""Tags by the week of the year: 2026-W48.1, 2026-W48.2."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def weekly(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """What comes next in this week."""
    week = f"{now:%G-W%V}."
    return f"{week}{max((int(tag[len(week) :]) for tag in tags if tag.startswith(week)), default=0) + 1}"
