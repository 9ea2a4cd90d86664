"""The rollout as a table: all that changes the state of a deploy stands here.

The rules of this file:

- It is data. A row says: in this state, when this happens, do that, then be in this state.
- A pair of state and event that has no row cannot happen; :func:`step` raises one error for all of them.
- A state of :data:`CHOICES` is left at once: what it leads to follows from what was counted (``book.py``).
- The choices of a question are its rows, in their order; ``DEFAULTS`` has the answer that silence gives.
- After ``ENDED`` nothing is taken in, so it has no rows.
- Counting (who was asked, who failed, which limit is passed) is not here, nor is the clock or any host.

``docs/rollout.md`` shows this table as a picture; ``python -m tools.rollout_picture`` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from saltdeploy.master.rollout import model


class State(Enum):
    """Where a deploy stands."""

    BEFORE_FETCH = "before fetch"  # checks of the master run
    FETCHING = "fetching"
    FETCHED = "fetched"
    FETCH_FAILED = "fetch failed"
    NOT_FETCHED = "not fetched"  # hosts failed to fetch; an operator is asked
    AFTER_FETCH = "after fetch"
    BARRIER = "barrier"
    STEPS_BEFORE = "steps before"  # those that run once, before anybody switches
    NEXT_WAVE = "next wave"
    BEFORE_WAVE = "before wave"
    SWITCHING = "switching"
    STOPPING = "stopping"  # no further hosts are started; those under way are heard
    SWITCH_FAILED = "switch failed"
    NOT_SWITCHED = "not switched"  # hosts failed to switch; an operator is asked
    AFTER_WAVE = "after wave"
    BETWEEN_WAVES = "between waves"
    HOLDING = "holding"
    HOLD_QUESTION = "hold question"
    STEPS_AFTER = "steps after"  # those that run once, when everybody has switched
    FINAL = "final"
    CHECKS_FAILED = "checks failed"
    CLOSED_EARLY = "closed early"  # checks failed before anybody switched; an operator is asked
    CLOSED = "closed"  # checks failed; an operator is asked
    CLOSED_GATE = "closed gate"
    ABORTING = "aborting"  # no further hosts are started; those under way are heard
    ABORTED = "aborted"
    STEP_FAILED = "step failed"
    STEP_QUESTION = "step question"  # it failed, or nobody knows how it ended; an operator is asked
    SAME_STEPS = "same steps"  # on with the steps of this point
    STOPPING_STEPS = "stopping steps"  # no further step is begun; the one under way is heard
    TURNING_BACK = "turning back"
    UNDOING_FIRST = "undoing first"  # what ran when everybody had switched is undone before they switch back
    UNDOING_LAST = "undoing last"
    PREVIOUS_WAVE = "previous wave"
    ROLLING_BACK = "rolling back"
    CUT_OFF = "cut off"  # nothing can be recorded, so nobody is asked; those under way are heard
    ENDED = "ended"


class Event(Enum):
    """What happens. The first two groups come from outside, the others follow from what was counted."""

    PASSED = "checks passed"
    NOT_PASSED = "checks did not pass"
    NOT_TOLD = "checks could not tell"
    PAUSE_OVER = "pause is over"
    ABORT = "an operator stops it"
    BROKE = "the master fails"
    LOSE_RECORD = "nothing can be recorded"
    STEP_DONE = "step is done"
    STEP_BROKE = "step failed"
    STEP_LOST = "nobody knows how the step ended"

    YES = model.YES
    NO = model.NO
    RETRY = model.RETRY
    CONTINUE = model.CONTINUE
    ALL = model.ALL
    ROLL_BACK = model.ROLL_BACK
    HOLD = model.HOLD

    ALL_HEARD = "all are heard"
    TOO_MANY_FAILED = "too many failed"

    ONLY_A_FETCH = "only a fetch"
    NOTHING_TO_DO = "every host runs it"
    TO_SWITCH = "to be switched"
    UNASKED = "nobody is to be asked"
    SOME_LEFT = "some are left"
    NONE_LEFT = "none are left"
    GOES_ON = "nothing holds it"
    WAITS = "holds for a time"
    ASKS = "holds for an answer"

    RULE_ASK_EARLY = "rule: ask, nobody has switched"
    RULE_ASK = "rule: ask"
    RULE_ROLL_BACK = "rule: roll back"
    RULE_HOLD = "rule: hold"

    AT_BEFORE_FETCH = "it was before fetch"
    AT_AFTER_FETCH = "it was after fetch"
    AT_BEFORE_WAVE = "it was before wave"
    AT_AFTER_WAVE = "it was after wave"
    AT_FINAL = "it was final"

    NO_STEP = "no step is left"
    NONE_RUNS = "no step is under way"
    STEP_REFUSES = "a step refuses it"
    NONE_REFUSES = "no step refuses it"
    AT_STEPS_BEFORE = "nobody has switched"
    AT_STEPS_AFTER = "everybody has switched"


class Do(Enum):
    """What is done on the way to the next state; each is a method of the book."""

    BEGIN_WAVE = "begin_wave"
    BEGIN_WAY_BACK = "begin_way_back"
    ASK_FAILED_AGAIN = "ask_failed_again"
    ACCEPT_FAILURES = "accept_failures"
    CLOSE_GATE = "close_gate"
    OPEN_GATE = "open_gate"
    ASK_NO_MORE = "ask_no_more"
    NOTE_REASON = "note_reason"
    NOTE_UNTOLD = "note_untold"
    NOTE_FAILURES = "note_failures"
    NOTE_STOPPED = "note_stopped"
    NOTE_TURNED_BACK = "note_turned_back"
    NOTE_NOTHING_TO_DO = "note_nothing_to_do"
    FORGET_REASON = "forget_reason"
    KEEP_AS_REMARK = "keep_as_remark"
    NOTE_STEP = "note_step"
    NOTE_REFUSED = "note_refused"
    ACCEPT_STEP = "accept_step"
    FORGET_STEP = "forget_step"
    END_FETCHED = "end_fetched"
    END_SWITCHED = "end_switched"
    END_AS_IT_IS = "end_as_it_is"
    END_BACK = "end_back"


@dataclass(frozen=True)
class Transition:
    """What a row leads to: the next state, and what is done before, in this order."""

    to: State
    do: tuple[Do, ...] = ()


class NoSuchStep(AssertionError):
    """A state was told what cannot happen in it: a fault of this program."""


S, E, D = State, Event, Do

#: States that wait for checks of the master -> the point of these checks.
GATES = {
    S.BEFORE_FETCH: model.BEFORE_FETCH,
    S.AFTER_FETCH: model.AFTER_FETCH,
    S.BEFORE_WAVE: model.BEFORE_WAVE,
    S.AFTER_WAVE: model.AFTER_WAVE,
    S.FINAL: model.FINAL,
}
#: States in which hosts are asked.
ASKING = frozenset({S.FETCHING, S.SWITCHING, S.ROLLING_BACK})
#: States in which hosts that were asked are only heard.
HEARING = frozenset({S.STOPPING, S.ABORTING, S.CUT_OFF})
#: States in which a step runs that runs once; the last one only hears of one that is under way.
STEPPING = frozenset({S.STEPS_BEFORE, S.STEPS_AFTER, S.UNDOING_FIRST, S.UNDOING_LAST, S.STOPPING_STEPS})
#: States that wait for an operator -> the answer that is taken when nobody gives one in time.
DEFAULTS = {
    S.BARRIER: E.NO,
    S.HOLD_QUESTION: E.NO,
    S.NOT_FETCHED: E.NO,
    S.CLOSED_EARLY: E.NO,
    S.NOT_SWITCHED: E.ROLL_BACK,
    S.CLOSED: E.ROLL_BACK,
    S.STEP_QUESTION: E.HOLD,
}
#: States that are left at once.
CHOICES = frozenset(
    {
        S.FETCHED,
        S.FETCH_FAILED,
        S.NEXT_WAVE,
        S.SWITCH_FAILED,
        S.BETWEEN_WAVES,
        S.CHECKS_FAILED,
        S.CLOSED_GATE,
        S.ABORTED,
        S.STEP_FAILED,
        S.SAME_STEPS,
        S.TURNING_BACK,
        S.PREVIOUS_WAVE,
    }
)

_STOP = (D.NOTE_REASON, D.END_AS_IT_IS)
_CLOSE = Transition(S.CHECKS_FAILED, (D.NOTE_REASON, D.CLOSE_GATE))
_CLOSE_UNTOLD = Transition(S.CHECKS_FAILED, (D.NOTE_REASON, D.NOTE_UNTOLD, D.CLOSE_GATE))
_OPERATOR_STOPS = Transition(S.ENDED, (D.NOTE_STOPPED, D.END_AS_IT_IS))
_OPERATOR_TURNS_BACK = Transition(S.TURNING_BACK, (D.NOTE_TURNED_BACK,))

_WAY_FORTH = {
    (S.BEFORE_FETCH, E.PASSED): Transition(S.FETCHING),
    (S.BEFORE_FETCH, E.NOT_PASSED): _CLOSE,
    (S.BEFORE_FETCH, E.NOT_TOLD): _CLOSE_UNTOLD,
    (S.FETCHING, E.ALL_HEARD): Transition(S.FETCHED),
    (S.FETCHING, E.TOO_MANY_FAILED): Transition(S.FETCH_FAILED, (D.NOTE_FAILURES,)),
    (S.FETCHED, E.ONLY_A_FETCH): Transition(S.ENDED, (D.END_FETCHED,)),
    (S.FETCHED, E.NOTHING_TO_DO): Transition(S.ENDED, (D.NOTE_NOTHING_TO_DO, D.END_SWITCHED)),
    (S.FETCHED, E.TO_SWITCH): Transition(S.AFTER_FETCH),
    (S.AFTER_FETCH, E.PASSED): Transition(S.BARRIER),
    (S.AFTER_FETCH, E.NOT_PASSED): _CLOSE,
    (S.AFTER_FETCH, E.NOT_TOLD): _CLOSE_UNTOLD,
    (S.BARRIER, E.UNASKED): Transition(S.STEPS_BEFORE),
    (S.BARRIER, E.YES): Transition(S.STEPS_BEFORE),
    (S.BARRIER, E.NO): _OPERATOR_STOPS,
    (S.BARRIER, E.RETRY): Transition(S.FETCHING, (D.ASK_FAILED_AGAIN,)),
    (S.STEPS_BEFORE, E.STEP_DONE): Transition(S.STEPS_BEFORE),
    (S.STEPS_BEFORE, E.STEP_BROKE): Transition(S.STEP_FAILED, (D.NOTE_STEP,)),
    (S.STEPS_BEFORE, E.STEP_LOST): Transition(S.STEP_QUESTION, (D.NOTE_STEP,)),
    (S.STEPS_BEFORE, E.NO_STEP): Transition(S.NEXT_WAVE),
    (S.NEXT_WAVE, E.SOME_LEFT): Transition(S.BEFORE_WAVE, (D.BEGIN_WAVE,)),
    (S.NEXT_WAVE, E.NONE_LEFT): Transition(S.STEPS_AFTER),
    (S.BEFORE_WAVE, E.PASSED): Transition(S.SWITCHING),
    (S.BEFORE_WAVE, E.NOT_PASSED): _CLOSE,
    (S.BEFORE_WAVE, E.NOT_TOLD): _CLOSE_UNTOLD,
    (S.SWITCHING, E.ALL_HEARD): Transition(S.AFTER_WAVE),
    (S.SWITCHING, E.TOO_MANY_FAILED): Transition(S.STOPPING, (D.NOTE_FAILURES,)),
    (S.AFTER_WAVE, E.PASSED): Transition(S.BETWEEN_WAVES),
    (S.AFTER_WAVE, E.NOT_PASSED): _CLOSE,
    (S.AFTER_WAVE, E.NOT_TOLD): _CLOSE_UNTOLD,
    (S.BETWEEN_WAVES, E.GOES_ON): Transition(S.NEXT_WAVE),
    (S.BETWEEN_WAVES, E.WAITS): Transition(S.HOLDING),
    (S.BETWEEN_WAVES, E.ASKS): Transition(S.HOLD_QUESTION),
    (S.HOLDING, E.PAUSE_OVER): Transition(S.NEXT_WAVE),
    (S.HOLD_QUESTION, E.YES): Transition(S.NEXT_WAVE),
    (S.HOLD_QUESTION, E.NO): _OPERATOR_STOPS,
    (S.HOLD_QUESTION, E.ALL): Transition(S.NEXT_WAVE, (D.ASK_NO_MORE,)),
    (S.HOLD_QUESTION, E.ROLL_BACK): _OPERATOR_TURNS_BACK,
    (S.STEPS_AFTER, E.STEP_DONE): Transition(S.STEPS_AFTER),
    (S.STEPS_AFTER, E.STEP_BROKE): Transition(S.STEP_FAILED, (D.NOTE_STEP,)),
    (S.STEPS_AFTER, E.STEP_LOST): Transition(S.STEP_QUESTION, (D.NOTE_STEP,)),
    (S.STEPS_AFTER, E.NO_STEP): Transition(S.FINAL),
    (S.FINAL, E.PASSED): Transition(S.ENDED, (D.END_SWITCHED,)),
    (S.FINAL, E.NOT_PASSED): _CLOSE,
    (S.FINAL, E.NOT_TOLD): _CLOSE_UNTOLD,
}

_HOSTS_FAILED = {
    (S.FETCH_FAILED, E.RULE_ASK_EARLY): Transition(S.NOT_FETCHED),
    (S.FETCH_FAILED, E.RULE_ROLL_BACK): Transition(S.TURNING_BACK),
    (S.FETCH_FAILED, E.RULE_HOLD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
    (S.NOT_FETCHED, E.RETRY): Transition(S.FETCHING, (D.FORGET_REASON, D.ASK_FAILED_AGAIN)),
    (S.NOT_FETCHED, E.NO): _OPERATOR_STOPS,
    (S.STOPPING, E.ALL_HEARD): Transition(S.SWITCH_FAILED, (D.NOTE_FAILURES,)),  # more may have failed
    (S.SWITCH_FAILED, E.RULE_ASK): Transition(S.NOT_SWITCHED),
    (S.SWITCH_FAILED, E.RULE_ROLL_BACK): Transition(S.TURNING_BACK),
    (S.SWITCH_FAILED, E.RULE_HOLD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
    (S.NOT_SWITCHED, E.RETRY): Transition(S.SWITCHING, (D.FORGET_REASON, D.ASK_FAILED_AGAIN)),
    (S.NOT_SWITCHED, E.CONTINUE): Transition(S.SWITCHING, (D.KEEP_AS_REMARK, D.ACCEPT_FAILURES)),
    (S.NOT_SWITCHED, E.ROLL_BACK): _OPERATOR_TURNS_BACK,
    (S.NOT_SWITCHED, E.HOLD): _OPERATOR_STOPS,
}

_CHECKS_FAILED = {
    (S.CHECKS_FAILED, E.RULE_ASK_EARLY): Transition(S.CLOSED_EARLY),
    (S.CHECKS_FAILED, E.RULE_ASK): Transition(S.CLOSED),
    (S.CHECKS_FAILED, E.RULE_ROLL_BACK): Transition(S.TURNING_BACK),
    (S.CHECKS_FAILED, E.RULE_HOLD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
    (S.CLOSED_EARLY, E.RETRY): Transition(S.CLOSED_GATE, (D.FORGET_REASON,)),
    (S.CLOSED_EARLY, E.NO): _OPERATOR_STOPS,
    (S.CLOSED, E.RETRY): Transition(S.CLOSED_GATE, (D.FORGET_REASON,)),
    (S.CLOSED, E.CONTINUE): Transition(S.CLOSED_GATE, (D.KEEP_AS_REMARK, D.OPEN_GATE)),
    (S.CLOSED, E.ROLL_BACK): _OPERATOR_TURNS_BACK,
    (S.CLOSED, E.HOLD): _OPERATOR_STOPS,
    (S.CLOSED_GATE, E.AT_BEFORE_FETCH): Transition(S.BEFORE_FETCH),
    (S.CLOSED_GATE, E.AT_AFTER_FETCH): Transition(S.AFTER_FETCH),
    (S.CLOSED_GATE, E.AT_BEFORE_WAVE): Transition(S.BEFORE_WAVE),
    (S.CLOSED_GATE, E.AT_AFTER_WAVE): Transition(S.AFTER_WAVE),
    (S.CLOSED_GATE, E.AT_FINAL): Transition(S.FINAL),
}

_STEP_FAILED = {
    (S.STEP_FAILED, E.RULE_ASK_EARLY): Transition(S.STEP_QUESTION),
    (S.STEP_FAILED, E.RULE_ASK): Transition(S.STEP_QUESTION),
    (S.STEP_FAILED, E.RULE_ROLL_BACK): Transition(S.TURNING_BACK),
    (S.STEP_FAILED, E.RULE_HOLD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
    (S.STEP_QUESTION, E.RETRY): Transition(S.SAME_STEPS, (D.FORGET_REASON, D.FORGET_STEP)),
    (S.STEP_QUESTION, E.CONTINUE): Transition(S.SAME_STEPS, (D.KEEP_AS_REMARK, D.ACCEPT_STEP)),
    (S.STEP_QUESTION, E.ROLL_BACK): _OPERATOR_TURNS_BACK,
    (S.STEP_QUESTION, E.HOLD): _OPERATOR_STOPS,
    (S.SAME_STEPS, E.AT_STEPS_BEFORE): Transition(S.STEPS_BEFORE),
    (S.SAME_STEPS, E.AT_STEPS_AFTER): Transition(S.STEPS_AFTER),
    **{
        (S.STOPPING_STEPS, event): Transition(S.ABORTED)
        for event in (E.STEP_DONE, E.STEP_BROKE, E.STEP_LOST, E.NONE_RUNS)
    },
}

_WAY_BACK = {
    (S.ABORTING, E.ALL_HEARD): Transition(S.ABORTED),
    (S.ABORTED, E.RULE_ROLL_BACK): Transition(S.TURNING_BACK),
    (S.ABORTED, E.RULE_HOLD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
    (S.TURNING_BACK, E.STEP_REFUSES): Transition(S.ENDED, (D.NOTE_REFUSED, D.END_AS_IT_IS)),
    (S.TURNING_BACK, E.NONE_REFUSES): Transition(S.UNDOING_FIRST),
    **{
        (state, event): Transition(state)
        for state in (S.UNDOING_FIRST, S.UNDOING_LAST)
        for event in (E.STEP_DONE, E.STEP_BROKE, E.STEP_LOST)
    },
    (S.UNDOING_FIRST, E.NO_STEP): Transition(S.PREVIOUS_WAVE),
    (S.PREVIOUS_WAVE, E.SOME_LEFT): Transition(S.ROLLING_BACK, (D.BEGIN_WAY_BACK,)),
    (S.PREVIOUS_WAVE, E.NONE_LEFT): Transition(S.UNDOING_LAST),
    (S.UNDOING_LAST, E.NO_STEP): Transition(S.ENDED, (D.END_BACK,)),
    (S.ROLLING_BACK, E.ALL_HEARD): Transition(S.PREVIOUS_WAVE),
    (S.CUT_OFF, E.ALL_HEARD): Transition(S.ENDED, (D.END_AS_IT_IS,)),
}

#: States that last until something comes from outside.
LASTING = tuple(state for state in S if state not in CHOICES and state is not S.ENDED)
_SWITCHES = frozenset({S.SWITCHING, S.STOPPING})
_IN_FLIGHT = frozenset({S.SWITCHING, S.ROLLING_BACK, *HEARING})
#: A way back is what an abort leads to.
_STOPS_ALREADY = frozenset(
    {S.ABORTING, S.STOPPING_STEPS, S.UNDOING_FIRST, S.ROLLING_BACK, S.UNDOING_LAST, S.CUT_OFF}
)


def _on_abort(state: State) -> Transition:
    if state in _SWITCHES:
        return Transition(S.ABORTING, (D.NOTE_REASON,))
    if state in {S.STEPS_BEFORE, S.STEPS_AFTER}:
        return Transition(S.STOPPING_STEPS, (D.NOTE_REASON,))
    if state in _STOPS_ALREADY:
        return Transition(state)
    return Transition(S.ABORTED, (D.NOTE_REASON,))  # fetches are left to themselves


def _on_lost_record(state: State) -> Transition:
    if state is S.CUT_OFF:
        return Transition(state)
    return Transition(S.CUT_OFF, (D.NOTE_REASON,)) if state in _IN_FLIGHT else Transition(S.ENDED, _STOP)


TABLE: dict[tuple[State, Event], Transition] = {
    **_WAY_FORTH,
    **_HOSTS_FAILED,
    **_CHECKS_FAILED,
    **_STEP_FAILED,
    **_WAY_BACK,
    **{(state, E.ABORT): _on_abort(state) for state in LASTING},
    **{(state, E.BROKE): Transition(S.ENDED, _STOP) for state in LASTING},
    **{(state, E.LOSE_RECORD): _on_lost_record(state) for state in LASTING},
}


def step(state: State, event: Event) -> Transition:
    """The row for a state and an event.

    Raises:
        NoSuchStep: there is none.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise NoSuchStep(f"a rollout that is in state {state.name} was told {event.name}") from None


def choices(state: State) -> tuple[str, ...]:
    """The answers that count in a state."""
    return tuple(event.value for one, event in TABLE if one is state and event in ANSWERS)


#: What operators can answer.
ANSWERS = frozenset({E.YES, E.NO, E.RETRY, E.CONTINUE, E.ALL, E.ROLL_BACK, E.HOLD})
