"""How deploys end: the word follows what hosts run, what failed beside that is said, and the next commands are real."""

from __future__ import annotations

import pytest
from saltdeploy.lib.errors import Fenced
from saltdeploy.master.rollout.model import (
    AFTER_WAVE,
    CONVERGED,
    HELD,
    HOLD,
    MIXED,
    ROLLED_BACK,
    Gate,
    Outcome,
)
from saltdeploy.master.rollout.outcome import DeployedTags, next_commands, unrecorded, when_it_can_be_written

from tests.unit.master.story import BROKEN, CANARY, REST, SILENT, Deploy, wave

ALL = wave("all", "a b c d", limit=4)
OVERTAKEN = Fenced("the order has epoch 7, and this host has seen epoch 9: a newer deploy has begun")


def unwell(deploy: Deploy) -> set[str]:
    assert deploy.rollout.outcome is not None
    return set(deploy.rollout.outcome.unwell)


# -- the word -------------------------------------------------------------------------------------------------


def test_F13_hosts_that_have_the_old_files_are_back_though_a_check_fails_there():
    deploy = Deploy(wave("all", "a b c d")).fetch()
    deploy.ask()
    deploy.hear("a b c d", BROKEN, shows=True)
    deploy.ask()
    deploy.hear("a c d")
    deploy.hear("b", BROKEN, switched=False)
    assert deploy.end == "ROLLED BACK 4/4"
    assert (deploy.astray, unwell(deploy)) == (set(), {"b"})
    assert "could not switch back" not in deploy.reason
    assert "then a restart, a check or another step failed: b (the disk is full)" in deploy.reason


def test_F13_where_every_host_is_back_and_none_is_well_nothing_is_mixed():
    deploy = Deploy(wave("all", "a b c d")).fetch()
    deploy.ask()
    deploy.hear("a b c d", BROKEN, shows=True)
    deploy.ask()
    deploy.hear("a b c d", BROKEN, switched=False)
    assert deploy.end == "ROLLED BACK 4/4"
    assert unwell(deploy) == {"a", "b", "c", "d"}


def test_F13_hosts_that_show_the_release_run_what_is_pinned_though_they_are_not_well():
    deploy = Deploy(ALL).fetch()
    deploy.ask()
    deploy.hear("a b c d", BROKEN, shows=True)
    assert deploy.end == "MIXED 4/4", "it cannot be called CONVERGED"
    assert deploy.rollout.outcome.accepted
    assert (deploy.astray, unwell(deploy)) == (set(), {"a", "b", "c", "d"})
    assert deploy.reason.startswith("every host shows the release; 4 hosts switched as asked, then")


def test_F13_who_lacks_the_release_and_who_is_not_well_are_told_apart():
    deploy = Deploy(ALL).fetch()
    deploy.ask()
    deploy.hear("a", BROKEN, switched=False)
    deploy.hear("b", BROKEN, shows=True)
    deploy.hear("c d")
    assert deploy.end == "MIXED 3/4"
    assert (deploy.astray, unwell(deploy)) == ({"a"}, {"b"})
    assert "1 host failed: a (the disk is full); 1 host switched as asked" in deploy.reason


@pytest.mark.parametrize("answer", [{"error": SILENT}, {"error": BROKEN}])
def test_a_host_that_did_not_say_what_it_shows_is_astray(answer):
    deploy = Deploy(ALL).fetch()
    deploy.ask()
    deploy.hear("a", answer["error"], switched=True)
    deploy.hear("b c d")
    assert (deploy.end, deploy.astray, unwell(deploy)) == ("MIXED 3/4", {"a"}, set())


def test_a_host_that_failed_to_fetch_is_not_called_switched_though_it_shows_the_release():
    deploy = Deploy(ALL)
    deploy.ask()
    deploy.hear("a", BROKEN, switched=True, shows=True)
    deploy.hear("b c d")
    deploy.carry_on()
    assert (deploy.end, deploy.astray, unwell(deploy)) == ("MIXED 3/4", {"a"}, set())


def test_a_host_that_was_not_well_and_is_asked_again_is_judged_by_its_last_answer():
    deploy = Deploy(wave("all", "a b"), on_failure="ask").fetch()
    deploy.ask()
    deploy.hear("a", BROKEN, shows=True)
    deploy.hear("b")
    deploy.answer("retry")
    deploy.ask()
    deploy.hear("a")
    assert (deploy.end, unwell(deploy)) == ("CONVERGED 2/2", set())


def test_a_restart_that_was_not_done_everywhere_counts_who_was_restarted():
    deploy = Deploy(CANARY, REST, anew=True, on_failure=HOLD, pinned=True)
    deploy.ask()
    deploy.hear("c1 c2 r1 r2 r3 r4", unchanged=True, switched=True, shows=True)
    deploy.ask()
    deploy.hear("c1", BROKEN, shows=True)
    deploy.hear("c2")
    assert deploy.end == "MIXED 1/6"


# -- the reason -----------------------------------------------------------------------------------------------


