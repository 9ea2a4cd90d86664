"""What is counted in a rollout, and what follows from the counts. No I/O, no clock.

The table says when something is done; this file says what that is: :class:`Book` has a method for each
:class:`~saltdeploy.master.rollout.table.Do`, and :meth:`Book.seen` says what has happened by the counts.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.rollout import outcome as rollout_outcome
from saltdeploy.master.rollout.hosts import NEW, Failures, HostAnswer, Whereabouts, some
from saltdeploy.master.rollout.model import (
    AFTER,
    ASK,
    BEFORE,
    CONTINUE,
    NO_MORE,
    ROLL_BACK,
    UNDO_AFTER,
    UNDO_BEFORE,
    Ask,
    Gate,
    Outcome,
    Pause,
    Question,
    Rules,
    StepRun,
    Tally,
)
from saltdeploy.master.rollout.table import (
    ASKING,
    DEFAULTS,
    GATES,
    HEARING,
    STEPPING,
    Event,
    State,
    choices,
)
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK


class Book:
    """The counts of one deploy.

    Args:
        waves, rules: as for :class:`~saltdeploy.master.rollout.machine.Rollout`.

    Attributes:
        stage, wave, outcome: as there.
        steps: those that run once.
    """

    def __init__(self, waves: tuple[Wave, ...], rules: Rules) -> None:
        from saltdeploy.master.rollout.steps import StepBook  # who only reads of deploys has no use for it

        self.waves = waves
        self.stage, self.wave = FETCH, -1
        self.outcome: Outcome | None = None
        self._rules = rules
        self._hosts = [host for wave in waves for host in wave.hosts]
        self.steps = StepBook(rules.steps, self._hosts)
        self._where = Whereabouts(self._hosts)
        self._failures = Failures(waves)
        self._tallies = {(FETCH, -1): Tally(waiting=dict.fromkeys(self._hosts))}
        self._reason = ""  # why it stopped
        self._remark = ""  # what an operator resumed it in spite of
        self._gate = State.BEFORE_FETCH  # the one that did not pass last
        self._opened: set[Gate] = set()  # by an operator
        self._asks_no_more = False
        self._questions = 0
        self._blameless = False  # what stops it is no fault of the release
        self._is_untold = False  # checks of the master could not tell

    # -- hosts ------------------------------------------------------------------------------------------

    def tally(self, stage: str = "", wave: int | None = None) -> Tally:
        """How far a stage of a wave is; of the present one by default."""
        return self._tallies.get((stage or self.stage, self.wave if wave is None else wave), Tally())

    def ask(self, ask: Ask) -> None:
        """Hosts are asked; those that do not wait for it stay what they are."""
        if (ask.stage, ask.wave) == (self.stage, self.wave):
            hosts = [host for host in ask.hosts if host in self.tally().waiting]
            self.tally().ask(hosts)
            self._where.ask(ask.stage, hosts, ask.wave)

    def hear(self, host: str, error: DeployError | None, answer: HostAnswer) -> None:
        """A host that was asked answered."""
        cause = None if error is None else error.cause
        self.tally().answer(host, cause)
        if error is not None and self.stage != ROLLBACK:
            self._failures.add(host, error)
        self._where.hear(self.stage, host, error, answer.of_a_restart() if self._rules.anew else answer)

    def due(self, *, whole: bool) -> Ask | None:
        """Whom there is room to ask now; see :meth:`saltdeploy.master.rollout.machine.Rollout.due`."""
        tally = self.tally()
        room, window = len(tally.waiting), self._window()
        if window:
            free = max(0, window - len(tally.in_flight))
            if not whole and tally.in_flight and 4 * free < window:
                return None
            room = min(room, free)
        hosts = tuple(islice(tally.waiting, room))
        return Ask(self.stage, hosts, self.wave) if hosts else None

    def _window(self) -> int:
        """How many hosts may be at work at once; 0 for all of them."""
        if self.stage == FETCH:
            return self._rules.fetch_window
        wave = self.waves[self.wave]
        return (self.stage == ROLLBACK and wave.back) or wave.window

    # -- what has happened by the counts ----------------------------------------------------------------

    def seen(self, state: State) -> Event | None:
        """What has happened in this state; None while it lasts."""
        if state in GATES:
            gate = self._gate_of(state)
            return Event.PASSED if gate not in self._rules.gates or gate in self._opened else None
        if state in ASKING:
            return self._seen_in_stage()
        if state in HEARING:
            return None if self.tally().in_flight else Event.ALL_HEARD
        if state in STEPPING:
            return None if self._run_of(state) else self._no_step(state)
        look = _LOOKS.get(state)
        return look(self) if look else None

    def _seen_in_stage(self) -> Event | None:
        tally = self.tally()
        if self.stage == FETCH and not tally.done:
            return None  # everybody is heard in a fetch: nothing changes anywhere by that
        if self.stage != ROLLBACK and self._too_many_failed():
            return Event.TOO_MANY_FAILED
        return Event.ALL_HEARD if tally.done else None

    def _run_of(self, state: State) -> StepRun | None:
        """The step that is due in this state."""
        return self.steps.due(_STEPS[state], self.tally(FETCH, -1).ok.keys())

    @staticmethod
    def _no_step(state: State) -> Event:
        return Event.NONE_RUNS if state is State.STOPPING_STEPS else Event.NO_STEP

    def _is_refused(self) -> Event:
        return Event.STEP_REFUSES if self.steps.refusing() else Event.NONE_REFUSES

    def _which_steps(self) -> Event:
        return Event.AT_STEPS_BEFORE if self.stage == FETCH else Event.AT_STEPS_AFTER

    def _too_many_failed(self) -> str:
        limits = map(self._failures.beyond_limit, self._limiting())
        return next(filter(None, limits), "") or self._nobody_fetched()

    def _limiting(self) -> tuple[Wave, ...]:
        """The waves whose limits count now."""
        if self._rules.on_failure == CONTINUE:
            return ()
        return self.waves if self.stage == FETCH else (self.waves[self.wave],)

    def _policy_for_the_untold(self) -> str:
        """What follows where more hosts than may are known to have failed in no group; "" where that is not so."""
        beyond = [wave for wave in self._limiting() if self._failures.beyond_limit(wave)]
        if any(map(self._failures.are_told, beyond)):
            return ""
        if beyond:
            return beyond[0].on_inconclusive
        failed = self.tally().failed.keys()
        return self._rules.on_inconclusive if failed and failed <= self._failures.untold else ""

    def _nobody_fetched(self) -> str:
        """Whatever the limits are: what is nowhere cannot become what the fleet should be running."""
        tally = self._tallies[FETCH, -1]
        return f"no host has it on its disk: {some(tally.failed)}" if tally.failed and not tally.ok else ""

    def _after_fetch(self) -> Event:
        if self._rules.fetch_only:
            return Event.ONLY_A_FETCH
        return Event.NOTHING_TO_DO if self._where.all_are(NEW) else Event.TO_SWITCH

    def _at_the_barrier(self) -> Event | None:
        return None if self._rules.confirm else Event.UNASKED

    def _following(self) -> int | None:
        """The next wave that has somebody to switch."""
        left = range(self.wave + 1, len(self.waves))
        return next((wave for wave in left if self._to_switch(wave)), None)

    def _to_switch(self, wave: int) -> list[str]:
        fetched = self.tally(FETCH, -1).ok
        return self._where.to_switch(host for host in self.waves[wave].hosts if host in fetched)

    def _is_another_wave_left(self) -> Event:
        return Event.NONE_LEFT if self._following() is None else Event.SOME_LEFT

    def _between_waves(self) -> Event:
        following = self._following()
        hold = self.waves[self.wave].hold
        if following is None or self.waves[following].group == self.waves[self.wave].group or not hold:
            return Event.GOES_ON
        if hold != ASK:
            return Event.WAITS
        return Event.GOES_ON if self._asks_no_more else Event.ASKS

    def _previous(self) -> int | None:
        """The last wave that has somebody to roll back and has not been."""
        position = self.wave if self.stage == ROLLBACK else len(self.waves)
        left = range(position - 1, -1, -1)
        return next((wave for wave in left if self._where.to_roll_back(wave)), None)

    def _is_a_wave_to_roll_back(self) -> Event:
        return Event.NONE_LEFT if self._previous() is None else Event.SOME_LEFT

    def _rule_for_failures(self) -> Event:
        return self._by_rule(self._policy_for_the_untold() or self._rules.on_failure)

    def _rule_for_steps(self) -> Event:
        return self._by_rule(self._rules.on_failure)

    def _rule_for_checks(self) -> Event:
        untold = self._policy_of(self._gate) if self._is_untold else ""
        return self._by_rule(untold or self._rules.on_failure)

    def _policy_of(self, gate: State) -> str:
        """What follows where the checks at this point could not tell."""
        wave = self._gate_of(gate).wave
        return self.waves[wave].on_inconclusive if wave >= 0 else self._rules.on_inconclusive

    def _rule_for_aborts(self) -> Event:
        return self._by_rule(self._rules.on_abort)

    def _by_rule(self, rule: str) -> Event:
        if rule == ASK:
            return Event.RULE_ASK if self._where.asked else Event.RULE_ASK_EARLY
        return Event.RULE_ROLL_BACK if rule == ROLL_BACK else Event.RULE_HOLD

    def _which_gate(self) -> Event:
        return _GATE_EVENTS[self._gate]

    # -- what is due besides hosts ----------------------------------------------------------------------

    def instruction(self, state: State) -> Gate | Pause | Question | StepRun | None:
        """What is to be done in a state that waits; None in the others."""
        if state in STEPPING:
            return self._run_of(state)
        if state in GATES:
            return self._gate_of(state)
        if state in DEFAULTS:
            self._questions += 1
            text, default = self._question(state), DEFAULTS[state].value
            return Question(f"q{self._questions}", text, choices(state), default)
        if state is State.HOLDING:
            following = self._following()
            assert following is not None
            return Pause(following, float(self.waves[self.wave].hold))
        return None

    def _gate_of(self, state: State) -> Gate:
        is_of_a_wave = state in (State.BEFORE_WAVE, State.AFTER_WAVE)
        return Gate(GATES[state], self.wave if is_of_a_wave else -1)

    def _question(self, state: State) -> str:
        if state is State.BARRIER:
            return f"{len(self.tally().ok)}/{len(self._hosts)} minions completed fetch"
        if state is State.HOLD_QUESTION:
            following = self._following()
            assert following is not None
            return f"{self.waves[self.wave].name} is done; go on with {self.waves[following].name}?"
        return self._reason

    # -- what the table says is to be done --------------------------------------------------------------

    def begin_wave(self, _: State, __: str) -> None:
        """The next wave that has somebody to switch begins."""
        following = self._following()
        assert following is not None
        hosts = self._to_switch(following)
        self._begin(CHECKOUT, following, hosts)

    def begin_way_back(self, _: State, __: str) -> None:
        """The last wave that has somebody to roll back, and was not, goes back."""
        previous = self._previous()
        assert previous is not None
        self._begin(ROLLBACK, previous, self._where.to_roll_back(previous))

    def _begin(self, stage: str, wave: int, hosts: list[str]) -> None:
        self.stage, self.wave = stage, wave
        self._tallies[stage, wave] = Tally(waiting=dict.fromkeys(hosts))

    def ask_failed_again(self, _: State, __: str) -> None:
        """Hosts that failed in this stage are asked once more."""
        self._failures.forget(self.tally().failed)
        self.tally().again()

    def accept_failures(self, _: State, __: str) -> None:
        """Limits count from here."""
        self._failures.accept()

    def close_gate(self, state: State, _: str) -> None:
        """This gate did not pass."""
        self._gate = state

    def open_gate(self, _: State, __: str) -> None:
        """The gate that did not pass is open all the same."""
        self._opened.add(self._gate_of(self._gate))

    def ask_no_more(self, _: State, __: str) -> None:
        """Nobody is asked behind the groups to come."""
        self._asks_no_more = True

    def note_reason(self, _: State, text: str) -> None:
        """One more reason why it stops."""
        self._reason = "; ".join(filter(None, (self._reason, text)))
        self._blameless = self._is_untold = False

    def note_untold(self, state: State, _: str) -> None:
        """The checks of the master did not say that anything is wrong; they could not tell."""
        self._is_untold = True
        self._blameless = bool(self._policy_of(state))

    def note_failures(self, _: State, __: str) -> None:
        """It stops since more have failed than may."""
        self._reason = self._too_many_failed()
        self._blameless = self._failures.is_hosts_own() or bool(self._policy_for_the_untold())

    def note_stopped(self, _: State, __: str) -> None:
        """It stops by the word of an operator, if by nothing else."""
        self._reason = self._reason or "an operator chose to stop here"

    def note_turned_back(self, _: State, __: str) -> None:
        """It goes back by the word of an operator, if by nothing else."""
        self._reason = self._reason or "an operator chose to roll back"

    def note_nothing_to_do(self, _: State, __: str) -> None:
        """Nobody needs to switch."""
        self._remark = "every host runs it already: nothing to do"

    def note_step(self, _: State, __: str) -> None:
        """A step did not go well, or nobody knows how it went."""
        self._reason = "; ".join(filter(None, (self._reason, self.steps.trouble())))
        self._blameless = self._is_untold = False

    def note_refused(self, _: State, __: str) -> None:
        """A step refuses the way back."""
        self._reason = "; ".join(filter(None, (self._reason, self.steps.refusing())))

    def accept_step(self, _: State, __: str) -> None:
        """An operator says that the step which did not go well is done."""
        self.steps.accept()

    def forget_step(self, _: State, __: str) -> None:
        """The step which did not go well is run once more, by the word of an operator."""
        self.steps.again()

    def forget_reason(self, _: State, __: str) -> None:
        """What had stopped it is tried again."""
        self._reason = ""

    def keep_as_remark(self, _: State, __: str) -> None:
        """It is resumed as if what had stopped it had not been; the outcome says so."""
        self._remark, self._reason = f"an operator went on in spite of: {self._reason}", ""

    def end_fetched(self, _: State, __: str) -> None:
        """It was only to fetch."""
        self.outcome = rollout_outcome.fetched(self.tally())

    def end_switched(self, _: State, __: str) -> None:
        """The last wave is done."""
        ended = rollout_outcome.switched(self._where, self._rules, self._failures.causes, self._remark)
        said = "; ".join(filter(None, (ended.reason, self.steps.lasting())))
        self.outcome = replace(ended, reason=said)

    def end_as_it_is(self, _: State, __: str) -> None:
        """It stops here, under the name of what is true now."""
        self._end_stopped({})

    def end_back(self, _: State, __: str) -> None:
        """The way back is done."""
        self._end_stopped(self._where.stuck())

    def _end_stopped(self, stuck: dict[str, str]) -> None:
        ready = len(self.tally(FETCH, -1).ok)
        ran = self.steps.sentence()
        ended = rollout_outcome.stopped(self._where, self._rules, self._reason, ready, stuck, ran)
        self.outcome = replace(ended, blameless=self._blameless and bool(self._reason))


_LOOKS = {
    State.FETCHED: Book._after_fetch,
    State.BARRIER: Book._at_the_barrier,
    State.FETCH_FAILED: Book._rule_for_failures,
    State.SWITCH_FAILED: Book._rule_for_failures,
    State.CHECKS_FAILED: Book._rule_for_checks,
    State.ABORTED: Book._rule_for_aborts,
    State.STEP_FAILED: Book._rule_for_steps,
    State.SAME_STEPS: Book._which_steps,
    State.TURNING_BACK: Book._is_refused,
    State.NEXT_WAVE: Book._is_another_wave_left,
    State.BETWEEN_WAVES: Book._between_waves,
    State.PREVIOUS_WAVE: Book._is_a_wave_to_roll_back,
    State.CLOSED_GATE: Book._which_gate,
}
#: States in which a step is due -> which of them; see :meth:`StepBook.due`.
_STEPS = {
    State.STEPS_BEFORE: BEFORE,
    State.STEPS_AFTER: AFTER,
    State.UNDOING_FIRST: UNDO_AFTER,
    State.UNDOING_LAST: UNDO_BEFORE,
    State.STOPPING_STEPS: NO_MORE,
}
_GATE_EVENTS = {
    State.BEFORE_FETCH: Event.AT_BEFORE_FETCH,
    State.AFTER_FETCH: Event.AT_AFTER_FETCH,
    State.BEFORE_WAVE: Event.AT_BEFORE_WAVE,
    State.AFTER_WAVE: Event.AT_AFTER_WAVE,
    State.FINAL: Event.AT_FINAL,
}
