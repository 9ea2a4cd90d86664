"""The whole screen as lines: what is deployed, its stages, what it asks or waits for, hosts, log, and the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import set_cell_size
from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from saltdeploy.watch import sentences
from saltdeploy.watch.console import picture
from saltdeploy.watch.console.screen import desk, detail, log_lines
from saltdeploy.watch.console.screen.desk import Desk
from saltdeploy.watch.console.screen.host_rows import AT_WORK, DONE, FAILED, WAITS, HostRow
from saltdeploy.watch.console.screen.log import ScreenLog
from saltdeploy.watch.console.screen.painter import Line
from saltdeploy.watch.state import DeployView

Draw = Callable[[RenderableType, int], list[Line]]

_SIDE_BY_SIDE = 150  # columns
_LEAST = 4  # rows of a list with its title
_MOST_STAGES = 12
_LONG = 4  # lines of a question, or of how it ended
_STYLES = {FAILED: "bold red", AT_WORK: "cyan", WAITS: "dim", DONE: "green"}
_WITH_GROUPS, _WITH_AMOUNTS = 60, 96  # columns
_LONGEST_NAME = 40  # columns
_TOO_SMALL = (8, 30)  # rows, columns


@dataclass(frozen=True)
class View:
    """Draws one picture.

    Attributes:
        draw: what rich makes of a thing, as lines of a width.
        bar: between two lists that stand side by side.
        rule: below which a list begins.
        end: said of a deploy that has not ended and that nobody carries on.
    """

    draw: Draw
    bar: str = "\N{BOX DRAWINGS LIGHT VERTICAL}"
    rule: str = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"

    def lines(
        self,
        state: DeployView,
        log: ScreenLog,
        rows: Sequence[HostRow],
        at: Desk,
        size: tuple[int, int],
        end: str,
    ) -> list[Line]:
        """As many lines as the terminal has rows, or fewer.

        Args:
            rows: the hosts that the filter lets pass.
            size: columns and rows.
            end: what is to be said of a deploy that nobody carries on; "" while somebody does.
        """
        width, height = size
        last = self.draw(_last(state, at), width)[:1]
        if height < _TOO_SMALL[0] or width < _TOO_SMALL[1]:
            return [*self._top(state, width, height - 1, at.acts, end)[: max(0, height - 1)], *last]
        top = self._top(state, width, height - _LEAST, at.acts, end)[: height - _LEAST]
        room = height - len(top) - 1
        return [*top, *self._lists(log, rows, at, width, room), *last]

    # -- above the lists --------------------------------------------------------------------------------

    def _top(self, state: DeployView, width: int, room: int, acts: bool, end: str) -> list[Line]:
        lines = self.draw(picture.heading(state), width)
        said = self._said(state, width, acts, end)
        most = min(_MOST_STAGES, max(1, room - len(lines) - len(said)), max(2, room // 3))
        stages = list(state.stages.values())[-most:]
        if stages:
            lines += self.draw(picture.bars(state, stages, width), width)
        return [*lines, *said]

    def _said(self, state: DeployView, width: int, acts: bool, end: str) -> list[Line]:
        """What a person should read first."""
        if state.outcome is not None:
            return [line for each in picture.ended(state.outcome) for line in self.draw(each, width)[:_LONG]]
        if end:
            return self.draw(Text(end, style="bold yellow"), width)[:_LONG]
        if state.question is not None:
            asked = self.draw(Text(state.question.text, style="bold"), width)[:_LONG]
            return [*asked, *self.draw(_choices(state, acts), width)]
        if state.aborted:
            return self.draw(Text(sentences.aborted(state), style="yellow"), width)[:_LONG]
        if state.pause is not None:
            return self.draw(picture.line(sentences.paused(state.pause, state), "cyan"), width)
        return self.draw(picture.line(state.step, "cyan"), width) if state.step and not state.underway else []

    # -- lists ------------------------------------------------------------------------------------------

    def _lists(self, log: ScreenLog, rows: Sequence[HostRow], at: Desk, width: int, room: int) -> list[Line]:
        if at.whole:
            return detail.lines(log, at.host, rows, self._title, self.draw, width, room)
        if width >= _SIDE_BY_SIDE:
            left = width // 2 - 1
            return self._beside(
                self._hosts(rows, at, left, room), self._log(log, at, width - left - 3, room), left
            )
        if room < 2 * _LEAST:  # one of the two
            return (
                self._hosts(rows, at, width, room)
                if at.pane == desk.HOSTS
                else self._log(log, at, width, room)
            )
        above = min(len(rows) + 1, room - max(_LEAST, room * 2 // 5))
        above = max(_LEAST, above) if at.pane == desk.HOSTS else above
        return [*self._hosts(rows, at, width, above), *self._log(log, at, width, room - above)]

    def _beside(self, left: list[Line], right: list[Line], width: int) -> list[Line]:
        bar = Segment(f" {self.bar} ", Style(dim=True))
        longest = max(len(left), len(right))
        left, right = ([*each, *[[]] * (longest - len(each))] for each in (left, right))
        return [
            [*Segment.adjust_line_length(list(one), width), bar, *other]
            for one, other in zip(left, right, strict=True)
        ]

    def _hosts(self, rows: Sequence[HostRow], at: Desk, width: int, room: int) -> list[Line]:
        place = next((number for number, row in enumerate(rows) if row.name == at.host), 0)
        shown = max(1, room - 1)
        first = min(max(0, place - shown // 2), max(0, len(rows) - shown))
        here = rows[first : first + shown]
        span = (
            f" {first + 1}-{first + len(here)} of {len(rows)}" if len(rows) > len(here) else f" {len(rows)}"
        )
        chosen = " chosen" if at.sieve.chooses_hosts else ""
        lines = self._title(f"Hosts{span}{chosen}", width, at.pane == desk.HOSTS)
        for row in here:
            lines += self.draw(_row(row, width, chosen=row.name == at.host and at.pane == desk.HOSTS), width)[
                :1
            ]
        return lines

    def _log(self, log: ScreenLog, at: Desk, width: int, room: int) -> list[Line]:
        back = min(at.back, max(0, len(log.shown) - 1))
        title = f"Log: {at.sieve.title}" + (f", {back} newer below" if back else "")
        lines = self._title(title, width, at.pane == desk.LOG)
        return [*lines, *log_lines.newest(log.shown, back, self.draw, width, room - 1)]

    def _title(self, text: str, width: int, chosen: bool) -> list[Line]:
        line = Text(
            f"{self.rule * 2} {text} ", style="bold" if chosen else "dim", no_wrap=True, overflow="ellipsis"
        )
        line.append(self.rule * max(0, width - line.cell_len))
        return self.draw(line, width)[:1]


def _row(row: HostRow, width: int, *, chosen: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("> " if chosen else "  ")
    for content, size in _columns(row, width):
        cut = content if len(content) <= size else f"{content[: size - 1]}~"
        text.append(f"{set_cell_size(cut, size)} ", style=_STYLES[row.rank] if content == row.word else "")
    text.rstrip()
    if chosen:
        text.stylize("reverse")
    return text


def _columns(row: HostRow, width: int) -> list[tuple[str, int]]:
    """Texts with their widths; what a narrow terminal has no room for is left out."""
    others = [(row.stage, 8), (row.word, 14)]
    if width >= _WITH_GROUPS:
        others = [(row.group, min(16, width // 6)), *others]
        others.append(
            (
                row.far if width >= _WITH_AMOUNTS else row.far.partition("  ")[0],
                26 if width >= _WITH_AMOUNTS else 4,
            )
        )
        others.append((row.since, 7))
    left = width - 3 - sum(size + 1 for _, size in others)
    return [(row.name, max(8, min(_LONGEST_NAME, left))), *others]


def _choices(state: DeployView, acts: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    question = state.question
    if question is None:
        return text
    for number, choice in enumerate(question.choices, 1):
        text.append(f" {number} " if acts else " ", style="reverse" if acts else "")
        text.append(f" {choice}  ", style="bold cyan")
    text.append(f" {sentences.otherwise(question, state)}", style="cyan")
    return text


_PROMPTS = {
    desk.FILTER: ("Filter (names, or levelno >= WARNING host == web*): ", "Enter takes it, Esc leaves it"),
    desk.ABORT: ("Abort the deploy. Reason: ", "Enter aborts, Esc does not"),
    desk.ANSWER: ("Answer: ", "Enter answers, Esc does not"),
}


def _last(state: DeployView, at: Desk) -> Text:
    """What is typed at the moment, what the last key has led to, or the keys."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if at.typing:
        prompt, how = _PROMPTS[at.typing]
        text.append(prompt, style="bold yellow" if at.typing == desk.ABORT else "bold")
        text.append(at.typed)
        text.append("_  ", style="blink")
        text.append(how, style="dim")
        return text
    if at.said:
        text.append(at.said, style="yellow")
        return text
    known = [("q", "leave")]
    if at.acts and state.outcome is None:
        known.append(("a", "abort"))
    known += [("/", "filter"), ("l", "level")]
    known += (
        [("Esc", "back"), ("up down", "hosts")] if at.whole else [("Tab", "log or hosts"), ("Enter", "host")]
    )
    for key, does in known:
        text.append(f" {key} ", style="reverse")
        text.append(f" {does}  ")
    return text