def test_F13_hosts_that_ran_the_new_release_already_are_said_to_have_had_this_release():
    deploy = Deploy(wave("all", "a b c"))
    deploy.ask()
    deploy.hear("a b", unchanged=True, switched=True)
    deploy.hear("c")
    deploy.ask()
    deploy.hear("c", BROKEN)
    deploy.ask()
    deploy.hear("c")
    assert deploy.end == "MIXED 1/3"
    assert deploy.reason.endswith("all that had switched are back; 2 of 3 hosts had this release already")


def test_F13_after_a_hold_the_hosts_that_have_switched_are_named():
    deploy = Deploy(CANARY, REST, on_abort=HOLD, gates=frozenset({Gate(AFTER_WAVE, 0)})).fetch()
    deploy.carry_on()
    deploy.tell("abort", "stopped by amir")
    assert deploy.end == "MIXED 4/6"
    assert deploy.reason == "stopped by amir; 2 of 6 hosts have switched: c1, c2"


def test_hosts_that_were_asked_and_not_heard_may_have_switched():
    deploy = Deploy(wave("all", "a b c d e")).fetch()
    deploy.ask()
    deploy.hear("a")
    deploy.tell("broke", "the bus is gone")
    assert deploy.reason == "the bus is gone; 5 of 5 hosts had been asked to switch: a, b, c and 2 more"


def test_F57_hosts_that_follow_a_newer_deploy_are_not_called_unable_to_switch_back():
    deploy = Deploy(wave("all", "a b c")).fetch()
    deploy.ask()
    deploy.hear("a b c", OVERTAKEN, switched=True)
    deploy.ask()
    deploy.hear("a b c", OVERTAKEN, switched=True)
    assert "could not switch back" not in deploy.reason
    assert "a newer deploy has overtaken this one" in deploy.reason
    assert "this host has seen epoch 9" in deploy.reason


@pytest.mark.parametrize(
    ("on_the_way_back", "ending"),
    [
        pytest.param(BROKEN, "step failed", id="the same"),
        pytest.param(SILENT, f"step failed: c (the disk is full); b ({SILENT.cause})", id="another one"),
    ],
)
def test_F13_who_failed_by_the_same_on_the_way_forth_and_back_is_named_once(on_the_way_back, ending):
    deploy = Deploy(wave("all", "a b c", limit=1)).fetch()
    deploy.ask()
    deploy.hear("a")
    deploy.hear("b", BROKEN, shows=True)
    deploy.hear("c", BROKEN, shows=True)
    deploy.ask()
    deploy.hear("a", switched=False)
    deploy.hear("c", BROKEN, switched=False)
    deploy.hear("b", on_the_way_back, switched=False)
    assert deploy.end == "ROLLED BACK 3/3"
    assert deploy.reason == (
        "2 hosts of all failed, the limit is 1: b (the disk is full); c (the disk is full); "
        f"2 hosts switched as asked, then a restart, a check or another {ending}"
    )


# -- a disk that is full --------------------------------------------------------------------------------------


def test_F34_hosts_under_way_are_heard_when_nothing_can_be_recorded_and_nobody_new_is_asked():
    deploy = Deploy(CANARY, REST).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.tell("lose_record", "the disk is full")
    assert deploy.rollout.due() is None
    deploy.tell("lose_record", "the disk is full")
    deploy.hear("c2", BROKEN, switched=False)
    assert deploy.end == "MIXED 5/6"
    assert deploy.astray == {"c1"}
    assert deploy.reason == "the disk is full; 2 of 6 hosts had been asked to switch: c1, c2"
    assert not deploy.rollout.outcome.accepted


@pytest.mark.parametrize("asked", [True, False])
def test_F34_nothing_has_changed_where_nothing_can_be_recorded_before_the_barrier(asked):
    deploy = Deploy(CANARY)
    if asked:
        deploy.ask()
    deploy.tell("lose_record", "the disk is full")
    assert (deploy.end, deploy.reason) == ("HELD 0/2", "the disk is full; nothing has changed anywhere")


def test_F34_a_way_back_that_cannot_be_recorded_counts_who_is_back():
    deploy = Deploy(wave("all", "a b c", window=1, limit=0)).fetch()
    deploy.ask()
    deploy.hear("a")
    deploy.ask()
    deploy.hear("b", BROKEN)
    deploy.ask()
    deploy.tell("lose_record", "the disk is full")
    deploy.hear("b")
    assert (deploy.end, deploy.astray) == ("MIXED 2/3", {"a"})


def test_F34_an_outcome_that_could_not_be_written_is_never_called_converged():
    told = unrecorded(Outcome(CONVERGED, 4, 4, "", accepted=True), "the disk is full")
    assert (str(told), told.reason, told.accepted) == ("MIXED 4/4", "the disk is full", False)
    held = Outcome(HELD, 2, 4, "the disk is full; nothing has changed anywhere")
    assert unrecorded(held, "the disk is full") == held


# -- what to do now -------------------------------------------------------------------------------------------


def about(action: str, tag: str = "v9", before: str = "v8") -> DeployedTags:
    return DeployedTags(action, {"wiki": tag}, {"wiki": before}, "42")


