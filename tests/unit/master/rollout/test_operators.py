"""Stories about rollouts that wait for checks of the master, for operators, and for a while."""

from __future__ import annotations

import pytest
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
    Gate,
    Pause,
)
from saltdeploy.protocol.orders import CHECKOUT

from tests.unit.master.story import (
    BROKEN,
    CANARY,
    REST,
    SILENT,
    Deploy,
    failed_canary,
    standing,
    wave,
)

# -- gates --------------------------------------------------------------------------------------------------

GATES = frozenset(
    {Gate(BEFORE_FETCH), Gate(AFTER_FETCH), Gate(BEFORE_WAVE, 1), Gate(AFTER_WAVE, 0), Gate(FINAL)}
)


def test_gates_open_in_their_order():
    deploy = Deploy(CANARY, REST, gates=GATES)
    seen = []
    while not deploy.end:
        seen.append(deploy.check(ok=True))
        deploy.carry_on()
    assert seen == [
        Gate(BEFORE_FETCH),
        Gate(AFTER_FETCH),
        Gate(AFTER_WAVE, 0),
        Gate(BEFORE_WAVE, 1),
        Gate(FINAL),
    ]
    assert deploy.end == "CONVERGED 6/6"


@pytest.mark.parametrize(
    ("gate", "end", "asked"),
    [
        (Gate(BEFORE_FETCH), "HELD 0/6", 0),
        (Gate(AFTER_FETCH), "HELD 6/6", 0),
        (Gate(AFTER_WAVE, 0), "ROLLED BACK 2/2", 2),
        (Gate(BEFORE_WAVE, 1), "ROLLED BACK 2/2", 2),
        (Gate(FINAL), "ROLLED BACK 6/6", 6),
    ],
)
def test_a_gate_that_does_not_pass_stops_the_deploy(gate, end, asked):
    deploy = Deploy(CANARY, REST, gates=frozenset({gate})).carry_on()
    deploy.check(ok=False, reason="too many errors")
    assert deploy.carry_on().end == end
    assert "too many errors" in deploy.reason
    assert len(deploy.asked_for(CHECKOUT)) == asked


def test_nobody_is_asked_while_a_gate_is_closed():
    deploy = Deploy(CANARY, REST, gates=frozenset({Gate(BEFORE_WAVE, 0)})).fetch()
    assert deploy.ask() == []
    deploy.check(ok=True)
    assert deploy.ask() == ["c1", "c2"]


def test_the_verdict_of_a_gate_that_is_not_due_changes_nothing():
    deploy = Deploy(CANARY, REST, gates=frozenset({Gate(AFTER_FETCH)}))
    before = standing(deploy.rollout)
    deploy.tell("passed", Gate(AFTER_FETCH), ok=False)
    assert standing(deploy.rollout) == before


def test_a_gate_that_is_tried_again_forgets_no_failed_host():
    deploy = Deploy(REST, gates=frozenset({Gate(AFTER_WAVE, 0)}), on_failure=ASK).fetch()
    deploy.ask()
    deploy.hear("r1", BROKEN)
    deploy.carry_on()
    deploy.check(ok=False)
    deploy.answer(RETRY)
    deploy.check(ok=True)
    assert deploy.end == "MIXED 3/4"
    assert deploy.astray == {"r1"}


# -- operators ----------------------------------------------------------------------------------------------


def test_an_operator_is_asked_what_to_do_about_a_failure():
    question = failed_canary().question
    assert set(question.choices) == {RETRY, CONTINUE, ROLL_BACK, HOLD}
    assert question.default == ROLL_BACK
    assert "c2 (the disk is full)" in question.text


def test_a_retry_asks_only_the_hosts_that_failed():
    deploy = failed_canary()
    deploy.answer(RETRY)
    assert deploy.ask() == ["c2"]
    deploy.carry_on()
    assert deploy.end == "CONVERGED 6/6"


def test_a_retry_that_fails_asks_the_operator_again():
    deploy = failed_canary()
    first = deploy.question
    deploy.answer(RETRY)
    deploy.ask()
    deploy.hear("c2", BROKEN)
    assert deploy.question.key != first.key


