"""The state machine of one deploy: who is asked for what, when it stops, and how it ends. No I/O, no clock.

It is told what happened (:meth:`Rollout.asked`, :meth:`~Rollout.heard`, :meth:`~Rollout.passed`,
:meth:`~Rollout.waited`, :meth:`~Rollout.answered`, :meth:`~Rollout.abort`) and says what is to be done next
(:meth:`Rollout.due`). What it is told stands in the deploy's journal, so that another process can be told the same
and go on from there. A host that gave no answer counts as failed: silence is never a success.

    FETCH     everybody, all at once or a sliding window of hosts; more failures than the limit: HELD, and nothing has
              changed anywhere
    CHECKOUT  wave by wave, a sliding window of hosts; more failures than the limit: no further hosts are started, then
    ROLLBACK  wave by wave backwards: every host that was asked to switch, not only those known to have switched

Steps that run once stand before the first wave and behind the last one; the way back undoes them where that can be done.

This file decides nothing: which state follows stands in ``table.py``, what is counted in ``book.py``.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.rollout.book import Book
from saltdeploy.master.rollout.hosts import HostAnswer
from saltdeploy.master.rollout.model import (
    DONE,
    FAILED,
    LOST,
    Ask,
    Gate,
    Instruction,
    Outcome,
    Pause,
    Question,
    Rules,
    StepRun,
    Tally,
)
from saltdeploy.master.rollout.table import ASKING, Do, Event, State, step
from saltdeploy.master.waves import Wave


class Rollout:
    """One deploy.

    Args:
        waves: the targets, in the order in which they shall switch; each host once.
        rules: what decides when things go wrong.

    Attributes:
        waves: the targets.
        state: where it stands in the table.
    """

    def __init__(self, waves: tuple[Wave, ...], rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        self.waves = waves
        self.state = State.BEFORE_FETCH
        self._book = Book(waves, rules)
        self._pending: Gate | Pause | Question | StepRun | None = None
        self._settle()

    @property
    def stage(self) -> str:
        """``fetch``, ``checkout`` or ``rollback``."""
        return self._book.stage

    @property
    def wave(self) -> int:
        """The position of the wave at work; -1 while everybody fetches."""
        return self._book.wave

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not."""
        return self._book.outcome

    # -- what is to be done -----------------------------------------------------------------------------

    def due(self, *, whole: bool = True) -> Instruction | None:
        """What is to be done next; the same again until it was told that it is done (or begun, for an Ask).

        Args:
            whole: name hosts as soon as there is room for one; else only when a good part of the window is free,
                since every publish costs every minion a look.
        """
        return self._book.due(whole=whole) if self.state in ASKING else self._pending

    @property
    def step_under_way(self) -> StepRun | None:
        """The run of a step that has begun and is not known to have ended."""
        return self._book.steps.under_way if self.outcome is None else None

    def advice(self) -> str:
        """What is to be done about a step that did not go well; "" for nothing."""
        return self._book.steps.advice()

    def steps_told(self) -> list[dict[str, Any]]:
        """What became of each step that was begun, as plain data."""
        return self._book.steps.told()

    def tally(self, stage: str = "", wave: int | None = None) -> Tally:
        """How far a stage of a wave is; of the present one by default. To be read only."""
        return self._book.tally(stage, wave)

    def in_flight(self) -> Set[str]:
        """Hosts that were asked and have not answered, in the order in which they were asked."""
        return self.tally().in_flight.keys() if self.outcome is None else frozenset()

    # -- what has happened ------------------------------------------------------------------------------

    def asked(self, ask: Ask) -> None:
        """Hosts were, or are about to be, asked. Those that do not wait for it stay what they are."""
        self._book.ask(ask)

    def heard(
        self,
        host: str,
        *,
        error: DeployError | None = None,
        unchanged: bool = False,
        way_back: bool = True,
        switched: bool = True,
        shows: bool = False,
    ) -> None:
        """Take in a host's answer to the present stage; anything nobody waits for changes nothing.

        Args:
            error: why it failed; None when it worked.
            unchanged: (fetch) the release is live and settled there already: it need not switch.
            way_back: (fetch) something else is live there that it could switch back to.
            switched: False when it is known that the release is not live there.
            shows: whether it is known that the release is live there, whatever else failed.
        """
        if host in self.in_flight():
            self._book.hear(host, error, HostAnswer(unchanged, way_back, switched, shows))
            self._settle()

    def passed(self, gate: Gate, *, ok: bool, reason: str = "", untold: bool = False) -> None:
        """The master's checks of a gate are done.

        Args:
            untold: nothing was found to be wrong, and something could not be told.
        """
        if self._pending == gate:
            event = Event.PASSED if ok else Event.NOT_TOLD if untold else Event.NOT_PASSED
            self._take(event, reason or "a check failed")

    def waited(self, pause: Pause) -> None:
        """The pause is over."""
        if self._pending == pause:
            self._take(Event.PAUSE_OVER)

    def answered(self, key: str, choice: str) -> bool:
        """An operator answered; whether the answer counts: the first one to a question that is open."""
        question = self._pending
        if not isinstance(question, Question) or question.key != key or choice not in question.choices:
            return False
        self._take(Event(choice))
        return True

    def step_begun(self, run: StepRun) -> None:
        """A step is begun, or is about to be."""
        if self._pending == run:
            self._book.steps.begin(run)

    def step_ended(self, run: StepRun, how: str, text: str = "") -> None:
        """A step has ended.

        Args:
            how: ``done``, ``failed``; ``lost`` where nobody can tell.
            text: why it failed, or what is not known.
        """
        if self._pending == run and self._book.steps.under_way == run:
            self._book.steps.end(run, how, text)
            self._pending = None
            self._take(Event.STEP_DONE if run.step.is_undo else _STEP_EVENTS[how], text)

    def abort(self, reason: str) -> None:
        """Ask nobody new. Fetches are left to themselves, switches under way end; then the rules decide.

        A rollback is not stopped: it is what an abort leads to.
        """
        self._take_unless_ended(Event.ABORT, reason)

    def broke(self, reason: str) -> None:
        """The master's side cannot go on; whoever was asked to switch may have done so."""
        self._take_unless_ended(Event.BROKE, reason)

    def lose_record(self, reason: str) -> None:
        """Nothing can be written down any more: nobody is asked, those under way are heard, then it ends as it is."""
        self._take_unless_ended(Event.LOSE_RECORD, reason)

    # -- the table --------------------------------------------------------------------------------------

    def _take_unless_ended(self, event: Event, text: str) -> None:
        if self.state is not State.ENDED:
            self._take(event, text)

    def _take(self, event: Event, text: str = "") -> None:
        """Something happened that may lead to another state."""
        before = self.state
        self._step(event, text)
        if self.state is not before:
            self._pending = None
        self._settle()

    def _settle(self) -> None:
        """Go on to the state that lasts, by what was counted."""
        while (seen := self._book.seen(self.state)) is not None:
            self._step(seen)
            self._pending = None
        if self._pending is None:
            self._pending = self._book.instruction(self.state)

    def _step(self, event: Event, text: str = "") -> None:
        found = step(self.state, event)
        for do in found.do:
            _DOES[do](self._book, self.state, text)
        self.state = found.to


_STEP_EVENTS = {DONE: Event.STEP_DONE, FAILED: Event.STEP_BROKE, LOST: Event.STEP_LOST}
_DOES = {do: getattr(Book, do.value) for do in Do}
