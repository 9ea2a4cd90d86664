"""The state of a deploy: what follows from its journal. The same events always make the same state.

A running deploy takes each event in when it has been written down; a resumed one takes in the whole journal first,
and stands where the other had come to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile, DiskFull, NoSuchDeploy
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.master.plan_model import Plan
from saltdeploy.master.records.journal import replay
from saltdeploy.master.rollout import outcome as rollout_outcome
from saltdeploy.master.rollout.machine import Rollout
from saltdeploy.master.rollout.model import Ask, Gate, Outcome, Pause, StepRun
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, ROLLBACK


@dataclass
class HostState:
    """What a deploy knows of one host.

    Attributes:
        before: repo to ``(commit, tag)`` of what was live when it had fetched; empty until then.
        heard: repo to the epoch of the deploy before that it had heard of.
        live: repo to ``(commit, tag)`` of what its users see, as it told last.
        state: ``ok``, ``unchanged``, ``rolled back``, ``failed``, ``unreachable``, or "" when it was not heard.
        error: why it failed, as plain data.
        files, bytes: written and received.
        moved_aside: what was found at its location and kept.
        taken_over: paths that are shared from now on, with what its users had there.
        left_behind: where the repo was live before its location was moved, and what cleans it.
        untracked: what was of no release in what it showed before.
    """

    before: dict[str, tuple[str, str]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    live: dict[str, tuple[str, str]] = field(default_factory=dict)
    state: str = ""
    error: dict[str, Any] | None = None
    files: int = 0
    bytes: int = 0
    moved_aside: str = ""
    taken_over: str = ""
    left_behind: str = ""
    untracked: str = ""


@dataclass
class DeployState:
    """See the module.

    Attributes:
        rollout: the state machine.
        hosts: each target.
        attempts: how often a host was asked for a stage.
        left: the seconds that were left of a pause (``pause <wave>``) or a question (its key) at the last event; the time
            without a process, before the deploy was resumed, is not taken off.
        told: when the last event happened.
        begun: when it began, in seconds since the epoch.
        pinned: whether the pin has been told of.
        ended: whether the deploy has told its outcome.
    """

    script: Plan
    rollout: Rollout
    hosts: dict[str, HostState]
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: dict[str, float] = field(default_factory=dict)
    told: float = 0.0
    begun: float = 0.0
    pinned: bool = False
    ended: bool = False

    @classmethod
    def of(cls, script: Plan) -> DeployState:
        """The state of a deploy that has not begun."""
        return cls(script, Rollout(script.waves, script.rules), {host: HostState() for host in script.hosts})

    @classmethod
    def read(cls, path: Path) -> DeployState:
        """The state that the journal at ``path`` tells of.

        Raises:
            NoSuchDeploy: see :meth:`replayed`.
            DamagedFile: what it tells has no meaning.
        """
        try:
            return cls.replayed(replay(path))
        except durable.WRONG_FORM as error:
            raise DamagedFile.of_file(path, f"its events have another form: {error!r}") from error

    @classmethod
    def replayed(cls, journal: Iterable[events.Event]) -> DeployState:
        """The state that a journal tells of.

        Raises:
            NoSuchDeploy: the journal does not hold the plan.
        """
        found: DeployState | None = None
        for event in journal:
            if event["event"] == events.PLANNED:
                found = cls.of(Plan.from_wire(event["script"]))
                found.take(event)
            elif found is not None:
                found.take(event)
        if found is None:
            raise NoSuchDeploy("its journal ends before anything was decided", next="deploy it again")
        return found

    def take(self, event: events.Event) -> None:
        """Take in one event that has been written down."""
        self._take_time(event)
        act = _TAKE.get(event["event"])
        if act is not None:
            act(self, event)

    # -- how it ends ------------------------------------------------------------------------------------

    def next_command(self, outcome: Outcome) -> str:
        """What an operator can do after the deploy has ended so; "" for nothing."""
        errors = [host.error for host in self.hosts.values() if host.error]
        advice = str(errors[0].get("next", "")) if errors else self.rollout.advice()
        away = any(host.state == "unreachable" for host in self.hosts.values())
        return rollout_outcome.next_commands(outcome, self._releases(), away, advice)

    def unrecorded(self, outcome: Outcome, lost: OSError) -> tuple[Outcome, str]:
        """The outcome when it cannot be written down, and what an operator can do then."""
        error = from_os(lost)
        told = rollout_outcome.unrecorded(outcome, cannot_record(lost))
        place = error.path or "/"
        room = f"free space on the master (df -h {place}; df -i {place})"
        mend = room if isinstance(error, DiskFull) else f"on the master: {error.next or error.usual}"
        return told, rollout_outcome.when_it_can_be_written(told, mend, self._releases())

    def _releases(self) -> rollout_outcome.DeployedTags:
        parts = self.script.parts
        return rollout_outcome.DeployedTags(
            self.script.action,
            {part.repo: part.release.tag for part in parts},
            {part.repo: part.previous for part in parts},
            self.script.deploy,
        )

    def _take_time(self, event: events.Event) -> None:
        passed = max(0.0, event["time"] - self.told)
        if event["event"] != events.RESUMED:
            self.left = {key: max(0.0, left - passed) for key, left in self.left.items()}
        self.told = event["time"]

    # -- one method for each kind of event that changes the state --------------------------------------

    def _planned(self, event: events.Event) -> None:
        self.begun = event["time"]

    def _asked(self, event: events.Event) -> None:
        ask = Ask(event["stage"], tuple(event["hosts"]), event["wave"])
        for host in ask.hosts:
            self.attempts[ask.stage, host] += 1
        self.rollout.asked(ask)

    def _host_finished(self, event: events.Event) -> None:
        host, stage = self.hosts.get(event["host"]), event["stage"]
        if host is None or stage != self.rollout.stage or event["host"] not in self.rollout.in_flight():
            return
        error = event.get("error")
        _note(host, stage, event, error)
        self.rollout.heard(
            event["host"],
            error=from_wire(error) if error else None,
            unchanged=event["unchanged"],
            way_back=bool(host.before) and all(commit for commit, _ in host.before.values()),
            switched=event["switched"],
            shows=self._shows(event),
        )

    def _shows(self, event: events.Event) -> bool:
        """Whether the host told that the release of each of its repos is live."""
        commits = {part.repo: part.release.commit for part in self.script.parts}
        return all(each["live"] == commits.get(each["repo"]) for each in events.of_each_repo(event))

    def _gate_finished(self, event: events.Event) -> None:
        gate, untold = Gate(event["point"], event["wave"]), bool(event.get("untold"))
        self.rollout.passed(gate, ok=event["ok"], reason=event["reason"], untold=untold)

    def _step_started(self, event: events.Event) -> None:
        run = self._run_of(event)
        if run is not None:
            self.rollout.step_begun(run)

    def _step_finished(self, event: events.Event) -> None:
        run = self._run_of(event)
        if run is not None:
            self.rollout.step_ended(run, event["state"], event["text"])

    def _run_of(self, event: events.Event) -> StepRun | None:
        """The run that an event is about; None where it is not the one that is due."""
        due = self.rollout.due()
        said = (event["repo"], event["step"], event["number"], event["on"], event["undo"])
        is_due = isinstance(due, StepRun) and said == (
            due.step.repo,
            due.step.name,
            due.number,
            due.host,
            due.undo,
        )
        return due if is_due and isinstance(due, StepRun) else None

    def _paused(self, event: events.Event) -> None:
        self.left[f"pause {event['wave']}"] = max(0.0, event["until"] - event["time"])

    def _pause_over(self, event: events.Event) -> None:
        self.rollout.waited(Pause(event["wave"], event["seconds"]))

    def _question(self, event: events.Event) -> None:
        self.left[event["key"]] = max(0.0, event["until"] - event["time"])

    def _answered(self, event: events.Event) -> None:
        self.rollout.answered(event["key"], event["choice"])

    def _aborted(self, event: events.Event) -> None:
        self.rollout.abort(event["reason"])

    def _pinned(self, event: events.Event) -> None:
        self.pinned = True

    def _finished(self, event: events.Event) -> None:
        self.ended = True


def cannot_record(lost: OSError) -> str:
    """Why a deploy stops that cannot be written down."""
    error = from_os(lost)
    where = f" in {error.path}" if error.path else ""
    return f"the master cannot write down what happens{where}: {error.cause}"


def _note(host: HostState, stage: str, event: events.Event, error: Any) -> None:
    """Keep what a host told; what it received stays with it through later stages."""
    live = {each["repo"]: (each["live"], each["live_tag"]) for each in events.of_each_repo(event)}
    if stage == FETCH:
        host.before = live
        host.heard = {each["repo"]: each.get("heard", 0) for each in events.of_each_repo(event)}
    host.live |= {repo: shown for repo, shown in live.items() if shown[0]}
    host.error = error or None
    host.files += event.get("files", 0)
    host.bytes += event.get("bytes", 0)
    host.moved_aside = event.get("moved_aside", host.moved_aside)
    host.taken_over = event.get("taken_over", host.taken_over)
    host.left_behind = event.get("left_behind", host.left_behind)
    host.untracked = event.get("untracked", "" if stage == ROLLBACK else host.untracked)
    if error:
        host.state = "unreachable" if error.get("kind") == "unreachable" else "failed"
    else:
        unchanged = stage == FETCH and event["unchanged"]
        host.state = "rolled back" if stage == ROLLBACK else "unchanged" if unchanged else "ok"


_TAKE = {
    events.PLANNED: DeployState._planned,
    events.ASKED: DeployState._asked,
    events.HOST_FINISHED: DeployState._host_finished,
    events.GATE_FINISHED: DeployState._gate_finished,
    events.STEP_STARTED: DeployState._step_started,
    events.STEP_FINISHED: DeployState._step_finished,
    events.PAUSED: DeployState._paused,
    events.PAUSE_OVER: DeployState._pause_over,
    events.QUESTION: DeployState._question,
    events.ANSWERED: DeployState._answered,
    events.ABORTED: DeployState._aborted,
    events.PINNED: DeployState._pinned,
    events.FINISHED: DeployState._finished,
}