def test_a_retry_that_works_is_remembered_when_the_deploy_turns_back_later():
    deploy = Deploy(CANARY, REST, on_failure=ASK)
    deploy.ask()
    deploy.hear("c2", way_back=False)
    deploy.hear("c1 r1 r2 r3 r4")
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN, switched=False)
    deploy.answer(RETRY)
    deploy.ask()
    deploy.hear("c2")
    deploy.ask()
    deploy.hear("r1 r2", BROKEN)
    deploy.answer(ROLL_BACK)
    deploy.carry_on()
    assert deploy.end == "MIXED 5/6"
    assert deploy.astray == {"c2"}, "it never went back: it had switched when it was asked again"


def test_a_host_that_is_silent_at_the_second_attempt_is_in_doubt():
    deploy = Deploy(CANARY, on_failure=ASK).fetch(c1=BROKEN)
    deploy.answer(RETRY)
    deploy.ask()
    deploy.hear("c1", SILENT, switched=True)
    deploy.answer(NO)
    assert deploy.astray == {"c1"}


def test_the_way_back_of_a_host_is_the_one_it_told_last():
    deploy = Deploy(CANARY, on_failure=ASK)
    deploy.ask()
    deploy.hear("c1", SILENT, way_back=False, switched=True)
    deploy.hear("c2")
    deploy.answer(RETRY)
    deploy.ask()
    deploy.hear("c1")
    deploy.ask()
    deploy.hear("c1 c2", BROKEN)
    deploy.answer(ROLL_BACK)
    assert deploy.ask() == ["c2", "c1"]


def test_a_deploy_goes_on_in_spite_of_a_failure_when_the_operator_says_so():
    deploy = failed_canary()
    deploy.answer(CONTINUE)
    deploy.carry_on()
    assert deploy.end == "MIXED 5/6"
    assert deploy.rollout.outcome.accepted
    assert deploy.astray == {"c2"}
    assert "in spite of" in deploy.reason


def test_going_on_is_no_leave_for_further_failures():
    deploy = Deploy(wave("all", "a b c d", window=1), on_failure=ASK).fetch()
    deploy.ask()
    deploy.hear("a", BROKEN)
    deploy.answer(CONTINUE)
    deploy.ask()
    deploy.hear("b", BROKEN)
    assert deploy.question.choices == (RETRY, CONTINUE, ROLL_BACK, HOLD)


def test_an_operator_turns_the_deploy_back():
    deploy = failed_canary()
    deploy.answer(ROLL_BACK)
    deploy.carry_on()
    assert deploy.end == "ROLLED BACK 2/2"


def test_an_operator_leaves_the_fleet_as_it_is():
    deploy = failed_canary()
    deploy.answer(HOLD)
    assert deploy.end == "MIXED 4/6"
    assert deploy.astray == {"c1", "c2"}


def test_before_anybody_switched_there_is_only_again_or_no():
    deploy = Deploy(CANARY, on_failure=ASK).fetch(c1=BROKEN)
    assert deploy.question.choices == (RETRY, NO)
    deploy.answer(RETRY)
    assert deploy.ask() == ["c1"]
    deploy.hear("c1", BROKEN)
    deploy.answer(NO)
    assert deploy.end == "HELD 1/2"


def test_an_operator_opens_a_gate_by_hand():
    deploy = Deploy(CANARY, REST, gates=frozenset({Gate(AFTER_WAVE, 0)}), on_failure=ASK).fetch()
    deploy.carry_on()
    deploy.check(ok=False, reason="too many errors")
    deploy.answer(CONTINUE)
    deploy.carry_on()
    assert deploy.end == "CONVERGED 6/6"
    assert "in spite of: too many errors" in deploy.reason


def test_the_first_answer_to_a_question_wins():
    deploy = failed_canary()
    key = deploy.question.key
    deploy.answer(HOLD)
    assert deploy.tell("answered", key, ROLL_BACK) is False
    assert deploy.end == "MIXED 4/6"


@pytest.mark.parametrize(("key", "choice"), [("q1", "perhaps"), ("q2", HOLD), ("", HOLD), ("q1", YES)])
def test_an_answer_that_fits_no_open_question_changes_nothing(key, choice):
    deploy = failed_canary()
    before = standing(deploy.rollout)
    assert deploy.tell("answered", key, choice) is False
    assert standing(deploy.rollout) == before


# -- holds and prompts --------------------------------------------------------------------------------------

