"""What was freed, where."""

from __future__ import annotations

from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import size
from saltdeploy.watch.console.views.common import View, cell, mapping, release, repo
from saltdeploy.watch.console.views.hosts import ask_the_silent, notes
from saltdeploy.watch.text import clean, count, hosts, natural, some, table

_NO_KIND = ("state", "freed", "skipped", "error", "left_behind")


def gc(view: View, now: float, colour: bool) -> list[str]:
    """The view ``gc``."""
    shown = mapping(view.get("hosts"))
    here = view.get("master")
    own = here if isinstance(here, dict) else {}
    hosts = [(name, *_freed_row(shown[name])) for name in sorted(shown, key=natural)]
    master = ("master", "collected", size(sum(map(count, own.values()))), _kinds(own))
    total = sum(map(count, own.values())) + sum(count(host.get("freed")) for host in shown.values())
    verb = "would be freed" if view.get("test") else "freed"
    skipped: dict[str, list[str]] = {}
    for name, host in [("master", view), *((name, shown[name]) for name in sorted(shown, key=natural))]:
        if "skipped" in host:
            skipped.setdefault(clean(host["skipped"]), []).append(name)
    lines = table(
        [("HOST", "STATE", "FREED", "OF"), *([] if view.get("repo") and not own else [master]), *hosts]
    )
    left = [f"{some(names)}: left out {what}" for what, names in skipped.items()]
    lines = [*lines, "", *left, *_journals(view), *_tags(view), *notes(shown), f"{size(total)} {verb}"]
    ask = ask_the_silent(shown, clean(view.get("repo"), 200))
    return [*lines, f"Next: {ask}; then the same command again"] if ask else lines


def _journals(view: View) -> list[str]:
    """What of each repo's journals goes, and why others stay though they are old."""
    lines = []
    for name, found in sorted(mapping(view.get("journals")).items()):
        verb = "would go" if view.get("test") else "went"
        gone = [f"{count(found['dropped'])} {verb}"] if count(found.get("dropped")) else []
        kept = [f"{count(number)} stay: {clean(why)}" for why, number in mapping(found.get("kept")).items()]
        lines.append(f"{clean(name)}: of its old journals {'; '.join([*gone, *kept])}")
    return lines


def _tags(view: View) -> list[str]:
    """How many of the tags that were made here go."""
    verb = "would go" if view.get("test") else "went"
    return [
        f"{clean(name)}: of its own tags {count(found.get('dropped'))} {verb}, {count(found.get('kept'))} stay"
        if "unread" not in found
        else f"{clean(name)}: its own tags stay: {clean(found['unread'])}"
        for name, found in sorted(mapping(view.get("tags")).items())
    ]


def _freed_row(host: View) -> tuple[str, str, str]:
    kinds = {key: value for key, value in host.items() if key not in _NO_KIND}
    return cell(host.get("state")), size(count(host.get("freed"))), _kinds(kinds)


def _kinds(freed: View) -> str:
    told = sorted(((count(value), clean(key)) for key, value in freed.items()), reverse=True)
    return ", ".join(f"{kind} {size(value)}" for value, kind in told if value) or "-"


_ALL_LISTED = 40
_FINE = ("fetched", "held")


def preseed(view: View, now: float, colour: bool) -> list[str]:
    """The view ``preseed``."""
    shown = mapping(view.get("hosts"))
    packed = f"{count(view.get('payloads'))} packed, {size(count(view.get('size')))}"
    lines = [f"{repo(view)}: {release(view)}, {packed}"]
    if not shown:
        return [*lines, "every target holds it already"]
    fine = [name for name, host in shown.items() if host.get("state") in _FINE]
    listed = [name for name in shown if len(shown) <= _ALL_LISTED or name not in fine]
    rows = [_preseed_row(name, shown[name]) for name in sorted(listed, key=natural)]
    if rows:
        lines += ["", *table([("HOST", "STATE", "RECEIVED", "FROM", "WHY"), *rows]), ""]
    lines += notes(shown) + sorted(_left(shown))
    unserved = [name for name in sorted(fine, key=natural) if shown[name].get("unserved")]
    lines += [f"{name} has it and does not serve it: {clean(shown[name]['unserved'])}" for name in unserved]
    word = f"{len(fine)}/{hosts(len(shown))} have it"
    if unserved:
        word += f"; of {len(unserved)} of them nobody can fetch it, as it looks from the master"
        if len(fine) == len(shown):
            ask = f"salt -L {','.join(unserved)} test.ping"
            return [*lines, word, f"Next: {ask}; see that the server there runs, and serves its payload_dir"]
    if len(fine) == len(shown):
        return [*lines, word]
    again = f"salt-run deploy.preseed repo={repo(view)} {argument('tag', clean(view.get('tag')))}"
    return [*lines, word, f"Next: {again}; a deploy works without, and fetches from the master"]


def _preseed_row(name: str, host: View) -> tuple[str, ...]:
    received = count(host.get("bytes"))
    return (
        name,
        cell(host.get("state")),
        size(received) if received else "-",
        cell(host.get("source")),
        cell(host.get("why")),
    )


def _left(shown: dict[str, View]) -> set[str]:
    """Sources that did not serve, each thing once."""
    return {f"left by {name}: {clean(host['left'])}" for name, host in shown.items() if host.get("left")}


def forgotten(view: View, now: float, colour: bool) -> list[str]:
    """The view ``forgotten``."""
    where = (
        f"{cell(view.get('redis'))} holds nothing of it" if view.get("redis") else "the pillar names no redis"
    )
    return [f"{cell(view.get('host'))} is forgotten: {where}"]


def stage(view: View, now: float, colour: bool) -> list[str]:
    """The view ``stage``: what was made of what, and the command that deploys it."""
    name, tag = repo(view), clean(view.get("tag"))
    if not view.get("new"):
        return [f"{name}: nothing has changed since {release(view)}; nothing was made"]
    numbers = [f"{count(view.get(key))} {key}" for key in ("added", "changed", "removed")]
    files = (
        f" ({', '.join(numbers)})"
        if any(count(view.get(key)) for key in ("added", "changed", "removed"))
        else ""
    )
    lines = [f"{name}: staged {release(view)}{files}", f"of {clean(view.get('origin'))}"]
    if empty := count(view.get("empty")):
        lines.append(f"{empty} empty directories, each with a .gitkeep: git has no empty ones")
    commands = (
        f"salt-run deploy.{verb} {argument('repo', name)} {argument('tag', tag)}" for verb in ("plan", "sync")
    )
    return [*lines, f"Next: {'; then '.join(commands)}"]


def nothing(view: View, now: float, colour: bool) -> list[str]:
    """The view ``nothing``: what is staged is deployed."""
    return [f"{repo(view)}: nothing is staged that is not deployed; {release(view)} is pinned"]


def next_tag(view: View, now: float, colour: bool) -> list[str]:
    """The view ``next_tag``: the tag alone, for scripts."""
    return [clean(view.get("tag"))]
