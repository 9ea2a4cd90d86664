"""What is between two releases."""

from __future__ import annotations

from saltdeploy.lib.text import size
from saltdeploy.watch.console.views.common import View, cell, part, release, repo, time_of, views
from saltdeploy.watch.text import clean, count, short, some, table

_MOST_COMMITS = 30
_MOST_PATHS = 40
_MOST_AUTHORS = 10
_LONGEST = 72  # characters of a subject
_MARKS = {"added": "+", "changed": "~", "removed": "-"}


def changes(view: View, now: float, colour: bool) -> list[str]:
    """The view ``changes``."""
    old, new = part(view, "old"), part(view, "new")
    way = f"from {release(old)} to {release(new)}" if old else f"{release(new)}, the first release"
    lines = [f"{repo(view)}: {way}"]
    if old.get("commit") == new.get("commit"):
        return [*lines, "it is the same commit"]
    for block in (_unknown(view), _brought(view), _taken(view), _files(part(view, "files"))):
        lines += ["", *block] if block else []
    next_act = clean(view.get("next"), 1000)
    return [*lines, "", f"Next: {next_act}"] if next_act else lines


def _unknown(view: View) -> list[str]:
    why = clean(view.get("unknown"), 1000)
    said = [f"the commits cannot be told: {why}"] if why else []
    if view.get("cut_off") is True:
        said.append("the repository is a shallow clone: there may be more commits than it knows")
    return said


def _brought(view: View) -> list[str]:
    found = part(view, "brings")
    if not found:
        return []
    number = count(found.get("count"))
    if not number:
        return ["it brings no commit"]
    return [f"it brings {_commits(number)} by {_authors(found)}", *_listed(found, number)]


def _taken(view: View) -> list[str]:
    """What is lost on the way: nobody expects that of an upgrade."""
    found = part(view, "takes_back")
    number = count(found.get("count"))
    if not number:
        return []
    said = f"it takes back {_commits(number)} by {_authors(found)}, which {cell(part(view, 'old').get('tag'))} has"
    return [said, *_listed(found, number)]


def _commits(number: int) -> str:
    return "1 commit" if number == 1 else f"{number} commits"


def _authors(found: View) -> str:
    named = [
        f"{clean(name, 100) or '-'} ({count(number)})" for name, number in part(found, "authors").items()
    ]
    return some(named, _MOST_AUTHORS)


def _listed(found: View, number: int) -> list[str]:
    rows = [
        (
            short(each.get("commit")),
            time_of(each.get("time")),
            clean(each.get("author"), 40) or "-",
            clean(each.get("subject"), _LONGEST) or "-",
        )
        for each in views(found.get("listed"))[:_MOST_COMMITS]
    ]
    more = number - len(rows)
    shown = table([("COMMIT", "TIME", "AUTHOR", "SUBJECT"), *rows]) if rows else []
    return [*shown, f"and {more} more"] if more > 0 else shown


def _files(found: View) -> list[str]:
    numbers = {kind: count(found.get(kind)) for kind in _MARKS}
    total = sum(numbers.values())
    if not total:
        return ["no file differs"]
    told = ", ".join(f"{number} {kind}" for kind, number in numbers.items() if number)
    lines = [f"files: {told}{_grown(found.get('grown'))}"]
    for each in views(found.get("listed"))[:_MOST_PATHS]:
        lines.append(f"  {_MARKS.get(str(each.get('kind')), '?')} {clean(each.get('path'), 500)}")
    more = total - (len(lines) - 1)
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _grown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not value:
        return ""
    return f"; {size(abs(value))} {'more' if value > 0 else 'less'} in all"
