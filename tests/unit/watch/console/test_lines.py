"""A deploy as plain lines."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch.console.lines import Lines
from saltdeploy.watch.settings import WatchSettings

from tests.unit.watch import hostile, rollouts, stories
from tests.unit.watch.stories import BEGIN, Step, Story

SCAP = re.compile(
    r"\d\d:\d\d:\d\d mediawiki: \w+ stage\(s\): [ \d]{3}% \((in-flight: \d+; )?ok: \d+; fail: \d+; left: \d+\)"
)
TREBUCHET = re.compile(r"\d+/\d+ minions completed \w+")


def told(steps: Iterable[Step], stream: io.StringIO | None = None) -> list[str]:
    stream = stream or io.StringIO()
    watcher = Lines(stream, WatchSettings())
    for step in steps:
        watcher.tick(step) if isinstance(step, float) else watcher.hear(step)
    watcher.close()
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    "story", [stories.converged, stories.held_by_a_full_disk, stories.rolled_back, *rollouts.ALL]
)
def test_a_deploy_reads_as_the_golden_file_says(
    story: Callable[[], Iterable[Step]], golden: Callable[[str, str], None]
) -> None:
    golden(f"lines-{story.__name__}", "\n".join(told(story())) + "\n")


def test_the_first_event_is_told_at_once() -> None:
    class Pipe(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    pipe = Pipe()
    Lines(pipe, WatchSettings()).hear(Story(3).started())
    assert "Started deploy [mediawiki@a1b2c3d]: " in pipe.flushed


@pytest.mark.parametrize(("action", "way"), [("sync", "sync of"), ("rollback", "rollback to")])
def test_the_first_line_says_which_way_the_hosts_go(action: str, way: str) -> None:
    line = told([Story(3, action).started()])[0]
    assert f"{way} {stories.TAG} on 3 hosts by alice" in line


def test_the_last_line_is_the_outcome() -> None:
    story = Story(5)
    assert told([story.started(), story.finished("CONVERGED", 5, 5)])[-1] == "CONVERGED 5/5"
    assert told([story.started(), story.finished("HELD", 4, 5, "no", "do x")])[-1] == "HELD: no. Next: do x"
    assert told([story.started(), story.finished("MIXED", 3, 5, "no.", "x")])[-1] == "MIXED 3/5: no. Next: x"


def test_the_lines_of_a_stage_of_a_thousand_hosts_are_few() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    for number, host in enumerate(story.names, 1):
        story.now = BEGIN + number * 0.03
        steps += [story.answered(host), story.progress("fetch", 1000, number, 0, 1000 - number), story.now]
    steps.append(story.ended("fetch", 1000, 1000))
    lines = told(steps)
    progress = [line for line in lines if SCAP.fullmatch(line)]
    assert 30 / 3 <= len(progress) <= 30 / 3 + 1
    assert len([line for line in lines if TREBUCHET.fullmatch(line)]) == len(progress)
    assert len(lines) < 30


def test_no_more_than_a_few_seconds_pass_without_a_line_while_a_host_is_slow() -> None:
    story = Story(2)
    steps: list[Step] = [
        story.started(),
        story.stage("fetch", 2),
        story.progress("fetch", 2, 0, 0, 2),
        story.answered("web1"),
        story.working("web2", "receive", 1, 4),
    ]
    lines = told([*steps, *(BEGIN + tick / 4 for tick in range(1, 61))])
    assert [line for line in lines if "waits" in line] == [
        f"10:11:{second} mediawiki: fetch waits for web2 (receive 25%, 00:{second - 12:02})"
        for second in (18, 21, 24, 27)
    ]


def test_the_last_counts_of_a_stage_are_told_once() -> None:
    story = Story(2)
    steps: list[Step] = [story.started(), story.stage("fetch", 2)]
    story.now += 10
    steps += [story.progress("fetch", 2, 2, 0, 0), story.now, story.ended("fetch", 2, 2)]
    assert [line for line in told(steps) if TREBUCHET.fullmatch(line)] == ["2/2 minions completed fetch"]


def test_hosts_that_gave_no_sign_are_counted() -> None:
    story = Story(5)
    steps = [story.started(), story.stage("fetch", 5), story.progress("fetch", 5, 0, 0, 5)]
    assert told([*steps, BEGIN + 3.0])[-1] == "10:11:15 mediawiki: fetch waits for 5 hosts; no sign yet of 5"


def test_of_many_failures_the_first_are_told_and_the_others_counted() -> None:
    story = Story(1000)
    steps = [story.started(), story.stage("fetch", 1000)]
    steps += [
        story.answered(host, error=errors.Corrupt(f"file {number} differs", next="salt-run manage.down"))
        for number, host in enumerate(story.names)
    ]
    lines = told([*steps, story.finished("HELD", 0, 1000)])
    assert len([line for line in lines if line.endswith(" differs. Next: salt-run manage.down")]) == 20
    assert "10:11:12 980 more failures; all of them are in the deploy's result" in lines


def test_F18_hosts_that_fail_alike_share_a_line() -> None:
    story = Story(14)
    error = errors.Unreachable("no answer", next="salt-run manage.down")
    steps = [story.started(), story.stage("fetch", 14)]
    steps += [story.answered(host, error=error) for host in story.names]
    lines = told([*steps, story.ended("fetch", 14, 0, 14), story.finished("HELD", 0, 14)])
    assert [line[9:] for line in lines if "no answer" in line] == [
        "web1: no answer. Next: salt-run manage.down",
        "web2, web3, web4, web5, web6 and 8 more: the same: no answer",
    ]


def test_F18_where_the_result_follows_on_the_same_screen_the_outcome_is_left_to_it() -> None:
    stream, story = io.StringIO(), Story(5)
    watcher = Lines(stream, WatchSettings(result_of=stories.DEPLOY))
    for event in (story.started(), story.finished("HELD", 4, 5, "no", "do x")):
        watcher.hear(event)
    assert "HELD" not in stream.getvalue()
    assert "Finished deploy" in stream.getvalue()


def test_F18_a_host_that_has_given_no_sign_is_named() -> None:
    story = Story(3)
    steps = [story.started(), story.stage("fetch", 3), story.progress("fetch", 3, 2, 0, 1)]
    steps[1]["names"] = story.names
    steps += [story.answered("web1"), story.answered("web3")]
    line = told([*steps, story.progress("fetch", 3, 2, 0, 1), BEGIN + 12.0, BEGIN + 16.0])[-1]
    assert line.endswith("fetch waits for web2 (no sign yet, 00:16)")


def test_F18_text_of_a_check_that_names_it_is_not_introduced_again() -> None:
    text = "Check 'errors' completed, output: 2"
    line = told([Story(1).started(), Story(1).checked("errors", "pass", text, "canary")])[1]
    assert line == f"10:11:12 canary: {text}"


def test_F18_of_several_repos_each_tag_is_named() -> None:
    story = Story(2)
    started = {**story.started(), "also": [{"repo": "l10n", "tag": "v7"}]}
    lines = told([started, story.finished("CONVERGED", 2, 2)])
    assert f": {stories.TAG}, l10n v7 (duration" in lines[-2]


@pytest.mark.parametrize("action", ["rollback", "restart"])
def test_F18_a_roll_back_and_a_restart_speak_of_no_fetch(action: str) -> None:
    story = Story(2, action)
    lines = told([story.started(), story.stage("fetch", 2), story.ended("fetch", 2, 2)])
    assert [line[9:] for line in lines if "stage started" in line] == [
        "mediawiki: prepare stage started on 2 hosts"
    ]
    assert not [line for line in lines if "fetch" in line]


def test_F18_a_resumed_deploy_is_named_with_its_tag_and_commit() -> None:
    story = Story(2)
    lines = told([story.started(), events.resumed(stories.DEPLOY, stories.REPO, BEGIN, user="bob", epoch=7)])
    assert lines[-1].endswith("Resumed deploy [mediawiki@a1b2c3d] by bob")
    alone = told([events.resumed(stories.DEPLOY, stories.REPO, BEGIN, user="bob", epoch=7)])
    assert alone[-1].endswith("Resumed deploy [mediawiki] by bob")


def test_F14_while_a_deploy_is_prepared_there_is_a_line_every_five_seconds() -> None:
    lines = told([Story(3).preparing(), *(BEGIN + tick / 5 for tick in range(1, 76))])
    assert [line[9:] for line in lines[1:]] == [
        f"mediawiki: preparing, {seconds} s" for seconds in (5, 10, 15)
    ]


def test_F14_whom_a_deploy_waits_for_is_said_at_once_and_again() -> None:
    step = "waits: repo:mediawiki is locked by bob (pid 7)"
    waits = {**Story(3).preparing(), "step": step}
    lines = told([Story(3).preparing(), waits, BEGIN + 5.0])
    assert [line[9:] for line in lines[1:]] == [
        f"mediawiki: preparing: {step}, {seconds} s" for seconds in (0, 5)
    ]


def test_F14_what_a_host_runs_is_told_by_name_and_for_how_long() -> None:
    story = Story(1)
    runs = {**story.working("web1", "check", 1, 4, "steps", "checkout"), "step": "check well"}
    lines = told(
        [story.started(), story.stage("checkout", 1), runs, *(BEGIN + tick for tick in range(1, 13))]
    )
    waits = [line[9:] for line in lines if "waits for" in line]
    assert waits[0] == "mediawiki: checkout waits for web1 (runs check well, 00:03)"
    assert "runs check well, 00:12" in waits[-1]


def test_F14_the_same_first_sign_is_given_once() -> None:
    assert len(told([Story(3).preparing(), Story(3).preparing()])) == 1


def test_a_deploy_that_was_only_prepared_is_not_missed() -> None:
    assert told([Story(3).preparing()]) == [
        "10:11:12 Preparing deploy [mediawiki]: sync of release/2026-11-23/1 by alice"
    ]


def test_while_a_question_is_open_nobody_else_is_waited_for() -> None:
    story = Story(5)
    steps: list[Step] = [story.started(), story.stage("fetch", 5), story.progress("fetch", 5, 1, 0, 0)]
    steps.append(story.question("go on?", ("yes", "no")))
    quiet = told(steps)
    assert told([*steps, *(BEGIN + 10 * tick for tick in range(1, 10))])[:-1] == quiet[:-1]


def test_F09_a_question_says_at_once_what_it_waits_for_and_the_command_that_answers() -> None:
    story = Story(5)
    said = told([story.started(), story.question("go on?", ("yes", "no"))])[-3:]
    assert [line[9:] for line in said] == [
        "mediawiki: go on?",
        "mediawiki: waits for an answer: yes / no (else no in 1:00:00)",
        f"mediawiki: to answer: salt-run deploy.answer yes id={stories.DEPLOY}",
    ]


def test_F09_an_unattended_deploy_tells_its_question_and_the_default_and_waits_for_nobody() -> None:
    story = Story(5)
    asked = story.question("go on?", ("yes", "no"), within=0)
    answered = events.answered(
        stories.DEPLOY, stories.REPO, story.now, key="q1", choice="no", user="", unattended=True
    )
    assert [line[9:] for line in told([story.started(), asked, answered])[-2:]] == [
        "mediawiki: go on?",
        "mediawiki: unattended, so the default is taken: no",
    ]


def test_every_group_of_a_few_has_its_heading_once_and_is_called_successful_when_it_is() -> None:
    lines = told(rollouts.paused_and_converged())
    assert [line for line in lines if line.startswith("==")] == ["== CANARY ==", "== APPSERVERS =="]
    assert [line[9:] for line in lines if "successful" in line] == [
        "canary deploy successful",
        "appservers deploy successful",
    ]


def test_a_group_of_which_some_host_failed_is_not_called_successful() -> None:
    story = Story(2)
    steps = [
        story.started(groups=("canary", "rest")),
        story.stage("checkout", 2, "canary"),
        story.ended("checkout", 2, 1, 1, "canary"),
        story.stage("checkout", 2, "rest"),
    ]
    assert not any("successful" in line for line in told(steps))


def test_who_served_is_told_and_a_source_that_was_left_by_many_is_told_of_once() -> None:
    story = Story(4)
    left = "http://fan1: took no connection"
    steps = [
        story.started(),
        story.stage("fetch", 4),
        story.answered("web1", bytes=10, source="http://fan2", why="0.4 ms", left=left),
        story.answered("web2", bytes=10, source="http://fan2", why="0.4 ms", left=left),
        story.answered("web3", bytes=10, source="master", why="the last resort", left="http://fan2: corrupt"),
        story.answered("web4", bytes=0, source="here", why="preseeded"),
        story.ended("fetch", 4, 4),
    ]
    lines = told(steps)
    assert [line[9:] for line in lines if "Warning" in line] == [
        "Warning: web1: a source was left: http://fan1: took no connection",
        "Warning: web3: a source was left: http://fan2: corrupt",
    ]
    (end,) = [line for line in lines if "stage finished" in line]
    assert "from: http://fan2 (2), master (1), here (1))" in end


def test_where_there_is_only_the_master_nothing_is_said_of_it() -> None:
    story = Story(1)
    steps = [
        story.started(),
        story.stage("fetch", 1),
        story.answered("web1", bytes=10, source="master", why="no fanout is named"),
        story.ended("fetch", 1, 1),
    ]
    assert not [line for line in told(steps) if "from:" in line]


@pytest.mark.parametrize(
    ("verdict", "text", "line"),
    [
        ("pass", "", "canary: Check 'errors' completed"),
        ("pass", "2 < 5", "canary: Check 'errors' completed, output: 2 < 5"),
        ("fail", "9 > 5", "canary: Check 'errors' failed: 9 > 5"),
        ("inconclusive", "no number", "canary: Check 'errors' was inconclusive: no number"),
    ],
)
def test_what_a_check_found_is_told_in_the_words_of_scap(verdict: str, text: str, line: str) -> None:
    assert (
        told([Story(1).started(), Story(1).checked("errors", verdict, text, "canary")])[1]
        == f"10:11:12 {line}"
    )


def test_of_very_many_groups_the_first_are_named() -> None:
    (_, groups, *_) = told([Story(1).started(groups=tuple(f"part{number}" for number in range(40)))])
    assert groups.endswith("part11 and 28 more")


def test_a_watcher_that_heard_nothing_says_nothing() -> None:
    assert told([BEGIN]) == []


def test_a_reader_that_goes_away_does_not_stop_the_deploy() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    watcher = Lines(stream, WatchSettings())
    for step in stories.converged():
        watcher.tick(step) if isinstance(step, float) else watcher.hear(step)
    watcher.close()
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_closed_stream_does_not_stop_the_deploy() -> None:
    stream = io.StringIO()
    stream.close()
    Lines(stream, WatchSettings()).hear(Story(1).started())


def test_a_stream_that_knows_only_ascii_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Lines(stream, WatchSettings()).hear(Story(1).started(user="zo\u00eb"))
    assert b"by zo\\xeb at" in raw.getvalue()


@given(hostile.EVENTS)
def test_nothing_that_is_told_moves_the_cursor(found: list[object]) -> None:
    stream = io.StringIO()
    watcher = Lines(stream, WatchSettings())
    for event in found:
        watcher.hear(event)  # type: ignore[arg-type]
        watcher.tick(BEGIN)
    watcher.close()
    assert hostile.controls(stream.getvalue()) == set()


def test_which_transport_was_chosen_is_said_once_with_the_reason() -> None:
    story, why = Story(3), "auto: tar, 8.0 MB (bundle 14.3 MB)"
    said = told(
        [
            story.started(),
            events.chosen(stories.DEPLOY, stories.REPO, story.now, transport="tar", hosts=2, why=why),
        ]
    )
    assert [line for line in said if why in line] == [f"10:11:12 {stories.REPO}: {why}: 2 hosts"]
