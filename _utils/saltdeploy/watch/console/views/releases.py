"""Hosts by the release that they run."""

from __future__ import annotations

from saltdeploy.watch.console.views.common import View, part, repo, views
from saltdeploy.watch.text import clean, hosts, natural

_MOST_NAMED = 10


def releases(view: View, now: float, colour: bool) -> list[str]:
    """The view ``releases``: hosts by what they run, as git-deploy lists tags; the star is at what is pinned."""
    found = views(view.get("releases"))
    total = sum(len(part(each, "hosts")) for each in found)
    lines = [f"{repo(view)}: {hosts(total)} by what they run", ""]
    if not total:
        return [f"{repo(view)}: no minion takes this repo"]
    for each in found:
        star = "*" if each.get("pinned") is True else " "
        commit = clean(each.get("commit"), 64)[:12]
        tag, first = clean(each.get("tag"), 200), clean(each.get("first"), 200)
        way = f" -> {first}" if first and first != tag else ""
        lines.append(f"{commit}.. {star}tag: {tag or '-'}{way}" if commit else "nothing of this repo is live")
        lines += [f"    {line}" for line in _named(each, now)]
    if next_act := clean(view.get("next"), 1000):
        lines += ["", f"Next: {next_act}"]
    return lines


def _named(release: View, now: float) -> list[str]:
    """The hosts of one release, those together that are in the same state."""
    states: dict[str, list[str]] = {}
    for name, state in part(release, "hosts").items():
        states.setdefault(clean(state, 32) or "-", []).append(clean(name, 255))
    lines = []
    for state, names in sorted(states.items(), key=lambda each: -len(each[1])):
        listed = sorted(names, key=natural)
        more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
        said_state = "" if state == "pinned" else f" ({state})"
        lines.append(f"{hosts(len(listed))}{said_state}: {', '.join(listed[:_MOST_NAMED])}{more}")
    return lines
