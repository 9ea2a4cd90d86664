"""The results of the runner as plain text for people: one function per ``view``.

Texts in a result may come from any host, so each passes through ``text.py``; whatever is missing or of a wrong type is
shown as ``-``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from saltdeploy.errors import from_wire
from saltdeploy.watch.text import (
    ago,
    clean,
    count,
    hosts,
    moment,
    natural,
    outcome,
    sentences,
    short,
    size,
    table,
    utc,
)

_ALL_LISTED = 12  # a fleet of up to so many hosts is listed host by host
_MOST_ODD = 20  # so many hosts that are not as they should be are listed by name
_MOST_NAMED = 5
_MOST_HELD = 3
_KEY = 4  # columns: host, state, tag, commit
_USUAL = ("ok", "unchanged", "pinned", "rolled back")
_COLOURS = {"CONVERGED": "1;32", "HELD": "1;33", "ROLLED BACK": "1;33", "MIXED": "1;31"}

View = dict[str, Any]


def render(data: object, *, now: float = 0.0, colour: bool = False) -> str | None:
    """A result of the runner as text.

    Args:
        data: what a function of the runner returned, or a dict of such results by host.
        now: seconds since the epoch, to tell how old something is; 0 leaves that out.
        colour: paint the outcome word.

    Returns:
        Lines without a newline at the end; None when the data is not of a form that is known here.
    """
    if not isinstance(data, dict):
        return None
    show = _VIEWS.get(data["view"]) if isinstance(data.get("view"), str) else None
    if show is not None:
        return "\n".join(show(data, now, colour))
    parts = [(clean(name, 255), render(part, now=now, colour=colour)) for name, part in _nested(data)]
    if not parts or any(text is None for _, text in parts):
        return None
    return "\n".join(f"{name}:\n{text}" for name, text in parts)


def _nested(data: View) -> list[tuple[object, View]]:
    """Results by host; none when there is anything else beside them."""
    whole = all(isinstance(part, dict) and "view" in part for part in data.values())
    return list(data.items()) if whole else []


# -- one function per view ------------------------------------------------------------------------------


def _outcome(view: View, now: float, colour: bool) -> list[str]:
    shown = _mapping(view.get("hosts"))
    previous, tag = clean(view.get("previous")), clean(view.get("tag"))
    before = f", before: {previous}" if previous and previous != tag else ""
    lines = [f"{_repo(view)}: {_release(view)}{before}"]
    lines.append(f"deploy {_cell(view.get('deploy'))}, {_seconds(view.get('seconds'))}")
    if shown:
        heading = ("HOST", "STATE", "TAG", "COMMIT", "FILES", "RECEIVED")
        lines += ["", *table([heading, *_rows(shown, _outcome_cells)])]
    notes = _notes(shown)
    if notes:
        lines += ["", *notes]
    return [*lines, "", *_end(view, colour)]


def _outcome_cells(host: View) -> tuple[str, ...]:
    files, received = count(host.get("files")), count(host.get("bytes"))
    return str(files) if files else "-", size(received) if received else "-"


def _report(view: View, now: float, colour: bool) -> list[str]:
    shown = _mapping(view.get("hosts"))
    pinned = view.get("pinned")
    what = f"{_release(pinned)} is pinned" if isinstance(pinned, dict) else "nothing is pinned"
    lines = [f"{_repo(view)}: {what}"]
    if not shown:
        return [*lines, "no minion takes this repo"]

    def cells(host: View) -> tuple[str, ...]:
        return _seen(host, now), _held(host)

    heading = ("HOST", "STATE", "TAG", "COMMIT", "LAST ANSWER", "ALSO ON DISK")
    lines += ["", *table([heading, *_rows(shown, cells)]), ""]
    notes = _notes(shown)
    if notes:
        lines += [*notes, ""]
    fine = sum(1 for host in shown.values() if host.get("state") == "pinned")
    if isinstance(pinned, dict):
        lines.append(f"{fine}/{len(shown)} hosts run what is pinned")
    next_act = _after_report(view, pinned, shown)
    return [*lines, f"Next: {next_act}"] if next_act else lines


def _after_report(view: View, pinned: object, shown: dict[str, View]) -> str:
    if not isinstance(pinned, dict):
        return f"salt-run deploy.sync repo={_repo(view)} tag=..."
    if any(host.get("state") in ("drift", "nothing") for host in shown.values()):
        tag = shlex.quote(f"tag={clean(pinned.get('tag'))}")
        return f"salt-run deploy.sync repo={_repo(view)} {tag}"
    away = sorted((name for name, host in shown.items() if host.get("state") == "unreachable"), key=natural)
    return f"salt -L {shlex.quote(','.join(away[:_MOST_NAMED]))} test.ping" if away else ""


def _versions(view: View, now: float, colour: bool) -> list[str]:
    versions = [version for version in _list(view.get("versions")) if isinstance(version, dict)]
    if not versions:
        return [f"{_repo(view)}: never deployed"]
    rows = [("TIME", "ACTION", "TAG", "COMMIT", "WHO", "OUTCOME", "DEPLOY")]
    for version in versions:
        rows.append(
            (
                _moment(version.get("time")),
                _cell(version.get("action")),
                _cell(version.get("tag")),
                short(version.get("commit")) or "-",
                _cell(version.get("user")),
                _word(version) or "not ended",
                _cell(version.get("deploy")),
            )
        )
    return [f"{_repo(view)}: its deploys, the newest first", "", *table(rows)]


def _targets(view: View, now: float, colour: bool) -> list[str]:
    names = sorted((clean(name, 255) for name in _list(view.get("hosts"))), key=natural)
    by = f"{_cell(view.get('expression'))} ({_cell(view.get('type'))})"
    if not names:
        return [f"{_repo(view)}: no minion matches {by}"]
    return [f"{_repo(view)}: {hosts(len(names))} by {by}", *names]


def _watched(view: View, now: float, colour: bool) -> list[str]:
    repo = _repo(view)
    of = f" of {clean(view.get('tag'))}" if clean(view.get("tag")) else ""
    lines = [f"{repo}: deploy {_cell(view.get('deploy'))}{of}"]
    if _word(view):
        return [*lines, *_end(view, colour)]
    return [
        *lines,
        "nothing more is heard of it, and it has not told its outcome",
        f"Next: salt-run deploy.report repo={repo}",
    ]


def _error(view: View, now: float, colour: bool) -> list[str]:
    cause, next_act = _told(view.get("error"))
    error = from_wire(view.get("error"))
    lines = [f"Error: {cause} ({error.kind}, status {error.status})"]
    return [*lines, f"Next: {next_act}"] if next_act else lines


_VIEWS: dict[str, Callable[[View, float, bool], list[str]]] = {
    "outcome": _outcome,
    "report": _report,
    "versions": _versions,
    "targets": _targets,
    "watched": _watched,
    "error": _error,
}


# -- hosts ----------------------------------------------------------------------------------------------


def _rows(shown: dict[str, View], cells: Callable[[View], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A row for each host, those first that are not as they should be; in a large fleet equal hosts share a row."""
    listed = []
    for name in sorted(shown, key=lambda name: (*_rank(shown[name]), natural(name))):
        host = shown[name]
        key = (_cell(host.get("state")), _cell(host.get("tag")), short(host.get("live")) or "-")
        listed.append((name, *key, *cells(host)))
    if len(listed) <= _ALL_LISTED:
        return listed
    odd = [row for row in listed if row[1] not in _USUAL][:_MOST_ODD]
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in listed[len(odd) :]:
        groups.setdefault(row[1:_KEY], []).append(row)
    grouped = sorted(groups.values(), key=lambda group: (group[0][1] in _USUAL, len(group)))
    return [*odd, *(_merged(group) for group in grouped)]


