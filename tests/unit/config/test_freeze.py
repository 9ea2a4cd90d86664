"""Freeze windows: when they hold, when they end, and what is wrong with those that is not valid."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy import config
from saltdeploy.config.freeze import Window, active, windows
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError


def at(text: str) -> float:
    """Seconds since the epoch of a moment in UTC."""
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


def one(begin: Any, until: Any, reason: str = "holidays") -> Window:
    (window,) = windows([{"from": begin, "until": until, "reason": reason}])
    return window


@pytest.mark.parametrize(
    ("begin", "until", "now", "ends"),
    [
        ("2026-12-23", "2027-01-01", "2026-12-22 23:59:59", None),
        ("2026-12-23", "2027-01-01", "2026-12-23 00:00", "2027-01-02 00:00"),
        ("2026-12-23", "2027-01-01", "2027-01-01 23:59:59", "2027-01-02 00:00"),
        ("2026-12-23", "2027-01-01", "2027-01-02 00:00", None),
        ("2026-12-23", "2026-12-23", "2026-12-23 12:00", "2026-12-24 00:00"),
        ("2026-12-23T16:00Z", "2026-12-23 18:00", "2026-12-23 17:00", "2026-12-23 18:00"),
        ("2026-12-23T16:00+02:00", "2026-12-23T18:00+02:00", "2026-12-23 14:30", "2026-12-23 16:00"),
        ("2026-12-23T16:00+02:00", "2026-12-23T18:00+02:00", "2026-12-23 16:30", None),
        ("Fri 16:00", "Mon 08:00", "2026-11-27 15:59:59", None),
        ("Fri 16:00", "Mon 08:00", "2026-11-27 16:00", "2026-11-30 08:00"),
        ("Fri 16:00", "Mon 08:00", "2026-11-29 23:59", "2026-11-30 08:00"),
        ("Fri 16:00", "Mon 08:00", "2026-11-30 07:59:59", "2026-11-30 08:00"),
        ("Fri 16:00", "Mon 08:00", "2026-11-30 08:00", None),
        ("tue 09:00", "TUE 10:00", "2026-11-24 09:30", "2026-11-24 10:00"),
        ("tue 10:00", "tue 09:00", "2026-11-24 09:30", None),
        ("tue 10:00", "tue 09:00", "2026-11-24 10:30", "2026-12-01 09:00"),
    ],
)
def test_a_window_holds_from_its_beginning_to_just_before_its_end(
    begin: str, until: str, now: str, ends: str | None
) -> None:
    window = one(begin, until)
    assert active((window,), at(now)) == (window if ends else None)
    assert window.ends(at(now)) == (at(ends) if ends else None)


_MINUTES = st.integers(0, 7 * 24 * 60 - 1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _of_week(minute: int) -> str:
    day, rest = divmod(minute, 24 * 60)
    return f"{_DAYS[day]} {rest // 60:02}:{rest % 60:02}"


@given(_MINUTES, _MINUTES, st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1)))
def test_a_weekly_window_is_what_a_calendar_says(begin: int, end: int, moment: datetime.datetime) -> None:
    if begin == end:
        return
    moment = moment.replace(second=0, microsecond=0)
    minute = moment.weekday() * 24 * 60 + moment.hour * 60 + moment.minute
    inside = begin <= minute < end if begin < end else minute >= begin or minute < end
    window = one(_of_week(begin), _of_week(end))
    ends = window.ends(moment.replace(tzinfo=datetime.timezone.utc).timestamp())
    assert (ends is not None) == inside
    if ends is not None:
        end_moment = datetime.datetime.fromtimestamp(ends, datetime.timezone.utc).replace(tzinfo=None)
        assert moment < end_moment <= moment + datetime.timedelta(days=7)
        assert f"{_DAYS[end_moment.weekday()]} {end_moment:%H:%M}" == _of_week(end)


def test_of_several_the_one_that_ends_last_is_named() -> None:
    found = windows(
        [
            {"from": "2026-12-23", "until": "2026-12-27", "reason": "short"},
            {"from": "2026-12-20", "until": "2027-01-01", "reason": "long"},
            {"from": "Mon 00:00", "until": "Sun 23:59", "reason": "weekly"},
        ]
    )
    now = active(found, at("2026-12-24 12:00"))
    assert now is not None and now.reason == "long"


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (("2026-12-23", "2027-01-01"), "from 2026-12-23 00:00 until 2027-01-02 00:00 UTC: holidays"),
        (("Fri 16:00", "Mon 08:00"), "every week from Fri 16:00 until Mon 08:00 UTC: holidays"),
    ],
)
def test_a_window_says_when_and_why(window: tuple[str, str], said: str) -> None:
    assert str(one(*window)) == said


def test_dates_that_yaml_has_read_already_mean_the_same() -> None:
    day, moment = datetime.date(2026, 12, 23), datetime.datetime(2026, 12, 24, 16, 0)
    assert one(day, moment) == one("2026-12-23", "2026-12-24 16:00")


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ("Fri 16:00", (), "list"),
        ([{"from": "2026-12-23", "until": "2026-12-27"}], ("0",), "needs reason"),
        ([{"from": "2026-12-23", "until": "2026-12-22", "reason": "x"}], ("0",), "later"),
        ([{"from": "Fri 16:00", "until": "Fri 16:00", "reason": "x"}], ("0",), "later"),
        ([{"from": "Fri 16:00", "until": "2026-12-22", "reason": "x"}], ("0",), "day of the week"),
        ([{"from": "Fri 24:00", "until": "Mon 08:00", "reason": "x"}], ("0", "from"), "must be a date"),
        ([{"from": "2026-12-23", "until": "2026-12-32", "reason": "x"}], ("0", "until"), "must be a date"),
        ([{"from": 20261223, "until": "2026-12-27", "reason": "x"}], ("0", "from"), "must be a date"),
        ([{"from": "20261223", "until": "2026-12-27", "reason": "x"}], ("0", "from"), "must be a date"),
        ([{"from": "2026-12-23", "until": "2026-12-27", "reason": ""}], ("0", "reason"), "text"),
        ([{"from": "2026-12-23", "to": "2026-12-27", "reason": "x"}], ("0", "to"), "not a key"),
        (["2026-12-23"], ("0",), "table"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_place(value: Any, path: tuple[str, ...], said: str) -> None:
    with pytest.raises(Wrong, match=said) as caught:
        windows(value)
    assert caught.value.path == path


_WEEKEND = {"from": "Fri 16:00", "until": "Mon 08:00", "reason": "weekend"}
_HOLIDAYS = {"from": "2026-12-23", "until": "2027-01-01", "reason": "holidays"}


def test_a_repo_keeps_the_windows_of_the_fleet_and_its_own() -> None:
    pillar = {
        "deployment_config": {"freeze": [_WEEKEND]},
        "repo_config": {"mediawiki": {"freeze": [_HOLIDAYS]}},
    }
    found = config.load(pillar, "mediawiki").guards.freeze
    assert [window.reason for window in found] == ["weekend", "holidays"]


@pytest.mark.parametrize("section", ["deployment_config", "repo_config:mediawiki"])
def test_an_error_names_the_path_in_the_pillar(section: str) -> None:
    wrong = {"freeze": [_WEEKEND, {**_HOLIDAYS, "until": "soon"}]}
    pillar: dict[str, Any] = {"repo_config": {"mediawiki": {}}}
    if section == "deployment_config":
        pillar["deployment_config"] = wrong
    else:
        pillar["repo_config"]["mediawiki"] = wrong
    with pytest.raises(ConfigError) as caught:
        config.load(pillar, "mediawiki")
    assert caught.value.path == f"{section}:freeze:1:until"
