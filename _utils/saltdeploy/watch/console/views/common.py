"""What several views show: releases, outcomes, names of hosts, cells of tables.

Texts in a result may come from any host, so each passes through ``text.py``; whatever is missing or of a wrong type is
shown as ``-``.
"""

from __future__ import annotations

from typing import Any

from saltdeploy.lib.text import utc
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.protocol.merkle import is_root
from saltdeploy.watch.text import clean, count, moment, outcome, short, some

View = dict[str, Any]

_COLOURS = {"CONVERGED": "1;32", "HELD": "1;33", "ROLLED BACK": "1;33", "MIXED": "1;31"}


def end(view: View, colour: bool) -> list[str]:
    """How a deploy ended; the outcome word stands last."""
    reason, next_act = clean(view.get("reason"), 2000), clean(view.get("next"), 1000)
    lines = [f"Reason: {reason}"] if reason else []
    if next_act:
        lines.append(f"Next: {next_act}")
    code = _COLOURS.get(clean(view.get("outcome"), 32), "1") if colour else ""
    return [*lines, f"\033[{code}m{word(view)}\033[0m" if code else word(view)]


def word(view: View) -> str:
    """``CONVERGED 5/5``; "" when it has not ended."""
    said = clean(view.get("outcome"), 32)
    return outcome(said, count(view.get("ok")), count(view.get("total"))) if said else ""


def release(view: View) -> str:
    """``release/2026-11-23/1 (a1b2c3d)``."""
    return f"{cell(view.get('tag'))} ({short(view.get('commit')) or '-'})"


def before(view: View) -> list[str]:
    """Where a roll back leads, if that is known."""
    tag = clean(view.get("before"), 200)
    return [f"deploy.rollback leads to {tag}"] if tag else []


_BECAME = {
    "preparing": "is being prepared",
    "running": "runs",
    "waiting": "waits for an answer",
    "died": "has died: its process ended before it told an outcome",
}


def unfinished(view: View) -> list[str]:
    """That a deploy has not ended: this comes before all else, with a blank line behind."""
    found = part(view, "unfinished")
    if not found:
        return []
    known = [clean(found.get(key), 200) for key in ("action", "tag")]
    what = " of ".join(filter(None, known)).replace("rollback of", "rollback to")
    by = f"by {clean(found.get('user'), 64)}" if clean(found.get("user"), 64) else ""
    about = " ".join(filter(None, (what, by)))
    state = clean(found.get("state"), 32)
    said = f"deploy {cell(found.get('deploy'))}{f' ({about})' if about else ''} {_BECAME.get(state, state)}"
    asked = f": {clean(found.get('question'), 2000)}" if clean(found.get("question"), 2000) else ""
    return [f"{repo(view)}: {said}{asked}", ""]


def next_of_unfinished(view: View) -> str:
    """The command that leads on from a deploy that has not ended; "" where there is none."""
    return clean(part(view, "unfinished").get("next"), 1000)


def part(view: View, key: str) -> View:
    """A part of the view; {} where there is none."""
    found = view.get(key)
    return found if isinstance(found, dict) else {}


def digest(value: object) -> str:
    """The root of a tree; "" where that is not one."""
    return clean(value, 64) if is_root(value) else ""


def repo(view: View) -> str:
    """The name of the repo."""
    return cell(view.get("repo"))


def cell(value: object) -> str:
    """A short text."""
    return clean(value, 200) or "-"


def time_of(value: object) -> str:
    """A moment in UTC."""
    found = moment(value)
    return "-" if found is None else utc(found)


def travels(view: View) -> list[str]:
    """How the release travels to whom, where somebody or something made a difference."""
    ways = views(view.get("ways"))
    if len({clean(way.get("transport"), 64) for way in ways}) < 2 and not any(way.get("why") for way in ways):
        return []
    return [f"{_way(way)}: {some(called(way.get('hosts')))}" for way in ways]


def _way(way: View) -> str:
    return clean(way.get("why"), 500) or f"transport {cell(way.get('transport'))}"


def called(value: object) -> list[str]:
    """A list of names: of hosts, of checks."""
    return [clean(each, 255) or "-" for each in listed(value)]


def mapping(value: object) -> dict[str, View]:
    """Something by host."""
    if not isinstance(value, dict):
        return {}
    return {clean(name, 255) or "-": host for name, host in value.items() if isinstance(host, dict)}


def mapping_of_lists(value: object) -> dict[str, list[View]]:
    """Several dicts by host."""
    if not isinstance(value, dict):
        return {}
    return {clean(name, 255) or "-": views(each) for name, each in value.items()}


def listed(value: object) -> list[Any]:
    """A list; empty when it is none."""
    return list(value) if isinstance(value, (list, tuple)) else []


def views(value: object) -> list[View]:
    """A list of dicts; what is none is left out."""
    return [each for each in listed(value) if isinstance(each, dict)]


_ABORT = "abort"


def told(view: View, now: float, colour: bool) -> list[str]:
    """The view ``told``: what became of an abort or an answer."""
    what, first = cell(view.get("what")), view.get("counted") is True
    if what == _ABORT:
        said = "is told to stop: no further host starts" if first else "had been told to stop before"
    elif first:
        said = f"is answered: {what}"
    else:
        said = f"had another answer before: {what} does not count"
    deploy = cell(view.get("deploy"))
    return [f"{repo(view)}: deploy {deploy} {said}", f"Next: salt-run deploy.watch id={deploy}"]


def detached(view: View, now: float, colour: bool) -> list[str]:
    """The view ``detached``: a deploy that is no longer looked at."""
    deploy = cell(view.get("deploy"))
    if not clean(view.get("repo")):
        return [f"deploy {deploy} has given no sign yet", f"Next: salt-run deploy.watch id={deploy}"]
    if view.get("stopping") is True:
        said = "is told to stop, and goes on until its hosts have ended"
        return [f"{repo(view)}: deploy {deploy} {said}", f"Next: salt-run deploy.watch id={deploy}"]
    return [
        f"{repo(view)}: deploy {deploy} runs on",
        f"Next: salt-run deploy.watch id={deploy}; to stop it: salt-run deploy.abort id={deploy}",
    ]


def error(view: View, now: float, colour: bool) -> list[str]:
    """The view ``error``."""
    found = from_wire(view.get("error"))
    next_act, found.next = clean(found.next, 1000), ""
    lines = [f"Error: {clean(str(found), 2000)} ({found.kind}, status {found.status})"]
    return [*lines, f"Next: {next_act}"] if next_act else lines
