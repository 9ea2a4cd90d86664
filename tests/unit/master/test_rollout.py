"""Stories about rollouts: who is asked for what, and how it ends."""

from __future__ import annotations

import pytest
from saltdeploy.master.instructions import (
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
    Pause,
)
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK

from tests.unit.master.story import BROKEN, SILENT, Deploy, replay, standing, wave

CANARY = wave("canary", "c1 c2")
REST = wave("rest", "r1 r2 r3 r4", window=2, limit=1)


# -- the way forth ------------------------------------------------------------------------------------------


def test_everybody_fetches_at_once_then_the_waves_switch_one_after_the_other():
    deploy = Deploy(CANARY, REST)
    assert deploy.ask() == ["c1", "c2", "r1", "r2", "r3", "r4"]
    deploy.hear("r4 r3 r2 r1 c2")
    assert deploy.rollout.due() is None, "one host has not fetched yet: nobody switches"
    deploy.hear("c1")
    assert deploy.ask() == ["c1", "c2"]
    deploy.hear("c1 c2")
    assert deploy.ask() == ["r1", "r2"]
    deploy.carry_on()
    assert deploy.end == "CONVERGED 6/6"
    assert deploy.rollout.outcome.accepted
    assert deploy.astray == set()
    assert deploy.asked_for(CHECKOUT) == ["c1", "c2", "r1", "r2", "r3", "r4"]


def test_the_window_slides_when_one_host_is_done():
    deploy = Deploy(REST).fetch()
    assert deploy.ask() == ["r1", "r2"]
    deploy.hear("r2")
    assert deploy.ask() == ["r3"]
    deploy.hear("r3")
    assert deploy.ask() == ["r4"]
    assert list(deploy.rollout.in_flight()) == ["r1", "r4"]


def test_hosts_are_gathered_until_a_quarter_of_the_window_is_free():
    deploy = Deploy(wave("all", " ".join(f"h{n}" for n in range(16)), window=8)).fetch()
    deploy.ask()
    deploy.hear("h0")
    assert deploy.rollout.due(whole=False) is None
    assert deploy.rollout.due(whole=True) == Ask(CHECKOUT, ("h8",), 0)
    deploy.hear("h1")
    assert deploy.rollout.due(whole=False) == Ask(CHECKOUT, ("h8", "h9"), 0)


def test_the_same_is_due_until_the_machine_hears_that_it_is_begun():
    deploy = Deploy(CANARY)
    assert deploy.rollout.due() == deploy.rollout.due() == Ask(FETCH, ("c1", "c2"), -1)


def test_a_host_that_runs_the_release_already_does_not_switch():
    deploy = Deploy(CANARY, REST)
    deploy.ask()
    deploy.hear("c1 c2 r1", unchanged=True, switched=True)
    deploy.hear("r2 r3 r4")
    deploy.carry_on()
    assert deploy.asked_for(CHECKOUT) == ["r2", "r3", "r4"]
    assert deploy.end == "CONVERGED 6/6"


def test_there_is_nothing_to_do_where_every_host_runs_the_release():
    deploy = Deploy(CANARY, gates=frozenset({Gate(AFTER_FETCH), Gate(FINAL)}), confirm=True)
    deploy.ask()
    deploy.hear("c1 c2", unchanged=True, switched=True)
    assert deploy.end == "CONVERGED 2/2"
    assert "nothing to do" in deploy.reason
    assert deploy.asked_for(CHECKOUT) == []


def test_a_deploy_to_nobody_ends():
    assert Deploy().end == "CONVERGED 0/0"


def test_a_thousand_waves_that_have_nothing_to_switch_are_passed_over():
    deploy = Deploy(*(wave(f"w{n}", f"h{n}", group="all", limit=1) for n in range(3000)))
    hosts = deploy.ask()
    deploy.hear(hosts[0])
    deploy.hear(" ".join(hosts[1:]), unchanged=True, switched=True)
    assert deploy.ask() == ["h0"]
    deploy.hear("h0")
    assert deploy.end == "CONVERGED 3000/3000"


