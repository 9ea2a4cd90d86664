"""Real pseudo-terminals: what is written to them can be read, and somebody can type."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from saltdeploy.watch import Watcher
from saltdeploy.watch.console import terminal
from saltdeploy.watch.settings import WatchSettings

from tests.unit.watch.stories import Step

_PATIENCE = 60.0  # seconds; only a broken test waits for so long
HIDE, SHOW, OTHER_SCREEN = b"\x1b[?25l", b"\x1b[?25h", b"\x1b[?1049h"


class Screen:
    """A pseudo-terminal; ``read()`` gives what was written to it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.master, False)
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self.stdin: TextIO = os.fdopen(os.dup(slave), encoding="utf-8")

    def type(self, text: str, *, whole: bool = True) -> None:
        """Somebody presses these keys; ``whole``: what they typed can be read, which takes the kernel a moment."""
        os.write(self.master, text.encode())
        if whole:
            assert select.select([self.stdin], [], [], _PATIENCE)[0]

    def read(self) -> bytes:
        found = b""
        while True:
            try:
                piece = os.read(self.master, 65_536)
            except OSError:  # nothing more
                return found
            if not piece:
                return found
            found += piece


@contextmanager
def screen(columns: int = 80, rows: int = 24) -> Iterator[Screen]:
    found = Screen(columns, rows)
    yield found
    found.stream.close()
    found.stdin.close()
    os.close(found.master)


def watcher_of(stream: TextIO, result_of: str = "") -> Watcher:
    """As the runner opens it."""
    return terminal.for_stream(stream, WatchSettings.of_stream(stream, result_of=result_of))


def play(watcher: Watcher, steps: Iterable[Step], seen: Screen | None = None) -> bytes:
    raw = b""
    for step in steps:
        watcher.tick(step) if isinstance(step, float) else watcher.hear(step)
        raw += seen.read() if seen else b""
    watcher.close()
    return raw + (seen.read() if seen else b"")
