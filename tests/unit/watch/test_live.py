"""A deploy as a live picture, on real pseudo-terminals."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest
from hypothesis import given
from rich.console import Console
from saltdeploy import errors
from saltdeploy.watch import Watcher, live, terminal
from saltdeploy.watch.lines import Lines
from saltdeploy.watch.state import State

from tests.unit.watch import hostile, stories
from tests.unit.watch.stories import BEGIN, Step, Story

HIDE, SHOW, OTHER_SCREEN = b"\x1b[?25l", b"\x1b[?25h", b"\x1b[?1049h"


class Screen:
    """A pseudo-terminal; ``read()`` gives what was written to it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.master, False)
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")

    def read(self) -> bytes:
        found = b""
        while True:
            try:
                piece = os.read(self.master, 65_536)
            except OSError:  # nothing more
                return found
            if not piece:
                return found
            found += piece


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "screen-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)


@contextmanager
def screen(columns: int = 80, rows: int = 24) -> Iterator[Screen]:
    found = Screen(columns, rows)
    yield found
    found.stream.close()
    os.close(found.master)


def play(watcher: Watcher, steps: Iterable[Step], seen: Screen | None = None) -> bytes:
    raw = b""
    for step in steps:
        watcher.tick(step) if isinstance(step, float) else watcher.hear(step)
        raw += seen.read() if seen else b""
    watcher.close()
    return raw + (seen.read() if seen else b"")


