"""Keys of a real pseudo-terminal, what is painted on it, and that it is left as it was found."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from rich.text import Text
from saltdeploy.protocol import events
from saltdeploy.watch.console import screen as screens
from saltdeploy.watch.console import terminal
from saltdeploy.watch.console.screen.keys import Keyboard
from saltdeploy.watch.console.screen.painter import Painter

from tests.unit.watch import hostile, rollouts, stories
from tests.unit.watch.console.screen.looking import until
from tests.unit.watch.screens import HIDE, OTHER_SCREEN, SHOW, Screen, screen
from tests.unit.watch.stories import BEGIN, Story


def heard(watcher: screens.Screen, seen: Screen) -> None:
    """All up to the first question; what is shown meanwhile is read, as terminals do."""
    for step in until(rollouts.canary_and_rollback(), events.QUESTION):
        watcher.tick(step) if isinstance(step, float) else watcher.hear(step)
        seen.read()


@contextmanager
def keyboard(seen: Screen) -> Iterator[Keyboard]:
    found = Keyboard(seen.stdin.fileno())
    found.open()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page up", "page down"]),
        ("\r\t\x7f", ["enter", "tab", "backspace"]),
        ("g\N{LATIN SMALL LETTER U WITH DIAERESIS}n", ["g", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "n"]),
        ("\x1b[1;5C\x01x", ["x"]),  # keys that mean nothing here
    ],
)
def test_keys_come_one_by_one(typed: str, keys: list[str]) -> None:
    with screen() as seen, keyboard(seen) as board:
        seen.type(typed)
        assert board.read() == keys
        assert seen.read() == b""  # nothing is echoed


def test_an_arrow_key_may_come_in_pieces_and_an_escape_alone_is_one() -> None:
    with screen() as seen, keyboard(seen) as board:
        seen.type("\x1b")
        assert board.read() == []
        seen.type("[A")
        assert board.read() == ["up"]
        seen.type("\x1b")
        assert (board.read(), board.read()) == ([], ["escape"])


def test_the_terminal_is_left_as_it_was_found() -> None:
    with screen() as seen:
        before = termios.tcgetattr(seen.stdin)
        watcher = screens.Screen(seen.stdin, seen.stream, "deploy1")
        assert termios.tcgetattr(seen.stdin) != before
        watcher.hear(Story(3).started())
        watcher.close()
        assert termios.tcgetattr(seen.stdin) == before
        raw = seen.read()
    assert raw.index(OTHER_SCREEN) < raw.index(HIDE) < raw.index(SHOW)
    assert raw.endswith(b"\x1b[?1049l")


def test_only_lines_that_have_changed_are_painted() -> None:
    with screen() as seen:
        painter = Painter(seen.stream)
        picture = painter.lines(Text("first\nsecond"), 80)
        painter.paint(picture)
        seen.read()
        painter.paint(picture)
        assert seen.read() == b""
        painter.paint(painter.lines(Text("first\nnew"), 80))
        assert seen.read() == b"\x1b[2;1Hnew\x1b[K"


def test_another_size_is_painted_whole() -> None:
    with screen() as seen:
        painter = Painter(seen.stream)
        painter.paint(painter.lines(Text("first"), 80))
        seen.read()
        fcntl.ioctl(seen.stdin, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 20, 0, 0))
        painter.paint(painter.lines(Text("first"), 20))
        assert seen.read().startswith(b"\x1b[2J\x1b[1;1Hfirst")


def test_a_second_of_a_quiet_deploy_is_some_bytes_and_not_the_whole_screen() -> None:
    clock = iter(range(10_000))
    with screen() as seen:
        watcher = screens.Screen(seen.stdin, seen.stream, "deploy1", monotonic=lambda: next(clock))
        heard(watcher, seen)
        watcher.tick(BEGIN + 100)
        assert len(seen.read()) > 100
        watcher.tick(BEGIN + 101)
        assert 0 < len(seen.read()) < 400
        watcher.close()


def test_a_terminal_that_is_closed_ends_it() -> None:
    seen = Screen(80, 24)
    watcher = screens.Screen(seen.stdin, seen.stream, "deploy1")
    watcher.hear(Story(3).started())
    os.close(seen.master)
    for second in range(3):
        watcher.tick(BEGIN + second)
        watcher.pause(0.3)
    assert watcher.left
    watcher.close()
    for stream in (seen.stream, seen.stdin):
        try:
            stream.close()
        except OSError:
            pass


class Deeds:
    """Who was told what."""

    def __init__(self, first: bool = True) -> None:
        self.told: list[tuple[str, ...]] = []
        self._first = first

    def abort(self, reason: str) -> bool:
        self.told.append(("abort", reason))
        return self._first

    def answer(self, question: str, choice: str) -> bool:
        self.told.append(("answer", question, choice))
        return self._first


@pytest.mark.parametrize("first", [True, False])
def test_what_is_typed_reaches_the_deploy_and_who_was_late_is_told(first: bool) -> None:
    deeds, clock = Deeds(first), iter(range(10_000))
    with screen() as seen:
        watcher = screens.Screen(seen.stdin, seen.stream, "deploy1", deeds, lambda: next(clock))
        heard(watcher, seen)
        seen.type("1\r")
        watcher.tick(BEGIN + 100)
        assert (b"Somebody else answered first" in seen.read()) is not first
        seen.type("q")
        watcher.tick(BEGIN + 101)
        assert watcher.left
        watcher.close()
    assert deeds.told == [("answer", "q1", "yes")]


@settings(max_examples=30)
@given(hostile.EVENTS)
def test_no_event_whatever_its_form_raises_or_reaches_the_terminal_as_it_is(found: list[object]) -> None:
    clock = iter(range(10_000))
    with screen() as seen:
        watcher = screens.Screen(seen.stdin, seen.stream, "deploy1", monotonic=lambda: next(clock))
        raw = b""
        for event in [stories.Story(2).started(), *found]:
            watcher.hear(event)  # type: ignore[arg-type]
            raw += seen.read()
        watcher.tick(BEGIN + 1)
        watcher.close()
        shown = (raw + seen.read()).decode("utf-8", "replace")
    assert hostile.TEXT not in shown
    assert not {char for char in shown if not char.isprintable()} - set("\x1b\r\n")
    assert "\x1b]" not in shown


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_takes_no_screen(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    with screen() as seen:
        assert not terminal.takes_a_screen(seen.stdin, seen.stream)


def test_neither_a_pipe_nor_a_terminal_of_somebody_else_takes_a_screen() -> None:
    with screen() as seen, open(os.devnull) as pipe:
        assert not terminal.takes_a_screen(pipe, seen.stream)
        assert not terminal.takes_a_screen(seen.stdin, seen.stream)  # it does not control this process
