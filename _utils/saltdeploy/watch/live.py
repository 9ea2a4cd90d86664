"""A deploy as a live picture on a terminal, drawn with the library rich.

The picture is at most as high as the terminal: a bar for each stage, and the hosts that are waited for. Failures
and warnings are printed above it as they come, and stay in the terminal's history.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TextIO

import rich.live
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saltdeploy import events
from saltdeploy.watch.lines import unfinished
from saltdeploy.watch.state import Failure, Host, Outcome, Stage, State
from saltdeploy.watch.text import clock, hosts, outcome, sentences, short, size

_REDRAW_EVERY = 0.2  # seconds
_MOST_FAILURES = 20
_MOST_HOSTS = 4
_WORD_STYLES = {
    "CONVERGED": "bold green",
    "HELD": "bold yellow",
    "ROLLED BACK": "bold yellow",
    "MIXED": "bold red",
}


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
    """

    def __init__(self, stream: TextIO) -> None:
        self._state = State()
        self._console = _Terminal(file=stream, highlight=False)
        self._live = rich.live.Live(
            console=self._console,
            get_renderable=self._frame,
            auto_refresh=False,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        self._drawn = 0.0
        self._failures = 0
        self._warnings = 0

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        kind = self._state.hear(event)
        if not kind:
            return
        first = not self._live.is_started
        if first:
            self._safely(self._live.start)
        self._print_what_is_wrong()
        if first or kind not in (events.HOST_PROGRESS, events.HOST_FINISHED, events.STAGE_PROGRESS):
            self._draw()

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._state.tick(now)
        if self._live.is_started and abs(self._state.now - self._drawn) >= _REDRAW_EVERY:
            self._draw()

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        if self._live.is_started and self._state.outcome is None:
            self._print(Text(unfinished(self._state), style="yellow"))
        self._safely(self._live.stop)

    def _frame(self) -> RenderableType:
        return frame(self._state, self._console.size.height)

    def _draw(self) -> None:
        self._drawn = self._state.now
        self._safely(self._live.refresh)

    def _print_what_is_wrong(self) -> None:
        for failure in self._state.failures[self._failures :]:
            self._failures += 1
            if self._failures <= _MOST_FAILURES:
                self._print(_failure(failure))
            elif self._failures == _MOST_FAILURES + 1:
                self._print(Text("more failures; all of them are in the deploy's result", style="red"))
        for warning in self._state.warnings[self._warnings :]:
            self._warnings += 1
            self._print(Text(f"Warning: {warning}", style="yellow"))

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


def frame(state: State, height: int) -> Group:
    """The picture of a deploy.

    Args:
        height: lines of the terminal. While the deploy runs the picture takes fewer; what matters least is
            left out. How it ended is always told in full.
    """
    room = max(2, height - 2)  # the heading, and a line for the cursor
    stages = list(state.stages.values())[-room:]
    rows: list[RenderableType] = [_heading(state)]
    if stages:
        rows.append(_bars(state, stages))
    room -= len(stages)
    if state.outcome is not None:
        return Group(*rows, *_end(state.outcome))
    if stages and stages[-1].received and room > 0:
        rows.append(_received(state, stages[-1]))
        room -= 1
    waiting = state.slowest(min(_MOST_HOSTS, max(0, room)))
    if waiting:
        rows.append(_waiting(state, waiting))
    if state.unheard() and not waiting and room > 0:
        rows.append(_line(f"  {hosts(state.unheard())} asked, no sign yet", "dim"))
    return Group(*rows)


def _heading(state: State) -> Table:
    left = Text(no_wrap=True, overflow="ellipsis")
    left.append(state.repo, style="bold")
    left.append(f" {state.tag} ({short(state.commit)})")
    by = f" by {state.user}" if state.user else ""
    left.append(f"  {state.action}{by}, {hosts(state.hosts)}", style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, clock(state.elapsed()))
    return grid


def _bars(state: State, stages: list[Stage]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=4)
    for _ in range(3):
        grid.add_column(no_wrap=True, justify="right")
    for stage in stages:
        colour = "green" if not stage.failed else "yellow" if stage.ok else "red"
        bar = ProgressBar(
            total=max(1, stage.total), completed=stage.done, complete_style=colour, finished_style=colour
        )
        elapsed = clock(state.elapsed(stage))
        grid.add_row(f"{stage.name:<8}", bar, f"{stage.percent:.0f}%", _counts(stage), elapsed)
    return grid


def _counts(stage: Stage) -> Text:
    in_flight = len(stage.working()) if stage.in_flight is None else stage.in_flight
    left = max(0, stage.total - stage.done - in_flight)
    text = Text()
    text.append(f"{stage.ok} ok", style="green" if stage.ok else "")
    text.append(" / ")
    text.append(f"{stage.failed} failed", style="bold red" if stage.failed else "")
    text.append(f" / {in_flight} in flight / {left} left")
    return text


def _received(state: State, stage: Stage) -> Text:
    rate = f", {size(state.rate())}/s" if stage.ended is None else ""
    return _line(f"  {size(stage.received)} received{rate}", "cyan")


def _waiting(state: State, waiting: list[Host]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=32)
    for _ in range(4):
        grid.add_column(no_wrap=True)
    for host in waiting:
        percent = "" if host.percent is None else f"{host.percent}%"
        elapsed = f"{state.now - host.since:.0f} s"
        grid.add_row(
            f"  {host.name}", host.phase or "no sign yet", percent, _amount(host), elapsed, style="dim"
        )
    return grid


def _amount(host: Host) -> str:
    if not host.total:
        return ""
    if host.unit == "bytes":
        return f"{size(host.done)} of {size(host.total)}"
    return f"{host.done} of {host.total} {host.unit}"


def _failure(failure: Failure) -> Text:
    text = Text()
    text.append(failure.host, style="bold red")
    text.append(f": {sentences(failure.cause, failure.next)}")
    return text


def _end(end: Outcome) -> list[RenderableType]:
    rows: list[RenderableType] = []
    if end.reason:
        rows.append(Text(end.reason))
    if end.next:
        rows.append(Text(f"Next: {end.next}"))
    rows.append(Text(outcome(end.word, end.ok, end.total), style=_WORD_STYLES.get(end.word, "bold")))
    return rows


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