def picture(state: State, height: int = 24, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(live.frame(state, height))
    return [line.rstrip() for line in capture.get().splitlines()]


def states(steps: Iterable[Step]) -> Iterator[State]:
    state = State()
    for step in steps:
        state.tick(step) if isinstance(step, float) else state.hear(step)
        yield state


# -- which watcher --------------------------------------------------------------------------------------


def test_a_terminal_gets_the_live_picture() -> None:
    with screen() as seen:
        assert isinstance(terminal.for_stream(seen.stream), live.Live)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with screen() as seen:
        assert isinstance(terminal.for_stream(seen.stream), Lines)


def test_a_terminal_gets_lines_where_rich_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with screen() as seen:
        assert isinstance(terminal.for_stream(seen.stream), Lines)


def test_a_pipe_gets_lines_even_where_colours_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(terminal.for_stream(io.StringIO()), Lines)


def test_a_closed_stream_gets_lines() -> None:
    stream = io.StringIO()
    stream.close()
    assert isinstance(terminal.for_stream(stream), Lines)


# -- the picture ----------------------------------------------------------------------------------------


def test_the_picture_of_a_running_fetch_is_as_the_golden_file_says(
    golden: Callable[[str, str], None],
) -> None:
    *_, state = (s for s in states(_until(stories.held_by_a_full_disk(), BEGIN + 6.5)))
    golden("live-fetch", "\n".join(picture(state)) + "\n")


def test_the_picture_of_a_deploy_that_has_ended_is_as_the_golden_file_says(
    golden: Callable[[str, str], None],
) -> None:
    for story in (stories.held_by_a_full_disk, stories.converged, stories.rolled_back):
        *_, state = states(story())
        golden(f"live-{story.__name__}", "\n".join(picture(state)) + "\n")


@pytest.mark.parametrize("height", [4, 5, 8, 24])
def test_while_a_deploy_runs_its_picture_is_lower_than_the_terminal(height: int) -> None:
    for story in (stories.held_by_a_full_disk, stories.converged, stories.rolled_back):
        for state in states(story()):
            if state.outcome is None:
                assert len(picture(state, height)) < height


def test_the_picture_of_a_thousand_hosts_fits() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    steps += [story.working(host, "receive", 5_000_000, 85_000_000) for host in story.names]
    steps.append(story.progress("fetch", 1000, 0, 0, 1000))
    *_, state = states(steps)
    lines = picture(state)
    assert len(lines) == 7
    assert "0 ok / 0 failed / 1000 in flight / 0 left" in lines[1]
    assert max(map(len, lines)) <= 80


def test_long_names_are_cut_off_and_numbers_are_not() -> None:
    story = Story(1)
    started = {**story.started(), "repo": "r" * 150, "tag": "t" * 150}
    name = "a-very-long-host-name.in-some-rack.of-some-datacentre.example.org"
    *_, state = states([started, story.stage("fetch", 1), story.working(name, "receive", 1, 2), BEGIN + 61.0])
    heading, bar, _, host = picture(state)
    assert heading.endswith("01:01")
    assert bar.endswith("01:01")
    assert "1 B of 2 B" in host


def test_before_the_master_counts_hosts_that_work_are_in_flight() -> None:
    story = Story(3)
    *_, state = states([story.started(), story.stage("fetch", 3), story.working("web1", "receive", 1, 2)])
    assert "0 ok / 0 failed / 1 in flight / 2 left" in picture(state)[1]


def test_hosts_that_gave_no_sign_are_counted() -> None:
    story = Story(5)
    *_, state = states([story.started(), story.stage("fetch", 5), story.progress("fetch", 5, 0, 0, 5)])
    assert picture(state)[-1] == "  5 hosts asked, no sign yet"


# -- on a terminal --------------------------------------------------------------------------------------


def test_the_first_event_is_drawn_at_once() -> None:
    with screen() as seen:
        watcher = terminal.for_stream(seen.stream)
        watcher.hear(Story(3).started())
        assert b"mediawiki" in seen.read()
        watcher.close()


def test_the_last_picture_stays_on_the_screen_and_the_cursor_is_back() -> None:
    with screen() as seen:
        raw = play(terminal.for_stream(seen.stream), stories.converged(), seen)
    assert OTHER_SCREEN not in raw
    assert raw.count(HIDE) == raw.count(SHOW) == 1
    last = raw[raw.rindex(b"\x1b[2K") :]  # after the last line that was erased
    assert b"CONVERGED 10/10" in last
    assert last.rstrip().endswith(SHOW)


def test_a_failure_is_printed_once_and_stays() -> None:
    with screen() as seen:
        raw = play(terminal.for_stream(seen.stream), stories.rolled_back(), seen).decode()
    assert raw.count("the switch failed. Next: salt 'web3' deploy.status") == 1
    assert raw.count("Warning: web9") == 1


def test_of_many_failures_only_the_first_are_printed() -> None:
    story = Story(1000)
    error = errors.Unreachable("no answer")
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    steps += [story.answered(host, error=error) for host in story.names]
    with screen() as seen:
        raw = play(terminal.for_stream(seen.stream), steps, seen).decode()
    assert raw.count(": no answer") == 20
    assert raw.count("more failures") == 1


def test_a_thousand_answers_within_a_second_are_few_pictures() -> None:
    story = Story(1000)
    steps: list[Step] = [story.started(), story.stage("fetch", 1000)]
    for number, host in enumerate(story.names, 1):
        steps += [story.answered(host), BEGIN + number / 1000]
    with screen() as seen:
        raw = play(terminal.for_stream(seen.stream), steps, seen)
    assert raw.count(b"in flight") <= 2 + 1 / 0.2 + 1


def test_the_screen_tells_when_the_events_end_before_the_deploy_does() -> None:
    with screen() as seen:
        raw = play(terminal.for_stream(seen.stream), [Story(3).started()], seen)
    assert b"nothing more is heard" in raw
    assert raw.rstrip().endswith(SHOW)


def test_a_terminal_that_is_closed_does_not_stop_the_deploy() -> None:
    seen = Screen(80, 24)
    watcher = terminal.for_stream(seen.stream)
    before = sys.stderr
    watcher.hear(Story(10).started())
    os.close(seen.master)
    play(watcher, stories.converged())
    assert sys.stderr is before
    with pytest.raises(OSError):
        seen.stream.close()


def test_a_watcher_that_heard_nothing_leaves_the_terminal_alone() -> None:
    with screen() as seen:
        assert play(terminal.for_stream(seen.stream), [BEGIN], seen) == b""


@given(hostile.EVENTS)
def test_no_event_whatever_its_form_raises_or_reaches_the_terminal_as_it_is(found: list[object]) -> None:
    with screen() as seen:
        watcher = terminal.for_stream(seen.stream)
        raw = b""
        for event in found:
            watcher.hear(event)  # type: ignore[arg-type]
            watcher.tick(BEGIN)
            raw += seen.read()
        watcher.close()
        raw += seen.read()
    for sequence in (hostile.SCREEN.encode(), b"\x1b]", b"\x00", "\x9b".encode(), "\u202e".encode()):
        assert sequence not in raw


def _until(steps: Iterable[Step], moment: float) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, float) and step >= moment:
            return
