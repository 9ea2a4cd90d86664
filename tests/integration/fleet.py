"""A real master and real minions, each with a disk of its own, and what a test can do to them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import salt.client
import salt.config
import salt.runner
import salt.utils.event
from salt.exceptions import SaltClientError
from saltfactories.daemons.master import SaltMaster
from saltfactories.manager import FactoriesManager

from tests.integration import saltapi
from tests.integration.host import Host, programs_but_git
from tests.integration.wire import Wire

HERE = Path(__file__).resolve().parent
PATIENCE = 90  # seconds; nothing is measured with it, it only ends a test that hangs


@dataclass(frozen=True)
class Run:
    """What a command said: exit status, the data on stdout (all of it), and what it told on stderr."""

    status: int
    data: Any
    told: str


class Fleet:
    """A master and its minions.

    Args:
        factories: make daemons and commands.
        directory: where disks lie.
        hosts: the ids of the minions.
        master, minion: more settings for the configuration files.
        options: minion id to settings of its own.
        wired: minions whose way to the master goes through a :class:`Wire`.
        pythons: minion id to the Python that it runs on, and so to another Salt than that of the tests.

    Attributes:
        wires: minion id to its wire.
    """

    _in_use: ClassVar[Fleet | None] = None
    _client: salt.runner.RunnerClient

    def __init__(
        self,
        factories: FactoriesManager,
        directory: Path,
        hosts: Iterable[str],
        *,
        master: dict[str, Any],
        minion: dict[str, Any],
        options: dict[str, dict[str, Any]] | None = None,
        wired: Iterable[str] = (),
        pythons: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        # `disks` is for the pillar, which says where each host's own one is
        settings = {**_MASTER, **saltapi.settings(), "disks": str(directory / "disks"), **master}
        self._master: SaltMaster = factories.salt_master_daemon("master", overrides=settings)
        programs = programs_but_git(directory / "programs")
        self.wires = {name: Wire(self._master.config["ret_port"]) for name in wired}
        self.hosts: dict[str, Host] = {}
        for name in hosts:
            settings = {**MINION, **minion, **(options or {}).get(name, {})}
            if name in self.wires:
                settings["master_port"] = self.wires[name].port
            daemon = self._master.salt_minion_daemon(name, overrides=settings)
            if name in pythons:
                daemon.python_executable = str(pythons[name])
            self.hosts[name] = Host(daemon, directory, programs)
        self._begun: list[subprocess.Popen[str]] = []
        self.opts = salt.config.client_config(str(self._master.config_file))

    @property
    def root(self) -> Path:
        """The master's directory for deploys."""
        return Path(self._master.config["cachedir"], "deploy")

    def minion_opts(self, host: str) -> dict[str, Any]:
        """A minion's configuration, which leads to its key."""
        opts = salt.config.minion_config(str(self.hosts[host].config))
        return {**opts, "master_uri": f"tcp://127.0.0.1:{opts['master_port']}", "master_ip": "127.0.0.1"}

    @contextlib.contextmanager
    def running(self) -> Iterator[Fleet]:
        with contextlib.ExitStack() as wires:
            for wire in self.wires.values():
                wires.enter_context(wire.running())
            try:
                self._start()
                yield self
            finally:
                self._stop()

    def _start(self) -> None:
        self._master.start()
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(host.start) for host in self.hosts.values()]:
                started.result()

    def _stop(self) -> None:
        for process in self._begun:  # of tests that failed before they waited for it
            process.kill()
            process.wait()
        with ThreadPoolExecutor() as pool:
            for stopped in [pool.submit(host.kill) for host in self.hosts.values()]:
                stopped.result()
        if Fleet._in_use is self:
            self._client.mminion.destroy()
            self._client.destroy()
            Fleet._in_use = None
        self._master.terminate()

    @property
    def _runner(self) -> salt.runner.RunnerClient:
        """Salt has one module of a name in a process: that of the fleet that was used last has the options of that one."""
        if Fleet._in_use is not self:
            Fleet._in_use, self._client = self, salt.runner.RunnerClient({**self.opts, "quiet": True})
        return self._client

    def restart_master(self) -> None:
        """What is published before :meth:`all_connected` may reach nobody, as on any fleet."""
        self._master.terminate()
        self._master.start()

    def all_connected(self) -> None:
        """Wait until every minion has found a master that was restarted."""
        with salt.client.LocalClient(mopts=self.opts) as client:

            def are_connected() -> bool:
                with contextlib.suppress(
                    SaltClientError
                ):  # a master on a busy machine takes a while to listen
                    return bool(client.cmd("*", "test.ping", timeout=2) == dict.fromkeys(self.hosts, True))
                return False

            wait_for(are_connected)

    # -- commands ---------------------------------------------------------------------------------------

    def salt_run(self, function: str, *arguments: str, **named: Any) -> Run:
        """``salt-run --out=json function name=value``; whatever is on stdout must be one JSON document."""
        return self.wait(self.begin(function, *arguments, **named))

    def begin(self, function: str, *arguments: str, **named: Any) -> subprocess.Popen[str]:
        """The same, not waited for."""
        command = self.command(function, *arguments, **named)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.will_end(process)
        return process

    def will_end(self, process: subprocess.Popen[str]) -> None:
        """End a process with the fleet at the latest."""
        self._begun.append(process)

    def command(self, *arguments: str, **named: Any) -> list[str]:
        """The command line of ``salt-run``."""
        # a new one each time: it would add to its timeout at each call
        return self._master.salt_run_cli(timeout=PATIENCE).cmdline(*arguments, **named)

    def run_here(self, function: str, *arguments: str, **named: Any) -> Run:
        """The same runner in this process, as a reactor or an API runs it; saves the seconds that ``salt-run`` starts."""
        said = self._runner.cmd(function, list(arguments), kwarg=named, print_event=False)
        status = said.get("retcode", 0) if isinstance(said, dict) else 0
        return Run(status, json.loads(json.dumps(said)), "")

    def shown(self, function: str, **named: Any) -> str:
        """What a person sees on stdout."""
        command = self.command("--out=deploy", function, **named)
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def wait(self, process: subprocess.Popen[str]) -> Run:
        try:
            said, told = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert said.strip(), f"nothing on stdout; on stderr: {told}"
        return Run(process.returncode, json.loads(said), told)

    def salt(self, host: str, function: str, *arguments: Any, **named: Any) -> Run:
        """``salt host function``: the host's answer, and the exit status that ``salt`` has from it."""
        with salt.client.LocalClient(mopts=self.opts) as client:
            said = client.cmd(host, function, arguments, timeout=PATIENCE, kwarg=named, full_return=True)
        assert host in said, f"{host} did not answer {function}"
        return Run(said[host]["retcode"], said[host]["ret"], "")

    @contextlib.contextmanager
    def client(self) -> Iterator[salt.client.LocalClient]:
        """Salt's own client, as the command ``salt`` has it."""
        with salt.client.LocalClient(mopts=self.opts) as client:
            yield client

    @contextlib.contextmanager
    def api(self) -> Iterator[str]:
        """The master's salt-api, by its URL."""
        with saltapi.serving(self._master) as url:
            yield url

    @contextlib.contextmanager
    def bus(self) -> Iterator[Bus]:
        """The master's event bus, from now on."""
        with salt.utils.event.get_event("master", opts=self.opts, listen=True) as events:
            yield Bus(events)


