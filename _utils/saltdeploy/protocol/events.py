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
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import legible

if TYPE_CHECKING:
    from saltdeploy.protocol.host_lines import HostLine

VERSION = 1
ROOT = "deploy"

HELLO = "hello"
PREPARING = "preparing"
STARTED = "started"
CHOSEN = "chosen"
WARNED = "warned"
STAGE_STARTED = "stage_started"
STAGE_PROGRESS = "stage_progress"
STAGE_FINISHED = "stage_finished"
HOST_PROGRESS = "host_progress"
HOST_FINISHED = "host_finished"
STEP_STARTED = "step_started"
STEP_FINISHED = "step_finished"
CHECK_FINISHED = "check_finished"
GATE_FINISHED = "gate_finished"
PAUSED = "paused"
PAUSE_OVER = "pause_over"
QUESTION = "question"
ANSWERED = "answered"
ABORTED = "aborted"
RESUMED = "resumed"
PINNED = "pinned"
FINISHED = "finished"
#: Records that stand in the journal only: they are big, and nobody but a resumed deploy needs them.
PLANNED = "planned"
ASKED = "asked"
JOURNAL_ONLY = (PLANNED, ASKED)

#: What a host may be at in a stage, and what it counts meanwhile.
PHASES = (
    "receive",
    "unpack",
    "copy",
    "write",
    "blobs",
    "verify",
    "depool",
    "flip",
    "restart",
    "wait",
    "check",
    "repool",
)
UNITS = ("bytes", "objects", "files", "steps")

Event = dict[str, Any]

_LONGEST_STEP = 80  # characters
MOST_NAMES = 20  # hosts that an event lists
_LONGEST = 1800  # bytes of one text in JSON; three of them and the rest stay below 8 KB
_SHORT = 600  # bytes of a fact in JSON
_LINES, _LINES_BESIDE_AN_ERROR = 3000, 1200  # bytes of lines of a host's log in JSON
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


def of_each_repo(event: Event) -> list[Event]:
    """An event that is about several repos as one for each of them: the one that leads, then those in ``also``."""
    lead = {key: value for key, value in event.items() if key != "also"}
    return [lead, *({**lead, **part} for part in event.get("also", ()))]


def epoch_of(event: Event) -> int:
    """The epoch of a deploy of one repo; where an older version did not tell it, one made of its time, as that one did."""
    return int(event.get("epoch") or event.get("time", 0) * 1e6)


def _and(also: Sequence[Event]) -> Event:
    """The field ``also``, where a deploy is about more than one repo."""
    return {"also": list(also)} if also else {}


