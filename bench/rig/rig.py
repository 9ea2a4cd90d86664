"""The rig: a hub, from which releases come, and its targets."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.rig import meters, network, volumes
from bench.rig.host import Host
from bench.rig.loopback import Loopback
from bench.rig.network import Network
from demo import processes

_Made = TypeVar("_Made")
_PREFIX, _LOCK = "deploy-rig-", "in-use"


@dataclass(frozen=True)
class Wishes:
    """What the rig shall be like.

    Attributes:
        targets: how many.
        sites: one, or two with a slow line between them; the hub is in the first, the targets in turns.
        rate: of each host's link as ``tc`` says it (``100mbit``); empty is as fast as the machine is.
        loopback: do without namespaces even where they are possible.
    """

    targets: int = 10
    sites: int = 1
    rate: str = ""
    loopback: bool = False


@dataclass
class Measured:
    """What something took: seconds, and figures by the host's name."""

    seconds: float = 0.0
    hosts: dict[str, meters.Figures] | None = None

    def as_dict(self) -> dict[str, Any]:
        assert self.hosts is not None
        return {
            "seconds": self.seconds,
            "hosts": {name: each.as_dict() for name, each in self.hosts.items()},
        }


class Rig:
    """A hub and its targets, for as long as a ``with`` lasts.

    Attributes:
        hub: where the commands of operators run, and all servers.
        targets: the other hosts.
        directory: where everything lies; removed at the end.
        labels: what a reader of the figures has to know of the rig.
    """

    def __init__(self, wishes: Wishes) -> None:
        why = "as wished" if wishes.loopback else network.possible()
        self._net: Network | Loopback
        self.isolated = not why
        clear()
        usual = tempfile.gettempdir()  # Salt's sockets lie in it, and their paths must be short
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=usual if len(usual) < 30 else "/tmp"))
        self._lock = open(self.directory / _LOCK, "w")  # noqa: SIM115 - held until close()
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._made: dict[Any, Any] = {}
        self.hub: Host
        self.targets: list[Host] = []
        try:
            self._volumes = self.isolated and volumes.possible(self.directory)
            names = ["hub", *(f"web{number}" for number in range(1, wishes.targets + 1))]
            hosts = self.directory / "hosts"
            self._net = Loopback(why) if why else Network(wishes.sites, wishes.rate, names, hosts)
            self.hub = self._add("hub", 1, 1)
            for number, name in enumerate(names[1:], 2):
                self.targets.append(self._add(name, 1 + number % wishes.sites, number))
        except BaseException:
            self.close()
            raise
        shared = [] if self._volumes else ["all hosts on one file system, which others have used before"]
        self.labels = [*self._net.labels, *shared]

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hosts(self) -> list[Host]:
        return [self.hub, *self.targets]

    def one(self, kind: Callable[[Rig], _Made]) -> _Made:
        """What is made of the rig once, and shared by all who ask for it."""
        if kind not in self._made:
            self._made[kind] = kind(self)
        found: _Made = self._made[kind]
        return found

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    @contextlib.contextmanager
    def measure(self) -> Iterator[Measured]:
        """Measure what is done meanwhile; commands that this process runs count as the hub's."""
        measured = Measured()
        before, commands = self._read(), meters.read_commands()
        watch = meters.Watch({host.name: list(host.roots) for host in self.hosts})
        began = time.perf_counter()
        try:
            yield measured
        finally:
            measured.seconds = time.perf_counter() - began
            peaks = watch.stop()
        after = {name: now.since(before[name], peaks[name]) for name, now in self._read().items()}
        own, hub = meters.read_commands(), after["hub"]
        cpu, written = hub.cpu + own.cpu - commands.cpu, hub.written + own.written - commands.written
        after["hub"] = meters.Figures(hub.received, hub.sent, cpu, written, hub.memory)
        measured.hosts = after

    def close(self) -> None:
        """End all processes and remove all files."""
        if hasattr(self, "_net"):
            self._net.close()
        _remove(self.directory)
        self._lock.close()

    def _read(self) -> dict[str, meters.Figures]:
        return {host.name: meters.read(host.roots, host.device) for host in self.hosts}

    def _add(self, name: str, site: int, number: int) -> Host:
        disk, state = self.directory / "disks" / name, self.directory / name
        disk.mkdir(parents=True)
        if self._volumes:
            volumes.mount(self.directory / f"{name}.img", disk)
        state.mkdir()
        return self._net.add(name, site, number, disk, state)


def clear(report: Callable[[str], None] = lambda _: None) -> None:
    """Remove what rigs of killed runs left behind; one that is in use holds its lock."""
    for place in {tempfile.gettempdir(), "/tmp"}:
        for directory in Path(place).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError), open(directory / _LOCK) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                report(f"removing {directory}")
                _remove(directory)


def _remove(directory: Path) -> None:
    """End what runs for a rig and remove what it left."""
    processes.end_all(directory)
    volumes.unmount_below(directory)
    shutil.rmtree(directory, ignore_errors=True)
