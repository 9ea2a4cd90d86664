"""The state machine of one deploy: who is asked for what, when it stops, and how it ends. No I/O, no clock.

It is told what happened (:meth:`Rollout.asked`, :meth:`~Rollout.heard`, :meth:`~Rollout.passed`,
:meth:`~Rollout.waited`, :meth:`~Rollout.answered`, :meth:`~Rollout.abort`) and says what is to be done next
(:meth:`Rollout.due`). What it is told stands in the deploy's journal, so that another process can be told the same
and go on from there. A host that gave no answer counts as failed: silence is never a success.

    FETCH     everybody, all at once or a sliding window of hosts; more failures than the limit: HELD, and nothing has
              changed anywhere
    CHECKOUT  wave by wave, a sliding window of hosts; more failures than the limit: nobody new is asked, then
    ROLLBACK  wave by wave backwards: every host that was asked to switch, not only those known to have switched
"""

from __future__ import annotations

from collections.abc import Set
from itertools import islice

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.rollout import outcome as rollout_outcome
from saltdeploy.master.rollout.hosts import NEW, Failures, Whereabouts, some
from saltdeploy.master.rollout.model import (
    AFTER_FETCH,
    AFTER_WAVE,
    ALL,
    ASK,
    BEFORE_FETCH,
    BEFORE_WAVE,
    CONTINUE,
    FINAL,
    HOLD,
    NO,
    RETRY,
    ROLL_BACK,
    YES,
    Ask,
    Gate,
    Instruction,
    Outcome,
    Pause,
    Question,
    Rules,
    Tally,
)
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK


