"""The log of a deploy: each of its events as records with a level and a host, in the words of all other watchers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from saltdeploy.lib.text import utc
from saltdeploy.protocol import events, host_lines
from saltdeploy.watch import sentences
from saltdeploy.watch.log_filter import Attributes
from saltdeploy.watch.notes import CheckNote
from saltdeploy.watch.stage import HostFacts, Stage
from saltdeploy.watch.state import BEGUN, DeployView
from saltdeploy.watch.text import clean, count, moment

_OF_A_CHECK = {"pass": logging.INFO, "fail": logging.ERROR}
_OF_AN_OUTCOME = {"CONVERGED": logging.INFO, "MIXED": logging.CRITICAL}


@dataclass(frozen=True)
class DeployRecord:
    """One line of the log.

    Attributes:
        created: seconds since the epoch.
        levelno: as in Python's logging.
        host: whom it is about; the master where it is about no other one.
        event: one of the names in :mod:`saltdeploy.protocol.events`.
        status: 0 when a host has done a stage, else why not; None where it is about something else.
    """

    created: float
    levelno: int
    host: str
    message: str
    event: str
    repo: str
    deploy: str
    stage: str = ""
    group: str = ""
    check: str = ""
    user: str = ""
    phase: str = ""
    status: int | None = None
    name: str = "deploy"

    def attributes(self) -> Attributes:
        """By name, under the names that scap's records have; what is not known is not there."""
        known = {key: value for key, value in asdict(self).items() if value not in ("", None)}
        level = {"levelname": logging.getLevelName(self.levelno), "msg": self.message}
        return {"asctime": utc(self.created), **known, **level}


