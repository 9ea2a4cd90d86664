"""Who holds what: locks by hand, and deploys that run."""

from __future__ import annotations

from saltdeploy.watch.console.views.common import View, cell, time_of, views
from saltdeploy.watch.text import clean, table


def locks(view: View, now: float, colour: bool) -> list[str]:
    """The view ``locks``."""
    by_hand = [lock for lock in views(view.get("locks")) if not clean(lock.get("deploy"))]
    running = views(view.get("running"))
    removed = view.get("removed")
    lines = [_removed(removed)] if isinstance(removed, dict) else []
    if by_hand:
        heading = ("LOCKED", "WHO", "SINCE", "UNTIL", "FROM", "REASON")
        lines += table([heading, *map(_lock, by_hand)])
    if running:
        heading = ("DEPLOYING", "WHO", "SINCE", "DEPLOY", "FROM", "REASON")
        lines += (
            ["", *table([heading, *map(_deploy, running)])]
            if lines
            else table([heading, *map(_deploy, running)])
        )
    return lines or ["nothing is locked, and no deploy runs"]


def _removed(lock: View) -> str:
    reason = f": {clean(lock.get('reason'))}" if clean(lock.get("reason")) else ""
    return f"unlocked: {_scope(lock)}, locked by {cell(lock.get('user'))} on {time_of(lock.get('since'))}{reason}"


def _lock(lock: View) -> tuple[str, ...]:
    who, since, place, reason = _common(lock)
    until = "-" if lock.get("until") is None else time_of(lock.get("until"))
    return _scope(lock), who, since, until, place, reason


def _deploy(lock: View) -> tuple[str, ...]:
    who, since, place, reason = _common(lock)
    return _scope(lock), who, since, cell(lock.get("deploy")), place, reason


def _common(lock: View) -> tuple[str, str, str, str]:
    user, host, reason = (cell(lock.get(key)) for key in ("user", "host", "reason"))
    return user, time_of(lock.get("since")), host, reason


def _scope(lock: View) -> str:
    """``everything``, ``mediawiki``, ``mediawiki, group canary``."""
    kind, _, rest = cell(lock.get("scope")).partition(":")
    if kind == "group":
        repo, _, group = rest.rpartition("/")
        return f"{repo}, group {group}"
    return "everything" if kind == "global" else rest or kind
