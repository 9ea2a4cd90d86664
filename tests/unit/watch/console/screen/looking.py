"""Somebody who looks at the screen of a deploy: events come, keys are pressed, and what stands there is text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.segment import Segment
from saltdeploy.protocol import events
from saltdeploy.watch.console.screen.desk import Desk, Telling
from saltdeploy.watch.console.screen.host_rows import HostRow, rows
from saltdeploy.watch.console.screen.log import ScreenLog
from saltdeploy.watch.console.screen.painter import Painter
from saltdeploy.watch.console.screen.view import View

from tests.unit.watch.stories import Step


class Looking:
    """The same parts as those of the screen, without a terminal."""

    def __init__(
        self, steps: Iterable[Step] = (), *, acts: bool = True, groups: dict[str, str] | None = None
    ) -> None:
        self.log = ScreenLog("deploy1")
        self.desk = Desk(acts=acts)
        self.groups = groups or {}
        self.hear(steps)

    def hear(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.log.state.tick(step) if isinstance(step, float) else self.log.hear(step)

    def press(self, *keys: str) -> list[Telling]:
        """Names of keys, or words that are typed."""
        wishes = []
        for word in keys:
            for key in [word] if word in NAMED else word:
                sieve = self.desk.sieve
                names = [row.name for row in self.rows()]
                wishes.append(self.desk.press(key, names, self.log.state.question))
                if self.desk.sieve is not sieve:
                    self.log.choose(self.desk.sieve)
        return [wish for wish in wishes if wish is not None]

    def rows(self) -> list[HostRow]:
        return [row for row in rows(self.log.state, self.groups) if self.desk.sieve.has_host(row.name)]

    def seen(self, columns: int = 80, lines: int = 24, end: str = "") -> list[str]:
        painter = Painter(io.StringIO())
        found = View(painter.lines).lines(
            self.log.state, self.log, self.rows(), self.desk, (columns, lines), end
        )
        return ["".join(part.text for part in _cut(line, columns)).rstrip() for line in found]

    def text(self, columns: int = 80, lines: int = 24, end: str = "") -> str:
        return "\n".join(self.seen(columns, lines, end)) + "\n"


NAMED = ("up", "down", "page up", "page down", "home", "end", "enter", "escape", "tab", "backspace")


def _cut(line: Iterable[Segment], columns: int) -> list[Segment]:
    return Segment.adjust_line_length(list(line), columns, pad=False)


def until(steps: Iterable[Step], kind: str) -> list[Step]:
    """The steps up to the first event of a kind."""
    found: list[Step] = []
    for step in steps:
        found.append(step)
        if isinstance(step, dict) and step["event"] == kind:
            break
    return found


QUESTION = events.QUESTION
