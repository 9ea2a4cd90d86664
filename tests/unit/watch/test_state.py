"""What the events of a deploy add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch import awaited
from saltdeploy.watch.state import DeployView

from tests.unit.watch import hostile
from tests.unit.watch.stories import BEGIN, DEPLOY, FULL, REPO, Story


def after(*steps: events.Event | float) -> DeployView:
    state = DeployView()
    for step in steps:
        state.tick(step) if isinstance(step, float) else state.hear(step)
    return state


def test_the_counts_of_a_stage_are_the_masters() -> None:
    story = Story(10)
    stage = after(story.started(), story.stage("fetch", 10), story.progress("fetch", 10, 3, 1, 4)).stage
    assert stage is not None
    assert (stage.total, stage.ok, stage.failed, stage.in_flight, stage.left) == (10, 3, 1, 4, 2)
    assert stage.percent == 40


def test_between_two_counts_of_the_master_the_answers_are_counted() -> None:
    story = Story(3)
    steps = [story.started(), story.stage("fetch", 3), story.progress("fetch", 3, 0, 0, 3)]
    stage = after(*steps, story.answered("web1"), story.answered("web2", error=FULL)).stage
    assert stage is not None
    assert (stage.ok, stage.failed, stage.in_flight) == (1, 1, 1)


def test_an_answer_that_comes_twice_counts_once() -> None:
    story = Story(3)
    state = after(
        story.started(), story.stage("fetch", 3), *[story.answered("web1", error=FULL, bytes=5)] * 2
    )
    assert state.stage is not None
    assert (state.stage.failed, state.stage.received, len(state.failures)) == (1, 5, 1)


def test_what_is_in_flight_is_not_known_before_the_master_tells() -> None:
    story = Story(3)
    stage = after(story.started(), story.stage("fetch", 3)).stage
    assert stage is not None
    assert stage.in_flight is None


def test_a_failure_keeps_its_cause_and_the_next_act() -> None:
    (failure,) = after(Story(3).answered("web3", error=FULL)).failures
    assert (failure.host, failure.stage) == ("web3", "fetch")
    assert (failure.cause, failure.next) == (FULL.cause, FULL.next)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    story = Story(1)
    steps: list[events.Event | float] = [story.started(), story.stage("fetch", 1)]
    for second in range(1, 31):
        megabytes = second if second <= 20 else 20 + 2 * (second - 20)
        steps += [BEGIN + second, story.working("web1", "receive", megabytes * 1_000_000, 50_000_000)]
    assert after(*steps).rate() == 2_000_000


def test_the_least_advanced_host_is_named_first() -> None:
    story = Story(4)
    steps = [
        story.working("web1", "write", 1, 100, "files"),
        story.working("web2", "receive", 90, 100),
        story.working("web3", "receive", 10, 100),
        story.answered("web4"),
    ]
    state = after(story.started(), story.stage("fetch", 4), *steps)
    assert [host.name for host in awaited.slowest(state, 5)] == ["web3", "web2", "web1"]
    assert [host.name for host in awaited.slowest(state, 1)] == ["web3"]


def test_a_host_that_is_silent_in_checkout_is_named() -> None:
    story = Story(3)
    fetched = [story.started(), story.stage("fetch", 3), *map(story.answered, story.names)]
    state = after(
        *fetched,
        story.ended("fetch", 3, 3),
        story.stage("checkout", 3),
        story.answered("web1", "checkout"),
        story.answered("web3", "checkout"),
        story.progress("checkout", 3, 2, 0, 1),
    )
    assert [host.name for host in awaited.slowest(state, 5)] == ["web2"]


def test_a_silent_host_is_not_named_when_it_may_be_another() -> None:
    story = Story(3)
    fetched = [story.started(), story.stage("fetch", 3), *map(story.answered, story.names)]
    one_runs_it_already = story.stage("checkout", 2)
    state = after(
        *fetched,
        story.ended("fetch", 3, 3),
        one_runs_it_already,
        story.answered("web1", "checkout"),
        story.progress("checkout", 2, 1, 0, 1),
    )
    assert awaited.slowest(state, 5) == []
    assert awaited.unheard(state) == 1


def test_a_host_that_runs_the_release_already_is_not_waited_for_in_checkout() -> None:
    story = Story(2)
    unchanged = {**story.answered("web1"), "unchanged": True}
    fetched = [
        story.started(),
        story.stage("fetch", 2),
        unchanged,
        story.answered("web2"),
        story.ended("fetch", 2, 2),
    ]
    state = after(*fetched, story.stage("checkout", 1), story.progress("checkout", 1, 0, 0, 1))
    assert [host.name for host in awaited.slowest(state, 5)] == ["web2"]


def test_in_the_last_group_a_silent_host_is_named() -> None:
    story = Story(3)
    fetched = [story.started(), story.stage("fetch", 3), *map(story.answered, story.names)]
    state = after(
        *fetched,
        story.ended("fetch", 3, 3),
        story.stage("checkout", 1, "canary"),
        story.answered("web2", "checkout"),
        story.ended("checkout", 1, 1, 0, "canary"),
        story.stage("checkout", 2, "rest"),
        story.answered("web3", "checkout"),
        story.progress("checkout", 2, 1, 0, 1, "rest"),
    )
    assert [host.name for host in awaited.slowest(state, 5)] == ["web1"]


def test_in_a_rollback_only_hosts_of_the_same_group_are_named() -> None:
    story = Story(2)
    state = after(
        story.started(),
        story.stage("checkout", 1, "canary"),
        story.answered("web1", "checkout"),
        story.ended("checkout", 1, 1, 0, "canary"),
        story.stage("checkout", 1, "rest"),
        story.answered("web2", "checkout", FULL),
        story.ended("checkout", 1, 0, 1, "rest"),
        story.stage("rollback", 1, "rest"),
        story.answered("web2", "rollback"),
        story.ended("rollback", 1, 1, 0, "rest"),
        story.stage("rollback", 1, "canary"),
        story.progress("rollback", 1, 0, 0, 1, "canary"),
    )
    assert [host.name for host in awaited.slowest(state, 5)] == ["web1"]


def test_the_same_stage_of_two_groups_is_two_stages() -> None:
    story = Story(3)
    state = after(
        story.started(),
        story.stage("checkout", 1, "canary"),
        story.answered("web1", "checkout"),
        story.ended("checkout", 1, 1, 0, "canary"),
        story.stage("checkout", 2, "rest"),
        story.answered("web2", "checkout", FULL),
    )
    assert {title: (stage.ok, stage.failed) for title, stage in state.stages.items()} == {
        ("checkout", "canary"): (1, 0),
        ("checkout", "rest"): (0, 1),
    }


def test_hosts_that_are_asked_once_more_are_at_work_and_may_fail_once_more() -> None:
    story = Story(2)
    tried = [
        story.started(),
        story.stage("fetch", 2),
        story.answered("web1", bytes=7),
        story.answered("web2", error=FULL, bytes=5),
        story.ended("fetch", 2, 1, 1),
        story.question("?", ("yes", "no", "retry")),
        story.decided("retry"),
        story.stage("fetch", 2),
    ]
    stage = after(*tried).running
    assert stage is not None
    assert (stage.ok, stage.failed, stage.busy) == (1, 0, 1)
    state = after(*tried, story.answered("web2", error=FULL, bytes=5))
    assert state.stage is not None
    assert (state.stage.ok, state.stage.failed, state.stage.received, len(state.failures)) == (1, 1, 12, 2)


def test_when_a_check_is_tried_again_hosts_that_failed_within_the_limit_stay_failed() -> None:
    story = Story(2)
    state = after(
        story.started(),
        story.stage("checkout", 2, "canary"),
        story.answered("web1", "checkout"),
        story.answered("web2", "checkout", FULL),
        story.ended("checkout", 2, 1, 1, "canary"),
        story.gate(0, "check latency: fail"),
        story.question("check latency: fail", ("retry", "continue", "rollback", "hold")),
        story.decided("retry"),
    )
    assert state.stage is not None
    assert (state.stage.failed, state.stage.busy, state.blocked) == (1, 0, False)


def test_a_stage_that_another_process_goes_on_with_keeps_its_counts() -> None:
    story = Story(3)
    begun = [story.started(), story.stage("fetch", 3), story.answered("web1")]
    stage = after(*begun, story.resumed("bob"), story.stage("fetch", 3)).running
    assert stage is not None
    assert (stage.ok, stage.total) == (1, 3)


def test_the_time_that_a_question_took_is_not_counted_to_the_stage_that_goes_on_after_it() -> None:
    story = Story(1)
    steps = [
        story.started(),
        story.stage("fetch", 1),
        story.answered("web1", error=FULL),
        story.ended("fetch", 1, 0, 1),
    ]
    story.now += 500
    steps += [story.decided("retry"), story.stage("fetch", 1)]
    state = after(*steps, BEGIN + 507)
    assert state.stage is not None
    assert state.elapsed(state.stage) == 7


@pytest.mark.parametrize(
    "event", [Story(3).decided("no"), Story(3).aborted("bob", "enough"), Story(3).finished("HELD", 0, 3)]
)
def test_a_question_is_open_until_it_is_answered_or_cannot_be_any_more(event: events.Event) -> None:
    story = Story(3)
    asked = [story.started(), story.question("go on?", ("yes", "no"))]
    assert after(*asked).question is not None
    assert after(*asked, event).question is None


def test_hosts_make_no_stages() -> None:
    story = Story(2)
    invented = [story.working("web1", "receive", 1, 2, stage=f"fake{number}") for number in range(100)]
    state = after(story.started(), story.stage("fetch", 2), *invented, story.answered("web1", "fake"))
    assert list(state.stages) == [("fetch", "")]
    assert state.failures == []


def test_of_very_many_stages_the_latest_are_kept() -> None:
    story = Story(200)
    state = after(story.started(), *(story.stage("checkout", 2, f"part{number}") for number in range(100)))
    assert len(state.stages) == 50
    assert state.stage is not None
    assert state.stage.group == "part99"


def test_while_a_deploy_is_prepared_nothing_was_asked_of_anybody() -> None:
    story = Story(2)
    assert not after(story.preparing()).underway
    assert after(story.preparing(), story.started()).underway


def test_the_clock_of_a_host_is_not_trusted() -> None:
    story = Story(1)
    wrong = {**story.working("web1", "receive", 1, 2), "time": BEGIN + 1e6}
    assert after(story.started(), story.stage("fetch", 1), wrong).now == BEGIN


def test_time_stands_still_for_a_stage_that_has_ended() -> None:
    story = Story(1)
    steps = [story.started(), story.stage("fetch", 1)]
    story.now += 5
    state = after(*steps, story.ended("fetch", 1, 1), BEGIN + 60)
    assert state.stage is not None
    assert state.elapsed(state.stage) == 5
    assert state.elapsed() == 60


def test_events_of_another_deploy_change_nothing() -> None:
    story = Story(3)
    state = after(story.started(), {**story.finished("MIXED", 0, 3), "deploy": "20260101000000000000"})
    assert state.outcome is None
    assert state.deploy == DEPLOY


def test_a_deploy_that_is_joined_late_is_counted_from_the_masters_numbers() -> None:
    story = Story(10)
    state = after(story.progress("checkout", 10, 7, 0, 3), story.answered("web8", "checkout"))
    assert state.stage is not None
    assert (state.repo, state.stage.name, state.stage.ok, state.stage.in_flight) == (REPO, "checkout", 8, 2)


def test_a_failure_without_an_error_tells_its_status() -> None:
    event = {**Story(1).answered("web1"), "status": 128}
    assert after(event).failures[0].cause == "status 128"


def test_the_number_of_hosts_that_are_remembered_is_limited() -> None:
    story = Story(1)
    state = after(*(story.working(f"fake{number}", "receive", 1, 2) for number in range(20_050)))
    assert state.stage is not None
    assert len(state.stage.hosts) == 20_000


def test_texts_of_a_hostile_host_are_harmless_when_they_are_kept() -> None:
    error = errors.DeployError(hostile.TEXT, next=hostile.TEXT)
    (failure,) = after(Story(1).answered(hostile.TEXT, error=error)).failures
    assert hostile.controls(failure.host + failure.cause + failure.next) == set()


@given(hostile.EVENTS)
def test_no_event_whatever_its_form_raises(found: list[object]) -> None:
    state = DeployView()
    for event in found:
        state.hear(event)
        state.tick(event)
        awaited.slowest(state, 4)
        state.rate()
        state.elapsed()
        assert awaited.unheard(state) >= 0