def test_only_a_fetch_ends_at_the_barrier():
    deploy = Deploy(CANARY, REST, fetch_only=True).fetch()
    assert deploy.end == "CONVERGED 6/6"
    assert "nothing is switched" in deploy.reason
    assert not deploy.rollout.outcome.accepted


def test_only_a_fetch_that_some_hosts_missed_changes_nothing_and_says_who():
    deploy = Deploy(REST, fetch_only=True).fetch(r3=BROKEN)
    assert deploy.end == "HELD 3/4"
    assert "r3 (the disk is full)" in deploy.reason


# -- failures and limits ------------------------------------------------------------------------------------


def test_a_canary_that_fails_brings_the_canaries_back_and_no_other_host_is_touched():
    deploy = Deploy(CANARY, REST).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN)
    assert deploy.ask() == ["c2", "c1"]
    deploy.hear("c1 c2")
    assert deploy.end == "ROLLED BACK 2/2"
    assert "1 host of canary failed, the limit is 0: c2 (the disk is full)" in deploy.reason
    assert not deploy.rollout.outcome.accepted
    assert deploy.asked_for(CHECKOUT) == ["c1", "c2"]


def test_failures_within_the_limit_do_not_stop_a_deploy_but_it_is_not_converged():
    deploy = Deploy(REST).fetch()
    deploy.ask()
    deploy.hear("r1", BROKEN)
    deploy.carry_on()
    assert deploy.end == "MIXED 3/4"
    assert deploy.rollout.outcome.accepted
    assert deploy.astray == {"r1"}
    assert "r1 (the disk is full)" in deploy.reason
    assert "within the limits" in deploy.reason


def test_hosts_under_way_are_heard_before_a_deploy_over_its_limit_turns_back():
    deploy = Deploy(wave("all", "a b c d", window=3)).fetch()
    deploy.ask()
    deploy.hear("a", BROKEN)
    assert deploy.rollout.due() is None, "d must not be asked any more, and b and c are still switching"
    deploy.hear("b c")
    assert deploy.ask() == ["c", "b", "a"]


def test_a_fetch_hears_everybody_before_it_counts_failures():
    deploy = Deploy(CANARY, REST)
    deploy.ask()
    deploy.hear("c1", BROKEN)
    assert deploy.end == ""
    deploy.hear("c2 r1 r2 r3 r4")
    assert deploy.end == "HELD 5/6"
    assert "nothing has changed anywhere" in deploy.reason


def test_a_host_that_could_not_fetch_is_not_asked_to_switch():
    deploy = Deploy(REST).fetch(r2=BROKEN)
    deploy.carry_on()
    assert deploy.asked_for(CHECKOUT) == ["r1", "r3", "r4"]
    assert deploy.end == "MIXED 3/4"
    assert deploy.astray == {"r2"}


def test_failures_of_fetch_and_checkout_count_together():
    deploy = Deploy(REST).fetch(r2=BROKEN)
    deploy.ask()
    deploy.hear("r1", BROKEN)
    deploy.carry_on()
    assert deploy.end == "ROLLED BACK 2/2", "r1 and r3, the window, were asked"


def test_parts_of_a_group_share_its_limit():
    first = wave("rest1", "a b", group="rest", limit=1)
    second = wave("rest2", "c d", group="rest", limit=1)
    deploy = Deploy(first, second).fetch()
    deploy.ask()
    deploy.hear("a", BROKEN)
    deploy.hear("b")
    deploy.ask()
    deploy.hear("c", BROKEN)
    deploy.hear("d")
    assert deploy.rollout.stage == ROLLBACK


@pytest.mark.parametrize(("hosts", "more"), [("a b c", ""), ("a b c d e", "; and 2 more")])
def test_the_first_three_hosts_that_failed_are_named(hosts, more):
    deploy = Deploy(wave("all", hosts))
    deploy.ask()
    deploy.hear(hosts, BROKEN)
    full = "the disk is full"
    assert f"failed, the limit is 0: a ({full}); b ({full}); c ({full}){more}; nothing" in deploy.reason


def test_groups_do_not_share_their_limits():
    deploy = Deploy(wave("one", "a b", limit=1), wave("two", "c d", limit=1)).fetch()
    deploy.ask()
    deploy.hear("a", BROKEN)
    deploy.hear("b")
    deploy.ask()
    deploy.hear("c", BROKEN)
    deploy.hear("d")
    assert deploy.end == "MIXED 2/4"
    assert deploy.astray == {"a", "c"}


