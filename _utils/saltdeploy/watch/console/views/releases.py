"""Hosts by the release that they run."""

from __future__ import annotations

from saltdeploy.watch.console.views.common import View, cell, listed, part, release, repo, views
from saltdeploy.watch.text import clean, hosts, natural, short, table

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


def sources(view: View, now: float, colour: bool) -> list[str]:
    """The view ``sources``: what a release is made of; or where one file of it comes from, for a person and for git."""
    head = f"{repo(view)}: {release(view)}"
    if "file" in view:
        return [head, *_origin(part(view, "file"))]
    rows = [
        (cell(each.get("path")) if each.get("path") else ".", cell(each.get("source")), cell(each.get("ref")),
         short(each.get("commit")))
        for each in views(view.get("parts"))
    ]  # fmt: skip
    lines = [head, "", *table([("PATH", "SOURCE", "REF", "COMMIT"), *rows])]
    for each in views(view.get("patches")):
        where = f" in {clean(each.get('path'), 300)}" if clean(each.get("path")) else ""
        count = len(listed(each.get("files")))
        lines.append(
            f"patch {clean(each.get('file'), 300)}{where}: {count} {'file' if count == 1 else 'files'}"
        )
    return lines


def _origin(file: View) -> list[str]:
    path, source = clean(file.get("path"), 500), clean(file.get("source"), 300)
    if not source:
        made = [f"{path} was made when the release was staged"]
    else:
        made = [
            f"{path} is {clean(file.get('within'), 500)}",
            f"of {source}, {clean(file.get('ref'), 200)} ({clean(file.get('commit'), 64)})",
        ]
    return [*made, *(f"changed by the patch {clean(each, 300)}" for each in listed(file.get("patches")))]
