"""A deploy that was exported."""

from __future__ import annotations

from saltdeploy.lib.spelling import argument
from saltdeploy.watch.console.views.common import View, cell, listed, repo
from saltdeploy.watch.text import clean, count


def exported(view: View, now: float, colour: bool) -> list[str]:
    """The view ``exported``; one that was written to the standard output shows nothing more."""
    if file := clean(view.get("file"), 4096):
        lines = [
            f"{repo(view)}: deploy {cell(view.get('deploy'))} is in {file}, {count(view.get('lines'))} lines"
        ]
        return [*lines, f"Next: salt-run deploy.watch {argument('file', file)}"]
    return [clean(line, 100_000) for line in listed(view.get("text"))]