@pytest.mark.parametrize("when", [FETCH, CHECKOUT])
def test_silence_is_a_failure(when):
    deploy = Deploy(CANARY)
    deploy.ask()
    if when == CHECKOUT:
        deploy.hear("c1 c2")
        deploy.ask()
    deploy.hear("c1", SILENT, switched=True)
    deploy.hear("c2")
    deploy.carry_on()
    assert deploy.end == ("HELD 1/2" if when == FETCH else "ROLLED BACK 2/2")


def test_a_host_that_answers_well_but_does_not_show_the_release_is_not_converged():
    deploy = Deploy(REST).fetch()
    deploy.ask()
    deploy.hear("r1", switched=False)
    deploy.carry_on()
    assert deploy.end == "MIXED 3/4"
    assert deploy.astray == {"r1"}


# -- turning back -------------------------------------------------------------------------------------------


def test_waves_roll_back_in_reverse_and_only_hosts_that_were_asked():
    rest = wave("rest", "r1 r2 r3 r4 r5 r6", window=2)
    deploy = Deploy(CANARY, rest).fetch()
    deploy.ask()
    deploy.hear("c1 c2")
    deploy.ask()
    deploy.hear("r1")
    deploy.ask()
    deploy.hear("r2", BROKEN)
    deploy.hear("r3", SILENT)
    assert deploy.ask() == ["r3", "r2"], "the same window as on the way forth"
    deploy.hear("r3")
    assert deploy.ask() == ["r1"]
    deploy.hear("r1 r2")
    assert deploy.ask() == ["c2", "c1"]
    deploy.hear("c1 c2")
    assert deploy.end == "ROLLED BACK 5/5"


def test_failures_do_not_stop_a_rollback():
    deploy = Deploy(wave("all", "a b c", window=1)).fetch()
    deploy.ask()
    deploy.hear("a")
    deploy.ask()
    deploy.hear("b", BROKEN)
    deploy.ask()
    deploy.hear("b", SILENT, switched=True)
    assert deploy.ask() == ["a"]
    deploy.hear("a")
    assert deploy.end == "MIXED 2/3"
    assert deploy.astray == {"b"}
    assert "could not switch back: b (no answer" in deploy.reason


def test_a_way_back_whose_restart_failed_is_no_way_back():
    deploy = Deploy(wave("all", "a b", limit=0)).fetch()
    deploy.ask()
    deploy.hear("a b", BROKEN)
    deploy.ask()
    deploy.hear("a", BROKEN, switched=False)
    deploy.hear("b")
    assert deploy.astray == {"a"}


def test_a_host_that_says_it_is_back_and_shows_the_release_is_not_back():
    deploy = Deploy(wave("all", "a b")).fetch()
    deploy.ask()
    deploy.hear("a b", BROKEN)
    deploy.ask()
    deploy.hear("a", switched=True)
    deploy.hear("b")
    assert deploy.end == "MIXED 1/2"
    assert deploy.astray == {"a"}


def test_a_host_without_a_way_back_is_not_asked_and_is_named():
    deploy = Deploy(CANARY)
    deploy.ask()
    deploy.hear("c1", way_back=False)
    deploy.hear("c2")
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN)
    assert deploy.ask() == ["c2"]
    deploy.hear("c2")
    assert deploy.end == "MIXED 1/2"
    assert deploy.astray == {"c1"}
    assert "c1 (it has no release to go back to)" in deploy.reason


def test_a_host_without_a_way_back_that_never_switched_is_where_it_was():
    deploy = Deploy(CANARY)
    deploy.ask()
    deploy.hear("c1", way_back=False)
    deploy.hear("c2")
    deploy.ask()
    deploy.hear("c1", BROKEN, switched=False)
    deploy.hear("c2")
    assert deploy.ask() == ["c2"]
    deploy.hear("c2")
    assert deploy.end == "ROLLED BACK 2/2"


