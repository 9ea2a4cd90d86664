"""The live picture of a deploy, line by line."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator

import pytest
from rich.console import Console
from saltdeploy.protocol import events
from saltdeploy.watch.console import picture
from saltdeploy.watch.state import DeployView

from tests.unit.watch import rollouts, stories
from tests.unit.watch.stories import BEGIN, Step, Story

TURNS = (
    events.PREPARING,
    events.STAGE_STARTED,
    events.QUESTION,
    events.ANSWERED,
    events.PAUSED,
    events.ABORTED,
    events.RESUMED,
    events.FINISHED,
)


def drawn(state: DeployView, height: int = 24, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(picture.frame(state, height, width))
    return [line.rstrip() for line in capture.get().splitlines()]


def states(steps: Iterable[Step]) -> Iterator[DeployView]:
    state = DeployView()
    for step in steps:
        state.tick(step) if isinstance(step, float) else state.hear(step)
        yield state


def test_the_picture_of_a_running_fetch_is_as_the_golden_file_says(
    golden: Callable[[str, str], None],
) -> None:
    *_, state = (s for s in states(_until(stories.held_by_a_full_disk(), BEGIN + 6.5)))
    golden("live-fetch", "\n".join(drawn(state)) + "\n")


def test_the_picture_of_a_deploy_that_has_ended_is_as_the_golden_file_says(
    golden: Callable[[str, str], None],
) -> None:
    for story in (stories.held_by_a_full_disk, stories.converged, stories.rolled_back):
        *_, state = states(story())
        golden(f"live-{story.__name__}", "\n".join(drawn(state)) + "\n")


@pytest.mark.parametrize("height", [4, 5, 8, 24])
def test_while_a_deploy_runs_its_picture_is_lower_than_the_terminal(height: int) -> None:
    for story in (stories.held_by_a_full_disk, stories.converged, stories.rolled_back):
        for state in states(story()):
            if state.outcome is None:
                assert len(drawn(state, height)) < height


def test_the_picture_of_a_thousand_hosts_fits() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    steps += [story.working(host, "receive", 5_000_000, 85_000_000) for host in story.names]
    steps.append(story.progress("fetch", 1000, 0, 0, 1000))
    *_, state = states(steps)
    lines = drawn(state)
    assert len(lines) == 7
    assert "0 ok / 0 failed / 1000 in flight / 0 left" in lines[1]
    assert max(map(len, lines)) <= 80


def test_long_names_are_cut_off_and_numbers_are_not() -> None:
    story = Story(1)
    started = {**story.started(), "repo": "r" * 150, "tag": "t" * 150}
    name = "a-very-long-host-name.in-some-rack.of-some-datacentre.example.org"
    *_, state = states([started, story.stage("fetch", 1), story.working(name, "receive", 1, 2), BEGIN + 61.0])
    heading, bar, _, host = drawn(state)
    assert heading.endswith("01:01")
    assert bar.endswith("01:01")
    assert "1 B of 2 B" in host


def test_before_the_master_counts_hosts_that_work_are_in_flight() -> None:
    story = Story(3)
    *_, state = states([story.started(), story.stage("fetch", 3), story.working("web1", "receive", 1, 2)])
    assert "0 ok / 0 failed / 1 in flight / 2 left" in drawn(state)[1]


def test_hosts_that_gave_no_sign_are_counted() -> None:
    story = Story(5)
    *_, state = states([story.started(), story.stage("fetch", 5), story.progress("fetch", 5, 0, 0, 5)])
    assert drawn(state)[-1] == "  5 hosts asked, no sign yet"


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("story", rollouts.ALL)
def test_the_pictures_of_a_deploy_by_groups_are_as_the_golden_file_says(
    story: Callable[[], Iterable[Step]], width: int, golden: Callable[[str, str], None]
) -> None:
    seen: list[str] = []
    state = DeployView()
    for step in story():
        state.tick(step) if isinstance(step, float) else state.hear(step)
        lines = drawn(state, width=width)
        assert max(map(len, lines)) <= width
        if isinstance(step, float) or step["event"] in TURNS:
            seen += ["", *lines]
    golden(f"live-{story.__name__}-{width}", "\n".join(seen[1:]) + "\n")


@pytest.mark.parametrize("height", [4, 6, 9, 24])
@pytest.mark.parametrize("story", rollouts.ALL)
def test_whatever_a_deploy_waits_for_its_picture_is_lower_than_the_terminal(
    story: Callable[[], Iterable[Step]], height: int
) -> None:
    for state in states(story()):
        if state.outcome is None:
            assert len(drawn(state, height)) < height


def test_on_a_low_terminal_what_can_be_answered_is_there() -> None:
    question = Story(6).question("go on?", rollouts.AFTER_CANARY)
    *_, state = states([*_before_a_question(), question])
    assert drawn(state, 4)[-1] == "  yes / no / all / rollback"


def test_of_many_groups_the_last_are_there_and_the_hosts_that_are_waited_for() -> None:
    story = Story(200)
    steps: list[Step] = [story.started(groups=tuple(f"part{n}" for n in range(100)))]
    for number in range(100):
        steps += [
            story.stage("checkout", 2, f"part{number}"),
            story.working("web1", "flip", 0, 0, "steps", "checkout"),
        ]
    *_, state = states(steps)
    lines = drawn(state)
    assert len(lines) < 24
    assert lines[-2].startswith("part99 checkout")
    assert lines[-1].startswith("  web1  flip")


def test_of_a_group_with_a_long_name_the_stage_can_still_be_read() -> None:
    story = Story(2)
    *_, state = states([story.started(), story.stage("rollback", 2, "appservers-of-the-first-hall")])
    assert drawn(state)[1].startswith("appservers-of-th\N{HORIZONTAL ELLIPSIS} rollback")
    assert drawn(state, width=40)[1].startswith("appservers\N{HORIZONTAL ELLIPSIS} rollback")


def _before_a_question() -> Iterator[Step]:
    for step in rollouts.canary_and_rollback():
        if isinstance(step, dict) and step["event"] == events.QUESTION:
            return
        yield step


def _until(steps: Iterable[Step], moment: float) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, float) and step >= moment:
            return