def _clipped(text: str, most: int = _LONGEST) -> str:
    """The text, or its begin when it is too long for an event."""
    text = legible(text[:most])
    while len(json.dumps(text)) > most:
        text = text[: len(text) * 7 // 8]
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1 << 63


def hello(deploy: str, repo: str, now: float) -> Event:
    """A process of the master makes sure that it hears the bus; it is about no deploy, and ``deploy`` is a job id of its own."""
    return _event(HELLO, deploy, repo, now)


def preparing(
    deploy: str,
    repo: str,
    now: float,
    *,
    action: str,
    tag: str,
    user: str,
    step: str = "",
    also: Sequence[Event] = (),
) -> Event:
    """A deploy is being prepared; nothing is decided yet. For watchers only: not in the journal.

    ``step``: what it is at, or whom it waits for. ``also``: ``repo`` and ``tag`` of the others, as in :func:`started`.
    """
    fields = {"action": action, "tag": tag, "user": user, **({"step": step} if step else {})}
    return _event(PREPARING, deploy, repo, now, **fields, **_and(also))


def started(
    deploy: str,
    repo: str,
    now: float,
    *,
    tag: str,
    commit: str,
    user: str,
    hosts: int,
    action: str,
    groups: list[str],
    left_out: int,
    reason: str,
    epoch: int = 0,
    once: Mapping[str, Any] | None = None,
    role: str = "",
    also: Sequence[Event] = (),
) -> Event:
    """A deploy begins.

    ``action`` is the runner function, ``hosts`` how many targets there are, ``left_out`` how many more there would
    be without a limit, ``reason`` what the operator said about it, ``epoch`` that of the repo's lock, by which deploys
    are ordered. ``once``: arguments for this deploy alone, by name: ``force`` names the guards that were gone past.
    ``role``: by which ``user`` may, where roles are configured.
    ``also``: ``repo``, ``tag``, ``commit`` and ``epoch`` of the others, where several repos are deployed as one.
    """
    fields = {"tag": tag, "commit": commit, "user": user, "hosts": hosts, "action": action}
    fields |= {"groups": groups[:50], "left_out": left_out, "reason": reason[:500]}
    fields |= {"epoch": epoch} if epoch else {}
    fields |= {"once": dict(once)} if once else {}
    fields |= {"role": role} if role else {}
    return _event(STARTED, deploy, repo, now, **fields, **_and(also))


def planned(deploy: str, repo: str, now: float, *, script: dict[str, Any]) -> Event:
    """All that another process needs to resume the deploy. In the journal only."""
    return _event(PLANNED, deploy, repo, now, script=script)


def chosen(deploy: str, repo: str, now: float, *, transport: str, hosts: int, why: str) -> Event:
    """The transport of so many hosts was chosen, since their own is ``auto``; ``why`` is one line."""
    return _event(CHOSEN, deploy, repo, now, transport=transport, hosts=hosts, why=why)


def asked(deploy: str, repo: str, now: float, *, stage: str, wave: int, hosts: list[str]) -> Event:
    """Hosts are about to be asked for a stage. In the journal only."""
    return _event(ASKED, deploy, repo, now, stage=stage, wave=wave, hosts=hosts)


def resumed(
    deploy: str, repo: str, now: float, *, user: str, epoch: int, also: Sequence[Event] = (), role: str = ""
) -> Event:
    """Another process resumes the deploy. ``also``: ``repo`` and ``epoch`` of the others, as in :func:`started`; so ``role``."""
    by = {"role": role} if role else {}
    return _event(RESUMED, deploy, repo, now, user=user, epoch=epoch, **by, **_and(also))


def aborted(deploy: str, repo: str, now: float, *, user: str, reason: str) -> Event:
    """An operator stops the deploy: no further hosts are started from now on."""
    return _event(ABORTED, deploy, repo, now, user=user, reason=reason[:500])


def question(
    deploy: str,
    repo: str,
    now: float,
    *,
    key: str,
    text: str,
    choices: list[str],
    default: str,
    until: float,
) -> Event:
    """The deploy waits for an operator; ``default`` is taken when nobody has answered at ``until``."""
    return _event(
        QUESTION, deploy, repo, now, key=key, text=text[:2000], choices=choices, default=default, until=until
    )


def answered(
    deploy: str, repo: str, now: float, *, key: str, choice: str, user: str, unattended: bool = False
) -> Event:
    """A question has its answer; ``user`` is "" when its time had run out, or where nobody was to be asked."""
    more = {"unattended": True} if unattended else {}
    return _event(ANSWERED, deploy, repo, now, key=key, choice=choice, user=user, **more)


def paused(deploy: str, repo: str, now: float, *, wave: int, group: str, until: float) -> Event:
    """The deploy waits before the group begins."""
    return _event(PAUSED, deploy, repo, now, wave=wave, group=group, until=until)


def pause_over(deploy: str, repo: str, now: float, *, wave: int, seconds: float) -> Event:
    """The time before the wave at this position is over."""
    return _event(PAUSE_OVER, deploy, repo, now, wave=wave, seconds=seconds)


def step_started(deploy: str, repo: str, now: float, *, step: str, number: int, on: str, undo: bool) -> Event:
    """A step that runs once is about to begin.

    ``number`` counts the runs of a deploy, ``on`` is the host, "" for the master; ``undo``: it undoes the step.
    """
    return _event(STEP_STARTED, deploy, repo, now, step=step, number=number, on=on, undo=undo)


def step_finished(
    deploy: str, repo: str, now: float, *, step: str, number: int, on: str, undo: bool, state: str, text: str
) -> Event:
    """A step that runs once has ended: ``state`` is ``done``, ``failed``, or ``lost`` where nobody can tell."""
    return _event(STEP_FINISHED, deploy, repo, now, step=step, number=number, on=on, undo=undo, state=state,
                  text=text[:2000])  # fmt: skip


def check_finished(
    deploy: str, repo: str, now: float, *, check: str, stage: str, group: str, verdict: str, text: str
) -> Event:
    """A check of the master: ``verdict`` is ``pass``, ``fail`` or ``inconclusive``."""
    return _event(
        CHECK_FINISHED,
        deploy,
        repo,
        now,
        check=check,
        stage=stage,
        group=group,
        verdict=verdict,
        text=text[:2000],
    )


def gate_finished(
    deploy: str, repo: str, now: float, *, point: str, wave: int, ok: bool, reason: str, untold: bool = False
) -> Event:
    """All checks of the master at one point of the deploy are done; ``untold``: none failed, and one could not tell."""
    more = {"untold": True} if untold else {}
    return _event(
        GATE_FINISHED, deploy, repo, now, point=point, wave=wave, ok=ok, reason=reason[:2000], **more
    )


def warned(deploy: str, repo: str, now: float, text: str) -> Event:
    """Something that an operator should know and that stops nothing."""
    return _event(WARNED, deploy, repo, now, text=text)


def stage_started(
    deploy: str, repo: str, now: float, *, stage: str, total: int, group: str = "", names: Sequence[str] = ()
) -> Event:
    """A stage begins on ``total`` hosts, of one group or ("") of all; ``names`` are theirs, where they are few."""
    named = {"names": list(names)} if 0 < len(names) <= MOST_NAMES else {}
    return _event(STAGE_STARTED, deploy, repo, now, stage=stage, group=group, total=total, **named)


def stage_progress(
    deploy: str,
    repo: str,
    now: float,
    *,
    stage: str,
    total: int,
    ok: int,
    failed: int,
    in_flight: int,
    group: str = "",
) -> Event:
    """How far a stage is; the field names of scap's progress record stand beside ours."""
    done = ok + failed
    return _event(
        STAGE_PROGRESS,
        deploy,
        repo,
        now,
        stage=stage,
        group=group,
        name=f"{group} {stage}" if group else stage,
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
    deploy: str, repo: str, now: float, *, stage: str, total: int, ok: int, failed: int, group: str = ""
) -> Event:
    """A stage ends."""
    return _event(
        STAGE_FINISHED, deploy, repo, now, stage=stage, group=group, total=total, ok=ok, failed=failed
    )


def host_progress(
    deploy: str,
    repo: str,
    now: float,
    *,
    host: str,
    stage: str,
    phase: str,
    done: int,
    total: int,
    unit: str,
    step: str = "",
) -> Event:
    """How far a host is in a stage.

    Args:
        phase: one of :data:`PHASES`.
        done, total: counted in ``unit``, one of :data:`UNITS`; ``total`` 0 when not known.
        step: what it runs just now, where it does one thing after the other: ``check well``; "" where it does not.
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
        **({"step": _clipped(step, _LONGEST_STEP)} if step else {}),
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
    live: str,
    live_tag: str,
    unchanged: bool = False,
    switched: bool = True,
    heard: int = 0,
    also: Sequence[Event] = (),
    lines: Sequence[HostLine] = (),
    lines_cut: int = 0,
) -> Event:
    """A host answered a stage, or was given up (``error.kind`` is then ``unreachable``).

    ``<stage>_status`` is Trebuchet's field. ``live`` and ``live_tag`` are what its users see now. ``unchanged``: it
    ran the release already when it was asked to fetch it; ``switched``: whether the release may be live there;
    ``heard``: the epoch of the deploy before that it had heard of, where it tells.
    Where several repos are deployed as one, ``repo`` is the first of those that the host takes; ``also``: ``repo``,
    ``live``, ``live_tag`` and ``heard`` of the others. ``lines``: of the host's own log about the stage, each a list of
    time, level and text, as many of the newest as there is room for; ``lines_cut``: how many more there were.
    """
    room = _SHORT if error is None else 0  # an error has long texts of its own, and says the same
    told = {key: _brief(facts[key], room) for key in _FACTS if _is_fact(facts.get(key), room)}
    fields = {"host": host, "stage": stage, "status": status, f"{stage}_status": status, **told}
    fields |= {"live": live, "live_tag": live_tag, "unchanged": unchanged, "switched": switched, **_and(also)}
    fields |= {"heard": heard} if heard else {}
    if error is not None:
        wire = error.to_wire()
        fields["error"] = {k: _clipped(v) if isinstance(v, str) else v for k, v in wire.items()}
    if lines or lines_cut:
        fields |= _own_lines(lines, lines_cut, _LINES if error is None else _LINES_BESIDE_AN_ERROR)
    return _event(HOST_FINISHED, deploy, repo, now, **fields)


def _own_lines(lines: Sequence[HostLine], cut: int, room: int) -> Event:
    from saltdeploy.protocol import host_lines  # most commands tell nothing of hosts

    kept = host_lines.fitting(lines, room)
    cut += len(lines) - len(kept)
    return {**({"lines": kept} if kept else {}), **({"lines_cut": cut} if cut else {})}


#: ``source`` served the payload, for the reason ``why``; ``left`` are sources that did not, with what was wrong; ``root``
#: is that of the tree on the host; ``free_bytes`` and ``free_inodes`` were left on its disk when the stage failed.
_FACTS = (
    "bytes",
    "files",
    "seconds",
    "moved_aside",
    "taken_over",
    "left_behind",
    "untracked",
    "source",
    "why",
    "left",
    "root",
    "free_bytes",
    "free_inodes",
)


def _brief(value: Any, room: int) -> Any:
    return _clipped(value, room) if isinstance(value, str) else value


def _is_fact(value: object, room: int) -> bool:
    return (isinstance(value, str) and room > 0) or _is_number(value)


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
    left: Event | None = None,
    also: Sequence[Event] = (),
    blameless: bool = False,
    steps: Sequence[Event] = (),
) -> Event:
    """A deploy ends. ``outcome`` is one of ``CONVERGED``, ``HELD``, ``ROLLED BACK``, ``MIXED``.

    ``left``: ``tag`` and ``commit`` of what the hosts ran when it began, where they had heard of deploys that this master
    knew nothing of; empty where they ran different ones. ``also``: ``repo``, ``tag`` and ``left`` of the others, where
    several repos are deployed as one. ``blameless``: it was stopped by nothing but trouble of the hosts' own, for which
    the release is not to blame. ``steps``: what became of each step that runs once: ``repo``, ``step``, ``host``, ``state``,
    ``undo`` (whether it can be undone), ``refuses`` (whether it refuses a roll back).
    """
    fields = {"tag": tag, "outcome": outcome, "ok": ok, "total": total, "reason": reason, "next": next}
    fields |= {"left": left} if left is not None else {}
    fields |= {"blameless": True} if blameless else {}
    fields |= {"steps": list(steps)} if steps else {}
    return _event(FINISHED, deploy, repo, now, **fields, **_and(also))
