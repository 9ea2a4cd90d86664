"""One deploy from its begin to its end: which host was in which stage from when to when, what was asked, what failed.

Plain data for a page, a picture or a text. Whatever an event holds, nothing here raises, and every text is cleaned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from saltdeploy.protocol import events, host_lines
from saltdeploy.watch.notes import OutcomeNote
from saltdeploy.watch.state import BEGUN, DeployView
from saltdeploy.watch.text import clean, count, moment

_MOST_HOSTS = 20_000
_MOST_SPANS = 40  # of one host
_MOST_NOTES = 1_000  # of each kind


@dataclass
class HostSpan:
    """A host in a stage.

    Attributes:
        end: None as long as it has not answered.
        status: 0 when it has done it, else why not; None as long as it has not answered.
        cause, next: why it failed, and the command that leads on.
        free_bytes, free_inodes: what its disk had left when the stage failed; None where it did not tell.
        lines: of its own log, as :mod:`saltdeploy.protocol.host_lines` has them on the wire; ``lines_cut``: how many older ones.
    """

    stage: str
    begin: float
    end: float | None = None
    status: int | None = None
    cause: str = ""
    next: str = ""
    free_bytes: int | None = None
    free_inodes: int | None = None
    lines: list[list[float | int | str]] = field(default_factory=list)
    lines_cut: int = 0


@dataclass
class StageSpan:
    """A stage of one group, or of all hosts."""

    stage: str
    group: str
    begin: float
    end: float | None = None
    total: int = 0
    ok: int = 0
    failed: int = 0


@dataclass
class Marker:
    """Something that happened at one moment, or lasted to ``end``: a question, a pause, an abort, a resume.

    Attributes:
        answer: what became of a question.
        user: who answered, stopped or resumed.
    """

    kind: str
    begin: float
    text: str
    end: float | None = None
    answer: str = ""
    user: str = ""


@dataclass
class DeployTimeline:
    """Takes in the events of a journal, those for a resumed deploy alone as well: they tell when each host was asked."""

    _state: DeployView = field(default_factory=DeployView)
    _hosts: dict[str, list[HostSpan]] = field(default_factory=dict)
    _stages: list[StageSpan] = field(default_factory=list)
    _markers: list[Marker] = field(default_factory=list)

    def hear(self, event: events.Event) -> None:
        """Take in one event."""
        kind = event.get("event")
        if kind == events.ASKED:
            self._asked(event)
            return
        if self._state.hear(event) and (take := _TAKE.get(str(kind))) is not None:
            take(self, event, moment(event.get("time")) or self._state.now)

    def view(self) -> dict[str, Any]:
        """The view ``show``: the head of the deploy, ``stages``, ``hosts`` (spans by name), ``markers``, ``warnings``, ``checks``.

        Moments are in seconds since the epoch; None where something has not ended.
        """
        state, end = self._state, self._state.outcome
        head = ("deploy", "repo", "tag", "commit", "user", "action", "reason", "left_out", "begun")
        return {
            "view": "show",
            "retcode": 0,
            **{key: getattr(state, key) for key in head},
            "ended": state.now if end else None,
            "now": state.now,
            "also": list(state.also),
            "groups": list(state.groups),
            **(_ending(end) if end else {}),
            "stages": [asdict(each) for each in self._stages],
            "hosts": {name: [asdict(each) for each in spans] for name, spans in self._hosts.items()},
            "markers": [asdict(each) for each in self._markers],
            "warnings": list(state.warnings),
            "checks": [asdict(each) for each in state.checks if each.verdict not in ("pass", BEGUN)],
        }

    # -- hosts --------------------------------------------------------------------------------------------

    def _asked(self, event: events.Event) -> None:
        now, stage = moment(event.get("time")), clean(event.get("stage"), 32)
        names = event.get("hosts")
        for name in names if isinstance(names, (list, tuple)) and now else ():
            self._open(clean(name, 255), stage, now or 0.0)

    def _open(self, name: str, stage: str, begin: float) -> HostSpan | None:
        """The span of a host that is at work; a new one where there is none."""
        if not name or (name not in self._hosts and len(self._hosts) >= _MOST_HOSTS):
            return None
        spans = self._hosts.setdefault(name, [])
        if spans and spans[-1].stage == stage and spans[-1].status is None:
            return spans[-1]
        if len(spans) >= _MOST_SPANS:
            return None
        spans.append(HostSpan(stage, begin))
        return spans[-1]

    def _host_progress(self, event: events.Event, now: float) -> None:
        name, stage = clean(event.get("host"), 255), clean(event.get("stage"), 32)
        spans = self._hosts.get(name, [])
        if all(span.stage != stage for span in spans):  # it may come late, behind the answer
            self._open(name, stage, self._state.now)

    def _host_finished(self, event: events.Event, now: float) -> None:
        name, stage = clean(event.get("host"), 255), clean(event.get("stage"), 32)
        last = next((each for each in reversed(self._stages) if each.stage == stage), None)
        span = self._open(name, stage, last.begin if last else now)
        if span is None:
            return
        status, error = event.get("status"), event.get("error")
        told = error if isinstance(error, dict) else {}
        good = status == 0 and not error
        span.end = max(now, span.begin)
        span.lines = host_lines.to_wire(host_lines.from_wire(event.get("lines")))
        span.lines_cut = count(event.get("lines_cut"))
        span.status = 0 if good else status if type(status) is int and status else -1
        if not good:
            span.cause = clean(told.get("cause"), 1000) or f"status {clean(status, 20) or 'unknown'}"
            span.next = clean(told.get("next"), 1000)
            span.free_bytes, span.free_inodes = (
                _left(event.get(f"free_{what}")) for what in ("bytes", "inodes")
            )

    # -- stages -------------------------------------------------------------------------------------------

    def _stage_started(self, event: events.Event, now: float) -> None:
        name, group = clean(event.get("stage"), 32), clean(event.get("group"), 64)
        if len(self._stages) < _MOST_NOTES:
            self._stages.append(StageSpan(name, group, now, total=count(event.get("total"))))

    def _stage_finished(self, event: events.Event, now: float) -> None:
        name, group = clean(event.get("stage"), 32), clean(event.get("group"), 64)
        found = (one for one in reversed(self._stages) if (one.stage, one.group) == (name, group))
        if (one := next(found, None)) is not None:
            one.end, one.total = now, count(event.get("total")) or one.total
            one.ok, one.failed = count(event.get("ok")), count(event.get("failed"))

    # -- what people did ----------------------------------------------------------------------------------

    def _mark(self, kind: str, now: float, text: str, **more: Any) -> None:
        if len(self._markers) < _MOST_NOTES:
            self._markers.append(Marker(kind, now, text, **more))

    def _question(self, event: events.Event, now: float) -> None:
        self._mark("question", now, clean(event.get("text"), 2000))

    def _answered(self, event: events.Event, now: float) -> None:
        for marker in self._still("question"):
            marker.end, marker.answer = now, clean(event.get("choice"), 64)
            marker.user = clean(event.get("user"), 64)

    def _paused(self, event: events.Event, now: float) -> None:
        self._mark("pause", now, f"before {clean(event.get('group'), 64) or 'the next group'}")

    def _pause_over(self, event: events.Event, now: float) -> None:
        for marker in self._still("pause"):
            marker.end = now

    def _still(self, kind: str) -> Iterator[Marker]:
        return (marker for marker in self._markers if marker.kind == kind and marker.end is None)

    def _aborted(self, event: events.Event, now: float) -> None:
        self._mark("abort", now, self._state.aborted, user=clean(event.get("user"), 64))

    def _resumed(self, event: events.Event, now: float) -> None:
        self._mark("resume", now, "another process went on", user=self._state.resumed)


def _left(number: object) -> int | None:
    return number if type(number) is int and number >= 0 else None


def _ending(end: OutcomeNote) -> dict[str, Any]:
    return {"outcome": end.word, "ok": end.ok, "total": end.total, "cause": end.reason, "next": end.next}


_TAKE: dict[str, Callable[[DeployTimeline, events.Event, float], None]] = {
    events.HOST_PROGRESS: DeployTimeline._host_progress,
    events.HOST_FINISHED: DeployTimeline._host_finished,
    events.STAGE_STARTED: DeployTimeline._stage_started,
    events.STAGE_FINISHED: DeployTimeline._stage_finished,
    events.QUESTION: DeployTimeline._question,
    events.ANSWERED: DeployTimeline._answered,
    events.PAUSED: DeployTimeline._paused,
    events.PAUSE_OVER: DeployTimeline._pause_over,
    events.ABORTED: DeployTimeline._aborted,
    events.RESUMED: DeployTimeline._resumed,
}
