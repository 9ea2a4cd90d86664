"""What hosts answer to ``deploy.status`` and ``deploy.verify``: a line for each host and repo, the verdict first."""

from __future__ import annotations

from typing import Any

from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.watch.console.views.common import View, called, cell, listed, part
from saltdeploy.watch.text import clean, count, short, some, with_next

_FINE, _FAILED = "ok", "FAILED"
_WIDTH = 9  # columns: the longest verdict
_MOST_HELD = 3
_MOST_FILES = 3
_KINDS = ("missing", "changed", "misowned", "extra")


def answers(data: object) -> list[View] | None:
    """The answers in what Salt gives an outputter: one, or those by host, or those by host and repo.

    Returns:
        None when it is anything else.
    """
    if _is_answer(data):
        return [data]  # type: ignore[list-item]
    if not isinstance(data, dict) or not data:
        return None
    found: list[View] = []
    for each in data.values():
        below = answers(each)
        if below is None:
            return None
        found += below
    return found


def _is_answer(data: object) -> bool:
    return isinstance(data, dict) and {"status", "repo", "host", "holdings"} <= data.keys()


def lines(view: View) -> list[str]:
    """An answer for people; the machine's fields are in ``--out=json``."""
    word, said = _verdict(view)
    line = f"{word:<{_WIDTH}} {cell(view.get('host'))}: {cell(view.get('repo'))}: {said}"
    next_act = clean(part(view, "error").get("next"), 1000)
    return [line, f"Next: {next_act}"] if next_act else [line]


def _verdict(view: View) -> tuple[str, str]:
    facts, error = part(view, "facts"), part(view, "error")
    if "wrong" in facts:
        return _compared(view, facts)
    if error or view.get("status") != 0:
        found = from_wire(error)
        where = f"{clean(found.path)}: " if found.path else ""
        return (
            _FAILED,
            f"{where}{clean(found.cause, 2000)} ({found.kind}, status {count(view.get('status'))})",
        )
    return _held(view, facts)


def _compared(view: View, facts: View) -> tuple[str, str]:
    """What ``deploy.verify`` found."""
    wrong, files = count(facts.get("wrong")), count(facts.get("files"))
    if not wrong:
        return _FINE, f"{_live(view)} is live, and so are its {files} files"
    named = [f"{kind} {name}" for kind in _KINDS for name in called(facts.get(kind))[:_MOST_FILES]]
    more = wrong - len(named[:_MOST_FILES])
    told = ", ".join(named[:_MOST_FILES]) + (f" and {more} more" if more > 0 else "")
    return "DIFFERS", f"{_live(view)} is live, and {wrong} files differ: {told}"


def _held(view: View, facts: View) -> tuple[str, str]:
    """What ``deploy.status`` tells."""
    holdings = part(view, "holdings")
    others = _others(holdings)
    also = f"; also on disk: {some(others, _MOST_HELD)}" if others else ""
    if left := clean(facts.get("left_behind")):
        also += f"; {left}"
    if under := clean(facts.get("maintenance")):
        also += f"; under maintenance {under}"
    if not clean(holdings.get("live")):
        return "nothing", f"no release is live{also}"
    if holdings.get("damaged") is True:
        return "DAMAGED", f"{_live(view)} is live, and its files are not those of the release{also}"
    if holdings.get("unsettled") is True:
        return "UNSETTLED", f"{_live(view)} is live, and its restart or checks did not all pass{also}"
    if stale := clean(facts.get("stale")):
        return "STALE", with_next(f"{_live(view)} is live, and {stale}", "") + also
    return _FINE, f"{_live(view)} is live{also}"


def _live(view: View) -> str:
    holdings = part(view, "holdings")
    live = clean(holdings.get("live"))
    tag = clean(part(holdings, "tags").get(live), 200)
    return f"{tag} ({short(live)})" if tag else short(live) or "nothing"


def _others(holdings: View) -> list[str]:
    tags: dict[str, Any] = part(holdings, "tags")
    held = [clean(commit) for commit in listed(holdings.get("held")) if commit != holdings.get("live")]
    return [clean(tags.get(commit), 200) or short(commit) for commit in held if commit]
