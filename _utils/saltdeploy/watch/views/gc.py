"""What was freed, where."""

from __future__ import annotations

from saltdeploy.watch.text import clean, count, natural, table
from saltdeploy.watch.views.hosts import notes
from saltdeploy.watch.views.pieces import View, cell, mapping, some
from saltdeploy.wording import size

_NO_KIND = ("state", "freed", "skipped", "error")


def gc(view: View, now: float, colour: bool) -> list[str]:
    """The view ``gc``."""
    shown = mapping(view.get("hosts"))
    here = view.get("master")
    own = here if isinstance(here, dict) else {}
    hosts = [(name, *_row(shown[name])) for name in sorted(shown, key=natural)]
    master = ("master", "collected", size(sum(map(count, own.values()))), _kinds(own))
    total = sum(map(count, own.values())) + sum(count(host.get("freed")) for host in shown.values())
    verb = "would be freed" if view.get("test") else "freed"
    skipped: dict[str, list[str]] = {}
    for name, host in [("master", view), *((name, shown[name]) for name in sorted(shown, key=natural))]:
        if "skipped" in host:
            skipped.setdefault(clean(host["skipped"]), []).append(name)
    lines = table([("HOST", "STATE", "FREED", "OF"), *([] if view.get("repo") else [master]), *hosts])
    left = [f"{some(names)}: left out {what}" for what, names in skipped.items()]
    lines = [*lines, "", *left, *notes(shown), f"{size(total)} {verb}"]
    silent = [name for name in sorted(shown, key=natural) if shown[name].get("state") == "unreachable"]
    return (
        [*lines, f"Next: salt '{clean(silent[0])}' test.ping; then the same command again"]
        if silent
        else lines
    )


def _row(host: View) -> tuple[str, str, str]:
    kinds = {key: value for key, value in host.items() if key not in _NO_KIND}
    return cell(host.get("state")), size(count(host.get("freed"))), _kinds(kinds)


def _kinds(freed: View) -> str:
    told = sorted(((count(value), clean(key)) for key, value in freed.items()), reverse=True)
    return ", ".join(f"{kind} {size(value)}" for value, kind in told if value) or "-"
