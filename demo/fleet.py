"""A real Salt master and real minions on loopback, all in one directory, for as long as a ``with`` lasts.

No process of it outlives the ``with``. The demo and the benchmarks use it; it knows nothing of deploys.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from demo import processes

START_SECONDS = 120.0
_TELL_EVERY = 3.0  # seconds


class FleetError(Exception):
    """The fleet did not start; the text holds the end of the daemon's log."""


class Fleet:
    """A master and its minions. Use as a context manager.

    Args:
        directory: where everything lives; short (Salt's sockets lie in it), made when missing, kept at the end.
        checkout: the directory with the doors (``_modules`` and so on), given to Salt as ``module_dirs``.
        minions: their ids.
        pillar: the directory of the pillar; the checkout's own ``pillar/`` if None.
        values: what the master's configuration says under ``deploy_demo``, for the pillar to read.
        grains: of every minion.
        master, minion: more settings for the configuration files.
        enter: how a command is begun on the host of a minion, or on that of ``master``, where those are hosts apart.
        tell: hears every few seconds, while the fleet starts, who is not up yet.

    Attributes:
        config: the master's configuration directory, for ``salt -c`` and ``salt-run -c``.
        minion_pids: minion id -> process id, while the fleet is up.

    Example::

        with Fleet(Path("/tmp/f"), checkout, ["web1", "web2"], values={...}) as fleet:
            fleet.salt_run("deploy.sync", "repo=demo", "tag=v1")
    """

    def __init__(
        self,
        directory: Path,
        checkout: Path,
        minions: Iterable[str],
        *,
        pillar: Path | None = None,
        values: dict[str, Any] | None = None,
        grains: dict[str, Any] | None = None,
        master: dict[str, Any] | None = None,
        minion: dict[str, Any] | None = None,
        enter: Callable[[str], list[str]] = lambda _: [],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self._checkout = checkout
        self.minions = list(minions)
        self.config = directory / "master"
        self.minion_pids: dict[str, int] = {}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._kept = False
        self._enter = enter
        self._tell = tell
        self._told = 0.0
        publish_port, ret_port = _free_ports(2)
        doors = {"module_dirs": [str(checkout)]}
        self._master = {
            "interface": "127.0.0.1",
            "publish_port": publish_port,
            "ret_port": ret_port,
            "open_mode": True,
            "worker_threads": 3,
            "fileserver_backend": ["roots", "deploy_payloads"],
            "file_roots": {"base": [str(directory / "master" / "states"), str(checkout / "formula")]},
            "pillar_roots": {"base": [str(pillar or checkout / "pillar")]},
            "ext_pillar": [{"deploy_pins": {}}],
            **doors,
            # the checkout's own pillar/ hides _pillar/ from module_dirs
            "pillar_dirs": [str(checkout / "_pillar")],
            "deploy_demo": values or {},
            **(master or {}),
        }
        self._minion = {
            "master": "127.0.0.1",
            "master_port": ret_port,
            "acceptance_wait_time": 1,
            "random_startup_delay": 0,
            "loop_interval": 1,
            "enable_fqdns_grains": False,
            "enable_gpu_grains": False,
            "mine_enabled": False,
            "grains": grains or {},
            **doors,
            **(minion or {}),
        }

    def __enter__(self) -> Fleet:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.stop()

    def salt_run(self, *arguments: str, show: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``salt-run`` on the master.

        Args:
            arguments: function and arguments, as one would type them.
            show: let it write to the terminal; else its output is in the answer.
        """
        return self._command("salt-run", arguments, show)

    def salt(self, *arguments: str, show: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``salt`` on the master, as :meth:`salt_run`."""
        return self._command("salt", arguments, show)

    def serve(self, url: str) -> None:
        """Start salt-api, which the master's settings must name, and wait until it answers.

        Raises:
            FleetError: it does not.
        """
        command = [*self._enter("master"), _salt("salt-api"), "-c", str(self.config)]
        self._daemons["salt-api"] = processes.launch(self.directory, command, self.config / "api.out")
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
                return
            self._check(deadline, ["salt-api"])
            time.sleep(0.2)

    def saltdeploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``saltdeploy`` on the master; whoever wants its warm door configures the engine ``deploy``."""
        # nothing but the door: what it does not take would be measured as if it had
        program = ["env", "PATH=/usr/bin:/bin", sys.executable, str(self._checkout / "bin" / "saltdeploy")]
        return self._run(program, arguments, show=False)

    def await_door(self) -> None:
        """Wait until the master's warm door is open."""
        deadline = time.monotonic() + START_SECONDS
        while not (self.directory / "master" / "run" / "deploy.sock").exists():
            self._check(deadline, ["the warm door"])
            time.sleep(0.05)

    @property
    def master_pid(self) -> int:
        """The process id of the master, while the fleet is up."""
        return self._daemons["master"].pid

    def keep(self) -> None:
        """Let the fleet go on after the ``with``, until ``processes.end_all(directory)``."""
        self._kept = True

    def stop(self) -> None:
        """End all processes of the fleet and whatever they left behind."""
        processes.end_all(self.directory)
        for daemon in self._daemons.values():
            daemon.wait()
        self.minion_pids.clear()

    # -- starting ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._told = time.monotonic()
        deadline = self._told + START_SECONDS
        self._configure("master", "master", self._master)
        self._launch("master", "salt-master")
        self._await_master(deadline)
        with self._bus() as bus:
            for name in self.minions:
                self._configure(name, "minion", {"id": name, **self._minion})
                self._launch(name, "salt-minion", "--disable-keepalive")
                self.minion_pids[name] = self._daemons[name].pid
            self._await_minions(bus, deadline)
        self._await_answers(deadline)

    def _configure(self, name: str, kind: str, settings: dict[str, Any]) -> None:
        home = self.directory / name
        home.mkdir(parents=True, exist_ok=True)
        common = {
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "root_dir": str(home),
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "sock_dir": str(home / "run"),
            "pidfile": str(home / "pid"),
            "log_file": str(home / "log"),
            "log_level_logfile": "info",
            "log_level": "error",
        }
        # JSON is YAML
        (home / kind).write_text(json.dumps({**common, **settings}, indent=1))

    def _launch(self, name: str, program: str, *options: str) -> None:
        home = self.directory / name
        command = [*self._enter(name), _salt(program), "-c", str(home), *options]
        self._daemons[name] = processes.launch(self.directory, command, home / "out")

    def _bus(self) -> Any:
        import salt.config  # here, so that `make demo` without Salt can still say what is wrong
        import salt.utils.event

        opts = salt.config.client_config(str(self.config / "master"))
        return salt.utils.event.get_event("master", opts=opts, listen=True)

    def _await_master(self, deadline: float) -> None:
        while not (self.directory / "master" / "run" / "master_event_pub.ipc").exists():
            self._check(deadline, ["master"])
            time.sleep(0.05)

    def _await_minions(self, bus: Any, deadline: float) -> None:
        silent = set(self.minions)
        while silent:
            self._check(deadline, silent)
            event = bus.get_event(wait=1, tag="salt/minion/", full=True)
            if event and event["tag"] == "salt/event/exit":
                raise KeyboardInterrupt  # Salt has caught it; without this line Ctrl-C would be lost
            if event:
                silent.discard(event["tag"].split("/")[2])

    def _await_answers(self, deadline: float) -> None:
        silent = set(self.minions)
        while silent:
            self._check(deadline, silent)
            # a short time-out, so that nobody waits in silence
            done = self.salt(
                "--list", ",".join(sorted(silent)), "--timeout=3", "test.ping", "--out=json", "--static"
            )
            try:
                silent -= {name for name, answer in json.loads(done.stdout).items() if answer is True}
            except ValueError:
                time.sleep(0.2)

    def _check(self, deadline: float, awaited: Iterable[str]) -> None:
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            self._tell(f"waiting for {', '.join(sorted(awaited))}")
        dead = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
        late = sorted(awaited) if time.monotonic() > deadline else []
        for name in dead or late:
            said = "".join(_tail(self.directory / name / file) for file in ("out", "log"))
            what = "ended" if dead else f"is not up after {START_SECONDS:.0f} s"
            raise FleetError(f"{name} {what}; its last words:\n{said}")

    def _command(
        self, program: str, arguments: Iterable[str], show: bool
    ) -> subprocess.CompletedProcess[str]:
        return self._run([_salt(program)], arguments, show)

    def _run(
        self, program: list[str], arguments: Iterable[str], show: bool
    ) -> subprocess.CompletedProcess[str]:
        kept = None if show else subprocess.PIPE
        command = [*self._enter("master"), *program, "-c", str(self.config), *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=kept, stderr=kept, text=True)


def _salt(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _tail(file: Path) -> str:
    return file.read_text(errors="replace")[-2000:] if file.exists() else ""