THREE = (wave("one", "a", hold=ASK), wave("two", "b", hold=ASK), wave("three", "c", hold=ASK))


def test_the_deploy_holds_behind_a_group_until_an_operator_goes_on():
    deploy = Deploy(*THREE).carry_on()
    assert deploy.question.text == "one is done; go on with two?"
    assert deploy.ask() == []
    deploy.answer(YES)
    deploy.carry_on()
    assert deploy.question.text == "two is done; go on with three?"
    deploy.answer(YES)
    assert deploy.carry_on().end == "CONVERGED 3/3", "behind the last group there is nothing to hold"


def test_an_operator_answers_for_all_groups_at_once():
    deploy = Deploy(*THREE).carry_on()
    deploy.answer(ALL)
    assert deploy.carry_on().end == "CONVERGED 3/3"


@pytest.mark.parametrize(
    ("choice", "end", "astray"), [(NO, "MIXED 2/3", {"a"}), (ROLL_BACK, "ROLLED BACK 1/1", set())]
)
def test_an_operator_does_not_go_on(choice, end, astray):
    deploy = Deploy(*THREE).carry_on()
    deploy.answer(choice)
    assert deploy.carry_on().end == end
    assert "an operator chose" in deploy.reason
    assert deploy.astray == astray


def test_the_deploy_pauses_behind_a_group():
    deploy = Deploy(wave("one", "a", hold="30"), wave("two", "b")).carry_on()
    assert deploy.ask() == []
    assert deploy.wait() == Pause(1, 30.0)
    assert deploy.carry_on().end == "CONVERGED 2/2"


def test_a_pause_that_is_over_twice_is_over_once():
    deploy = Deploy(wave("one", "a", hold="30"), wave("two", "b", hold="30"), wave("three", "c")).carry_on()
    pause = deploy.wait()
    deploy.tell("waited", pause)
    deploy.carry_on()
    assert deploy.rollout.due() == Pause(2, 30.0)


def test_parts_of_one_group_follow_each_other_without_a_hold():
    parts = [wave(f"one{n}", host, group="one", hold=ASK) for n, host in enumerate("ab", 1)]
    deploy = Deploy(*parts, wave("two", "c")).carry_on()
    assert deploy.asked_for(CHECKOUT) == ["a", "b"]
    assert deploy.question.text == "one2 is done; go on with two?"


def test_a_group_is_held_behind_though_its_last_part_had_nothing_to_do():
    parts = [wave(f"one{n}", host, group="one", hold=ASK) for n, host in enumerate("ab", 1)]
    deploy = Deploy(*parts, wave("two", "c"))
    deploy.ask()
    deploy.hear("b", unchanged=True, switched=True)
    deploy.hear("a c")
    deploy.carry_on()
    assert deploy.asked_for(CHECKOUT) == ["a"]
    assert deploy.question.default == NO


def test_nothing_is_asked_where_no_later_group_has_anything_to_do():
    deploy = Deploy(wave("one", "a", hold=ASK), wave("two", "b"))
    deploy.ask()
    deploy.hear("b", unchanged=True, switched=True)
    deploy.hear("a")
    assert deploy.carry_on().end == "CONVERGED 2/2"


def test_trebuchets_prompt_stands_at_the_barrier():
    deploy = Deploy(REST, confirm=True).fetch(r2=BROKEN)
    assert deploy.question.text == "3/4 minions completed fetch"
    assert deploy.question.choices == (YES, NO, RETRY)
    assert deploy.ask() == []
    deploy.answer(RETRY)
    assert deploy.ask() == ["r2"]
    deploy.hear("r2")
    assert deploy.question.text == "4/4 minions completed fetch"
    deploy.answer(YES)
    assert deploy.carry_on().end == "CONVERGED 4/4"


def test_again_to_trebuchets_prompt_where_nobody_failed_asks_once_more():
    deploy = Deploy(CANARY, confirm=True).fetch()
    first = deploy.question
    deploy.answer(RETRY)
    assert deploy.ask() == []
    assert deploy.question.key != first.key


def test_no_to_trebuchets_prompt_changes_nothing():
    deploy = Deploy(CANARY, confirm=True).fetch()
    deploy.answer(NO)
    assert deploy.end == "HELD 2/2"
    assert "an operator chose to stop here" in deploy.reason
