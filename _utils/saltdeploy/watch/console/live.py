"""A deploy as a picture that is drawn again and again below the lines that stay; see ``picture.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TextIO

import rich.live
from rich.console import Console, RenderableType
from rich.text import Text

from saltdeploy.protocol import events
from saltdeploy.watch import sentences
from saltdeploy.watch.console.picture import frame
from saltdeploy.watch.failures import FoldedFailures
from saltdeploy.watch.notes import Failure
from saltdeploy.watch.settings import WatchSettings
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import with_next

_REDRAW_EVERY = 0.2  # seconds
_QUIET = (events.HOST_PROGRESS, events.HOST_FINISHED, events.STAGE_PROGRESS)  # drawn when time passes
_VERDICT_STYLES = {"pass": "green", "fail": "red"}


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Be silent from now on; rich would end the process, and the deploy with it."""
        self.quiet = True


def can_draw(stream: TextIO) -> bool:
    """Whether a terminal can move its cursor (``TERM=dumb`` cannot)."""
    console = _Terminal(file=stream)
    return console.is_interactive and not console.is_dumb_terminal


class Live:
    """A :class:`saltdeploy.watch.Watcher` that draws.

    Args:
        stream: a terminal. When it breaks it is left alone: the deploy does not depend on it.
        settings: what it is told of that terminal.
    """

    def __init__(self, stream: TextIO, settings: WatchSettings) -> None:
        self._result_of = settings.result_of
        self._folded = FoldedFailures()
        self._state = DeployView()
        self._console = _Terminal(file=stream, highlight=False)
        self._live = rich.live.Live(
            console=self._console,
            get_renderable=self._frame,
            auto_refresh=False,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        self._drawn = 0.0
        self._failures = self._warnings = self._checks = 0

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        kind = self._state.hear(event)
        if not kind:
            return
        first = not self._live.is_started
        if first:
            self._safely(self._live.start)
        say = _SAY.get(kind)
        if say is not None:
            say(self)
        self._print_what_was_found()
        if first or kind not in _QUIET:
            self._draw()

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._state.tick(now)
        if self._live.is_started and abs(self._state.now - self._drawn) >= _REDRAW_EVERY:
            self._draw()

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._safely(self._live.stop)

    def _frame(self) -> RenderableType:
        size = self._console.size
        return frame(self._state, size.height, size.width, ending=self._state.deploy != self._result_of)

    def _draw(self) -> None:
        self._drawn = self._state.now
        self._safely(self._live.refresh)

    # -- what stays above the picture -------------------------------------------------------------------

    def _started(self) -> None:
        if self._state.reason:
            self._print(Text(f"Reason: {self._state.reason}"))
        for line in sentences.scope(self._state):
            self._print(Text(line, style="dim"))

    def _question(self) -> None:
        question = self._state.question
        if question is not None:
            self._print(Text(question.text, style="bold"))
        if question is not None and question.until > self._state.now:
            self._print(Text(f"To answer: {sentences.how_to_answer(question, self._state)}"))

    def _answered(self) -> None:
        if self._state.answer is not None:
            self._print(Text(sentences.answered(self._state.answer), style="bold"))

    def _aborted(self) -> None:
        self._print(Text(sentences.aborted(self._state), style="yellow"))

    def _resumed(self) -> None:
        self._print(Text(sentences.resumed(self._state), style="yellow"))

    def _print_who_failed_alike(self) -> None:
        for line in self._folded.together():
            self._print(Text(line, style="red"))

    def _finished(self) -> None:
        self._print_who_failed_alike()
        if self._folded.untold:
            self._print(Text(self._folded.untold, style="red"))

    def _print_what_was_found(self) -> None:
        state = self._state
        for failure in state.failures[self._failures :]:
            self._failures += 1
            if self._folded.is_new(failure):
                self._print(_failure(failure))
        for warning in state.warnings[self._warnings :]:
            self._warnings += 1
            self._print(Text(sentences.warned(warning), style="yellow"))
        for check in state.checks[self._checks :]:
            self._checks += 1
            style = _VERDICT_STYLES.get(check.verdict, "yellow")
            self._print(Text(sentences.checked(check, state.repo), style=style))

    def _print(self, text: Text) -> None:
        self._safely(lambda: self._console.print(text))

    def _safely(self, act: Callable[[], object]) -> None:
        """A terminal that has gone away must not end the deploy."""
        try:
            act()
        except (OSError, ValueError):
            self._console.quiet = True
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()


def _failure(failure: Failure) -> Text:
    text = Text()
    text.append(failure.host, style="bold red")
    text.append(f": {with_next(failure.cause, failure.next)}")
    return text


_SAY = {
    events.STARTED: Live._started,
    events.QUESTION: Live._question,
    events.ANSWERED: Live._answered,
    events.ABORTED: Live._aborted,
    events.RESUMED: Live._resumed,
    events.STAGE_FINISHED: Live._print_who_failed_alike,
    events.FINISHED: Live._finished,
}