class Rollout:
    """One deploy.

    Args:
        waves: the targets, in the order in which they shall switch; each host once.
        rules: what decides when things go wrong.

    Attributes:
        stage: ``fetch``, ``checkout`` or ``rollback``.
        wave: the position of the wave at work; -1 while everybody fetches.
        outcome: how it ended; None while it has not.
    """

    def __init__(self, waves: tuple[Wave, ...], rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        self.waves = waves
        self.stage, self.wave = FETCH, -1
        self.outcome: Outcome | None = None
        self._rules = rules
        self._hosts = [host for wave in waves for host in wave.hosts]
        self._where = Whereabouts(self._hosts)
        self._failures = Failures(waves)
        self._tallies = {(FETCH, -1): Tally(waiting=dict.fromkeys(self._hosts))}
        self._pending: Gate | Pause | Question | None = None
        self._stopped = ""  # why nobody new is asked to fetch or to switch
        self._blocked: Gate | None = None  # the gate that stopped it
        self._aborted = False
        self._remark = ""  # what an operator went on in spite of
        self._ask_no_more = False
        self._questions = 0
        self._pass_or_gate(BEFORE_FETCH)

    # -- what is to be done -----------------------------------------------------------------------------

    def due(self, *, whole: bool = True) -> Instruction | None:
        """What is to be done next; the same again until it was told that it is done (or begun, for an Ask).

        Args:
            whole: name hosts as soon as there is room for one; else only when a good part of the window is free,
                since every publish costs every minion a look.
        """
        if self.outcome is not None or self._pending is not None:
            return self._pending
        tally = self.tally()
        room = 0 if self._is_stopping() else len(tally.waiting)
        window = self._window()
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

    def tally(self, stage: str = "", wave: int | None = None) -> Tally:
        """How far a stage of a wave is; of the present one by default. To be read only."""
        return self._tallies.get((stage or self.stage, self.wave if wave is None else wave), Tally())

    def in_flight(self) -> Set[str]:
        """Hosts that were asked and have not answered, in the order in which they were asked."""
        return self.tally().in_flight.keys() if self.outcome is None else frozenset()

    # -- what has happened ------------------------------------------------------------------------------

    def asked(self, ask: Ask) -> None:
        """Hosts were, or are about to be, asked. Those that do not wait for it stay what they are."""
        if (ask.stage, ask.wave) == (self.stage, self.wave):
            hosts = [host for host in ask.hosts if host in self.tally().waiting]
            self.tally().ask(hosts)
            self._where.ask(ask.stage, hosts, ask.wave)

    def heard(
        self,
        host: str,
        *,
        error: DeployError | None = None,
        unchanged: bool = False,
        way_back: bool = True,
        switched: bool = True,
    ) -> None:
        """Take in a host's answer to the present stage; anything nobody waits for changes nothing.

        Args:
            error: why it failed; None when it worked.
            unchanged: (fetch) the release is live and settled there already: it need not switch.
            way_back: (fetch) something else is live there that it could switch back to.
            switched: False when it is known that the release is not live there.
        """
        if host not in self.in_flight():
            return
        cause = None if error is None else error.cause
        self.tally().answer(host, cause)
        if cause is not None and self.stage != ROLLBACK:
            self._failures.add(host, cause)
        unchanged = unchanged and not self._rules.anew
        self._where.hear(self.stage, host, cause, unchanged=unchanged, way_back=way_back, switched=switched)
        self._advance()

    def passed(self, gate: Gate, *, ok: bool, reason: str = "") -> None:
        """The master's checks of a gate are done."""
        if self._pending == gate:
            self._pending = None
            if ok:
                self._beyond(gate)
            else:
                self._blocked = gate
                self._stop(reason or "a check failed")

    def waited(self, pause: Pause) -> None:
        """The pause is over."""
        if self._pending == pause:
            self._pending = None
            self._switch_from(pause.wave)

    def answered(self, key: str, choice: str) -> bool:
        """An operator answered; whether the answer counts: the first one to a question that is open."""
        question = self._pending
        if not isinstance(question, Question) or question.key != key or choice not in question.choices:
            return False
        self._pending = None
        self._choose(choice)
        return True

    def abort(self, reason: str) -> None:
        """Ask nobody new. Fetches are left to themselves, switches under way end; then the rules decide.

        A rollback is not stopped: it is what an abort leads to.
        """
        if self.outcome is not None or self._aborted or self.stage == ROLLBACK:
            return
        self._aborted = True
        self._pending = self._blocked = None
        self._stopped = "; ".join(filter(None, (self._stopped, reason)))
        if self.stage == FETCH:
            self._after_stop()
        else:
            self._advance()

    def broke(self, reason: str) -> None:
        """The master's side cannot go on; whoever was asked to switch may have done so."""
        if self.outcome is None:
            self._stopped = "; ".join(filter(None, (self._stopped, reason)))
            self._end_as_it_is()

    # -- the way of a deploy ----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Go on where nobody is left to ask or to hear."""
        self._stopped = self._stopped or self._too_many_failed()
        tally = self.tally()
        if tally.in_flight:
            return
        if self._is_stopping():
            self._after_stop()
        elif tally.waiting:
            return
        elif self.stage == FETCH:
            self._after_fetch()
        elif self.stage == CHECKOUT:
            self._pass_or_gate(AFTER_WAVE, self.wave)
        else:
            self._roll_back_before(self.wave)

    def _is_stopping(self) -> bool:
        return bool(self._stopped) and self.stage != ROLLBACK

    def _too_many_failed(self) -> str:
        if self.stage == FETCH and not self.tally().done:
            return ""  # everybody is heard in a fetch: nothing changes anywhere by that
        waves = self.waves if self.stage == FETCH else (self.waves[self.wave],)
        limits = map(self._failures.beyond_limit, waves if self._rules.on_failure != CONTINUE else ())
        return next(filter(None, limits), "") or self._nobody_fetched()

    def _nobody_fetched(self) -> str:
        """Whatever the limits are: what is nowhere cannot become what the fleet should be running."""
        tally = self._tallies[FETCH, -1]
        return f"no host has it on its disk: {some(tally.failed)}" if tally.failed and not tally.ok else ""

    def _pass_or_gate(self, point: str, wave: int = -1) -> None:
        gate = Gate(point, wave)
        if gate in self._rules.gates:
            self._pending = gate
        else:
            self._beyond(gate)

    def _beyond(self, gate: Gate) -> None:
        if gate.point == AFTER_FETCH:
            self._confirm_or_switch()
        elif gate.point == AFTER_WAVE:
            self._hold_behind(gate.wave)
        elif gate.point == FINAL:
            self._end(rollout_outcome.switched(self._where, self._rules, self._failures.causes, self._remark))
        else:  # before a fetch or a wave: the hosts that wait are due, if there are any
            self._advance()

    def _after_fetch(self) -> None:
        if self._rules.fetch_only:
            self._end(rollout_outcome.fetched(self.tally()))
        elif self._where.all_are(NEW):
            self._remark = "every host runs it already: nothing to do"
            self._beyond(Gate(FINAL))
        else:
            self._pass_or_gate(AFTER_FETCH)

    def _confirm_or_switch(self) -> None:
        if self._rules.confirm:
            done = f"{len(self.tally().ok)}/{len(self._hosts)} minions completed fetch"
            self._ask_operator(done, (YES, NO, RETRY), NO)
        else:
            self._switch_from(0)

    def _switch_from(self, position: int) -> None:
        """Begin the first wave from here that has somebody to switch; where there is none, the fleet is done."""
        wave = self._next_wave(position)
        if wave is None:
            self._pass_or_gate(FINAL)
        else:
            self.stage, self.wave = CHECKOUT, wave
            self._tallies[CHECKOUT, wave] = Tally(waiting=dict.fromkeys(self._to_switch(wave)))
            self._pass_or_gate(BEFORE_WAVE, wave)

    def _next_wave(self, position: int) -> int | None:
        return next((wave for wave in range(position, len(self.waves)) if self._to_switch(wave)), None)

    def _to_switch(self, wave: int) -> list[str]:
        fetched = self.tally(FETCH, -1).ok
        return self._where.to_switch(host for host in self.waves[wave].hosts if host in fetched)

    def _hold_behind(self, wave: int) -> None:
        following = self._next_wave(wave + 1)
        if following is None or self.waves[following].group == self.waves[wave].group:
            self._switch_from(wave + 1)
            return
        hold = self.waves[wave].hold
        if hold == ASK and not self._ask_no_more:
            text = f"{self.waves[wave].name} is done; go on with {self.waves[following].name}?"
            self._ask_operator(text, (YES, NO, ALL, ROLL_BACK), NO)
        elif hold and hold != ASK:
            self._pending = Pause(following, float(hold))
        else:
            self._switch_from(following)

    # -- when it goes wrong -----------------------------------------------------------------------------

    def _stop(self, reason: str) -> None:
        """Nobody new is asked; what follows is decided when those who were asked are heard."""
        self._stopped = reason
        self._advance()

    def _after_stop(self) -> None:
        rule = self._rules.on_abort if self._aborted else self._rules.on_failure
        if rule == ASK and self._where.asked:
            self._ask_operator(self._stopped, (RETRY, CONTINUE, ROLL_BACK, HOLD), ROLL_BACK)
        elif rule == ASK:
            self._ask_operator(self._stopped, (RETRY, NO), NO)
        elif rule == ROLL_BACK:
            self._roll_back_before(len(self.waves))
        else:
            self._end_as_it_is()

    def _ask_operator(self, text: str, choices: tuple[str, ...], default: str) -> None:
        self._questions += 1
        self._pending = Question(f"q{self._questions}", text, choices, default)

    def _choose(self, choice: str) -> None:
        if choice == RETRY:
            self._retry()
        elif choice == ROLL_BACK:
            self._stopped = self._stopped or "an operator chose to roll back"
            self._roll_back_before(len(self.waves))
        elif choice in (NO, HOLD):
            self._stopped = self._stopped or "an operator chose to stop here"
            self._end_as_it_is()
        else:
            self._ask_no_more |= choice == ALL
            self._go_on()

    def _go_on(self) -> None:
        """As if what had stopped the deploy had not been; or beyond a barrier that waited for an operator."""
        stopped, self._stopped = self._stopped, ""
        blocked, self._blocked = self._blocked, None
        if stopped:
            self._remark = f"an operator went on in spite of: {stopped}"
        if blocked is not None:
            self._beyond(blocked)
        elif stopped:
            self._failures.accept()
            self._advance()
        else:
            self._switch_from(self.wave + 1)

    def _retry(self) -> None:
        """Checks of a gate that did not pass run again; where it was hosts that failed, they are asked again."""
        self._stopped = ""
        if self._blocked is not None:
            self._pending, self._blocked = self._blocked, None
        else:
            tally = self.tally()
            self._failures.forget(tally.failed)
            tally.again()
            self._advance()

    def _roll_back_before(self, position: int) -> None:
        """Roll back the last wave before this one that has somebody to roll back; end when there is none."""
        for wave in range(position - 1, -1, -1):
            hosts = self._where.to_roll_back(wave)
            if hosts:
                self.stage, self.wave = ROLLBACK, wave
                self._tallies[ROLLBACK, wave] = Tally(waiting=dict.fromkeys(hosts))
                return
        self._end_as_it_is(self._where.stuck())

    def _end_as_it_is(self, stuck: dict[str, str] | None = None) -> None:
        """Stop here, under the name of what is true now."""
        ready = len(self.tally(FETCH, -1).ok)
        self._end(rollout_outcome.stopped(self._where, self._rules, self._stopped, ready, stuck or {}))

    def _end(self, outcome: Outcome) -> None:
        self._pending = None
        self.outcome = outcome
