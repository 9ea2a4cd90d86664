"""What the events of a deploy add up to: stages, hosts, failures, the outcome. No clock, no I/O.

Whatever an event holds, nothing here raises: fields that are missing or of a wrong type count as not there,
and every text is cleaned before it is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from saltdeploy import events
from saltdeploy.watch.text import clean, count, moment

_MOST_HOSTS = 20_000
_MOST_STAGES = 50
_MOST_WARNINGS = 1_000
_RATE_OVER = 5.0  # seconds
_PHASES = ("", *events.PHASES)


@dataclass
class Host:
    """What one host does in one stage.

    Attributes:
        since: when it was first heard of in this stage.
        phase, done, total, unit: as in :func:`saltdeploy.events.host_progress`.
        bytes: received.
        status: None while it is at work, 0 when it is done, else why not.
    """

    name: str
    since: float
    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    bytes: int = 0
    status: int | None = None

    @property
    def percent(self) -> int | None:
        """How far its present phase is; None when that is not known."""
        return min(100, 100 * self.done // self.total) if self.total else None


@dataclass
class Stage:
    """How far one stage is.

    Attributes:
        in_flight: hosts that were asked and have not answered; None until it is known.
        received: bytes that its hosts have received.
    """

    name: str
    begun: float
    total: int = 0
    ok: int = 0
    failed: int = 0
    in_flight: int | None = None
    ended: float | None = None
    received: int = 0
    hosts: dict[str, Host] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Hosts that have answered, or were given up."""
        return self.ok + self.failed

    @property
    def left(self) -> int:
        """Hosts that have not been asked yet."""
        return max(0, self.total - self.done - (self.in_flight or 0))

    @property
    def percent(self) -> float:
        """Of the hosts, how many have answered."""
        return min(100.0, 100 * self.done / self.total) if self.total else 100.0

    def receive(self, host: Host, number: int) -> None:
        """Note how many bytes a host has received so far."""
        self.received += number - host.bytes
        host.bytes = number

    def working(self) -> list[Host]:
        """Hosts that have been heard of and are not done, the least advanced first."""
        return sorted((host for host in self.hosts.values() if host.status is None), key=_advance)


@dataclass(frozen=True)
class Failure:
    """Why a host failed a stage."""

    host: str
    stage: str
    cause: str
    next: str


@dataclass(frozen=True)
class Outcome:
    """How the deploy ended; see :func:`saltdeploy.events.finished`."""

    word: str
    ok: int
    total: int
    reason: str
    next: str


