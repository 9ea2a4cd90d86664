"""A deploy as a live picture, on real pseudo-terminals."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from saltdeploy.lib import errors

from tests.unit.watch import hostile, rollouts, stories
from tests.unit.watch.screens import HIDE, OTHER_SCREEN, SHOW, Screen, play, screen, watcher_of
from tests.unit.watch.stories import BEGIN, Step, Story


def test_the_first_event_is_drawn_at_once() -> None:
    with screen() as seen:
        watcher = watcher_of(seen.stream)
        watcher.hear(Story(3).started())
        assert b"mediawiki" in seen.read()
        watcher.close()


def test_the_last_picture_stays_on_the_screen_and_the_cursor_is_back() -> None:
    with screen() as seen:
        raw = play(watcher_of(seen.stream), stories.converged(), seen)
    assert OTHER_SCREEN not in raw
    assert raw.count(HIDE) == raw.count(SHOW) == 1
    last = raw[raw.rindex(b"\x1b[2K") :]  # after the last line that was erased
    assert b"CONVERGED 10/10" in last
    assert last.rstrip().endswith(SHOW)


def test_a_failure_is_printed_once_and_stays() -> None:
    with screen() as seen:
        raw = play(watcher_of(seen.stream), stories.rolled_back(), seen).decode()
    assert raw.count("the switch failed. Next: salt 'web3' deploy.status") == 1
    assert raw.count("Warning: web9") == 1


def test_of_many_failures_only_the_first_are_printed() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    steps += [
        story.answered(host, error=errors.Corrupt(f"file {number} differs"))
        for number, host in enumerate(story.names)
    ]
    steps.append(story.finished("HELD", 0, 1000))
    with screen() as seen:
        raw = play(watcher_of(seen.stream), steps, seen).decode()
    assert raw.count(" differs") == 20
    assert raw.count("980 more failures") == 1


def test_F18_hosts_that_fail_alike_share_a_line() -> None:
    story = Story(14)
    steps: list[Step] = [story.started(), story.stage("fetch", 14)]
    steps += [story.answered(host, error=errors.Unreachable("no answer")) for host in story.names]
    steps.append(story.ended("fetch", 14, 0, 14))
    with screen() as seen:
        raw = play(watcher_of(seen.stream), steps, seen).decode()
    assert raw.count(": no answer") == 2
    assert "web2, web3, web4, web5, web6 and 8 more: the same: no answer" in raw


def test_F18_where_the_result_follows_on_the_same_screen_the_outcome_is_left_to_it() -> None:
    story = Story(5)
    with screen() as seen:
        watcher = watcher_of(seen.stream, result_of=stories.DEPLOY)
        raw = play(watcher, [story.started(), story.finished("HELD", 4, 5, "no", "do x")], seen).decode()
    assert "HELD" not in raw


def test_F18_of_several_repos_each_tag_is_named() -> None:
    with screen(columns=120) as seen:
        started = {**Story(2).started(), "also": [{"repo": "l10n", "tag": "v7"}]}
        raw = play(watcher_of(seen.stream), [started], seen).decode()
    assert f"{stories.TAG} (a1b2c3d), l10n v7" in raw


def test_F14_whom_a_deploy_waits_for_stands_below_the_heading() -> None:
    with screen() as seen:
        waits = {**Story(3).preparing(), "step": "waits: repo:mediawiki is locked by bob"}
        raw = play(watcher_of(seen.stream), [waits], seen).decode()
    assert "waits: repo:mediawiki is locked by bob" in raw


def test_a_thousand_answers_within_a_second_are_few_pictures() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    for number, host in enumerate(story.names, 1):
        steps += [story.answered(host), BEGIN + number / 1000]
    with screen() as seen:
        raw = play(watcher_of(seen.stream), steps, seen)
    assert raw.count(b"in flight") <= 2 + 1 / 0.2 + 1


def test_a_terminal_that_is_closed_does_not_stop_the_deploy() -> None:
    seen = Screen(80, 24)
    watcher = watcher_of(seen.stream)
    before = sys.stderr
    watcher.hear(Story(10).started())
    os.close(seen.master)
    play(watcher, stories.converged())
    assert sys.stderr is before
    with pytest.raises(OSError):
        seen.stream.close()


def test_a_watcher_that_heard_nothing_leaves_the_terminal_alone() -> None:
    with screen() as seen:
        assert play(watcher_of(seen.stream), [BEGIN], seen) == b""


@given(hostile.EVENTS)
def test_no_event_whatever_its_form_raises_or_reaches_the_terminal_as_it_is(found: list[object]) -> None:
    with screen() as seen:
        watcher = watcher_of(seen.stream)
        raw = b""
        for event in found:
            watcher.hear(event)  # type: ignore[arg-type]
            watcher.tick(BEGIN)
            raw += seen.read()
        watcher.close()
        raw += seen.read()
    for sequence in (hostile.SCREEN.encode(), b"\x1b]", b"\x00", "\x9b".encode(), "\u202e".encode()):
        assert sequence not in raw


def test_a_question_stays_on_the_screen_with_the_command_that_answers_it() -> None:
    with screen(columns=40) as seen:
        raw = play(watcher_of(seen.stream), rollouts.canary_and_rollback(), seen).decode()
    plain = " ".join(raw.split())
    assert "canary is done; go on with appservers?" in plain
    assert f"salt-run deploy.answer yes id={stories.DEPLOY}" in plain
    assert "bob answered: yes" in plain
    assert "nobody answered in time: rollback" in plain


def test_what_checks_found_and_who_stopped_it_stays_on_the_screen() -> None:
    with screen(columns=200) as seen:
        watcher = watcher_of(seen.stream)
        raw = play(watcher, [*rollouts.a_check_stops_it(), *rollouts.resumed_and_aborted()], seen).decode()
    assert raw.count("canary: Check 'latency' was inconclusive: no number from the query") == 1
    assert raw.count("canary: Check 'latency' failed: 340 is above 250") == 1
    assert "Aborted deploy [mediawiki@a1b2c3d]: stopped by bob: the login page is broken" in raw
    assert "Resumed deploy [mediawiki@a1b2c3d] by bob" in raw


def test_a_deploy_that_was_only_prepared_is_not_missed() -> None:
    with screen() as seen:
        raw = play(watcher_of(seen.stream), [Story(3).preparing()], seen)
    assert raw.rstrip().endswith(SHOW)
