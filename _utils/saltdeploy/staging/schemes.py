"""How the next tag of a repo is called: pure functions of the tags that there are and of the time.

A number follows the greatest there is, never the count: after a cleanup a count would give a number twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from saltdeploy.lib.errors import BadArguments

_SEMVER = re.compile(
    r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
PARTS = ("patch", "minor", "major")

Version = tuple[tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]


def release(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """``release/2026-11-23/1``, then ``/2``; days are those of UTC."""
    day = f"release/{now.astimezone(timezone.utc):%Y-%m-%d}/"
    return f"{day}{_greatest(tags, day) + 1}"


def scap(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """``scap/sync/2026-11-23/0001``, as scap calls them."""
    day = f"scap/sync/{now.astimezone(timezone.utc):%Y-%m-%d}/"
    return f"{day}{_greatest(tags, day) + 1:04d}"


def sync(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """``<repo>-sync-20261123-120000``, as Trigger calls them: in local time."""
    return _at_a_time(set(tags), now, f"{repo}-sync-%Y%m%d-%H%M%S")


def start(tags: Iterable[str], repo: str, now: datetime) -> str:
    """``<repo>-start-20261123-120000``, as Trigger calls where a deployment began; no release has such a name."""
    return _at_a_time(set(tags), now, f"{repo}-start-%Y%m%d-%H%M%S")


def timestamp(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """``scap_2026-11-23T12-00-00Z``."""
    return _at_a_time(set(tags), now.astimezone(timezone.utc), "scap_%Y-%m-%dT%H-%M-%SZ")


def semver(tags: Iterable[str], repo: str, now: datetime, part: str) -> str:
    """``v1.2.3``: the next patch, minor or major version of the greatest; of a pre-release, the version that it precedes.

    Raises:
        BadArguments: ``part`` is none of these.
    """
    if part not in ("", *PARTS):
        raise BadArguments(f"next={part} is none of {', '.join(PARTS)}", repo=repo, next="next=patch")
    found = max(filter(None, map(version, tags)), default=((0, 0, 0), True, ()))
    (major, minor, patch), is_final, _ = found
    if part == "major":
        reached = (major, 0, 0) if not is_final and not (minor or patch) else (major + 1, 0, 0)
    elif part == "minor":
        reached = (major, minor, 0) if not is_final and not patch else (major, minor + 1, 0)
    else:
        reached = (major, minor, patch if not is_final else patch + 1)
    return "v{}.{}.{}".format(*reached)


def version(tag: str) -> Version | None:
    """What tags of the scheme ``semver`` are ordered by; None for another tag."""
    found = _SEMVER.fullmatch(tag)
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    names = tuple((0, int(each), "") if each.isdecimal() else (1, 0, each) for each in (pre or "").split("."))
    return (int(major), int(minor), int(patch)), pre is None, names if pre else ()


def _greatest(tags: Iterable[str], day: str) -> int:
    rests = (tag.removeprefix(day) for tag in tags if tag.startswith(day))
    return max((int(rest) for rest in rests if rest.isascii() and rest.isdecimal()), default=0)


def _at_a_time(tags: set[str], now: datetime, form: str) -> str:
    """This second, or the one behind the newest tag of this form: a tag that was deleted is not given again."""
    naive = now.replace(microsecond=0, tzinfo=None)  # as in the tags
    behind = [each + timedelta(seconds=1) for each in filter(None, (_time_of(tag, form) for tag in tags))]
    return max([naive, *behind]).strftime(form)


def _time_of(tag: str, form: str) -> datetime | None:
    """The time that a tag of this form names; None for another tag."""
    try:
        found = datetime.strptime(tag, form)
    except ValueError:
        return None
    return found if found.strftime(form) == tag else None  # strptime takes fewer digits as well