def test_a_first_install_that_fails_has_no_way_back_at_all():
    deploy = Deploy(CANARY)
    deploy.ask()
    deploy.hear("c1 c2", way_back=False)
    deploy.ask()
    deploy.hear("c1 c2", BROKEN)
    assert deploy.end == "MIXED 0/2"
    assert deploy.astray == {"c1", "c2"}


def test_hosts_stay_where_they_are_when_the_rule_is_hold():
    deploy = Deploy(CANARY, REST, on_failure=HOLD).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN, switched=False)
    assert deploy.end == "MIXED 5/6"
    assert deploy.astray == {"c1"}, "c2 told that it did not switch, and nobody else was asked"
    assert deploy.asked_for(ROLLBACK) == []


def test_nobody_that_switched_is_nobody_to_bring_back():
    deploy = Deploy(CANARY, REST, on_failure=HOLD).fetch()
    deploy.ask()
    deploy.hear("c1 c2", BROKEN, switched=False)
    assert deploy.end == "ROLLED BACK 2/2"


# -- a fleet that was mixed before --------------------------------------------------------------------------


@pytest.mark.parametrize(("pinned", "astray"), [(False, {"c1"}), (True, {"c2", "r1", "r2", "r3", "r4"})])
def test_a_fleet_that_was_mixed_and_stays_so_is_called_mixed(pinned, astray):
    deploy = Deploy(CANARY, REST, pinned=pinned)
    deploy.ask()
    deploy.hear("c1", unchanged=True, switched=True)
    deploy.hear("c2", BROKEN)
    deploy.hear("r1 r2 r3 r4")
    assert deploy.end == f"MIXED {6 - len(astray)}/6"
    assert deploy.astray == astray
    assert "nothing was changed" in deploy.reason


def test_a_mixed_fleet_is_mixed_after_a_rollback_too():
    deploy = Deploy(CANARY, REST)
    deploy.ask()
    deploy.hear("c1", unchanged=True, switched=True)
    deploy.hear("c2 r1 r2 r3 r4")
    deploy.ask()
    deploy.hear("c2", BROKEN)
    deploy.ask()
    deploy.hear("c2")
    assert deploy.end == "MIXED 5/6"
    assert deploy.astray == {"c1"}
    assert "all that had switched are back" in deploy.reason


def test_a_host_with_the_release_live_and_unsettled_switches_again_and_counts_as_unknown_until_then():
    deploy = Deploy(wave("all", "a b", limit=1))
    deploy.ask()
    deploy.hear("a", switched=True, way_back=False)
    deploy.hear("b")
    deploy.tell("abort", "stopped")
    assert deploy.end == "HELD 2/2"
    assert deploy.astray == {"a"}


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


def failed_canary():
    deploy = Deploy(CANARY, REST, on_failure=ASK).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN)
    return deploy


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


# -- abort --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [ROLL_BACK, HOLD])
def test_an_abort_in_a_fetch_waits_for_nobody(rule):
    deploy = Deploy(CANARY, REST, on_abort=rule)
    deploy.ask()
    deploy.hear("c1 c2")
    deploy.tell("abort", "stopped by amir")
    assert deploy.end == "HELD 2/6"
    assert "stopped by amir" in deploy.reason


@pytest.mark.parametrize(("rule", "end"), [(ROLL_BACK, "ROLLED BACK 3/3"), (HOLD, "MIXED 3/6")])
def test_after_an_abort_nobody_new_switches_and_those_under_way_are_heard(rule, end):
    deploy = Deploy(CANARY, wave("rest", "r1 r2 r3 r4", window=1), on_abort=rule).fetch()
    deploy.ask()
    deploy.hear("c1 c2")
    deploy.ask()
    deploy.tell("abort", "stopped")
    assert deploy.rollout.due() is None
    assert list(deploy.rollout.in_flight()) == ["r1"]
    deploy.hear("r1")
    assert deploy.carry_on().end == end
    assert deploy.asked_for(CHECKOUT) == ["c1", "c2", "r1"]


