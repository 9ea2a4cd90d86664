"""A host of the rig: where its disk lies, how a process is started on it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import processes


@dataclass
class Host:
    """One host.

    Attributes:
        name: its id.
        address: where the others reach it.
        disk: its files, seen from outside.
        srv: the same files, seen by its own processes.
        state: where the rig keeps what is no part of the disk, such as logs.
        enter: what a command is preceded by to run on it.
        roots: processes that all of its own descend from.
        device: its network interface; empty when it has none of its own.
    """

    name: str
    address: str
    disk: Path
    srv: Path
    state: Path
    enter: list[str] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    device: str = ""

    def command(self, words: Sequence[object]) -> list[str]:
        """The command as one runs it from outside."""
        return [*self.enter, *map(str, words)]

    def run(self, *words: object, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on the host and wait for it.

        Raises:
            subprocess.CalledProcessError: it failed; unless ``check=False``.
        """
        how = {"check": True, "text": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **how}
        return subprocess.run(self.command(words), **how)

    def launch(self, *words: object) -> subprocess.Popen[bytes]:
        """Start a daemon on the host, which runs for as long as the rig does."""
        daemon = processes.launch(self.state.parent, self.command(words), self.state / "out")
        self.roots.append(daemon.pid)
        return daemon

    def outside(self, path: Path) -> Path:
        """What a process of the host calls ``path``, as it is called outside."""
        return self.disk / path.relative_to(self.srv)
