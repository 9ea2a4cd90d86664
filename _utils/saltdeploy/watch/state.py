"""What the events of a deploy add up to: stages, hosts, failures, the outcome. No clock, no I/O.

Whatever an event holds, nothing here raises: fields that are missing or of a wrong type count as not there,
and every text is cleaned before it is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TypeVar

from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch.notes import (
    AnswerNote,
    CheckNote,
    Failure,
    OutcomeNote,
    PauseNote,
    Pinned,
    QuestionNote,
)
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.text import clean, count, hosts, moment

_MOST_HOSTS = 20_000
_MOST_STAGES = 50
_MOST_NOTES = 1_000
_MOST_NAMES = 50
_RATE_OVER = 5.0  # seconds
_FETCH = "fetch"
_PREPARE, _FETCH_NOTHING = "prepare", ("rollback", "restart")
_Note = TypeVar("_Note")
#: The verdict of a step that has begun; and those of one that has ended, as of a check.
BEGUN = "begun"
_VERDICTS = {"done": "pass", "failed": "fail"}


@dataclass
class DeployView:
    """A deploy as its events tell it.

    Attributes:
        begun, now: when it began, and the latest moment that is known of, in seconds since the epoch.
        underway: hosts may have been asked; False while all that is known is that the deploy is being prepared.
        step: what is done or waited for while it is being prepared.
        stages: by name and group, in the order in which they began; the last 50 of them.
        chosen: which transport was chosen for how many hosts, and why.
        failures, warnings, checks: in the order in which they came.
        blocked: a check of the master did not pass, and nobody has decided yet what follows.
        question, answer: the one that is open, and the latest answer.
        pause: the one that it waits for now.
        aborted: why an operator stopped it.
        resumed: who resumed it in another process.
        pinned: the latest pin.
        also: the other repos that are deployed as one with this one, each with its tag.
    """

    deploy: str = ""
    repo: str = ""
    tag: str = ""
    commit: str = ""
    user: str = ""
    action: str = ""
    reason: str = ""
    groups: tuple[str, ...] = ()
    hosts: int = 0
    left_out: int = 0
    begun: float = 0.0
    now: float = 0.0
    underway: bool = False
    step: str = ""
    stages: dict[tuple[str, str], Stage] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checks: list[CheckNote] = field(default_factory=list)
    blocked: bool = False
    question: QuestionNote | None = None
    answer: AnswerNote | None = None
    pause: PauseNote | None = None
    aborted: str = ""
    resumed: str = ""
    pinned: Pinned | None = None
    also: tuple[str, ...] = ()
    outcome: OutcomeNote | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _left: set[str] = field(default_factory=set)

    @property
    def stage(self) -> Stage | None:
        """The latest stage."""
        return next(reversed(self.stages.values()), None)

    @property
    def running(self) -> Stage | None:
        """The stage that hosts work at now."""
        stage = self.stage
        return stage if stage is not None and stage.ended is None else None

    def hear(self, event: object) -> str:
        """Take in one event.

        Returns:
            Its kind, one of the names in :mod:`saltdeploy.protocol.events`; "" when it is none, or another deploy's.
        """
        if not isinstance(event, dict):
            return ""
        kind = event.get("event")
        take = _TAKE.get(kind) if isinstance(kind, str) else None
        deploy = clean(event.get("deploy"), 64)
        if take is None or (self.deploy and deploy != self.deploy):
            return ""
        self.deploy = deploy
        self.repo = self.repo or clean(event.get("repo"), 200)
        if kind != events.HOST_PROGRESS:  # it may bear the time of its host, whose clock may be wrong
            self.tick(event.get("time"))
        self.begun = self.begun or self.now
        self.underway |= kind != events.PREPARING
        take(self, event)
        return str(kind)

    def tick(self, now: object) -> None:
        """Time has passed."""
        self.now = max(self.now, moment(now) or 0.0)
        stage = self.running
        if stage is None:
            return
        self._samples.append((self.now, stage.received))
        while self._samples and self.now - self._samples[0][0] > _RATE_OVER:
            self._samples.popleft()

    def rate(self) -> float:
        """Bytes received per second: over the last seconds of a running stage, over the whole of an ended one."""
        stage = self.stage
        if stage is None:
            return 0.0
        begin, end = (stage.begun, 0), (stage.ended or self.now, stage.received)
        if stage.ended is None and len(self._samples) > 1:
            begin, end = self._samples[0], self._samples[-1]
        passed = end[0] - begin[0]
        return max(0.0, (end[1] - begin[1]) / passed) if passed > 0 else 0.0

    def elapsed(self, stage: Stage | None = None) -> float:
        """Seconds that a stage, or the whole deploy, has taken up to now."""
        if stage is None:
            return self.now - self.begun
        return (self.now if stage.ended is None else stage.ended) - stage.begun

    # -- the deploy -------------------------------------------------------------------------------------

    def _preparing(self, event: events.Event) -> None:
        self.tag, self.action = clean(event.get("tag"), 200), clean(event.get("action"), 32)
        self.user, self.step = clean(event.get("user"), 64), clean(event.get("step"), 1000)
        self.also = _parts(event.get("also"))

    def _started(self, event: events.Event) -> None:
        self._preparing(event)
        self.commit, self.reason = clean(event.get("commit"), 64), clean(event.get("reason"))
        self.hosts, self.left_out = count(event.get("hosts")), count(event.get("left_out"))
        self.groups = _texts(event.get("groups"))

    def _chosen(self, event: events.Event) -> None:
        _keep(self.chosen, f"{clean(event.get('why'), 1000)}: {hosts(count(event.get('hosts')))}")

    def _warned(self, event: events.Event) -> None:
        _keep(self.warnings, clean(event.get("text"), 1000))

    def _aborted(self, event: events.Event) -> None:
        user = clean(event.get("user"), 64)
        self.aborted = clean(event.get("reason")) or f"stopped by {user or 'somebody'}"
        self.question = self.pause = None

    def _resumed(self, event: events.Event) -> None:
        self.resumed = clean(event.get("user"), 64)
        self._samples.clear()

    def _pinned(self, event: events.Event) -> None:
        tag, commit = clean(event.get("tag"), 200), clean(event.get("commit"), 64)
        self.pinned = Pinned(clean(event.get("repo"), 200), tag, commit)

    def _finished(self, event: events.Event) -> None:
        self.tag = self.tag or clean(event.get("tag"), 200)
        self.question = self.pause = None
        self.outcome = OutcomeNote(
            clean(event.get("outcome"), 32) or "no outcome",
            count(event.get("ok")),
            count(event.get("total")),
            clean(event.get("reason"), 1000),
            clean(event.get("next"), 1000),
        )

    # -- between stages ---------------------------------------------------------------------------------

    def _check_finished(self, event: events.Event) -> None:
        name, group, verdict = (clean(event.get(key), 64) for key in ("check", "group", "verdict"))
        _keep(self.checks, CheckNote(name, group, verdict, clean(event.get("text"), 2000)))

    def _step_started(self, event: events.Event) -> None:
        _keep(self.checks, _step_note(event, BEGUN, ""))

    def _step_finished(self, event: events.Event) -> None:
        verdict = _VERDICTS.get(clean(event.get("state"), 20), "inconclusive")
        _keep(self.checks, _step_note(event, verdict, clean(event.get("text"), 2000)))

    def _gate_finished(self, event: events.Event) -> None:
        self.blocked = event.get("ok") is not True

    def _paused(self, event: events.Event) -> None:
        self.pause = PauseNote(clean(event.get("group"), 64), moment(event.get("until")) or self.now)

    def _pause_over(self, event: events.Event) -> None:
        self.pause = None

    def _question(self, event: events.Event) -> None:
        self.question = QuestionNote(
            clean(event.get("key"), 64),
            clean(event.get("text"), 2000),
            _texts(event.get("choices")),
            clean(event.get("default"), 64),
            moment(event.get("until")) or self.now,
        )

    def _answered(self, event: events.Event) -> None:
        key, choice, user = (clean(event.get(name), 64) for name in ("key", "choice", "user"))
        self.answer = AnswerNote(key, choice, user, unattended=event.get("unattended") is True)
        if self.answer.choice == "retry" and self.stage is not None and not self.blocked:
            self.stage.again(self.now)
        self.question, self.blocked = None, False

    # -- stages -----------------------------------------------------------------------------------------

    def _stage_started(self, event: events.Event) -> None:
        stage = self._of(event)
        self.stages[stage.name, stage.group] = self.stages.pop((stage.name, stage.group))  # the latest again
        stage.begin(count(event.get("total")), self.now)
        stage.names = _texts(event.get("names"), 255)
        self._samples = deque([(self.now, stage.received)])

    def _stage_progress(self, event: events.Event) -> None:
        stage = self._of(event)
        stage.total = count(event.get("totalTasks")) or stage.total
        stage.ok, stage.failed = count(event.get("tasksFinishedOk")), count(event.get("tasksFinishedFailed"))
        stage.in_flight = count(event.get("tasksInFlight"))

    def _stage_finished(self, event: events.Event) -> None:
        stage = self._of(event)
        stage.total, stage.in_flight = count(event.get("total")) or stage.total, 0
        stage.ok, stage.failed = count(event.get("ok")), count(event.get("failed"))
        stage.ended = self.now

    def _host_progress(self, event: events.Event) -> None:
        stage, host = self._host(event)
        if host is None or host.status is not None:
            return
        host.phase, host.unit = clean(event.get("phase"), 16), clean(event.get("unit"), 16)
        host.done, host.total = count(event.get("done")), count(event.get("total"))
        host.runs(clean(event.get("step"), 80), self.now)
        if host.unit == "bytes":
            stage.receive(host, max(host.bytes, host.done))

    def _host_finished(self, event: events.Event) -> None:
        stage, host = self._host(event)
        if host is None or host.status is not None:
            return
        status, error = event.get("status"), event.get("error")
        good = status == 0 and not error
        host.unchanged = event.get("unchanged") is True
        stage.receive(host, count(event.get("bytes")) or host.bytes)
        told = error if isinstance(error, dict) else {}
        given_up = told.get("kind") == errors.Unreachable.kind
        stage.answer(host, 0 if good else _bad(status), None if given_up else self.now)
        self._served(stage, host, event)
        if good:
            return
        cause = clean(told.get("cause")) or f"status {clean(status, 20) or 'unknown'}"
        self.failures.append(Failure(host.name, stage.name, cause, clean(told.get("next"))))

    def _served(self, stage: Stage, host: HostProgress, event: events.Event) -> None:
        """Who served it, and who did not: a source that many hosts leave for the same reason is told of once."""
        source, left = clean(event.get("source")), clean(event.get("left"))
        if source and len(stage.sources) < _MOST_NAMES:
            stage.sources[source] += 1
        if left and left not in self._left and len(self._left) < _MOST_NAMES:
            self._left.add(left)
            _keep(self.warnings, f"{host.name}: a source was left: {left}")

    def _of(self, event: events.Event) -> Stage:
        """The stage that an event of the master is about."""
        key = (clean(event.get("stage"), 32) or "stage", clean(event.get("group"), 64))
        if key not in self.stages:
            self.stages = {
                old: stage for old, stage in self.stages.items() if stage.total
            }  # less the guessed
            self.stages[key] = Stage(key[0], self.now, key[1], self._called(key[0]))
            while len(self.stages) > _MOST_STAGES:
                del self.stages[next(iter(self.stages))]
        return self.stages[key]

    def _called(self, stage: str) -> str:
        """A roll back and a restart fetch nothing that hosts have: their first stage looks whether they do."""
        return _PREPARE if stage == _FETCH and self.action in _FETCH_NOTHING else ""

    def _host(self, event: events.Event) -> tuple[Stage, HostProgress | None]:
        """The host that an event is about, in the latest stage of that name; hosts know nothing of groups."""
        name, called = clean(event.get("host"), 255), clean(event.get("stage"), 32)
        found = (stage for stage in reversed(self.stages.values()) if stage.name == called)
        stage = next(found, None)
        if stage is None and self.stages:
            return Stage(called, self.now), None
        stage = stage or self._of({"stage": called})
        if not name or (name not in stage.hosts and len(stage.hosts) >= _MOST_HOSTS):
            return stage, None
        return stage, stage.host(name, self.now)


def _step_note(event: events.Event, verdict: str, text: str) -> CheckNote:
    what = "undoing" if event.get("undo") is True else "step"
    place = clean(event.get("on"), 255) or "the master"
    return CheckNote(f"{what} {clean(event.get('step'), 64)}", place, verdict, text)


def _bad(status: object) -> int:
    return status if isinstance(status, int) and status else -1


def _texts(value: object, longest: int = 64) -> tuple[str, ...]:
    """Names or choices, the empty ones left out."""
    listed = value[:_MOST_NAMES] if isinstance(value, (list, tuple)) else ()
    return tuple(filter(None, (clean(each, longest) for each in listed)))


def _parts(also: object) -> tuple[str, ...]:
    """``l10n v7`` for each of the repos that are deployed as one with another."""
    others = [each for each in also if isinstance(each, dict)] if isinstance(also, list) else []
    return tuple(
        f"{clean(one.get('repo'), 200)} {clean(one.get('tag'), 200)}".strip() for one in others[:_MOST_NAMES]
    )


def _keep(notes: list[_Note], note: _Note) -> None:
    if len(notes) < _MOST_NOTES:
        notes.append(note)


_TAKE = {
    events.PREPARING: DeployView._preparing,
    events.STARTED: DeployView._started,
    events.CHOSEN: DeployView._chosen,
    events.WARNED: DeployView._warned,
    events.ABORTED: DeployView._aborted,
    events.RESUMED: DeployView._resumed,
    events.CHECK_FINISHED: DeployView._check_finished,
    events.STEP_STARTED: DeployView._step_started,
    events.STEP_FINISHED: DeployView._step_finished,
    events.GATE_FINISHED: DeployView._gate_finished,
    events.PAUSED: DeployView._paused,
    events.PAUSE_OVER: DeployView._pause_over,
    events.QUESTION: DeployView._question,
    events.ANSWERED: DeployView._answered,
    events.STAGE_STARTED: DeployView._stage_started,
    events.STAGE_PROGRESS: DeployView._stage_progress,
    events.STAGE_FINISHED: DeployView._stage_finished,
    events.HOST_PROGRESS: DeployView._host_progress,
    events.HOST_FINISHED: DeployView._host_finished,
    events.PINNED: DeployView._pinned,
    events.FINISHED: DeployView._finished,
}