@pytest.mark.parametrize(("rule", "end"), [(ROLL_BACK, "ROLLED BACK 2/2"), (HOLD, "MIXED 4/6")])
@pytest.mark.parametrize("point", ["gate", "question", "pause"])
def test_an_abort_between_groups(rule, end, point):
    hold = {"gate": "", "question": ASK, "pause": "60"}[point]
    gates = frozenset({Gate(AFTER_WAVE, 0)} if point == "gate" else ())
    deploy = Deploy(wave("canary", "c1 c2", hold=hold), REST, on_abort=rule, gates=gates).fetch()
    deploy.carry_on()
    deploy.tell("abort", "stopped")
    assert deploy.carry_on().end == end


@pytest.mark.parametrize("rules", [{"gates": frozenset({Gate(AFTER_FETCH)})}, {"confirm": True}])
def test_an_abort_at_the_barrier_changes_nothing(rules):
    deploy = Deploy(CANARY, **rules).fetch()
    deploy.tell("abort", "stopped")
    assert deploy.end == "HELD 2/2"


def test_an_abort_while_an_operator_is_asked_follows_the_rule_for_aborts():
    deploy = Deploy(CANARY, REST, on_failure=ASK, on_abort=HOLD).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN)
    deploy.tell("abort", "stopped by amir")
    assert deploy.end == "MIXED 4/6"
    assert "the disk is full" in deploy.reason
    assert "stopped by amir" in deploy.reason


def test_an_abort_does_not_stop_a_rollback():
    deploy = failed_canary()
    deploy.answer(ROLL_BACK)
    deploy.ask()
    before = standing(deploy.rollout)
    deploy.tell("abort", "stopped")
    assert standing(deploy.rollout) == before
    assert deploy.carry_on().end == "ROLLED BACK 2/2"


def test_a_second_abort_changes_nothing():
    deploy = Deploy(CANARY).fetch()
    deploy.ask()
    deploy.tell("abort", "first")
    before = standing(deploy.rollout)
    deploy.tell("abort", "second")
    assert standing(deploy.rollout) == before


# -- answers that nobody waits for, and the master's own end --------------------------------------------------


def test_answers_that_nobody_waits_for_change_nothing():
    deploy = Deploy(CANARY, REST).fetch()
    deploy.ask()
    deploy.hear("c1")
    before = standing(deploy.rollout)
    deploy.hear("c1", BROKEN)  # doubled, and another one
    deploy.hear("r1")  # not asked yet
    deploy.hear("stranger", BROKEN)
    assert standing(deploy.rollout) == before


def test_an_ask_that_is_told_twice_takes_back_no_answer():
    deploy = Deploy(CANARY)
    ask = deploy.rollout.due()
    deploy.tell("asked", ask)
    deploy.hear("c1")
    before = standing(deploy.rollout)
    deploy.tell("asked", ask)
    assert standing(deploy.rollout) == before


def test_nothing_happens_after_the_end():
    deploy = Deploy(CANARY, fetch_only=True).fetch()
    before = standing(deploy.rollout)
    deploy.hear("c1", BROKEN)
    deploy.tell("abort", "stopped")
    deploy.tell("broke", "no master")
    assert standing(deploy.rollout) == before


@pytest.mark.parametrize(
    ("steps", "end", "astray"),
    [
        (0, "HELD 0/2", {"c1", "c2"}),
        (1, "HELD 2/2", set()),
        (2, "MIXED 0/2", {"c1", "c2"}),
    ],
)
def test_a_master_that_cannot_go_on_names_everybody_who_may_have_switched(steps, end, astray):
    deploy = Deploy(CANARY)
    for step in range(steps):
        deploy.ask()
        if step < 1:
            deploy.hear("c1 c2")
    deploy.tell("broke", "the bus is gone")
    assert deploy.end == end
    assert deploy.astray == astray
    assert "the bus is gone" in deploy.reason


def test_a_master_that_breaks_in_a_rollback_counts_those_that_are_back():
    deploy = failed_canary()
    deploy.answer(ROLL_BACK)
    deploy.ask()
    deploy.hear("c1")
    deploy.tell("broke", "the bus is gone")
    assert deploy.end == "MIXED 5/6"
    assert deploy.astray == {"c2"}


def test_what_was_told_to_one_machine_brings_another_to_the_same_point():
    deploy = failed_canary()
    deploy.answer(RETRY)
    deploy.ask()
    assert standing(replay(deploy)) == standing(deploy.rollout)
