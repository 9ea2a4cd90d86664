"""Paints lines on the whole of a terminal, and of a picture only the lines that have changed: a slow line bears it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment

Line = Sequence[Segment]

_ENTER = (
    "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # the other screen; no cursor; what is too long goes on nowhere
)
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}


class Painter:
    """One terminal, from :meth:`open` to :meth:`close`.

    Args:
        stream: the terminal.

    Attributes:
        gone: it was closed; nothing is painted any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self.gone = False
        self._stream = stream
        self._console = Console(file=stream, highlight=False, legacy_windows=False)
        self._colours = _SYSTEMS.get(self._console.color_system or "")
        self._shown: list[Line] = []
        self._size = (0, 0)
        self._opened = False

    @property
    def ascii_only(self) -> bool:
        """Whether the terminal can show nothing but ASCII."""
        return self._console.options.ascii_only

    def open(self) -> None:
        """Take the terminal; what stands on it comes back when it is closed."""
        self._opened = True
        self._write(_ENTER)

    def close(self) -> None:
        """Give the terminal back."""
        if self._opened:
            self._write(_LEAVE)
        self._opened = False

    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal now."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError, AttributeError):
            columns = rows = 0
        return columns or 80, rows or 24

    def lines(self, drawn: RenderableType, width: int) -> list[Line]:
        """What rich draws of something, as lines of at most this width."""
        options = self._console.options.update(width=max(1, width), height=None)
        return list(self._console.render_lines(drawn, options, pad=False))

    def paint(self, picture: Sequence[Line]) -> None:
        """Show a picture in place of the one before; lines below the terminal are left out."""
        size = self.size()
        pieces = []
        if size != self._size:
            pieces, self._shown, self._size = ["\x1b[2J"], [], size
        columns, rows = size
        lines = [*picture[:rows], *[[]] * (rows - len(picture))]
        for row, line in enumerate(lines):
            if row >= len(self._shown) or list(self._shown[row]) != list(line):
                pieces.append(f"\x1b[{row + 1};1H{self._painted(line, columns)}")
        self._shown = lines
        if pieces:
            self._write("".join(pieces))

    def _painted(self, line: Line, columns: int) -> str:
        cropped = Segment.adjust_line_length(list(line), columns, pad=False)
        painted = "".join(
            part.style.render(part.text, color_system=self._colours) if part.style else part.text
            for part in cropped
            if not part.control
        )
        # behind a full line the cursor stands on its last character, which would be erased
        return painted + ("\x1b[K" if Segment.get_line_length(cropped) < columns else "")

    def _write(self, text: str) -> None:
        if self.gone:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            self.gone = True
