"""``deploy.watch`` as an application: hosts, log and questions of one deploy on the whole of a terminal, with keys.

Start at :class:`Screen`. What is typed becomes a state of the desk (``desk.py``), desk and deploy become lines (``view.py``),
and of those the changed ones are painted (``painter.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TextIO

from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol import events
from saltdeploy.watch.console.screen.desk import ABORT, Desk, Telling
from saltdeploy.watch.console.screen.host_rows import HostRow
from saltdeploy.watch.console.screen.host_rows import rows as host_rows
from saltdeploy.watch.console.screen.keys import Keyboard
from saltdeploy.watch.console.screen.log import ScreenLog
from saltdeploy.watch.console.screen.painter import Painter
from saltdeploy.watch.console.screen.view import View
from saltdeploy.watch.text import clean

_PAINT_EVERY = 0.25  # seconds, while no key is pressed
_LOOK_EVERY = 0.1  # seconds, while events come
_MOST_HOSTS = 20_000


class Deeds(Protocol):
    """What can be told to the deploy from the screen."""

    def abort(self, reason: str) -> bool:
        """Stop it; False when somebody told it so before."""

    def answer(self, question: str, choice: str) -> bool:
        """Answer the question of this key; False when somebody was first."""


class Screen:
    """A :class:`saltdeploy.watch.Watcher` that takes the whole terminal from its begin until :meth:`close`.

    Args:
        stdin: where the keys come from; a terminal.
        stream: where it is painted; a terminal.
        master: see :class:`saltdeploy.watch.deploy_log.DeployLog`.
        deeds: what can be told to the deploy; None for one that is only replayed.
        monotonic: seconds, by which it is painted now and then.
    """

    def __init__(
        self,
        stdin: TextIO,
        stream: TextIO,
        master: str,
        deeds: Deeds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = Desk(acts=deeds is not None)
        self._deeds = deeds
        self._log = ScreenLog(master)
        self._groups: dict[str, str] = {}
        self._end = ""
        self._monotonic = monotonic
        self._looked = self._painted = float("-inf")
        self._keyboard = Keyboard(stdin.fileno())
        self._painter = Painter(stream)
        ascii_only = {"bar": "|", "rule": "-"} if self._painter.ascii_only else {}
        self._view = View(self._painter.lines, **ascii_only)
        self._keyboard.open()
        self._painter.open()

    @property
    def left(self) -> bool:
        """The person wants to look no more, or cannot."""
        return self._desk.left or self._keyboard.gone or self._painter.gone

    def groups(self, waves: Iterable[Mapping[str, Any]]) -> None:
        """Which hosts switch together, from the plan: ``name`` and ``hosts`` of each group."""
        for wave in waves:
            name = clean(wave.get("name"), 64)
            for host in list(wave.get("hosts") or ())[: _MOST_HOSTS - len(self._groups)]:
                self._groups[clean(host, 255)] = name

    def hear(self, event: events.Event) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._log.hear(event)
        if self._monotonic() - self._looked >= _LOOK_EVERY:
            self._look()

    def tick(self, now: float) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._log.state.tick(now)
        self._look()

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until a key is pressed."""
        self._keyboard.wait(seconds)

    def stay(self, end: str = "", enough: Callable[[], bool] = lambda: False) -> None:
        """There are no more events: show what there is until the person leaves.

        Args:
            end: what became of a deploy that did not come to its end.
            enough: asked a few times a second; True to stay no longer.
        """
        self._end = "" if self._log.state.outcome else end
        self._desk.acts = False
        self._painted = float("-inf")
        while not (self.left or enough()):
            self._look()
            self.pause(_PAINT_EVERY)

    def close(self) -> None:
        """See :class:`saltdeploy.watch.Watcher`."""
        self._painter.close()
        self._keyboard.close()

    def _look(self) -> None:
        """Take in what was typed, and paint what has changed."""
        self._looked = now = self._monotonic()
        keys = self._keyboard.read()
        rows = self._rows() if keys or now - self._painted >= _PAINT_EVERY else None
        if rows is None or self.left:
            return
        sieve = self._desk.sieve
        for key in keys:
            wish = self._desk.press(key, [row.name for row in rows], self._log.state.question)
            if wish is not None:
                self._tell(wish)
        if self._desk.sieve is not sieve:
            self._log.choose(self._desk.sieve)
            rows = self._rows()
        self._painted = now
        size = self._painter.size()
        self._painter.paint(self._view.lines(self._log.state, self._log, rows, self._desk, size, self._end))

    def _rows(self) -> list[HostRow]:
        found = host_rows(self._log.state, self._groups)
        return [row for row in found if self._desk.sieve.has_host(row.name)]

    def _tell(self, wish: Telling) -> None:
        if self._deeds is None:
            return
        try:
            if wish.what == ABORT:
                self._desk.said = "" if self._deeds.abort(wish.text) else "It is being stopped already"
            elif not self._deeds.answer(wish.question, wish.text):
                self._desk.said = "Somebody else answered first"
        except (DeployError, OSError) as error:
            self._desk.said = f"It was not told: {error}"
