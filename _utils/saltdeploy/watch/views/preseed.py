"""What was brought ahead of a deploy, to whom, and from where."""

from __future__ import annotations

from saltdeploy.spelling import argument
from saltdeploy.watch.text import clean, count, hosts, natural, table
from saltdeploy.watch.views.hosts import notes
from saltdeploy.watch.views.pieces import View, cell, mapping, release, repo
from saltdeploy.wording import size

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
    rows = [_row(name, shown[name]) for name in sorted(listed, key=natural)]
    if rows:
        lines += ["", *table([("HOST", "STATE", "RECEIVED", "FROM", "WHY"), *rows]), ""]
    lines += notes(shown) + sorted(_left(shown))
    word = f"{len(fine)}/{hosts(len(shown))} have it"
    if len(fine) == len(shown):
        return [*lines, word]
    again = f"salt-run deploy.preseed repo={repo(view)} {argument('tag', clean(view.get('tag')))}"
    return [*lines, word, f"Next: {again}; a deploy works without, and fetches from the master"]


def _row(name: str, host: View) -> tuple[str, ...]:
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
