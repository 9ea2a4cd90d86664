"""The event stream of a deploy: the only speller of event tags, one builder per event.

Tags on Salt's bus are ``deploy/<deploy id>/<event>`` and, where an event is about one host,
``deploy/<deploy id>/<event>/<host>``. A payload is flat, JSON-safe and below 8 KB::

    {"v": 1, "deploy": "20261123101112000000", "event": "stage_started", "repo": "mediawiki",
     "time": 1795428672.1, ...the event's own fields}

``v`` grows only when a field changes its meaning or goes away; new fields may appear at any time.
Events tell; they decide nothing (any minion can forge one).
"""

from __future__ import annotations

import json
import re
from typing import Any

from saltdeploy.errors import DeployError, legible

VERSION = 1
ROOT = "deploy"

STARTED = "started"
WARNED = "warned"
STAGE_STARTED = "stage_started"
STAGE_PROGRESS = "stage_progress"
STAGE_FINISHED = "stage_finished"
HOST_PROGRESS = "host_progress"
HOST_FINISHED = "host_finished"
PINNED = "pinned"
FINISHED = "finished"

Event = dict[str, Any]

_LONGEST = 1800  # bytes of one text in JSON; three of them and the rest stay below 8 KB
_TAG = re.compile(rf"{ROOT}/(?P<deploy>[^/]+)/(?P<event>[a-z_]+)(?:/(?P<host>[^/]+))?")


def tag_of(event: Event) -> str:
    """The bus tag under which ``event`` travels."""
    tag = f"{ROOT}/{event['deploy']}/{event['event']}"
    return f"{tag}/{event['host']}" if "host" in event else tag


def split_tag(tag: str) -> tuple[str, str, str] | None:
    """``(deploy id, event, host or "")`` of one of our tags; None for any other tag."""
    found = _TAG.fullmatch(tag)
    return (found["deploy"], found["event"], found["host"] or "") if found else None


def _event(kind: str, deploy: str, repo: str, now: float, **fields: Any) -> Event:
    told = {key: _clipped(value) if isinstance(value, str) else value for key, value in fields.items()}
    return {"v": VERSION, "deploy": deploy, "event": kind, "repo": repo, "time": now, **told}


def _clipped(text: str) -> str:
    """The text, or its begin when it is too long for an event."""
    text = legible(text[:_LONGEST])
    while len(json.dumps(text)) > _LONGEST:
        text = text[: len(text) * 7 // 8]
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1 << 63


def started(
    deploy: str, repo: str, now: float, *, tag: str, commit: str, user: str, hosts: list[str], action: str
) -> Event:
    """A deploy begins. ``action`` is the runner function; ``hosts`` is how many targets there are."""
    return _event(
        STARTED, deploy, repo, now, tag=tag, commit=commit, user=user, hosts=len(hosts), action=action
    )


def warned(deploy: str, repo: str, now: float, text: str) -> Event:
    """Something that an operator should know and that stops nothing."""
    return _event(WARNED, deploy, repo, now, text=text)


def stage_started(deploy: str, repo: str, now: float, *, stage: str, total: int) -> Event:
    """A stage begins on ``total`` hosts."""
    return _event(STAGE_STARTED, deploy, repo, now, stage=stage, total=total)


def stage_progress(
    deploy: str, repo: str, now: float, *, stage: str, total: int, ok: int, failed: int, in_flight: int
) -> Event:
    """How far a stage is; the field names of scap's progress record stand beside ours."""
    done = ok + failed
    return _event(
        STAGE_PROGRESS,
        deploy,
        repo,
        now,
        stage=stage,
        name=stage,
        totalTasks=total,
        tasksInFlight=in_flight,
        tasksFinishedOk=ok,
        tasksFinishedFailed=failed,
        tasksFinishedTotal=done,
        tasksPercentComplete=int(100 * done / total) if total else 100,
        tasksRemaining=total - done - in_flight,
        progressFinished=done == total,
    )


def stage_finished(
    deploy: str, repo: str, now: float, *, stage: str, total: int, ok: int, failed: int
) -> Event:
    """A stage has an answer, or a verdict of silence, for each of its hosts."""
    return _event(STAGE_FINISHED, deploy, repo, now, stage=stage, total=total, ok=ok, failed=failed)


def host_progress(
    deploy: str, repo: str, now: float, *, host: str, stage: str, phase: str, done: int, total: int, unit: str
) -> Event:
    """How far a host is in a stage.

    Args:
        phase: ``receive``, ``unpack``, ``write`` or ``verify``.
        done, total: counted in ``unit`` (``bytes``, ``objects``, ``files``); ``total`` 0 when not known.
    """
    percent = min(100, int(100 * done / total)) if total else 0
    return _event(
        HOST_PROGRESS,
        deploy,
        repo,
        now,
        host=host,
        stage=stage,
        phase=phase,
        done=done,
        total=total,
        unit=unit,
        percent=percent,
    )


def host_finished(
    deploy: str,
    repo: str,
    now: float,
    *,
    host: str,
    stage: str,
    status: int,
    error: DeployError | None,
    facts: dict[str, Any],
) -> Event:
    """A host answered a stage, or was given up (``error.kind`` is then ``unreachable``).

    ``<stage>_status`` is Trebuchet's field; ``bytes``, ``files`` and ``seconds`` come from ``facts``.
    """
    numbers = {key: facts[key] for key in ("bytes", "files", "seconds") if _is_number(facts.get(key))}
    fields = {"host": host, "stage": stage, "status": status, f"{stage}_status": status, **numbers}
    if error is not None:
        wire = error.to_wire()
        fields["error"] = {k: _clipped(v) if isinstance(v, str) else v for k, v in wire.items()}
    return _event(HOST_FINISHED, deploy, repo, now, **fields)


def pinned(deploy: str, repo: str, now: float, *, tag: str, commit: str) -> Event:
    """The release that the repo's targets should be running from now on."""
    return _event(PINNED, deploy, repo, now, tag=tag, commit=commit)


def finished(
    deploy: str,
    repo: str,
    now: float,
    *,
    tag: str,
    outcome: str,
    ok: int,
    total: int,
    reason: str,
    next: str,  # noqa: A002 - the word that operators read
) -> Event:
    """A deploy ends. ``outcome`` is one of ``CONVERGED``, ``HELD``, ``ROLLED BACK``, ``MIXED``."""
    return _event(
        FINISHED, deploy, repo, now, tag=tag, outcome=outcome, ok=ok, total=total, reason=reason, next=next
    )
