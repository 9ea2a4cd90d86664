"""The live picture of a deploy, as a thing that rich draws: it is always lower and never wider than the terminal.

From top to bottom: what is deployed, a bar for each stage of each group, what the deploy waits for (an operator, a
pause, or hosts by name).
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

from saltdeploy.lib.text import size
from saltdeploy.protocol import events
from saltdeploy.watch import sentences
from saltdeploy.watch import sentences as watch_sentences
from saltdeploy.watch.failures import FoldedFailures
from saltdeploy.watch.notes import Failure, OutcomeNote
from saltdeploy.watch.settings import WatchSettings
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clock, hosts, outcome, short, with_next

_MOST_HOSTS = 4
_LEAST_OTHERS = 3  # lines for what is waited for, however many stages there were
_NARROW = 72  # columns; below, counts are shorter
_WORD_STYLES = {
    "CONVERGED": "bold green",
    "HELD": "bold yellow",
    "ROLLED BACK": "bold yellow",
    "MIXED": "bold red",
}


def frame(state: DeployView, height: int, width: int, *, ending: bool = True) -> Group:
    """The picture of a deploy.

    Args:
        height: lines of the terminal. While the deploy runs the picture takes fewer; what matters least is
            left out. How it ended is always told in full.
        width: columns of the terminal.
        ending: show how it ended.
    """
    waits = _waiting_for_people(state)
    room = max(2, height - 2)  # the heading, and a line for the cursor
    others = 0 if state.outcome else max(_LEAST_OTHERS, len(waits))
    stages = list(state.stages.values())[-max(1, room - others) :]
    rows: list[RenderableType] = [_heading(state)]
    if stages:
        rows.append(_bars(state, stages, width))
    if state.outcome is not None:
        return Group(*rows, *(_end(state.outcome) if ending else ()))
    room -= len(stages)
    rows += (waits or _waiting_for_hosts(state, room))[: max(0, room)]
    return Group(*rows)


def _heading(state: DeployView) -> Table:
    left = Text(no_wrap=True, overflow="ellipsis")
    left.append(state.repo, style="bold")
    left.append(f" {state.tag}" + (f" ({short(state.commit)})" if state.commit else ""))
    left.append("".join(f", {each}" for each in state.also))
    by = f" by {state.user}" if state.user else ""
    what = hosts(state.hosts) if state.underway else "preparing"
    left.append(f"  {state.action}{by}, {what}", style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, clock(state.elapsed()))
    return grid


# -- stages ---------------------------------------------------------------------------------------------


def _bars(state: DeployView, stages: list[Stage], width: int) -> Table:
    narrow = width < _NARROW
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=4)
    for _ in range(1 if narrow else 3):
        grid.add_column(no_wrap=True, justify="right")
    for stage in stages:
        title, bar = _title(stage, width // 2 if narrow else width // 3), _bar(stage)
        if narrow:
            grid.add_row(title, bar, _few_counts(stage))
        else:
            elapsed = clock(state.elapsed(stage))
            grid.add_row(title, bar, f"{stage.percent:.0f}%", _counts(stage), elapsed)
    return grid


def _title(stage: Stage, longest: int) -> str:
    """What the stage is called; where there is no room for the whole of it, the name of the group is cut off."""
    most = max(1, longest - len(stage.label) - 1)
    if len(stage.group) <= most:
        return f"{stage.title:<8}"
    return f"{stage.group[: most - 1]}\N{HORIZONTAL ELLIPSIS} {stage.label}"


def _bar(stage: Stage) -> ProgressBar:
    colour = "green" if not stage.failed else "yellow" if stage.ok else "red"
    return ProgressBar(
        total=max(1, stage.total), completed=stage.done, complete_style=colour, finished_style=colour
    )


def _counts(stage: Stage) -> Text:
    in_flight = stage.busy if stage.in_flight is None else stage.in_flight
    left = max(0, stage.total - stage.done - in_flight)
    text = Text()
    text.append(f"{stage.ok} ok", style="green" if stage.ok else "")
    text.append(" / ")
    text.append(f"{stage.failed} failed", style="bold red" if stage.failed else "")
    text.append(f" / {in_flight} in flight / {left} left")
    return text


def _few_counts(stage: Stage) -> Text:
    text = Text(f"{stage.ok}/{stage.total}")
    if stage.failed:
        text.append(f" {stage.failed} failed", style="bold red")
    return text


# -- what is waited for ---------------------------------------------------------------------------------


def _waiting_for_people(state: DeployView) -> list[RenderableType]:
    if state.outcome is not None:
        return []
    if state.question is not None:
        return [
            _line(f"  {sentences.choices(state.question)}", "bold"),
            _line(f"  {sentences.otherwise(state.question, state)}", "cyan"),
            _line(f"  {sentences.how_to_answer(state.question, state)}", "cyan"),
        ]
    if state.step and not state.underway:
        return [_line(f"  {state.step}", "cyan")]
    return [_line(f"  {sentences.paused(state.pause, state)}", "cyan")] if state.pause else []


def _waiting_for_hosts(state: DeployView, room: int) -> list[RenderableType]:
    """What was received, and who is waited for; ``room`` is how many lines there are."""
    rows: list[RenderableType] = []
    stage = state.stage
    if stage is not None and stage.received and room > 0:
        rows.append(_received(state, stage))
        room -= 1
    waiting = state.slowest(min(_MOST_HOSTS, max(0, room)))
    if waiting:
        rows.append(_hosts(state, waiting))
    elif state.unheard() and room > 0:
        rows.append(_line(f"  {hosts(state.unheard())} asked, no sign yet", "dim"))
    return rows


def _received(state: DeployView, stage: Stage) -> Text:
    rate = f", {size(state.rate())}/s" if stage.ended is None else ""
    return _line(f"  {size(stage.received)} received{rate}", "cyan")


def _hosts(state: DeployView, waiting: list[HostProgress]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=32)
    for _ in range(4):
        grid.add_column(no_wrap=True)
    for host in waiting:
        percent = "" if host.percent is None else f"{host.percent}%"
        elapsed = f"{state.now - host.since:.0f} s"
        grid.add_row(
            f"  {host.name}",
            host.step or host.phase or "no sign yet",
            percent,
            _amount(host),
            elapsed,
            style="dim",
        )
    return grid


def _amount(host: HostProgress) -> str:
    if not host.total:
        return ""
    if host.unit == "bytes":
        return f"{size(host.done)} of {size(host.total)}"
    return f"{host.done} of {host.total} {host.unit}"


# -- the end --------------------------------------------------------------------------------------------


def _end(end: OutcomeNote) -> list[RenderableType]:
    rows: list[RenderableType] = []
    if end.reason:
        rows.append(Text(end.reason))
    if end.next:
        rows.append(Text(f"Next: {end.next}"))
    rows.append(Text(outcome(end.word, end.ok, end.total), style=_WORD_STYLES.get(end.word, "bold")))
    return rows


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


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
        for line in watch_sentences.scope(self._state):
            self._print(Text(line, style="dim"))

    def _question(self) -> None:
        question = self._state.question
        if question is not None:
            self._print(Text(question.text, style="bold"))
        if question is not None and question.until > self._state.now:
            self._print(Text(f"To answer: {watch_sentences.how_to_answer(question, self._state)}"))

    def _answered(self) -> None:
        if self._state.answer is not None:
            self._print(Text(watch_sentences.answered(self._state.answer), style="bold"))

    def _aborted(self) -> None:
        self._print(Text(watch_sentences.aborted(self._state), style="yellow"))

    def _resumed(self) -> None:
        self._print(Text(watch_sentences.resumed(self._state), style="yellow"))

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
            self._print(Text(watch_sentences.warned(warning), style="yellow"))
        for check in state.checks[self._checks :]:
            self._checks += 1
            style = _VERDICT_STYLES.get(check.verdict, "yellow")
            self._print(Text(watch_sentences.checked(check, state.repo), style=style))

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
