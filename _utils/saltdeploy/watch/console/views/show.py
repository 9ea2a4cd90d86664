"""One deploy that has been, or is: how it went on each host."""

from __future__ import annotations

from saltdeploy.lib.text import size, utc
from saltdeploy.watch.console.views.common import (
    View,
    cell,
    end,
    listed,
    mapping_of_lists,
    repo,
    time_of,
    views,
)
from saltdeploy.watch.pages.axis import TimeAxis
from saltdeploy.watch.pages.words import failed, said
from saltdeploy.watch.text import clean, count, duration, hosts, moment, natural, short, table, with_next

_MOST_ROWS = 40
_WIDTH = 48  # characters of a bar
_LETTERS = {"fetch": "f", "checkout": "c", "rollback": "r"}
_FAILED, _SILENT, _IDLE = "!", "?", "."


def show(view: View, now: float, colour: bool) -> list[str]:
    """The view ``show``."""
    lines = _head(view)
    for block in (_stages(view), _bars(view), _failures(view), _notes(view)):
        lines += ["", *block] if block else []
    ending = {**view, "reason": view.get("cause")}
    return (
        [*lines, "", *end(ending, colour)]
        if clean(view.get("outcome"), 32)
        else [*lines, "", *_running(view)]
    )


def _running(view: View) -> list[str]:
    return ["it has not ended", f"Next: salt-run deploy.watch id={cell(view.get('deploy'))}"]


def _head(view: View) -> list[str]:
    by = f" by {clean(view.get('user'), 64)}" if clean(view.get("user"), 64) else ""
    commit = f" ({short(view.get('commit'))})" if short(view.get("commit")) else ""
    also = "".join(f", {clean(each, 400)}" for each in listed(view.get("also")))
    lines = [f"{repo(view)}: {cell(view.get('action'))} {cell(view.get('tag'))}{commit}{also}{by}"]
    if reason := clean(view.get("reason")):
        lines.append(f"Reason: {reason}")
    begun, ended = moment(view.get("begun")), moment(view.get("ended"))
    if begun:
        took = f", took {duration(ended - begun)}" if ended else ""
        lines.append(f"begun {utc(begun)}{took}, deploy {cell(view.get('deploy'))}")
    if left_out := count(view.get("left_out")):
        lines.append(f"{hosts(left_out)} left out by the limit")
    return lines


def _stages(view: View) -> list[str]:
    rows = []
    for each in views(view.get("stages")):
        begin, ended = moment(each.get("begin")), moment(each.get("end"))
        name = f"{clean(each.get('group'), 64)} {cell(each.get('stage'))}".strip()
        took = duration(ended - begin) if begin and ended else "not ended"
        counts = (str(count(each.get(key))) for key in ("total", "ok", "failed"))
        rows.append((name, time_of(each.get("begin")), took, *counts))
    return table([("STAGE", "BEGUN", "TOOK", "HOSTS", "OK", "FAILED"), *rows]) if rows else []


def _bars(view: View) -> list[str]:
    """A line for each host, letters for what it did meanwhile; of many hosts, those that failed come first."""
    shown = mapping_of_lists(view.get("hosts"))
    if not shown:
        return []
    now = moment(view.get("now")) or 0.0
    spans = [each for one in shown.values() for each in one] + views(view.get("stages"))
    axis = TimeAxis(
        (begin, moment(each.get("end")) or now) for each in spans if (begin := moment(each.get("begin")))
    )
    names = sorted(shown, key=lambda name: (not failed(shown[name]), natural(name)))[:_MOST_ROWS]
    rows = [(name, _bar(shown[name], axis, now)) for name in sorted(names, key=natural)]
    key = "f fetch, c checkout, r rollback, ! failed, ? no answer"
    lines = [*table([("HOST", key), *rows])]
    more = len(shown) - len(names)
    return [*lines, f"and {hosts(more)} more"] if more > 0 else lines


def _bar(spans: list[View], axis: TimeAxis, now: float) -> str:
    bar, marks = [_IDLE] * _WIDTH, {}
    for span in spans:
        begin, ended = moment(span.get("begin")), moment(span.get("end"))
        if begin is None:
            continue
        first, last = (min(_WIDTH - 1, int(axis.place(at) * _WIDTH)) for at in (begin, ended or now))
        letter = _LETTERS.get(clean(span.get("stage"), 32), "o")
        bar[first : last + 1] = letter * (last + 1 - first)
        if span.get("status") != 0:
            marks[last] = _SILENT if ended is None else _FAILED
    return "".join(
        marks.get(place, each) for place, each in enumerate(bar)
    )  # what comes next hides no failure


def _failures(view: View) -> list[str]:
    """Each cause once, with the hosts that had it."""
    alike: dict[tuple[str, str], list[str]] = {}
    shown = mapping_of_lists(view.get("hosts"))
    nexts: dict[tuple[str, str], str] = {}
    for name in sorted(shown, key=natural):
        for span in shown[name]:
            if span.get("status") not in (0, None):
                key = (cell(span.get("stage")), clean(span.get("cause"), 1000))
                names = alike.setdefault(key, [])
                names += [] if name in names else [name]
                nexts.setdefault(key, clean(span.get("next"), 1000))
    lines = []
    for key, names in alike.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        stage, cause = key
        lines.append(f"{', '.join(names[:3])}{more}: {stage}: {with_next(cause, nexts[key])}")
        lines += [f"\t{name}: {left}" for name in names[:3] if (left := _left(shown[name]))]
    return lines


def _left(spans: list[View]) -> str:
    """What the disk of a host had left when its last stage failed."""
    for span in reversed(spans):
        free, inodes = span.get("free_bytes"), span.get("free_inodes")
        if isinstance(free, int):
            return f"{size(free)} free" + (f", {inodes} inodes" if isinstance(inodes, int) else "")
    return ""


def _notes(view: View) -> list[str]:
    lines = [f"{time_of(each.get('begin'))} {said(each)}" for each in views(view.get("markers"))]
    lines += [f"Warning: {clean(each, 1000)}" for each in listed(view.get("warnings"))]
    return lines + [
        f"check {cell(each.get('name'))} {cell(each.get('verdict'))}: {clean(each.get('text'), 1000)}"
        for each in views(view.get("checks"))
    ]