def _merged(group: list[tuple[str, ...]]) -> tuple[str, ...]:
    if len(group) == 1:
        return group[0]
    values = [set(column) for column in zip(*group, strict=True)][1:]
    name = hosts(len(group)) if group[0][1] in _USUAL else f"{len(group)} more hosts"
    return (name, *(each.pop() if len(each) == 1 else "various" for each in values))


def _rank(host: View) -> tuple[bool, str]:
    state = _cell(host.get("state"))
    return state in _USUAL, state


def _notes(shown: dict[str, View]) -> list[str]:
    """What hosts have to say, each thing once: errors, and where an old directory went."""
    said: dict[str, tuple[list[str], str]] = {}
    for name in sorted(shown, key=natural):
        host = shown[name]
        if isinstance(host.get("error"), dict):
            error = host["error"]
            path = clean(error.get("path"))
            text = f"{path}: {clean(error.get('cause'))}" if path else clean(error.get("cause"))
            said.setdefault(text, ([], clean(error.get("next"))))[0].append(name)
        if aside := clean(host.get("moved_aside")):
            said.setdefault(f"what lay there before is now {aside}", ([], ""))[0].append(name)
    return [f"{_some(names)}: {sentences(text, next_act)}" for text, (names, next_act) in said.items()]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _seen(host: View, now: float) -> str:
    if host.get("reachable") is True:
        return "now"
    seen = moment(host.get("seen"))
    if seen is None:
        return "never"
    return f"{utc(seen)} ({ago(now - seen)})" if now else utc(seen)


def _held(host: View) -> str:
    live = (clean(host.get("tag")), clean(host.get("live")))
    others = [clean(each) for each in _list(host.get("held")) if clean(each) not in live]
    names = [short(each) if len(each) in (40, 64) else each for each in others]
    more = f" and {len(names) - _MOST_HELD} more" if len(names) > _MOST_HELD else ""
    return ", ".join(names[:_MOST_HELD]) + more or "-"


# -- pieces ---------------------------------------------------------------------------------------------


def _end(view: View, colour: bool) -> list[str]:
    """How it ended; the outcome word stands last."""
    reason, next_act = clean(view.get("reason"), 2000), clean(view.get("next"), 1000)
    lines = [f"Reason: {reason}"] if reason else []
    if next_act:
        lines.append(f"Next: {next_act}")
    code = _COLOURS.get(clean(view.get("outcome"), 32), "1") if colour else ""
    return [*lines, f"\033[{code}m{_word(view)}\033[0m" if code else _word(view)]


def _word(view: View) -> str:
    word = clean(view.get("outcome"), 32)
    return outcome(word, count(view.get("ok")), count(view.get("total"))) if word else ""


def _told(wire: object) -> tuple[str, str]:
    error = from_wire(wire)
    next_act, error.next = clean(error.next, 1000), ""
    return clean(str(error), 2000), next_act


def _release(view: View) -> str:
    return f"{_cell(view.get('tag'))} ({short(view.get('commit')) or '-'})"


def _repo(view: View) -> str:
    return _cell(view.get("repo"))


def _cell(value: object) -> str:
    return clean(value, 200) or "-"


def _moment(value: object) -> str:
    found = moment(value)
    return "-" if found is None else utc(found)


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, (int, float)) and abs(value) < 10**9 else "-"


def _mapping(value: object) -> dict[str, View]:
    if not isinstance(value, dict):
        return {}
    return {clean(name, 255) or "-": host for name, host in value.items() if isinstance(host, dict)}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
