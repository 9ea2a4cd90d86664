"""The table itself: which rows there are, that every one of them can happen, and that the docs show it."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from saltdeploy.master.rollout import machine, table
from saltdeploy.master.rollout.book import Book
from saltdeploy.master.rollout.machine import Rollout
from saltdeploy.master.rollout.model import (
    ASK,
    CONTINUE,
    DONE,
    FAILED,
    HOLD,
    LOST,
    ROLL_BACK,
    Ask,
    Gate,
    Pause,
    PlannedStep,
    Question,
    Rules,
    StepRun,
)
from saltdeploy.master.rollout.table import (
    ANSWERS,
    ASKING,
    CHOICES,
    DEFAULTS,
    GATES,
    HEARING,
    LASTING,
    STEPPING,
    TABLE,
    Do,
    Event,
    NoSuchStep,
    State,
    step,
)

from tests.unit.master.story import BROKEN, wave
from tools import rollout_picture

STEP_EVENTS = {Event.STEP_DONE, Event.STEP_BROKE, Event.STEP_LOST}
FROM_OUTSIDE = {
    *(Event.PASSED, Event.NOT_PASSED, Event.PAUSE_OVER, Event.ABORT, Event.BROKE, Event.LOSE_RECORD),
    *STEP_EVENTS,
}


def rows(state: State) -> set[Event]:
    """What can happen in a state."""
    return {event for one, event in TABLE if one is state}


# -- which rows there are -----------------------------------------------------------------------------------


def test_a_state_that_is_told_what_cannot_happen_in_it_is_one_error():
    missing = [(state, event) for state in State for event in Event if (state, event) not in TABLE]
    assert len(missing) > len(TABLE)
    for state, event in missing:
        with pytest.raises(NoSuchStep, match=rf"in state {state.name} was told {event.name}$"):
            step(state, event)


def test_each_state_waits_for_checks_hosts_an_operator_or_a_while_or_is_left_at_once():
    kinds = [set(GATES), ASKING, HEARING, set(DEFAULTS), CHOICES, {State.HOLDING}, STEPPING, {State.ENDED}]
    assert Counter(state for kind in kinds for state in kind) == Counter(State)


def test_nothing_is_taken_in_after_the_end():
    assert rows(State.ENDED) == set()


@pytest.mark.parametrize("state", LASTING)
def test_every_state_that_lasts_can_be_stopped_and_can_break(state):
    assert rows(state) >= {Event.ABORT, Event.BROKE, Event.LOSE_RECORD}


@pytest.mark.parametrize("state", sorted(CHOICES, key=str))
def test_a_choice_follows_from_counts_alone(state):
    assert not rows(state) & (FROM_OUTSIDE | ANSWERS)
    assert len(rows(state)) > 1


@pytest.mark.parametrize("state", DEFAULTS)
def test_an_answer_that_silence_gives_is_one_of_the_choices(state):
    assert DEFAULTS[state].value in table.choices(state)


def test_only_questions_have_answers_and_only_gates_pass():
    assert {state for state, event in TABLE if event in ANSWERS} == set(DEFAULTS)
    assert {
        state for state, event in TABLE if event in (Event.PASSED, Event.NOT_PASSED, Event.NOT_TOLD)
    } == set(GATES)


def test_a_way_back_is_left_for_nothing_but_its_end():
    leads_to = {step.to for (state, _), step in TABLE.items() if state is State.ROLLING_BACK}
    assert leads_to == {State.ROLLING_BACK, State.PREVIOUS_WAVE, State.CUT_OFF, State.ENDED}
    leads_to = {step.to for (state, _), step in TABLE.items() if state is State.PREVIOUS_WAVE}
    assert leads_to == {State.ROLLING_BACK, State.UNDOING_LAST}
    leads_to = {step.to for (state, _), step in TABLE.items() if state is State.UNDOING_LAST}
    assert leads_to == {State.UNDOING_LAST, State.ENDED}


def test_only_where_steps_run_one_is_heard_of():
    assert {state for state, event in TABLE if event in STEP_EVENTS} == STEPPING


def test_nobody_new_switches_once_it_stops():
    stops = (State.ABORTING, State.ABORTED, State.CUT_OFF, State.STOPPING_STEPS, State.TURNING_BACK)
    for state in (*stops, State.UNDOING_FIRST, State.ROLLING_BACK, State.PREVIOUS_WAVE, State.UNDOING_LAST):
        assert State.SWITCHING not in reached_from(state)


def reached_from(state: State) -> set[State]:
    found, todo = {state}, [state]
    while todo:
        here = todo.pop()
        new = {step.to for (one, _), step in TABLE.items() if one is here} - found
        found |= new
        todo += new
    return found


def test_every_state_is_reached_from_the_first_one():
    assert reached_from(State.BEFORE_FETCH) == set(State)


def test_whoever_ends_says_how():
    ends = {Do.END_FETCHED, Do.END_SWITCHED, Do.END_AS_IT_IS, Do.END_BACK}
    for (state, event), found in TABLE.items():
        assert len(ends & set(found.do)) == (found.to is State.ENDED), (state, event)


def test_each_act_is_a_method_that_says_what_it_is():
    for do in Do:
        assert getattr(Book, do.value).__doc__


# -- that every row can happen --------------------------------------------------------------------------------


def a_rollout(dice: random.Random) -> Rollout:
    names = iter("abcdefghijkl")
    waves = tuple(
        wave(f"w{n}", " ".join(next(names) for _ in range(dice.randint(1, 3))), window=dice.randint(1, 3),
             limit=dice.choice([0, 0, 1]), hold=dice.choice(["", "5", ASK]), group=f"g{n // 2}")
        for n in range(dice.randint(1, 4))
    )  # fmt: skip
    gates = [Gate(point, -1) for state, point in GATES.items() if "wave" not in point]
    gates += [Gate(point, n) for point in GATES.values() if "wave" in point for n in range(len(waves))]
    rules = Rules(
        on_failure=dice.choice([ROLL_BACK, HOLD, ASK, ASK, CONTINUE]),
        on_abort=dice.choice([ROLL_BACK, HOLD]),
        fetch_only=dice.random() < 0.1,
        confirm=dice.random() < 0.3,
        gates=frozenset(dice.sample(gates, dice.randint(0, 2))),
        steps=tuple(a_step(dice, f"s{n}") for n in range(dice.choice([0, 1, 2, 3]))),
    )
    return Rollout(waves, rules)


def a_step(dice: random.Random, name: str) -> PlannedStep:
    hosts = dice.choice([(), ("a", "b"), ("db",)])
    one_in_five = dice.random() < 0.2
    return PlannedStep(
        name, "wiki", dice.random() < 0.3, hosts, undo=dice.random() < 0.8, refuses=one_in_five
    )


def something_happens(rollout: Rollout, dice: random.Random, harm: float) -> None:
    due, at_work = rollout.due(), list(rollout.in_flight())
    is_rare = (
        due is None or due == Gate(GATES[State.FINAL]) or isinstance(due, (Pause, Question, StepRun))
    )  # trouble comes oftener there, or it hardly ever would
    if dice.random() < (0.2 if is_rare else 0.02):
        dice.choice([rollout.abort, rollout.broke, rollout.lose_record])("trouble")
    elif isinstance(due, Ask) and (not at_work or dice.random() < 0.5):
        rollout.asked(due)
    elif isinstance(due, Gate):
        rollout.passed(due, ok=dice.random() < 0.6, untold=dice.random() < 0.5)
    elif isinstance(due, Pause):
        rollout.waited(due)
    elif isinstance(due, StepRun):
        a_step_goes_on(rollout, due, dice)
    elif isinstance(due, Question):
        assert rollout.answered(due.key, dice.choice(due.choices))
    else:
        is_live = dice.random() < 0.1 if rollout.stage == "fetch" else rollout.stage == "checkout"
        error = BROKEN if dice.random() < harm else None
        rollout.heard(dice.choice(at_work), error=error, switched=is_live, unchanged=is_live)


def a_step_goes_on(rollout: Rollout, run: StepRun, dice: random.Random) -> None:
    if rollout.step_under_way is None:
        rollout.step_begun(run)
    elif dice.random() < 0.2:
        dice.choice([rollout.abort, rollout.broke, rollout.lose_record])("trouble")
    else:
        rollout.step_ended(run, dice.choice([DONE, DONE, DONE, FAILED, LOST]), "text")


@pytest.mark.component("some thousand deploys of chance, until each row was taken")
def test_every_row_of_the_table_happens_in_some_deploy(monkeypatch):
    taken: set[tuple[State, Event]] = set()

    def noted(state: State, event: Event) -> table.Transition:
        taken.add((state, event))
        return step(state, event)

    monkeypatch.setattr(machine, "step", noted)
    for seed in range(20_000):
        dice = random.Random(seed)
        rollout, harm = a_rollout(dice), dice.choice([0.3, 0.0])  # of those without, more get far
        while rollout.outcome is None:
            something_happens(rollout, dice, harm)
        if taken == set(TABLE):
            return
    assert set(TABLE) - taken == set()


# -- that the docs show it ------------------------------------------------------------------------------------


def test_the_docs_show_the_table_of_today():
    text = rollout_picture.PAGE.read_text()
    assert rollout_picture.page(text) == text, "run: PYTHONPATH=_utils python -m tools.rollout_picture"
    assert rollout_picture.main(["--check"]) == 0


def test_the_picture_changes_with_the_table(monkeypatch):
    before = rollout_picture.picture()
    monkeypatch.setitem(TABLE, (State.FETCHING, Event.ALL_HEARD), table.Transition(State.ENDED))
    assert rollout_picture.picture() != before


def test_the_page_names_every_state_and_every_file_of_the_room():
    text = rollout_picture.PAGE.read_text()
    assert [state.name for state in State if not re.search(rf"\b{state.name}\b", text)] == []
    room = Path(machine.__file__).parent
    assert {path.name for path in room.glob("[a-z]*.py")} == set(re.findall(r"\| `(\w+\.py)` \|", text))


def test_from_the_way_back_no_step_leads_to_a_switch() -> None:
    """So a driver that has left fetch or checkout need never come back to it."""
    begun = {to.to for to in TABLE.values() if Do.BEGIN_WAY_BACK in to.do}
    while more := {to.to for (state, _), to in TABLE.items() if state in begun} - begun:
        begun |= more
    behind = [to for (state, _), to in TABLE.items() if state in begun]
    assert behind
    assert not any(Do.BEGIN_WAVE in to.do for to in behind)
