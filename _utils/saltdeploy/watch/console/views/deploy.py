"""How a deploy ended, host by host; and what little is known of one that was only looked at."""

from __future__ import annotations

from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import size
from saltdeploy.watch.console.views.common import (
    View,
    called,
    cell,
    digest,
    end,
    mapping,
    next_of_unfinished,
    release,
    repo,
    travels,
    unfinished,
    views,
    word,
)
from saltdeploy.watch.console.views.hosts import notes, rows
from saltdeploy.watch.text import clean, count, some, table

_MOST_NAMED = 20


def outcome(view: View, now: float, colour: bool) -> list[str]:
    """The view ``outcome``."""
    shown = mapping(view.get("hosts"))
    lines = [_what(part) for part in (view, *views(view.get("also")))]
    lines.append(f"deploy {cell(view.get('deploy'))}, {_seconds(view.get('seconds'))}")
    if shown:
        heading = ("HOST", "STATE", "TAG", "COMMIT", "FILES", "RECEIVED")
        lines += ["", *table([heading, *rows(shown, _cells)])]
    reason, next_act = clean(view.get("reason"), 2000), clean(view.get("next"), 1000)
    remarks = [*notes(shown, reason, next_act), *travels(view), *_others(view)]
    if remarks:
        lines += ["", *remarks]
    if view.get("said"):  # what Trebuchet's runner printed to who called it in its form
        lines += ["", clean(view.get("said"), 100)]
    return [*lines, "", *end(view, colour)]


def watched(view: View, now: float, colour: bool) -> list[str]:
    """The view ``watched``."""
    if next_of_unfinished(view):
        return [*unfinished(view)[:1], f"Next: {next_of_unfinished(view)}"]
    tags = [f"{repo(part)} {clean(part.get('tag'), 200)}" for part in views(view.get("also"))]
    of = ", ".join([clean(view.get("tag"), 200), *tags])
    lines = [f"{repo(view)}: deploy {cell(view.get('deploy'))}{f' of {of}' if of else ''}"]
    if word(view):
        return [*lines, *end(view, colour)]
    never = (
        f"it ended before any host was asked: the command that began it says why, or {cell(view.get('log'))}"
    )
    return [
        *lines,
        never if view.get("begun") is False else "it never told an outcome, and its process is gone",
        f"Next: salt-run deploy.report {argument('repo', repo(view))}",
    ]


def _what(part: View) -> str:
    """What was deployed of one repo, and what was there before."""
    previous, tag = clean(part.get("previous")), clean(part.get("tag"))
    before = f", before: {previous}" if previous and previous != tag else ""
    root = f", tree {digest(part.get('root'))[:16]}" if digest(part.get("root")) else ""
    return f"{repo(part)}: {release(part)}{before}{root}"


def _cells(host: View) -> tuple[str, ...]:
    files, received = count(host.get("files")), count(host.get("bytes"))
    return str(files) if files else "-", size(received) if received else "-"


def _others(view: View) -> list[str]:
    """Hosts that are not where the rest is."""
    astray, left_out = called(view.get("astray")), called(view.get("left_out"))
    unwell = called(view.get("unwell"))
    named = {
        "not on what is pinned, or not known to be": astray,
        "switched as asked, and not well": unwell,
        "left out by the limit": left_out,
    }
    return [f"{what}: {some(hosts, _MOST_NAMED)}" for what, hosts in named.items() if hosts]


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, (int, float)) and abs(value) < 10**9 else "-"
