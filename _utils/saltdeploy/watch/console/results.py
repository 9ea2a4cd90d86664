"""The results of the runner, and answers of hosts, as plain text for people; each has a function in ``views/``."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from saltdeploy.watch.console.views import answers
from saltdeploy.watch.console.views.common import View, detached, error, told
from saltdeploy.watch.console.views.deploy import outcome, watched
from saltdeploy.watch.console.views.fleet import report, targets, versions
from saltdeploy.watch.console.views.locks import locks
from saltdeploy.watch.console.views.plan import plan
from saltdeploy.watch.text import clean

_VIEWS: dict[str, Callable[[View, float, bool], list[str]]] = {
    "outcome": outcome,
    "watched": watched,
    "detached": detached,
    "told": told,
    "plan": plan,
    "report": report,
    "targets": targets,
    "versions": versions,
    "locks": locks,
    "error": error,
}

#: Those that draw, or are seldom asked for: loaded by who shows them.
_LATER = {
    "changes": "changes",
    "exported": "exported",
    "doctor": "setup",
    "init": "setup",
    "scap": "setup",
    "forgotten": "maintenance",
    "gc": "maintenance",
    "next_tag": "maintenance",
    "nothing": "maintenance",
    "preseed": "maintenance",
    "sources": "releases",
    "stage": "maintenance",
    "serviced": "hosts_apart",
    "suspended": "hosts_apart",
    "log": "log",
    "show": "show",
    "releases": "releases",
    "status": "status",
    "statuses": "status",
    "verified": "status",
    "adopted": "adopted",
}


def _view_of(name: object) -> Callable[[View, float, bool], list[str]] | None:
    if not isinstance(name, str) or name not in _LATER:
        return _VIEWS.get(name) if isinstance(name, str) else None
    module = importlib.import_module(f"saltdeploy.watch.console.views.{_LATER[name]}")
    found: Callable[[View, float, bool], list[str]] = getattr(module, name)
    return found


def render(data: object, *, now: float = 0.0, colour: bool = False) -> str | None:
    """A result of the runner, or answers of hosts to ``deploy.status`` and ``deploy.verify``, as text.

    Args:
        data: what a function of the runner returned, or a dict of such results by host; or answers, by host and by repo.
        now: seconds since the epoch, to tell how old something is; 0 leaves that out.
        colour: paint the outcome word.

    Returns:
        Lines without a newline at the end; None when the data is not of a form that is known here.
    """
    if not isinstance(data, dict):
        return None
    show = _view_of(data.get("view"))
    if show is not None:
        return "\n".join(show(data, now, colour))
    if (told := answers.answers(data)) is not None:
        return "\n".join(line for each in told for line in answers.lines(each))
    parts = [(clean(name, 255), render(part, now=now, colour=colour)) for name, part in _nested(data)]
    if not parts or any(text is None for _, text in parts):
        return None
    return "\n".join(f"{name}:\n{text}" for name, text in parts)


def _nested(data: View) -> list[tuple[object, View]]:
    """Results by host; none when there is anything else beside them."""
    whole = all(isinstance(part, dict) and "view" in part for part in data.values())
    return list(data.items()) if whole else []
