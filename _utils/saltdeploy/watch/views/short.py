"""Results that are a sentence and the next command."""

from __future__ import annotations

from saltdeploy.errors import from_wire
from saltdeploy.watch.text import clean
from saltdeploy.watch.views.pieces import View, cell, repo

_ABORT = "abort"


def told(view: View, now: float, colour: bool) -> list[str]:
    """The view ``told``: what became of an abort or an answer."""
    what, first = cell(view.get("what")), view.get("counted") is True
    if what == _ABORT:
        said = "is told to stop: no further host starts" if first else "had been told to stop before"
    elif first:
        said = f"is answered: {what}"
    else:
        said = f"had another answer before: {what} does not count"
    deploy = cell(view.get("deploy"))
    return [f"{repo(view)}: deploy {deploy} {said}", f"Next: salt-run deploy.watch id={deploy}"]


def detached(view: View, now: float, colour: bool) -> list[str]:
    """The view ``detached``: a deploy that is no longer looked at."""
    deploy = cell(view.get("deploy"))
    if not clean(view.get("repo")):
        return [f"deploy {deploy} has given no sign yet", f"Next: salt-run deploy.watch id={deploy}"]
    return [
        f"{repo(view)}: deploy {deploy} runs on",
        f"Next: salt-run deploy.watch id={deploy}; to stop it: salt-run deploy.abort id={deploy}",
    ]


def error(view: View, now: float, colour: bool) -> list[str]:
    """The view ``error``."""
    found = from_wire(view.get("error"))
    next_act, found.next = clean(found.next, 1000), ""
    lines = [f"Error: {clean(str(found), 2000)} ({found.kind}, status {found.status})"]
    return [*lines, f"Next: {next_act}"] if next_act else lines
