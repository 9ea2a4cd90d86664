"""What somebody types, key by key and without waiting for Enter; the terminal is left as it was found."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import termios
from typing import Any

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page up", "page down", "home", "end"
ENTER, ESCAPE, TAB, BACKSPACE = "enter", "escape", "tab", "backspace"

_SEQUENCES = {
    "[A": UP,
    "OA": UP,
    "[B": DOWN,
    "OB": DOWN,
    "[5~": PAGE_UP,
    "[6~": PAGE_DOWN,
    "[H": HOME,
    "OH": HOME,
    "[1~": HOME,
    "[F": END,
    "OF": END,
    "[4~": END,
}
_CONTROLS = {"\r": ENTER, "\n": ENTER, "\t": TAB, "\x7f": BACKSPACE, "\x08": BACKSPACE}
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.)")
_BEGUN = re.compile(r"\x1b(\[[0-?]*[ -/]*|O)?\Z")
_AT_ONCE = 4096  # bytes
_LOCAL, _CHARACTERS = 3, 6  # places in what tcgetattr gives


class Keyboard:
    """The keys of a terminal.

    Args:
        terminal: its descriptor.

    Attributes:
        gone: nobody types any more: the terminal was closed.
    """

    def __init__(self, terminal: int) -> None:
        self.gone = False
        self._terminal = terminal
        self._before: list[Any] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed = ""
        self._begun = False  # an escape stood there when one looked before

    def open(self) -> None:
        """From now on keys come one by one and are not shown; Ctrl-C still interrupts, Ctrl-Z does nothing."""
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(self._terminal)
            ours = termios.tcgetattr(self._terminal)
            ours[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
            # stopped, it would leave its picture and a silent keyboard to the shell
            ours[_CHARACTERS][termios.VSUSP] = b"\0"
            termios.tcsetattr(self._terminal, termios.TCSANOW, ours)

    def close(self) -> None:
        """The terminal is as it was; what was typed and not read is forgotten."""
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._terminal, termios.TCIFLUSH)
                # at once: a line that is cut would let nobody wait until all was shown
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)
        self._before = None

    def wait(self, seconds: float) -> None:
        """Until a key is pressed, or time has passed."""
        with contextlib.suppress(OSError, ValueError):
            select.select([] if self.gone else [self._terminal], [], [], seconds)

    def read(self) -> list[str]:
        """The keys that were pressed since: characters, and names of other keys; never waits."""
        fresh = self._fresh()
        self._typed += fresh
        keys = list(self._keys(whole=self._begun and not fresh))
        self._begun = bool(self._typed)
        return keys

    def _fresh(self) -> str:
        found = b""
        with contextlib.suppress(OSError, ValueError):
            while not self.gone and select.select([self._terminal], [], [], 0)[0]:
                piece = os.read(self._terminal, _AT_ONCE)
                found += piece
                if not piece:
                    self.gone = True
            return self._decoder.decode(found)
        self.gone = True
        return self._decoder.decode(found)

    def _keys(self, *, whole: bool) -> list[str]:
        """The keys in what was typed; ``whole``: nothing follows what looks like the begin of a sequence.

        Over a slow line the pieces of an arrow key come one by one.
        """
        keys = []
        while self._typed:
            sequence = _SEQUENCE.match(self._typed)
            if sequence:
                keys.append(_SEQUENCES.get(sequence[1], ""))
                self._typed = self._typed[sequence.end() :]
                continue
            if not whole and _BEGUN.match(self._typed):
                break
            char, self._typed = self._typed[0], self._typed[1:]
            keys.append(ESCAPE if char == "\x1b" else _CONTROLS.get(char, char if char.isprintable() else ""))
        return list(filter(None, keys))
