"""The warm door of the fleet's master, and the command ``saltdeploy`` that comes in by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from saltclient import places

from tests.conftest import CHECKOUT
from tests.integration.fleet import Fleet, Run, wait_for
from tests.support.doors import greeting

COMMAND = CHECKOUT / "bin" / "saltdeploy"


class Door:
    """The door of a fleet.

    Attributes:
        config: directory of the master's configuration.
        place: path of the socket.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.config = Path(fleet.opts["conf_file"]).parent
        self.place = Path(fleet.opts["sock_dir"], places.NAME)

    def listener(self) -> int:
        """The process that greets who comes now; 0 where nobody does."""
        return greeting(self.place)[0]

    def wait(self, *, other_than: int = 0) -> int:
        """The listening process, once there is one."""
        found: int = wait_for(lambda: self.listener() not in (0, other_than) and self.listener())
        return found

    def begin(self, *words: str, salt_run: bool = False, **environment: str) -> subprocess.Popen[str]:
        """``saltdeploy --out=json ...``.

        Args:
            salt_run: whether there is a ``salt-run`` that it could become.
        """
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}" if salt_run else "/nonexistent"
        command = [sys.executable, str(COMMAND), "-c", str(self.config), "--out=json", *words]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": path, **environment},
        )
        self.fleet.will_end(process)
        return process

    def run(self, *words: str, **more: Any) -> Run:
        return self.fleet.wait(self.begin(*words, **more))

    def end_engine(self) -> int:
        """End the engine and its listening process; Salt starts the engine again. Returns the process that listened."""
        listener = self.wait()
        engine = psutil.Process(listener).ppid()
        os.kill(engine, signal.SIGTERM)
        os.kill(listener, signal.SIGKILL)
        return listener