SEVERAL = {"wiki": "v9", "l10n": "1.10"}
REPORT = "salt-run deploy.report repo=wiki"
SHOW = "salt-run deploy.show id=42 tells what failed"
SYNC = "salt-run deploy.sync repo=wiki tag=v9"


@pytest.mark.parametrize(
    ("releases", "accepted", "away", "commands"),
    [
        (about("sync"), False, False, [
            "forward: salt-run deploy.sync repo=wiki tag=v9", "back: salt-run deploy.rollback repo=wiki to=v8"]),
        (about("sync"), True, True, [
            "when the hosts are back: salt-run deploy.sync repo=wiki tag=v9",
            "back: salt-run deploy.rollback repo=wiki to=v8"]),
        (about("checkout", "1.10"), False, False, [
            """forward: salt-run deploy.sync repo=wiki tag='"1.10"'""",
            "back: salt-run deploy.rollback repo=wiki to=v8"]),
        (about("sync", before=""), False, False, ["forward: salt-run deploy.sync repo=wiki tag=v9"]),
        (about("sync", before="v9"), True, False, ["forward: salt-run deploy.sync repo=wiki tag=v9"]),
        (about("rollback", "v8", "v9"), False, False, [
            "forward: salt-run deploy.rollback repo=wiki to=v8", "back: salt-run deploy.sync repo=wiki tag=v9"]),
        (about("rollback", "v8", "v9"), True, False, [
            "forward: salt-run deploy.sync repo=wiki tag=v8",
            "back: salt-run deploy.sync repo=wiki tag=v9 force=bad_release"]),
        (about("restart"), False, False, ["forward: salt-run deploy.restart repo=wiki"]),
        (DeployedTags("sync", SEVERAL, {"wiki": "v8", "l10n": "1.9"}, "42"), False, False, [
            """forward: salt-run deploy.sync repo='{"wiki": "v9", "l10n": "1.10"}'""",
            """back: salt-run deploy.sync repo='{"wiki": "v8", "l10n": "1.9"}'"""]),
        (DeployedTags("restart", SEVERAL, SEVERAL, "42"), False, False, [
            "forward: salt-run deploy.restart repo=wiki,l10n"]),
    ],
)  # fmt: skip
def test_F13_a_mixed_fleet_is_led_forward_or_back_by_commands_with_real_tags(
    releases, accepted, away, commands
):
    outcome = Outcome(MIXED, 1, 4, "why", accepted=accepted)
    assert next_commands(outcome, releases, away, "mend it").split("; ") == [REPORT, *commands]


def test_F13_nobody_is_waited_for_where_no_host_is_away():
    outcome = Outcome(MIXED, 4, 6, "stopped by amir")
    assert "when the hosts are back" not in next_commands(outcome, about("sync"), False, "")


@pytest.mark.parametrize(
    ("outcome", "next_command"),
    [
        (Outcome(CONVERGED, 4, 4, "", accepted=True), ""),
        (Outcome(HELD, 3, 4, "one has no room"), "mend it"),
        (Outcome(ROLLED_BACK, 4, 4, "a check failed", unwell=("a",)), f"{REPORT}; mend it"),
    ],
)
def test_where_a_host_is_not_well_the_first_that_failed_says_what_helps(outcome, next_command):
    assert next_commands(outcome, about("sync"), False, "mend it") == next_command


@pytest.mark.parametrize(
    ("outcome", "releases", "advice", "next_command"),
    [
        (Outcome(ROLLED_BACK, 4, 4, "a check failed"), about("sync"), "",
            f"{SHOW}; then deploy a tag that mends it; or, if v9 was not to blame: {SYNC} force=bad_release"),
        (Outcome(ROLLED_BACK, 4, 4, "a step failed"), about("sync"), "mend it",
            f"{SHOW}; then mend it; or, if v9 was not to blame: {SYNC} force=bad_release"),
        (Outcome(ROLLED_BACK, 4, 4, "its disk is full", blameless=True), about("sync"), "", f"{SHOW}; then {SYNC}"),
        (Outcome(ROLLED_BACK, 4, 4, "stopped by amir"), about("rollback", "v8", "v9"), "",
            f"{SHOW}; then salt-run deploy.rollback repo=wiki to=v8"),
        (Outcome(HELD, 4, 4, "check latency failed"), about("sync"), "",
            f"salt-run deploy.show id=42 tells what stopped it; then {SYNC}"),
    ],
)  # fmt: skip
def test_where_all_hosts_are_well_the_journal_says_what_failed_and_a_bad_release_how_it_is_deployed_again(
    outcome, releases, advice, next_command
):
    assert next_commands(outcome, releases, False, advice) == next_command


@pytest.mark.parametrize(
    ("word", "back"), [(MIXED, "; or back: salt-run deploy.rollback repo=wiki to=v8"), (HELD, "")]
)
def test_F34_when_there_is_room_the_deploy_is_resumed_or_taken_back(word, back):
    told = when_it_can_be_written(Outcome(word, 1, 2, "full"), "free space", about("sync"))
    assert told == f"free space; then salt-run deploy.resume repo=wiki{back}"
