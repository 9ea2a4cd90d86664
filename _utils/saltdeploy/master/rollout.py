"""The state machine of one deploy: who is asked for what, when it stops, and how it ends. No I/O, no clock.

It is told what happened (:meth:`Rollout.asked`, :meth:`~Rollout.heard`, :meth:`~Rollout.passed`,
:meth:`~Rollout.waited`, :meth:`~Rollout.answered`, :meth:`~Rollout.abort`) and says what is to be done next
(:meth:`Rollout.due`). What it is told stands in the deploy's journal, so that another process can be told the same
and go on from there. A host that gave no answer counts as failed: silence is never a success.

    FETCH     everybody at once; more failures than the limit: HELD, and nothing has changed anywhere
    CHECKOUT  wave by wave, a sliding window of hosts; more failures than the limit: nobody new is asked, then
    ROLLBACK  wave by wave backwards: every host that was asked to switch, not only those known to have switched
"""

from __future__ import annotations

from saltdeploy.errors import DeployError
from saltdeploy.master.instructions import (
    AFTER_FETCH,
    AFTER_WAVE,
    ALL,
    ASK,
    BEFORE_FETCH,
    BEFORE_WAVE,
    CONTINUE,
    CONVERGED,
    FINAL,
    HELD,
    HOLD,
    MIXED,
    NO,
    RETRY,
    ROLL_BACK,
    ROLLED_BACK,
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
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK

_UNTOUCHED = "nothing has changed anywhere"


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
        self._tallies = {(FETCH, -1): Tally(waiting=dict.fromkeys(self._hosts))}
        self._unchanged: set[str] = set()
        self._no_way_back: set[str] = set()
        self._never_switched: set[str] = set()
        self._asked_to_switch: dict[str, int] = {}
        self._group = {host: wave.group for wave in waves for host in wave.hosts}
        self._failed: dict[str, dict[str, str]] = {wave.group: {} for wave in waves}
        self._pending: Gate | Pause | Question | None = None
        self._stopped = ""
        self._blocked: Gate | None = None
        self._aborted = False
        self._forgiven: set[str] = set()  # groups whose failures an operator has accepted
        self._ask_no_more = False
        self._questions = 0
        self._pass_or_gate(BEFORE_FETCH, -1)

    # -- what is to be done -----------------------------------------------------------------------------

    def due(self, *, whole: bool = True) -> Instruction | None:
        """What is to be done next; the same again until it was told that it is done (or begun, for an Ask).

        Args:
            whole: name hosts as soon as there is room for one; else only when a good part of the window is free,
                since every publish costs every minion a look.
        """
        if self.outcome is not None:
            return None
        if self._pending is not None:
            return self._pending
        tally = self.tally()
        room = 0 if self._is_stopping() else len(tally.waiting)
        if self.stage != FETCH:
            window = self.waves[self.wave].window
            free = max(0, window - len(tally.in_flight))
            if not whole and tally.in_flight and 4 * free < window:
                return None
            room = min(room, free)
        hosts = tuple(host for host, _ in zip(tally.waiting, range(room), strict=False))
        return Ask(self.stage, hosts, self.wave) if hosts else None

    def tally(self, stage: str = "", wave: int | None = None) -> Tally:
        """How far a stage of a wave is; of the present one by default."""
        key = (stage or self.stage, self.wave if wave is None else wave)
        return self._tallies.setdefault(key, Tally())

    def in_flight(self) -> tuple[str, ...]:
        """Hosts that were asked and have not answered."""
        return tuple(self.tally().in_flight) if self.outcome is None else ()

    # -- what has happened ------------------------------------------------------------------------------

    def asked(self, ask: Ask) -> None:
        """Hosts were, or are about to be, asked."""
        self.tally(ask.stage, ask.wave).ask(ask.hosts)
        if ask.stage == CHECKOUT:
            self._asked_to_switch |= dict.fromkeys(ask.hosts, ask.wave)

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
            switched: (checkout) False when it is known that the release is not live there.
        """
        tally = self.tally()
        if self.outcome is not None or host not in tally.in_flight:
            return
        del tally.in_flight[host]
        if error is None:
            tally.ok[host] = None
        else:
            tally.failed[host] = error.cause
            if self.stage != ROLLBACK:
                self._failed[self._group[host]][host] = error.cause
        if self.stage == FETCH:
            self._unchanged |= {host} if unchanged and error is None else set()
            self._no_way_back |= set() if way_back else {host}
        elif self.stage == CHECKOUT:
            self._never_switched |= set() if switched else {host}
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
            self._begin_wave(pause.wave)

    def answered(self, key: str, choice: str) -> bool:
        """An operator answered; whether the answer counts: the first one to a question that is open."""
        question = self._pending
        if not isinstance(question, Question) or question.key != key or choice not in question.choices:
            return False
        self._pending = None
        self._choose(choice)
        return True

    def abort(self, reason: str) -> None:
        """Ask nobody new. Fetches are left to themselves, switches under way end; then the rules decide."""
        if self.stage == ROLLBACK or self._aborted or self.outcome is not None:
            return
        self._aborted = True
        self._pending = None
        if self.stage == FETCH:
            self.tally().in_flight.clear()
        self._stop(reason)

    def broke(self, reason: str) -> None:
        """The master's side cannot go on; whoever was asked to switch may have done so."""
        if self.outcome is None:
            self._stopped = reason
            self._end_as_it_is()

    # -- the way of a deploy ----------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._pending is not None:
            return
        self._stop_if_too_many_failed()
        tally = self.tally()
        if self.outcome is not None or self._pending is not None or tally.in_flight:
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

    def _pass_or_gate(self, point: str, wave: int) -> None:
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
            self._conclude()
        # before a fetch or a wave: from now on the hosts that wait are due

    def _after_fetch(self) -> None:
        if self._rules.fetch_only:
            failed = self.tally().failed
            word = MIXED if failed else CONVERGED
            reason = _failures(failed) or "fetched and verified; nothing is switched yet"
            self._end(word, len(self.tally().ok), reason, astray=tuple(failed))
        elif self._everywhere():
            self._conclude()
        else:
            self._pass_or_gate(AFTER_FETCH, -1)

    def _confirm_or_switch(self) -> None:
        if self._rules.confirm:
            done = f"{len(self.tally().ok)}/{len(self._hosts)} minions completed fetch"
            self._ask_operator(done, (YES, NO, RETRY), NO)
        else:
            self._begin_wave(0)

    def _everywhere(self) -> bool:
        return len(self._unchanged) == len(self._hosts)

    def _begin_wave(self, wave: int) -> None:
        if wave >= len(self.waves):
            self.wave = len(self.waves) - 1
            self._pass_or_gate(FINAL, -1)
            return
        self.stage, self.wave = CHECKOUT, wave
        fetched = self.tally(FETCH, -1).ok
        hosts = [h for h in self.waves[wave].hosts if h in fetched and h not in self._unchanged]
        self._tallies[CHECKOUT, wave] = Tally(waiting=dict.fromkeys(hosts))
        if hosts:
            self._pass_or_gate(BEFORE_WAVE, wave)
        else:
            self._begin_wave(wave + 1)

    def _hold_behind(self, wave: int) -> None:
        hold = self.waves[wave].hold
        if wave + 1 >= len(self.waves) or not hold or (hold == ASK and self._ask_no_more):
            self._begin_wave(wave + 1)
        elif hold == ASK:
            text = f"{self.waves[wave].name} is done; go on with {self.waves[wave + 1].name}?"
            self._ask_operator(text, (YES, NO, ALL, ROLL_BACK), NO)
        else:
            self._pending = Pause(wave + 1, float(hold))

    def _conclude(self) -> None:
        failed = {host: why for group in self._failed.values() for host, why in group.items()}
        fine = [host for host in self._hosts if host not in failed]
        if failed:
            reason = f"{_failures(failed)}; within the limits"
            self._end(MIXED, len(fine), reason, accepted=True, astray=tuple(failed))
        else:
            reason = "every host runs it already: nothing to do" if self._everywhere() else ""
            self._end(CONVERGED, len(fine), reason, accepted=True)

    # -- when it goes wrong -----------------------------------------------------------------------------

    def _stop_if_too_many_failed(self) -> None:
        if self._stopped or self.stage == ROLLBACK or (self.stage == FETCH and not self.tally().done):
            return  # everybody is heard in a fetch: nothing changes anywhere by that
        waves = self.waves if self.stage == FETCH else (self.waves[self.wave],)
        for wave in waves:
            failed = self._failed[wave.group]
            if len(failed) > wave.limit and wave.group not in self._forgiven:
                where = f" of {wave.group}" if wave.group else ""
                self._stop(f"{len(failed)} hosts{where} failed, the limit is {wave.limit}: {_some(failed)}")
                return

    def _stop(self, reason: str) -> None:
        """Nobody new is asked; what follows is decided when those who were asked are heard."""
        self._stopped = reason
        if not self.tally().in_flight:
            self._after_stop()

    def _after_stop(self) -> None:
        rule = self._rules.on_abort if self._aborted else self._rules.on_failure
        if rule == ASK:
            choices = (RETRY, NO) if not self._asked_to_switch else (RETRY, CONTINUE, ROLL_BACK, HOLD)
            self._ask_operator(self._stopped, choices, NO if not self._asked_to_switch else ROLL_BACK)
        elif rule == ROLL_BACK and self._asked_to_switch:
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
        blocked, self._blocked = self._blocked, None
        if blocked is not None:
            self._stopped = ""
            self._beyond(blocked)
        elif self._stopped:
            self._forgiven.add(self.waves[self.wave].group)
            self._stopped = ""
            self._advance()
        else:
            self._begin_wave(self.wave + 1)

    def _retry(self) -> None:
        """The checks that failed run again; where it was hosts, they are asked again."""
        blocked, self._blocked = self._blocked, None
        self._stopped = ""
        tally = self.tally()
        for host in tally.failed:
            self._failed[self._group[host]].pop(host, None)
        tally.again(list(tally.failed))
        if blocked is not None:
            self._pending = blocked
        else:
            self._advance()

    def _roll_back_before(self, wave: int) -> None:
        """Roll back the last wave before this position that has hosts to roll back; end when there is none."""
        for position in range(wave - 1, -1, -1):
            hosts = [
                h for h, at in self._asked_to_switch.items() if at == position and h not in self._no_way_back
            ]
            if hosts:
                self.stage, self.wave = ROLLBACK, position
                self._tallies[ROLLBACK, position] = Tally(waiting=dict.fromkeys(reversed(hosts)))
                return
        self._after_rollback()

    def _after_rollback(self) -> None:
        back = [h for at in range(len(self.waves)) for h in self.tally(ROLLBACK, at).ok]
        stuck = {
            h: why for at in range(len(self.waves)) for h, why in self.tally(ROLLBACK, at).failed.items()
        }
        no_way = self._no_way_back - self._never_switched
        stuck |= {h: "it had no release to go back to" for h in self._asked_to_switch if h in no_way}
        total = len(self._asked_to_switch)
        if stuck:
            reason = f"{self._stopped}; could not switch back: {_some(stuck)}"
            self._end(MIXED, len(back), reason, total=total, astray=tuple(stuck))
        else:
            self._end(ROLLED_BACK, len(back), self._stopped, total=total)

    def _end_as_it_is(self) -> None:
        """Stop without going back: named for what is true then."""
        switched = self._asked_to_switch
        if not switched:
            ready = len(self.tally(FETCH, -1).ok)
            self._end(HELD, ready, f"{self._stopped}; {_UNTOUCHED}")
            return
        fine = [h for at in range(len(self.waves)) for h in self.tally(CHECKOUT, at).ok]
        reason = f"{self._stopped}; {len(switched)} of {len(self._hosts)} hosts had been asked to switch"
        self._end(MIXED, len(fine), reason, astray=tuple(switched))

    def _end(
        self,
        word: str,
        ok: int,
        reason: str,
        *,
        total: int = -1,
        accepted: bool = False,
        astray: tuple[str, ...] = (),
    ) -> None:
        self._pending = None
        self.outcome = Outcome(word, ok, len(self._hosts) if total < 0 else total, reason, accepted, astray)


def _failures(failed: dict[str, str]) -> str:
    return f"{len(failed)} hosts failed: {_some(failed)}" if failed else ""


def _some(failed: dict[str, str]) -> str:
    named = [f"{host} ({cause})" for host, cause in list(failed.items())[:3]]
    return "; ".join(named) + (f"; and {len(failed) - 3} more" if len(failed) > 3 else "")
