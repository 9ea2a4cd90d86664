"""A command in a real tmux: keys are sent to it, and its screen is read as text."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 60.0  # seconds; only a broken test waits for so long


class Tmux:
    """One window of a server of its own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def call(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", os.devnull, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def send(self, *keys: str) -> None:
        """Press keys by tmux's names, or type words."""
        for key in keys:
            self.call("send-keys", "-t", "a", key)

    def resize(self, columns: int, rows: int) -> None:
        self.call("resize-window", "-t", "a", "-x", str(columns), "-y", str(rows))

    def seen(self) -> str:
        return self.call("capture-pane", "-p", "-t", "a")

    def until(self, *texts: str) -> str:
        """Wait until all of these stand on the screen; what stands there then."""
        end = time.monotonic() + _PATIENCE
        while not all(text in (seen := self.seen()) for text in texts):
            assert time.monotonic() < end, f"{texts} did not come; the screen:\n{seen}"
            time.sleep(0.1)
        return seen


@contextlib.contextmanager
def tmux(
    command: list[str], place: Path, columns: int = 80, rows: int = 24, **environment: str
) -> Iterator[Tmux]:
    """Run a command in a window of this size; the shell around it stays when the command has ended.

    Args:
        place: where the socket lies.
        environment: further variables.
    """
    assert shutil.which("tmux"), "tmux is not installed: tools/programs --install"
    window = Tmux(place / "tmux")
    variables = {"PS1": "$ ", "HISTFILE": "", **environment}
    given = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    size = ["-x", str(columns), "-y", str(rows)]
    window.call("new-session", "-d", *size, *given, "-s", "a", "/bin/sh")
    try:
        window.send(
            "exec sh -c 'trap : INT; clear; \"$@\"; echo left with $?; exec sleep 600' - "
            + " ".join(command),
            "Enter",
        )
        yield window
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            window.call("kill-server")
