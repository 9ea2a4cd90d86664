"""A real master and real minions, each with a disk of its own, and what a test can do to them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import salt.client
import salt.config
import salt.utils.event
from saltfactories.daemons.master import SaltMaster
from saltfactories.daemons.minion import SaltMinion
from saltfactories.manager import FactoriesManager
from saltfactories.utils import running_username

HERE = Path(__file__).resolve().parent
PATIENCE = 90  # seconds; nothing is measured with it, it only ends a test that hangs


class Factories(FactoriesManager):
    """Minions without the engine that tells their own events: the master's tells all that we wait for."""

    @classmethod
    def like(cls, manager: FactoriesManager, **settings: Any) -> Factories:
        return cls(**{**{name: getattr(manager, name) for name in _SETTINGS}, **settings})

    def final_minion_config_tweaks(self, config: dict[str, Any]) -> None:
        config.setdefault("user", running_username())


_SETTINGS = (
    "root_dir",
    "log_server_port",
    "log_server_level",
    "log_server_host",
    "inject_sitecustomize",
    "environ",
    "slow_stop",
    "event_listener",
)


@dataclass(frozen=True)
class Run:
    """What a command said: exit status, the data on stdout (all of it), and what it told on stderr."""

    status: int
    data: Any
    told: str


class Host:
    """A minion and its disk."""

    def __init__(self, daemon: SaltMinion, disk: Path, programs: Path) -> None:
        self.name = daemon.id
        self.disk = disk
        self.programs = programs
        self.config = Path(daemon.config_file)
        self._daemon = daemon

    def start(self) -> None:
        self._daemon.start()

    def kill(self) -> None:
        """SIGKILL to the minion and to all of its jobs, as a power cut would."""
        self._daemon.terminate()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Without the minion; it is up again afterwards."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """With a minion that is there and does not move."""
        processes = self.processes()
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    def processes(self) -> list[psutil.Process]:
        minion = psutil.Process(self._daemon.pid)
        return [minion, *minion.children(recursive=True)]

    @contextlib.contextmanager
    def program(self, name: str, script: str = "") -> Iterator[None]:
        """With another program of this name on the minion's PATH, or without it."""
        place = self.programs / name
        kept = place.with_name(f"{name}.kept")
        place.rename(kept)
        try:
            if script:
                place.write_text(script)
                place.chmod(0o755)
            yield
        finally:
            kept.replace(place)


class Fleet:
    """A master and its minions.

    Args:
        factories: make daemons and commands.
        directory: where disks lie.
        hosts: minion id to grains.
        master, minion: settings for the configuration files.
        options: minion id to settings of its own.
        git: whether minions get a PATH of their own, from which programs can be taken.
    """

    def __init__(
        self,
        factories: FactoriesManager,
        directory: Path,
        hosts: Iterable[str],
        *,
        master: dict[str, Any],
        minion: dict[str, Any],
        options: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self.directory = directory
        self.disks = directory / "disks"
        self.disks.mkdir()
        self._master: SaltMaster = factories.salt_master_daemon(
            "master", overrides={**_MASTER, "disks": str(self.disks), **master}
        )
        common = _programs(directory / "programs")
        self.hosts: dict[str, Host] = {}
        for name in hosts:
            settings = {**_MINION, **minion, **(options or {}).get(name, {})}
            own = directory / f"programs-{name}"
            own.mkdir()
            (own / "git").symlink_to(_git())
            daemon = self._master.salt_minion_daemon(name, overrides=settings)
            daemon.environ = {**daemon.environ, "PATH": f"{own}:{common}"}
            (self.disks / name).mkdir()
            self.hosts[name] = Host(daemon, self.disks / name, own)
        self._salt_run = self._master.salt_run_cli(timeout=PATIENCE)
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
        with ThreadPoolExecutor() as pool:
            for stopped in [pool.submit(host.kill) for host in self.hosts.values()]:
                stopped.result()
        self._master.terminate()

    def restart_master(self) -> None:
        self._master.terminate()
        self._master.start()

    # -- commands ---------------------------------------------------------------------------------------

    def salt_run(self, function: str, *arguments: str, **named: Any) -> Run:
        """``salt-run --out=json function name=value``; whatever is on stdout must be one JSON document."""
        return self.wait(self.begin(function, *arguments, **named))

    def begin(self, function: str, *arguments: str, **named: Any) -> subprocess.Popen[str]:
        """The same, not waited for."""
        command = self._salt_run.cmdline(function, *arguments, **named)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def shown(self, function: str, **named: Any) -> str:
        """What a person sees on stdout."""
        command = self._salt_run.cmdline("--out=deploy", function, **named)
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


def _git() -> str:
    found = shutil.which("git")
    assert found, "git is not installed; these tests need it"
    return found


def _programs(directory: Path) -> Path:
    """Every program of this machine but git, so that git can be taken from one minion alone."""
    directory.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            link = directory / program.name
            if program.name != "git" and not os.path.lexists(link):
                link.symlink_to(program)
    return directory


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

_MINION: dict[str, Any] = {
    "acceptance_wait_time": 1,
    "random_startup_delay": 0,
    "enable_fqdns_grains": False,
    "enable_gpu_grains": False,
    "mine_enabled": False,
    "log_level_logfile": "warning",
    "pytest-minion": _QUIET,
}
