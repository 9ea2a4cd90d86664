"""The log of a deploy: which records its events are worth, and how they are written."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch.console import results
from saltdeploy.watch.console.log_lines import KeptRecords, LogLines, let_go
from saltdeploy.watch.deploy_log import DeployLog, DeployRecord
from saltdeploy.watch.log_filter import LogFilter

from tests.unit.watch import hostile, rollouts, stories
from tests.unit.watch.stories import FULL, Step, Story

ALL = LogFilter.read("levelno >= DEBUG")
STORIES = [stories.converged, stories.held_by_a_full_disk, stories.rolled_back, *rollouts.ALL]


def of(steps: Iterable[Step]) -> Iterable[events.Event]:
    return (step for step in steps if not isinstance(step, float))


def records(steps: Iterable[Step]) -> list[DeployRecord]:
    log = DeployLog("master1")
    return [record for event in of(steps) for record in log.hear(event)]


def written(steps: Iterable[Step], chosen: LogFilter = ALL, **how: Any) -> list[str]:
    stream = io.StringIO()
    lines = LogLines(stream, chosen, "master1", **how)
    for event in of(steps):
        lines.hear(event)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("story", STORIES)
def test_the_log_of_a_deploy_reads_as_the_golden_file_says(
    story: Callable[[], Iterable[Step]], golden: Callable[[str, str], None]
) -> None:
    golden(f"log-{story.__name__}", "\n".join(written(story())) + "\n")


def told(level: int, *steps: Step) -> list[str]:
    return [record.message for record in records(steps) if record.levelno == level]


def test_each_host_that_fails_has_a_line_of_its_own() -> None:
    """A terminal folds those that fail alike; a log is searched by host."""
    story = Story(3)
    steps = [
        story.started(),
        story.stage("fetch", 3),
        *(story.answered(name, error=FULL) for name in story.names),
    ]
    failed = [record for record in records(steps) if record.levelno == logging.ERROR]
    assert [record.host for record in failed] == story.names
    assert {record.message for record in failed} == {f"fetch: {FULL.cause}. Next: {FULL.next}"}
    assert {record.status for record in failed} == {FULL.status}


def test_what_a_host_has_done_is_told_with_what_it_took() -> None:
    story = Story(1)
    facts = {"files": 120, "bytes": 3_400_000, "seconds": 2.3, "source": "fanout1"}
    steps = [story.started(), story.stage("fetch", 1), story.answered("web1", **facts)]
    assert records(steps)[-1].message == "fetch is done in 2.3 s: 120 files, 3.4 MB from fanout1"


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("CONVERGED", logging.INFO),
        ("HELD", logging.ERROR),
        ("ROLLED BACK", logging.ERROR),
        ("MIXED", logging.CRITICAL),
    ],
)
def test_the_outcome_has_the_level_of_what_is_to_be_done(word: str, level: int) -> None:
    last = records([Story(2).started(), Story(2).finished(word, 1, 2)])[-1]
    assert (last.levelno, last.message.startswith(word)) == (level, True)


def test_who_is_asked_and_who_stops_is_a_warning() -> None:
    story = Story(2)
    asked = told(
        logging.WARNING, story.started(), story.question("go on?", ("yes", "no")), story.aborted("bob", "no")
    )
    assert asked[0] == "mediawiki: go on?"
    assert asked[-1].startswith("Aborted deploy [mediawiki@a1b2c3d]: no")


def test_attributes_have_scaps_names_and_those_that_are_not_known_are_not_there() -> None:
    story = Story(1)
    started, *_, failed = records(
        [story.started(), story.stage("fetch", 1), story.answered("web1", error=FULL)]
    )
    assert started.attributes()["host"] == "master1"
    assert "stage" not in started.attributes()
    assert "status" not in started.attributes()
    known = failed.attributes()
    assert (known["host"], known["name"], known["levelname"]) == ("web1", "target.web1", "ERROR")
    assert (known["stage"], known["msg"]) == ("fetch", known["message"])


@pytest.mark.parametrize("story", STORIES)
def test_a_line_of_json_has_all_attributes(story: Callable[[], Iterable[Step]]) -> None:
    lines = written(story(), as_json=True)
    assert [json.loads(line) for line in lines] == [record.attributes() for record in records(story())]


def test_a_terminal_gets_colours_and_a_pipe_gets_none() -> None:
    story = list(rollouts.canary_and_rollback())
    plain, coloured = written(story), written(story, colour=True)
    assert not any("\033" in line for line in plain)
    assert any(line.startswith("\033[31m") for line in coloured)


@given(st.lists(hostile.event(), max_size=12))
def test_no_event_of_anybody_breaks_the_log_or_moves_a_cursor(found: list[Any]) -> None:
    log = DeployLog("master1")
    for event in found:
        for record in log.hear(event):
            line = f"{record.host} {record.message}"
            assert "\x1b" not in line and "\n" not in line
            json.dumps(record.attributes())


def test_a_reader_that_goes_away_ends_the_writing_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    lines = LogLines(stream, ALL, "master1")
    for event in of(stories.converged()):
        lines.hear(event)
    assert (lines.gone, lines.shown) == (True, 1)
    let_go(stream)
    stream.close()  # what was never read is written to nowhere: no complaint


def test_a_stream_that_knows_few_characters_gets_escapes() -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    story = Story(1)
    strange = errors.DeployError("die Platte ist voll: \N{SNOWMAN}")
    lines = LogLines(stream, ALL, "master1")
    for event in (story.started(), story.stage("fetch", 1), story.answered("web1", error=strange)):
        lines.hear(event)
    assert b"\\u2603" in buffer.getvalue()


def test_who_calls_from_elsewhere_gets_the_newest_ones_as_data() -> None:
    everything = [record.attributes() for record in records(stories.converged())]
    kept = KeptRecords(ALL, "master1", 3)
    for event in of(stories.converged()):
        kept.hear(event)
    assert (kept.records, kept.left_off) == (everything[-3:], len(everything) - 3)
    shown = results.render({"view": "log", "records": kept.records, "left_off": kept.left_off})
    assert shown == "\n".join(
        [f"{kept.left_off} older lines are left off", *written(stories.converged())[-3:]]
    )


def test_lines_that_were_written_already_are_not_shown_again() -> None:
    assert results.render({"view": "log", "records": [], "shown": 5, "seen": 9}) == ""
