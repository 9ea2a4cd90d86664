"""Keeps the listening process of the warm door alive, from within an engine of the master."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

log = logging.getLogger(__name__)

_LIVES_SECONDS = 10.0  # a process that ended sooner has a reason that will not go away by itself
_MOST_PATIENCE = 60.0  # seconds
_NEW_EVERY = 600.0  # seconds: the grains of the master's host are as old as their process
_LOOK_EVERY = 0.2  # seconds

_PROGRAM = (
    "import sys; sys.path[:1] = [sys.argv.pop(1)]; from saltbridge import door; door.main(*sys.argv[1:])"
)


class DoorKeeper:
    """A process of a Python of its own: it has neither threads nor sockets nor modules of who keeps it.

    Args:
        config: path of the master's configuration.
        output: takes what the process would print.
    """

    def __init__(self, config: str, output: Path) -> None:
        self._config = config
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._before: list[subprocess.Popen[bytes]] = []
        self._begun = 0.0
        self._patience = 0.0
        self._not_before = 0.0

    def keep(self, seconds: float) -> None:
        """Keep it alive for some time.

        Args:
            seconds: how long; returns then.
        """
        end = time.monotonic() + seconds
        while True:
            self._look(time.monotonic())
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(_LOOK_EVERY, left))

    def _look(self, now: float) -> None:
        self._before = [each for each in self._before if each.poll() is None]
        if self._process is not None and self._process.poll() is not None:
            lived = now - self._begun
            if lived < _LIVES_SECONDS:
                self._patience = min(_MOST_PATIENCE, 2 * self._patience or 1.0)
                log.warning(
                    "The warm door ended after %.1f s (status %s); deploys take salt-run meanwhile. Next: tail %s",
                    lived,
                    self._process.returncode,
                    self._output,
                )
            else:
                self._patience = 0.0
            self._not_before = now + self._patience
            self._process = None
        elif self._process is not None and now - self._begun > _NEW_EVERY:
            self._before.append(self._process)  # it ends when the new one has taken its place
            self._process = None
        if self._process is None and now >= self._not_before:
            self._start(now)

    def _start(self, now: float) -> None:
        package = str(Path(__file__).resolve().parents[3])
        command = [sys.executable, "-c", _PROGRAM, package, self._config, str(os.getpid())]
        with open(os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            self._process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._begun = now
