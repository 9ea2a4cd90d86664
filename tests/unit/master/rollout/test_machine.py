"""Stories about rollouts: who is asked for what, and what failures do."""

from __future__ import annotations

import pytest
from saltdeploy.master.rollout.model import AFTER_FETCH, FINAL, Ask, Gate
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

from tests.unit.master.story import (
    BROKEN,
    CANARY,
    REST,
    SILENT,
    Deploy,
    wave,
)

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


def test_no_more_hosts_fetch_at_once_than_may_and_nobody_switches_before_all_have():
    deploy = Deploy(CANARY, REST, fetch_window=4)
    assert deploy.ask() == ["c1", "c2", "r1", "r2"]
    deploy.hear("r1 c2")
    assert deploy.ask() == ["r3", "r4"]
    deploy.hear("c1 r2 r3")
    assert deploy.ask() == []
    deploy.hear("r4")
    assert deploy.ask() == ["c1", "c2"]


def test_everybody_is_heard_in_a_fetch_though_more_have_failed_than_may():
    deploy = Deploy(CANARY, REST, fetch_window=2)
    deploy.ask()
    deploy.hear("c1 c2", BROKEN)
    assert deploy.ask() == ["r1", "r2"]
    deploy.carry_on()
    assert deploy.end == "HELD 4/6"


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


def test_a_restart_is_for_hosts_that_run_the_release_as_well():
    deploy = Deploy(CANARY, REST, anew=True, on_failure="hold", pinned=True)
    deploy.ask()
    deploy.hear("c1 c2 r1 r2 r3 r4", unchanged=True, switched=True)
    assert deploy.ask() == ["c1", "c2"]
    deploy.hear("c1", BROKEN)
    deploy.hear("c2")
    assert deploy.end == "MIXED 1/6"
    assert deploy.asked_for(CHECKOUT) == ["c1", "c2"]


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
