"""What a deploy would change."""

from __future__ import annotations

from collections.abc import Iterable

from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import size
from saltdeploy.watch.console.views.common import (
    View,
    called,
    cell,
    listed,
    mapping,
    part,
    release,
    repo,
    travels,
    views,
)
from saltdeploy.watch.text import clean, count, natural, short, some, table

_MOST_NAMED = 3
_MOST_LEFT_OUT = 20
_MOST_REMARKS = 20
_LIMITS = "(counted in each group by itself; what a group does not say is as the repo says)"


def plan(view: View, now: float, colour: bool) -> list[str]:
    """The view ``plan``."""
    previous = clean(view.get("previous"))
    before = f", pinned now: {previous}" if previous else ", nothing is pinned now"
    lines = [f"{repo(view)}: plan of {release(view)}{before}"]
    said = _overrides(view)
    lines += [f"for this deploy alone: {' '.join(said)}"] if said else []
    for block in (_waves(view), _hosts(view), _checks(view), _config(view), _remarks(view)):
        lines += ["", *block] if block else []
    return [*lines, "", *_next(view)]


def _overrides(view: View) -> list[str]:
    """What counts in place of the pillar's keys, as arguments."""
    said = part(view, "overrides").items()
    return [argument(clean(key), clean(value) if isinstance(value, str) else value) for key, value in said]


def _waves(view: View) -> list[str]:
    waves = views(view.get("waves"))
    rows = [
        (
            clean(wave.get("name")) or "all",
            str(len(listed(wave.get("hosts")))),
            _number(wave, "window"),
            _number(wave, "limit"),
        )
        for wave in waves
    ]
    shown = table([("GROUP", "HOSTS", "AT ONCE", "MAY FAIL"), *rows]) if rows else []
    policies = map(clean, listed(view.get("policies"))[:_MOST_REMARKS])
    return [*shown, *([_LIMITS] if len(rows) > 1 else []), *policies]


def _hosts(view: View) -> list[str]:
    """Hosts with the same numbers share a line; those that did not answer come first."""
    alike: dict[tuple[str, ...], list[str]] = {}
    shown = mapping(view.get("hosts"))
    for name in sorted(shown, key=lambda name: (not shown[name].get("unreachable"), natural(name))):
        alike.setdefault(_numbers(shown[name]), []).append(name)
    rows = [(str(len(names)), some(names, _MOST_NAMED), *numbers) for numbers, names in alike.items()]
    heading = ("HOSTS", "NAMES", "FROM", "ADDED", "CHANGED", "REMOVED", "TO RECEIVE")
    return table([heading, *rows]) if rows else ["no minion takes this repo"]


def _numbers(host: View) -> tuple[str, ...]:
    if host.get("unreachable"):
        return ("unreachable", "-", "-", "-", "-")
    come = clean(host.get("from"))
    came = short(come) if len(come) in (40, 64) else come or "nothing"
    return (
        came,
        *(_number(host, key) for key in ("added", "changed", "removed")),
        size(count(host.get("bytes"))),
    )


def _checks(view: View) -> list[str]:
    """The checks in the order in which a deploy comes to them; who has moved one would like to know why."""
    rows = [
        (cell(row.get("check")), cell(row.get("kind")), _place(row), cell(row.get("source")))
        for row in views(view.get("places"))
    ]
    moved = [
        f"{cell(row.get('check'))}: {cell(row.get('source'))} says {cell(row.get('said'))}; it asks processes, "
        "and runs when they are restarted"
        for row in views(view.get("places"))
        if row.get("said")
    ]
    return [*table([("CHECK", "KIND", "RUNS", "FROM"), *rows]), *moved[:_MOST_REMARKS]] if rows else []


def _place(row: View) -> str:
    if row.get("idle"):
        return f"never: there is no group {cell(row.get('group'))}"
    group = f", group {cell(row.get('group'))}" if row.get("group") else ""
    master = ", on the master" if row.get("where") == "master" else ""
    return f"{cell(row.get('place'))}{group}{master}"


def _config(view: View) -> list[str]:
    """What would change in configuration files; hosts with the same difference together."""
    alike: dict[tuple[str, str], list[str]] = {}
    shown = mapping(view.get("config"))
    for host in sorted(shown, key=natural):
        for path, text in shown[host].items():
            alike.setdefault((clean(path), str(text)), []).append(host)
    lines = []
    for (path, text), those in alike.items():
        said = [clean(line, 500) for line in text.splitlines()]
        if path == "error":
            lines += [f"Configuration files cannot be rendered on {some(those)}: {clean(text)}"]
        elif len(said) == 1:
            lines += [f"{path} on {some(those)}: {said[0]}"]
        else:
            lines += [f"{path} on {some(those)}:", *(f"  {line}" for line in said)]
    return lines


def _remarks(view: View) -> list[str]:
    left_out = some(called(view.get("left_out")), _MOST_LEFT_OUT)
    return [
        *travels(view),
        *_each("Restarts", called(view.get("restarts"))),
        *([] if view.get("places") else _each("Checks", called(view.get("checks")))),
        *map(clean, listed(view.get("remarks"))[:_MOST_REMARKS]),
        *([f"Left out by the limit: {left_out}"] if left_out else []),
        *(f"Guard: {clean(text)}" for text in listed(view.get("guards"))[:_MOST_REMARKS]),
    ]


def _each(title: str, found: Iterable[str]) -> list[str]:
    said = ", ".join(found)
    return [f"{title}: {said}"] if said else []


def _next(view: View) -> list[str]:
    """The command that does just this; where a guard prevents it, that is to be looked at first."""
    known = clean(view.get("hash"))
    limit, once = clean(view.get("limit"), 1000), clean(view.get("once"), 64)
    words = [
        argument("repo", repo(view)),
        _release_argument(view),
        argument("limit", limit) if limit else "",
        argument("transport", once) if once else "",
        *_overrides(view),
        argument("plan", known),
    ]
    command = " ".join(["salt-run deploy.sync", *filter(None, words)])
    if listed(view.get("guards")):
        return [f"Plan: {known}", f"Next: {_behind_guards(view, command)}"]
    return [f"Plan: {known}", f"Next: {command}"]


def _behind_guards(view: View, command: str) -> str:
    """What to do where guards refuse: they are forced by their names, so that no other one is; some are not forced at all."""
    forced = clean(view.get("forced_by"))
    if forced:
        return f"look at what the guards say; to deploy all the same: {command} {argument('force', forced)}"
    first = next(
        (clean(said.get("next"), 1000) for said in views(view.get("refusals")) if said.get("next")), ""
    )
    return first or "do as the guards say; one of them cannot be forced"


def _release_argument(view: View) -> str:
    """``tag=v1``; ``branch=main`` or ``commit=abc1234`` where that was asked for."""
    kind, _, name = clean(view.get("revision"), 300).partition(" ")
    return argument(kind, name) if name else argument("tag", clean(view.get("tag")))


def _number(view: View, key: str) -> str:
    return str(count(view.get(key)))
