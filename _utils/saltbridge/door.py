"""The listening process of the warm door with Salt in it: loads what ``salt-run deploy.*`` loads, once, and forks for each.

A command runs through Salt's own command line (``salt.cli.run``), with its options, its logging and its events on the bus.
What is kept from one command to the next is code, the loaders, and the grains of the master's host; configuration and
pillar are read anew by each command.
"""

from __future__ import annotations

import gc
import glob
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import salt.cli.run
import salt.config
import salt.runner
import salt.version
from saltclient import places
from saltdeploy.config import upfront
from saltdeploy.config.roles import SETTING
from saltdeploy.master.door import rights, session
from saltdeploy.master.door.admission import Admission
from saltdeploy.master.door.listening import DoorListener
from saltdeploy.master.door.requests import DoorRequest
from saltdeploy.master.door.stamp import Stamp
from saltdeploy.master.roles.asker import Asker, of_kernel

from saltbridge import ahead, asking
from saltbridge import master as bridge

log = logging.getLogger(__name__)


class _WarmRunner(salt.runner.Runner):
    """Salt's runner, loaded before anybody has asked.

    Attributes:
        operator: who asks, in place of the user of this process.
        asker: the same for the roles of the runner.
    """

    operator = ""
    asker: Asker | None = None

    @property
    def store_job(self) -> bool:
        return bool(self.opts.get("runner_returns", True))  # Salt finds the setting by the name of the class

    def low(self, fun: str, low: dict[str, Any], print_event: bool = True, full_return: bool = False) -> Any:
        return super().low(fun, {**low, "__user__": self.operator}, print_event, full_return)

    def warm_up(self) -> None:
        """Load all that a command would load."""
        list(self.functions.keys())
        _ = self.mminion
        list(self.outputters.keys())

    def take(self, opts: dict[str, Any]) -> None:
        """Let a command's own options count, everywhere that Salt has put the configuration."""
        for each in (self.opts, self.mminion.opts):
            each.update(opts)
        self.functions.opts.update(opts)
        self.functions.pack["__opts__"].update(opts)


class _WarmCommand(salt.cli.run.SaltRun):
    """``salt-run`` with a runner that is loaded already."""

    def run_with(self, runner: _WarmRunner, words: list[str]) -> int:
        self.parse_args(words)
        if self.config["fun"] not in runner.functions:
            print(f"There is no function {self.config['fun']}. Next: salt-run -d deploy", file=sys.stderr)
            return 64
        runner.take({**self.config, "__cli": "salt-run", asking.BY_DOOR: runner.asker})
        said = runner.run(full_return=True)
        if isinstance(said, dict) and "return" in said and "retcode" not in said:
            said = said["return"]
        status = said.get("retcode", 0) if isinstance(said, dict) else 0
        return status if isinstance(status, int) else 1


def main(config: str, engine: str) -> None:
    """Serve until the engine that has started this is gone, or what was loaded is no longer on the disk.

    Args:
        config: path of the master's configuration.
        engine: process id of the engine.
    """
    sys.argv = ["salt-run"]  # Salt tells by it what it is
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    opts = salt.config.client_config(config)
    stamp = Stamp(_read_by(opts))
    opts["__cli"] = "deploy-door"  # no command: its doors load all that they can need, at once
    runner = _WarmRunner(opts)
    runner.warm_up()
    ahead.make(opts, bridge.grains(opts))
    upfront.load((*upfront.RUNNER, "watch.console.live"))
    stamp = Stamp(_read_by(opts)) if not stamp.is_stale() else stamp
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > 1:
        sys.exit("the warm door has threads, and a fork would inherit their locks")

    def work(
        request: DoorRequest, caller: rights.Caller, connection: socket.socket, streams: list[int]
    ) -> None:
        runner.operator = rights.operator(caller, request.environment)
        runner.asker = _asker(opts, caller, request)
        words = request.command_line(os.path.dirname(config))
        session.run(connection, streams, request.environment, lambda: _WarmCommand().run_with(runner, words))

    greeting = {"config": config, "salt": salt.version.__version__}
    gc.collect()
    gc.freeze()  # what all commands share is not written to by each
    place = Path(opts["sock_dir"], places.NAME)
    admission = Admission(bridge.root(opts), opts.get(SETTING))
    listener = DoorListener(place, greeting, work, stamp.is_stale, admission.admits)
    listener.serve(lambda: os.getppid() == int(engine))


def _asker(opts: dict[str, Any], caller: rights.Caller, request: DoorRequest) -> Asker:
    """Who asks, as the kernel knows them."""
    behind = request.environment.get("SUDO_USER", "")
    own = str(opts.get("user") or "root")
    return of_kernel(caller.uid, behind, own=own, door="saltdeploy", gids=caller.gids)


def _read_by(opts: dict[str, Any]) -> list[str]:
    """What counts for a command besides its modules: configuration, static grains, and where doors come and go."""
    directory = os.path.dirname(opts["conf_file"])
    includes = [opts.get("default_include") or ""]
    more = opts.get("include") or []
    includes += [more] if isinstance(more, str) else list(more)
    files = [path for each in includes if each for path in glob.glob(os.path.join(directory, each))]
    doors = [os.path.join(each, kind) for each in opts.get("module_dirs") or () for kind in _DOORS]
    synced = [os.path.join(opts["extension_modules"], kind.strip("_")) for kind in _DOORS]
    entries = [path for each in (*doors, *synced) for path in glob.glob(os.path.join(each, "deploy*.py"))]
    return [
        opts["conf_file"],
        os.path.join(directory, "master.d"),
        os.path.join(directory, "grains"),
        os.path.dirname(salt.version.__file__),
        os.path.dirname(os.path.dirname(salt.version.__file__)),  # what pip installs beside Salt
        *files,
        *doors,
        *synced,
        *entries,
    ]


_DOORS = ("_runners", "_output", "_pillar", "_grains", "_modules", "_returners")