class DeployLog:
    """Turns events into records. Whatever an event holds, nothing here raises.

    Args:
        master: the name under which the master's own records stand.
    """

    def __init__(self, master: str) -> None:
        self._master = master
        self._state = DeployView()
        self._failures = self._warnings = 0
        self._said = ""

    @property
    def state(self) -> DeployView:
        """What the events that were heard add up to."""
        return self._state

    def hear(self, event: events.Event) -> Iterator[DeployRecord]:
        """The records that an event is worth, in the order in which they are to be read."""
        kind = self._state.hear(event)
        say = _SAY.get(kind)
        if say is None:
            return
        base = self._base(event, kind)
        for level, text in say(self, event):
            yield replace(base, levelno=level, message=text)
        yield from self._own_lines(event, base)
        for warning in self._state.warnings[self._warnings :]:
            yield replace(base, levelno=logging.WARNING, message=sentences.warned(warning))
        self._warnings = len(self._state.warnings)

    def _base(self, event: events.Event, kind: str) -> DeployRecord:
        """A record of an event, still without a level and without words."""
        host, status = clean(event.get("host"), 255), event.get("status")
        told = kind == events.HOST_FINISHED and type(status) is int
        return DeployRecord(
            moment(event.get("time")) or self._state.now,
            logging.NOTSET,
            host or self._master,
            "",
            kind,
            self._state.repo,
            self._state.deploy,
            **{key: clean(event.get(key), 255) for key in ("stage", "group", "check", "user", "phase")},
            status=status if told else None,
            name=f"target.{host}" if host else "deploy",
        )

    def _own_lines(self, event: events.Event, base: DeployRecord) -> Iterator[DeployRecord]:
        """What stood in the host's own log about the stage."""
        own = replace(base, name=f"target.{base.host}.log", status=None)
        if cut := count(event.get("lines_cut")):
            yield replace(own, levelno=logging.INFO, message=sentences.lines_cut(cut))
        for line in host_lines.from_wire(event.get("lines")):
            # the clock of a host may be wrong, and no line is later than what it came with
            created = min(line.created, own.created)
            yield replace(
                own, created=created, levelno=line.level, message=clean(line.text, host_lines.LONGEST)
            )

    # -- the deploy -------------------------------------------------------------------------------------

    def _preparing(self, event: events.Event) -> Iterator[tuple[int, str]]:
        said = sentences.preparing(self._state)
        if said != self._said:
            yield logging.INFO, said
        self._said = said
        if self._state.step:
            yield logging.DEBUG, sentences.still_preparing(self._state)

    def _started(self, event: events.Event) -> Iterator[tuple[int, str]]:
        yield logging.INFO, sentences.started(self._state)
        for line in sentences.scope(self._state):
            yield logging.INFO, line

    def _chosen(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.chosen:
            yield logging.INFO, f"{self._state.repo}: {self._state.chosen[-1]}"

    def _warned(self, event: events.Event) -> Iterator[tuple[int, str]]:
        yield from ()  # it is told with the warnings that other events bring

    def _resumed(self, event: events.Event) -> Iterator[tuple[int, str]]:
        yield logging.WARNING, sentences.resumed(self._state)

    def _aborted(self, event: events.Event) -> Iterator[tuple[int, str]]:
        yield logging.WARNING, sentences.aborted(self._state)

    def _pinned(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.pinned is not None:
            yield logging.INFO, sentences.pinned(self._state.pinned)

    def _finished(self, event: events.Event) -> Iterator[tuple[int, str]]:
        end = self._state.outcome
        if end is not None:
            yield logging.INFO, sentences.finished(self._state)
            yield _OF_AN_OUTCOME.get(end.word, logging.ERROR), sentences.ending(end)

    # -- between stages ---------------------------------------------------------------------------------

    def _checked(self, event: events.Event) -> Iterator[tuple[int, str]]:
        name, group, verdict = (clean(event.get(key), 64) for key in ("check", "group", "verdict"))
        check = CheckNote(name, group, verdict, clean(event.get("text"), 2000))
        yield _OF_A_CHECK.get(verdict, logging.WARNING), sentences.checked(check, self._state.repo)

    def _stepped(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.checks:
            step = self._state.checks[-1]
            level = logging.INFO if step.verdict == BEGUN else _OF_A_CHECK.get(step.verdict, logging.WARNING)
            yield level, sentences.checked(step, self._state.repo)

    def _paused(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.pause is not None:
            yield logging.INFO, sentences.paused(self._state.pause, self._state)

    def _asked(self, event: events.Event) -> Iterator[tuple[int, str]]:
        question = self._state.question
        if question is not None:
            yield logging.WARNING, f"{self._state.repo}: {question.text}"
            for line in sentences.waits(question, self._state):
                yield logging.WARNING, line

    def _answered(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.answer is not None:
            yield logging.INFO, f"{self._state.repo}: {sentences.answered(self._state.answer)}"

    # -- stages and hosts -------------------------------------------------------------------------------

    def _stage_started(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if self._state.stage is not None:
            yield logging.INFO, sentences.stage_started(self._state, self._state.stage)

    def _stage_progress(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if (stage := self._stage_of(event)) is not None:
            yield logging.DEBUG, sentences.counts(self._state, stage)

    def _stage_finished(self, event: events.Event) -> Iterator[tuple[int, str]]:
        if (stage := self._stage_of(event)) is not None:
            level = logging.WARNING if stage.failed else logging.INFO
            yield level, sentences.counts(self._state, stage)
            yield logging.INFO, sentences.stage_finished(self._state, stage)

    def _host_progress(self, event: events.Event) -> Iterator[tuple[int, str]]:
        stage, name = self._stage_of(event), clean(event.get("host"), 255)
        if stage is not None and name in stage.hosts:
            yield logging.DEBUG, f"{stage.label}: {sentences.doing(stage.hosts[name], self._state.now)}"

    def _host_finished(self, event: events.Event) -> Iterator[tuple[int, str]]:
        stage, name = self._stage_of(event), clean(event.get("host"), 255)
        for failure in self._state.failures[self._failures :]:
            yield logging.ERROR, f"{stage.label if stage else failure.stage}: {sentences.failed(failure)}"
            self._failures += 1
            return
        if stage is not None and name in stage.hosts:
            yield logging.INFO, sentences.done(stage, stage.hosts[name], _facts(event))

    def _stage_of(self, event: events.Event) -> Stage | None:
        """The latest stage of the event's name; hosts know nothing of groups."""
        name, group = clean(event.get("stage"), 32), clean(event.get("group"), 64)
        found = [stage for stage in self._state.stages.values() if stage.name == name]
        return next(
            (stage for stage in found if group and stage.group == group), found[-1] if found else None
        )


def _facts(event: events.Event) -> HostFacts:
    seconds = event.get("seconds")
    told = float(seconds) if isinstance(seconds, (int, float)) and 0 < seconds < 1e9 else 0.0
    return HostFacts(count(event.get("files")), count(event.get("bytes")), told, clean(event.get("source")))


_SAY: dict[str, Callable[[DeployLog, events.Event], Iterator[tuple[int, str]]]] = {
    events.PREPARING: DeployLog._preparing,
    events.STARTED: DeployLog._started,
    events.CHOSEN: DeployLog._chosen,
    events.WARNED: DeployLog._warned,
    events.RESUMED: DeployLog._resumed,
    events.ABORTED: DeployLog._aborted,
    events.PINNED: DeployLog._pinned,
    events.FINISHED: DeployLog._finished,
    events.CHECK_FINISHED: DeployLog._checked,
    events.STEP_STARTED: DeployLog._stepped,
    events.STEP_FINISHED: DeployLog._stepped,
    events.PAUSED: DeployLog._paused,
    events.QUESTION: DeployLog._asked,
    events.ANSWERED: DeployLog._answered,
    events.STAGE_STARTED: DeployLog._stage_started,
    events.STAGE_PROGRESS: DeployLog._stage_progress,
    events.STAGE_FINISHED: DeployLog._stage_finished,
    events.HOST_PROGRESS: DeployLog._host_progress,
    events.HOST_FINISHED: DeployLog._host_finished,
}
