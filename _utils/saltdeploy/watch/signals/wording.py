"""A signal as one line for people, in the words of scap or of Trebuchet."""

from __future__ import annotations

from saltdeploy.watch.signals import signal
from saltdeploy.watch.signals.signal import Notification
from saltdeploy.watch.text import duration, hosts, short

SCAP, TREBUCHET = "scap", "trebuchet"
WORDINGS = (SCAP, TREBUCHET)

#: What scap writes where an operator gave no reason.
_NO_REASON = "(no justification provided)"


def line(told: Notification, wording: str, place: str = "") -> str:
    """What is announced; "" where this wording has no line for it.

    Args:
        wording: one of :data:`WORDINGS`.
        place: the host that deploys, which stands behind the user's name in scap's lines.

    Example:
        ``alice@deploy1 Started deploy [mediawiki@a1b2c3d]: bump``
    """
    return _trebuchet(told) if wording == TREBUCHET else _scap(told, place)


def _scap(told: Notification, place: str) -> str:
    who = told.who if told.kind in (signal.ANSWERED, signal.ABORTED) else told.user
    by = f"{who or 'nobody'}@{place}" if place else who or "nobody"
    why = told.message or _NO_REASON
    what = f"{_ACTION.get(told.action, 'deploy')} [{told.repo}@{short(told.commit)}]"
    if told.kind == signal.STARTED:
        return f"{by} Started {what}: {why}"
    if told.kind == signal.FINISHED:
        well = "" if told.converged else f"{_bad(told)}: "
        return f"{by} Finished {what}: {well}{why} (duration: {duration(told.seconds)})"
    if told.kind == signal.GOING_BACK:
        return f"{by} Rolling back {what}: {why}"
    if told.kind == signal.ABORTED:
        return f"{by} Aborted {what}: {told.text}"
    if told.kind == signal.ASKED:
        return f"{by} {what} waits for an answer: {told.text} ({', '.join(told.choices)})"
    return f"{by} {what}: the answer is {told.text}"


def _trebuchet(told: Notification) -> str:
    why = f"'{told.message}'"
    if told.kind == signal.STARTED and told.action == "sync":
        return f"{told.user} started synchronizing {told.tag} {why}"
    if told.kind == signal.FINISHED and told.action == "sync":
        if told.converged:
            return f"{told.user} synchronized {told.tag} {why}"
        return f"{told.user} did not synchronize {told.tag}: {_bad(told)} {why}"
    return ""


def _bad(told: Notification) -> str:
    reason = f", {told.reason}" if told.reason else ""
    return f"{told.outcome} ({told.ok} of {hosts(told.total)}{reason})"


_ACTION = {"rollback": "rollback", "restart": "restart", "fetch": "fetch"}
