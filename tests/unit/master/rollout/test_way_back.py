"""Stories about rollouts that turn back, are aborted, or lose their master."""

from __future__ import annotations

import pytest
from saltdeploy.master.rollout.model import AFTER_FETCH, AFTER_WAVE, ASK, HOLD, RETRY, ROLL_BACK, Gate
from saltdeploy.protocol.orders import CHECKOUT, ROLLBACK

from tests.unit.master.story import (
    BROKEN,
    CANARY,
    REST,
    SILENT,
    Deploy,
    failed_canary,
    replay,
    standing,
    wave,
)

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


def test_F13_a_way_back_whose_restart_failed_is_a_way_back_and_the_failure_is_said():
    deploy = Deploy(wave("all", "a b", limit=0)).fetch()
    deploy.ask()
    deploy.hear("a b", BROKEN)
    deploy.ask()
    deploy.hear("a", BROKEN, switched=False)
    deploy.hear("b")
    assert deploy.end == "ROLLED BACK 2/2"
    assert deploy.rollout.outcome.unwell == ("a",)
    assert "another step failed: a (the disk is full)" in deploy.reason


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