@dataclass
class State:
    """A deploy as its events tell it.

    Attributes:
        begun, now: when it began, and the latest moment that is known of, in seconds since the epoch.
        stages: by name, in the order in which they began.
        failures, warnings: in the order in which they came.
    """

    deploy: str = ""
    repo: str = ""
    tag: str = ""
    commit: str = ""
    user: str = ""
    action: str = ""
    hosts: int = 0
    begun: float = 0.0
    now: float = 0.0
    stages: dict[str, Stage] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pinned: bool = False
    outcome: Outcome | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def stage(self) -> Stage | None:
        """The latest stage."""
        return next(reversed(self.stages.values()), None)

    def hear(self, event: object) -> str:
        """Take in one event.

        Returns:
            Its kind, one of the names in :mod:`saltdeploy.events`; "" when it is none, or another deploy's.
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
        take(self, event)
        return str(kind)

    def tick(self, now: object) -> None:
        """Time has passed."""
        self.now = max(self.now, moment(now) or 0.0)
        if self.stage is None or self.stage.ended is not None:
            return
        self._samples.append((self.now, self.stage.received))
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

    def slowest(self, most: int) -> list[Host]:
        """Hosts that the latest stage waits for, as far as their names are known, the least advanced first."""
        stage = self.stage
        if stage is None or stage.ended is not None:
            return []
        return [*self._silent(stage), *stage.working()][:most]

    def unheard(self) -> int:
        """How many hosts of the latest stage were asked and have given no sign yet."""
        stage = self.stage
        if stage is None or stage.ended is not None or stage.in_flight is None:
            return 0
        return max(0, stage.in_flight - len(stage.working()))

    def _silent(self, stage: Stage) -> list[Host]:
        """The unheard, by the names they had in the stage before; none when others may be meant."""
        stages = list(self.stages.values())
        if len(stages) < 2 or stage.left:
            return []
        may = [h for h in stages[-2].hosts.values() if h.status == 0 or stage.name == "rollback"]
        names = sorted(h.name for h in may if h.name not in stage.hosts)
        return [Host(name, stage.begun) for name in names] if len(names) == self.unheard() else []

    # -- one method for each kind of event --------------------------------------------------------------

    def _started(self, event: events.Event) -> None:
        self.tag, self.commit = clean(event.get("tag"), 200), clean(event.get("commit"), 64)
        self.user, self.action = clean(event.get("user"), 64), clean(event.get("action"), 32)
        self.hosts = count(event.get("hosts"))

    def _warned(self, event: events.Event) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(clean(event.get("text"), 1000))

    def _stage_started(self, event: events.Event) -> None:
        self._samples = deque([(self.now, 0)])
        self.stages.pop(clean(event.get("stage"), 32), None)  # it begins anew, for other hosts
        self._of(event).total = count(event.get("total"))

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
        host = self._host(event)
        if host is None or host.status is not None:
            return
        host.phase, host.unit = clean(event.get("phase"), 16), clean(event.get("unit"), 16)
        host.done, host.total = count(event.get("done")), count(event.get("total"))
        if host.unit == "bytes":
            self._of(event).receive(host, max(host.bytes, host.done))

    def _host_finished(self, event: events.Event) -> None:
        host, stage = self._host(event), self._of(event)
        if host is None or host.status is not None:
            return
        status, error = event.get("status"), event.get("error")
        host.status = status if isinstance(status, int) else -1
        stage.receive(host, count(event.get("bytes")) or host.bytes)
        if stage.in_flight:
            stage.in_flight -= 1
        if host.status == 0 and not error:
            stage.ok += 1
            return
        stage.failed += 1
        told = error if isinstance(error, dict) else {}
        cause = clean(told.get("cause")) or f"status {clean(status, 20) or 'unknown'}"
        self.failures.append(Failure(host.name, stage.name, cause, clean(told.get("next"))))

    def _pinned(self, event: events.Event) -> None:
        self.pinned = True

    def _finished(self, event: events.Event) -> None:
        self.tag = self.tag or clean(event.get("tag"), 200)
        self.outcome = Outcome(
            clean(event.get("outcome"), 32) or "no outcome",
            count(event.get("ok")),
            count(event.get("total")),
            clean(event.get("reason"), 1000),
            clean(event.get("next"), 1000),
        )

    def _of(self, event: events.Event) -> Stage:
        name = clean(event.get("stage"), 32) or "stage"
        if name not in self.stages and len(self.stages) >= _MOST_STAGES:
            return Stage(name, self.now)  # heard, and forgotten
        return self.stages.setdefault(name, Stage(name, self.now))

    def _host(self, event: events.Event) -> Host | None:
        name, known = clean(event.get("host"), 255), self._of(event).hosts
        if not name or (name not in known and len(known) >= _MOST_HOSTS):
            return None
        return known.setdefault(name, Host(name, self.now))


def _advance(host: Host) -> tuple[int, float, float, str]:
    phase = _PHASES.index(host.phase) if host.phase in _PHASES else len(_PHASES)
    return (phase, host.done / host.total if host.total else 0.0, host.since, host.name)


_TAKE = {
    events.STARTED: State._started,
    events.WARNED: State._warned,
    events.STAGE_STARTED: State._stage_started,
    events.STAGE_PROGRESS: State._stage_progress,
    events.STAGE_FINISHED: State._stage_finished,
    events.HOST_PROGRESS: State._host_progress,
    events.HOST_FINISHED: State._host_finished,
    events.PINNED: State._pinned,
    events.FINISHED: State._finished,
}
