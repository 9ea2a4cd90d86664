"""Freeze windows: when nothing may be deployed. Dates, or the same hours of every week; all of it in UTC."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?P<time>[T ].+)?")
_WEEKLY = re.compile(rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)", re.IGNORECASE)
_DAY = 86_400.0
_WEEK = 7 * _DAY
_A_MONDAY = 4 * _DAY  # 1970-01-05


@dataclass(frozen=True)
class Window:
    """A time in which nothing is deployed; ``begin`` belongs to it, ``end`` does not.

    Attributes:
        begin, end: seconds since the epoch; of a weekly window, since Monday 0:00.
        reason: why, for whoever is refused.
        weekly: it comes back every week, and may reach over Sunday.
    """

    begin: float
    end: float
    reason: str
    weekly: bool = False

    def __str__(self) -> str:
        """When it begins and ends, and why."""
        begin, end = (self._moment(moment) for moment in (self.begin, self.end))
        return f"{'every week ' if self.weekly else ''}from {begin} until {end} UTC: {self.reason}"

    def _moment(self, moment: float) -> str:
        when = datetime.datetime.fromtimestamp(
            moment + (_A_MONDAY if self.weekly else 0), datetime.timezone.utc
        )
        day = _DAYS[when.weekday()].capitalize() if self.weekly else f"{when:%Y-%m-%d}"
        return f"{day} {when:%H:%M}"

    def ends(self, now: float) -> float | None:
        """When the freeze that holds at ``now`` ends; None when it does not hold."""
        if not self.weekly:
            return self.end if self.begin <= now < self.end else None
        length = (self.end - self.begin) % _WEEK
        passed = (now - _A_MONDAY - self.begin) % _WEEK
        return now + length - passed if passed < length else None


def active(windows: tuple[Window, ...], now: float) -> Window | None:
    """The window that holds at ``now``, of several the one that ends last."""
    holding = [(ends, window) for window in windows if (ends := window.ends(now)) is not None]
    return max(holding, key=lambda each: each[0])[1] if holding else None


def windows(value: Any) -> tuple[Window, ...]:
    """``freeze``: a list of ``{from, until, reason}``.

    A moment is a date (``2026-12-23``), a date and time (``2026-12-23T16:00Z``), or a time of the week
    (``Fri 16:00``). A date alone means its beginning after ``from`` and its end after ``until``.
    """
    known: dict[str, Callable[[Any], Any]] = {"from": _begin, "until": _end, "reason": values.text}
    if not isinstance(value, list):
        raise Wrong("must be a list of tables with from, until and reason")
    found = []
    for number, entry in enumerate(value):
        fields = values.table(entry, known, required=tuple(known), path=(number,))
        try:
            found.append(_window(fields["from"], fields["until"], fields["reason"]))
        except Wrong as error:
            raise error.below(number) from None
    return tuple(found)


def _window(begin: tuple[float, bool], end: tuple[float, bool], reason: str) -> Window:
    (begins, weekly), (ends, weekly_too) = begin, end
    if weekly != weekly_too:
        raise Wrong("one of from and until is a day of the week, the other is a date")
    if begins == ends or (ends < begins and not weekly):
        raise Wrong("until must be later than from")
    return Window(begins, ends, reason, weekly)


def _begin(value: Any) -> tuple[float, bool]:
    return _moment(value, 0.0)


def _end(value: Any) -> tuple[float, bool]:
    return _moment(value, _DAY)


def _moment(value: Any, rest_of_day: float) -> tuple[float, bool]:
    """Seconds, and whether they count from Monday; a date alone is moved by ``rest_of_day``."""
    text = value.isoformat() if isinstance(value, datetime.date) else value  # YAML reads dates by itself
    text = text.strip() if isinstance(text, str) else ""
    if weekly := _WEEKLY.fullmatch(text):
        day = _DAYS.index(weekly[1].lower())
        return day * _DAY + int(weekly[2]) * 3600.0 + int(weekly[3]) * 60.0, True
    dated = _DATED.fullmatch(text)
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text) if dated else "")
    except ValueError:
        raise Wrong(
            "must be a date (2026-12-23), a date and time (2026-12-23T16:00Z) or a time of the week (Fri 16:00)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    alone = dated is not None and dated["time"] is None
    return moment.timestamp() + (rest_of_day if alone else 0.0), False
