"""A person at a terminal: a command on a real pseudo terminal, what it shows, and what is typed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.fleet import PATIENCE


class Terminal:
    """A running command, the leader of its session, with a terminal of its own.

    Attributes:
        seen: all that it has shown.
    """

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self.seen = ""
        self._terminal = terminal

    def until(self, text: str) -> str:
        """Read until the command shows this text; what it showed since the last time."""
        start, end = len(self.seen), time.monotonic() + PATIENCE
        while text not in self.seen[start:]:
            assert time.monotonic() < end, f"{text!r} was not shown; all that was: {self.seen}"
            if select.select([self._terminal], [], [], 1)[0]:
                piece = self._read()
                assert piece, f"it ended without {text!r}; all that was shown: {self.seen}"
                self.seen += piece
        return self.seen[start:]

    def type(self, line: str) -> None:
        os.write(self._terminal, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit status."""
        while piece := self._read():
            self.seen += piece
        return self.process.wait(PATIENCE)

    def _read(self) -> str:
        try:
            return os.read(self._terminal, 65_536).decode("utf-8", "replace").replace("\r\n", "\n")
        except OSError:  # EIO: nobody has the other end open any more
            return ""


@contextlib.contextmanager
def terminal(
    command: list[str],
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    kind: str = "dumb",
) -> Iterator[Terminal]:
    """Run a command as a person would who sits at a terminal.

    Args:
        directory: where they sit.
        environment: all of their variables; those of this process where nothing is said.
        kind: of the terminal, as ``TERM`` has it; a dumb one shows lines.
    """
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        cwd=directory,
        env={**(environment or os.environ), "TERM": kind, "COLUMNS": "120"},
    )
    os.close(its)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
