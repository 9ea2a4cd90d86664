"""Hosts that are left out, and hosts to whose services something was done."""

from __future__ import annotations

import shlex

from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import utc
from saltdeploy.watch.console.views.common import View, called, cell, mapping, part, repo, views
from saltdeploy.watch.text import clean, hosts, natural, table, with_next


def suspended(view: View, now: float, colour: bool) -> list[str]:
    """The view ``suspended``: who is left out until when, and who is no more."""
    if gone := part(view, "ended"):
        name = clean(gone.get("host"))
        act = f"salt-run deploy.report {argument('repo', clean(gone.get('repo')) or '...')}"
        return [
            f"{name} is suspended no more; it takes part in the next deploy",
            f"Next: {act} tells what it runs",
        ]
    known = views(view.get("hosts"))
    if not known:
        return ["no host is suspended"]
    rows = [
        (cell(each.get("host")), cell(each.get("repo")), utc(float(each["until"])), cell(each.get("user")), clean(each.get("reason")))
        for each in sorted(known, key=lambda each: natural(clean(each.get("host"))))
    ]  # fmt: skip
    return [*table([("HOST", "REPO", "UNTIL", "BY", "REASON"), *rows]), *_mistyped(view)]


def _mistyped(view: View) -> list[str]:
    """That no minion has the name: the one that was meant takes part in deploys all the same."""
    name = clean(view.get("unknown"))
    if not name:
        return []
    near = called(view.get("near"))
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    undo = f"salt-run deploy.readmit {shlex.quote(name)}"
    return ["", f"this master has no minion {name}{meant}", f"Next: if another one was meant: {undo}"]


def serviced(view: View, now: float, colour: bool) -> list[str]:
    """The view ``serviced``: what was done, how many did it, and why others did not."""
    shown = mapping(view.get("hosts"))
    said = {name: _host(shown[name]) for name in sorted(shown, key=natural)}
    lines = [f"{name}: {text}" for name, text in said.items() if text]
    lines += [f"left out: {clean(text)}" for text in view.get("left_out") or ()]
    fine = sum(1 for text in said.values() if not text)
    lines.append(f"{repo(view)}: {clean(view.get('what'))}: {fine}/{hosts(len(shown))} did so")
    if stopped := clean(view.get("stopped")):
        lines.append(f"stopped: {stopped}")
    return lines


def _host(host: View) -> str:
    """Why a host did not do it; "" where it did."""
    if host.get("state") == "ok":
        return ""
    error = part(host, "error")
    if error:
        return with_next(clean(error.get("cause")), clean(error.get("next")))
    return "gave no answer" if host.get("state") == "silent" else "was not asked"