class Bus:
    """Reads the master's event bus; nothing is lost between two looks."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._events.connect_pub()

    def until(self, wanted: Callable[[str, Any], bool]) -> list[tuple[str, Any]]:
        """All events up to the first that is wanted, as ``(tag, data)``."""
        seen = []
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self._events.get_event(wait=1, tag="", full=True)
            if found:
                seen.append((found["tag"], found["data"]))
                if wanted(*seen[-1]):
                    return seen
        raise AssertionError(f"what was waited for did not come; last: {[tag for tag, _ in seen[-10:]]}")


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("what was waited for did not happen")


_QUIET = {"log": {"disabled": True}}

_MASTER: dict[str, Any] = {
    "open_mode": True,
    "worker_threads": 3,
    "timeout": 10,
    "log_level_logfile": "warning",
    "fileserver_backend": ["roots", "deploy_payloads"],
    "file_buffer_size": 262144,
    "ext_pillar": [{"deploy_pins": {}}],
    "pytest-master": _QUIET,
}

#: of every minion
MINION: dict[str, Any] = {
    "acceptance_wait_time": 1,
    "random_startup_delay": 0,
    "enable_fqdns_grains": False,
    "enable_gpu_grains": False,
    "mine_enabled": False,
    "log_level_logfile": "warning",
    "pytest-minion": _QUIET,
}
