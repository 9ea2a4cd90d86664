"""Which watcher a stream gets, and deploys that follow one another."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from saltdeploy.watch.console import terminal

from tests.unit.watch import stories
from tests.unit.watch.screens import HIDE, play, screen, watcher_of
from tests.unit.watch.stories import Step, Story

DEPENDENCY = {"deploy": "20261123101110000000", "repo": "vendor"}


def test_a_terminal_gets_the_live_picture() -> None:
    with screen() as seen:
        assert HIDE in play(watcher_of(seen.stream), stories.converged(), seen)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with screen() as seen:
        assert b"\x1b" not in play(watcher_of(seen.stream), stories.converged(), seen)


def test_a_terminal_gets_lines_where_rich_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with screen() as seen:
        assert b"\x1b" not in play(watcher_of(seen.stream), stories.converged(), seen)


def test_a_pipe_gets_lines_even_where_colours_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    pipe = io.StringIO()
    play(watcher_of(pipe), stories.converged())
    assert pipe.getvalue().endswith("\nCONVERGED 10/10\n")
    assert "\x1b" not in pipe.getvalue()


def test_a_closed_stream_does_not_stop_the_deploy() -> None:
    stream = io.StringIO()
    stream.close()
    play(watcher_of(stream), stories.converged())


@pytest.mark.parametrize("columns", [None, 100], ids=["lines", "live"])
def test_what_a_repo_depends_on_and_the_repo_itself_are_both_shown_to_their_end(columns: int | None) -> None:
    before: list[Step] = [
        {**event, **DEPENDENCY}
        for event in (Story(3).preparing(), Story(3).started(), Story(3).finished("CONVERGED", 3, 3))
    ]
    steps = [*before, Story(5).preparing(), Story(5).started(), Story(5).finished("HELD", 4, 5, "no")]
    if columns is None:
        pipe = io.StringIO()
        play(watcher_of(pipe), steps)
        shown = pipe.getvalue()
    else:
        with screen(columns) as seen:
            shown = play(watcher_of(seen.stream), steps, seen).decode()
    assert "vendor" in shown
    assert shown.index("CONVERGED 3/3") < shown.rindex("mediawiki") < shown.rindex("HELD")


@pytest.mark.parametrize("result_of", ["", stories.DEPLOY])
def test_F18_the_outcome_of_what_a_repo_depends_on_is_told_even_where_the_result_follows(
    result_of: str,
) -> None:
    pipe = io.StringIO()
    before = [{**event, **DEPENDENCY} for event in (Story(3).started(), Story(3).finished("CONVERGED", 3, 3))]
    steps: list[Step] = [Story(5).preparing(), *before, Story(5).started(), Story(5).finished("HELD", 4, 5)]
    play(watcher_of(pipe, result_of=result_of), steps)
    assert "CONVERGED 3/3" in pipe.getvalue()
    assert ("HELD" in pipe.getvalue()) is (result_of == "")


def test_F18_two_streams_are_one_screen_when_one_reader_has_both(tmp_path: Path) -> None:
    with (
        open(tmp_path / "a", "w") as one,
        open(tmp_path / "a", "a") as same,
        open(tmp_path / "b", "w") as other,
    ):
        assert terminal.is_one_screen(one, same)
        assert not terminal.is_one_screen(one, other)
        assert not terminal.is_one_screen(one, io.StringIO())
    assert not terminal.is_one_screen(one, same)
