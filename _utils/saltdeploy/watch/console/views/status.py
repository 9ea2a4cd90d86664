"""A line for each host of a fleet, the verdict first: what they run, and whether they hold what they should."""

from __future__ import annotations

from saltdeploy.watch.console.views import answers
from saltdeploy.watch.console.views.common import (
    View,
    before,
    cell,
    mapping,
    part,
    release,
    repo,
    unfinished,
    views,
)
from saltdeploy.watch.console.views.fleet import next_of_fleet
from saltdeploy.watch.console.views.hosts import notes, seen
from saltdeploy.watch.text import clean, hosts, natural, short

_WIDTH = 11  # columns: the longest verdict
_FINE = "pinned"
_NEVER = "UNREACHABLE"


def status(view: View, now: float, colour: bool) -> list[str]:
    """The view ``status``: what ``report`` tells, as lines that can be sorted and searched."""
    shown = mapping(view.get("hosts"))
    pinned, partial = part(view, "pinned"), views(view.get("partly_pinned"))
    told = clean(part(view, "unrecorded").get("told"), 1000)
    lines = [f"{repo(view)}: {told}", ""] if told else []
    lines += unfinished(view)
    if not shown:
        return [*lines, f"{repo(view)}: no minion takes this repo"]
    lines += [_line(name, shown[name], now) for name in sorted(shown, key=lambda each: _rank(each, shown))]
    lines.append("")
    if remarks := notes(shown):
        lines += [*remarks, ""]
    fine = sum(1 for host in shown.values() if host.get("state") == _FINE)
    what = f": {release(pinned)}" if pinned else ""
    lines.append(f"{repo(view)}: {fine}/{len(shown)} hosts run what is pinned{what}")
    if not part(view, "unfinished"):
        lines += before(view)
    next_act = next_of_fleet(view, shown, pinned or None, partial)
    return [*lines, f"Next: {next_act}"] if next_act else lines


def _rank(name: str, shown: dict[str, View]) -> tuple[bool, str, list[tuple[int, str]]]:
    state = cell(shown[name].get("state"))
    return state == _FINE, state, natural(name)


def _line(name: str, host: View, now: float) -> str:
    state = cell(host.get("state"))
    word = "ok" if state == _FINE else state.upper()
    live = f"{cell(host.get('tag'))} ({short(host.get('live'))})" if short(host.get("live")) else "nothing"
    away = "" if host.get("reachable") is True else f", last answer {seen(host, now)}"
    return f"{word:<{_WIDTH}} {name}: {live}{away}"


def statuses(view: View, now: float, colour: bool) -> list[str]:
    """The view ``statuses``: several repos, one after the other."""
    lines: list[str] = []
    for each in views(view.get("repos")):
        lines += ["", *status(each, now, colour)] if lines else status(each, now, colour)
    return lines or ["no repo is in the pillar"]


def verified(view: View, now: float, colour: bool) -> list[str]:
    """The view ``verified``."""
    found = view["hosts"] if isinstance(view.get("hosts"), dict) else {}
    bad: list[str] = []
    fine: list[str] = []
    for name in sorted(found, key=lambda each: natural(clean(each, 255))):
        if not isinstance(found[name], dict):
            bad.append(f"{_NEVER} {clean(name, 255)}: {repo(view)}: no answer in {_seconds(view)} s")
        elif (told := answers.lines(found[name])) and told[0].startswith("ok "):
            fine += told
        else:
            bad += told
    read = f"part {clean(view.get('part'), 16)} read" if clean(view.get("part")) else "by size and times"
    read = "every byte read" if view.get("full") is True else read
    number = sum(1 for line in fine if line.startswith("ok "))
    return [*bad, *fine, "", f"{repo(view)}: {number}/{hosts(len(found))} hold what they should ({read})"]


def _seconds(view: View) -> str:
    wait = view.get("wait")
    return f"{wait:.0f}" if isinstance(wait, (int, float)) and abs(wait) < 1e9 else "-"
