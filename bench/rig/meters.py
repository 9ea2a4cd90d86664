"""What a host has received, sent, computed and written so far, and the memory it takes: read from ``/proc``.

A process that has ended counts through the one that waited for it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figures:
    """Of one host. Bytes, seconds of processor time, bytes of resident memory; None is not known."""

    received: int | None = None
    sent: int | None = None
    cpu: float = 0.0
    written: int = 0
    memory: int = 0

    def since(self, before: Figures, peak: int) -> Figures:
        """What has come since; of the memory, what the peak was above it."""
        return Figures(
            _minus(self.received, before.received),
            _minus(self.sent, before.sent),
            self.cpu - before.cpu,
            self.written - before.written,
            max(0, peak - before.memory),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _minus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other


@dataclass(frozen=True)
class Process:
    """A line of ``/proc``: its own and its ended children's processor time in seconds, resident bytes."""

    pid: int
    parent: int
    cpu: float
    memory: int


def parse_stat(text: str) -> Process:
    """A process out of ``/proc/<pid>/stat``; see proc(5)."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(")")[2].split()  # the name before it may hold anything
    return Process(int(pid), int(fields[1]), sum(map(int, fields[11:15])) / _TICK, int(fields[21]) * _PAGE)


def own_cpu(text: str) -> float:
    """Seconds of processor time of a process itself, without its children, out of ``/proc/<pid>/stat``."""
    return sum(map(int, text.rpartition(")")[2].split()[11:13])) / _TICK


def parse_devices(text: str, device: str) -> tuple[int, int] | None:
    """Bytes received and sent by a device out of ``/proc/<pid>/net/dev``; None if there is no such device."""
    for line in text.splitlines():
        name, colon, numbers = line.partition(":")
        if colon and name.strip() == device:
            fields = numbers.split()
            return int(fields[0]), int(fields[8])
    return None


def parse_io(text: str) -> int:
    """Bytes that a process and its ended children caused to be written, out of ``/proc/<pid>/io``."""
    fields = dict(line.split(": ") for line in text.splitlines())
    return max(0, int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"]))


def below(roots: Iterable[int], everyone: dict[int, Process]) -> list[Process]:
    """The processes with these numbers, and all that descend from them."""
    children: dict[int, list[int]] = {}
    for process in everyone.values():
        children.setdefault(process.parent, []).append(process.pid)
    todo, found = list(roots), {}
    while todo:
        pid = todo.pop()
        if pid in everyone and pid not in found:
            found[pid] = everyone[pid]
            todo += children.get(pid, [])
    return list(found.values())


def everyone() -> dict[int, Process]:
    """All processes of the machine."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                process = parse_stat(Path("/proc", name, "stat").read_text(errors="replace"))
                found[process.pid] = process
    return found


def read(roots: list[int], device: str) -> Figures:
    """The figures of the host whose processes descend from these; ``device`` is its interface, if it has one of its own."""
    processes = below(roots, everyone())
    traffic, written = None, 0
    for process in processes:
        with contextlib.suppress(OSError):
            written += parse_io(Path(f"/proc/{process.pid}/io").read_text())
    if device:
        traffic = parse_devices(Path(f"/proc/{roots[0]}/net/dev").read_text(), device)
    received, sent = traffic or (None, None)
    cpu, memory = sum(each.cpu for each in processes), sum(each.memory for each in processes)
    return Figures(received, sent, cpu, written, memory)


def read_commands() -> Figures:
    """What the commands that this process ran and waited for took so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    written = parse_io(Path("/proc/self/io").read_text())
    return Figures(cpu=usage.ru_utime + usage.ru_stime, written=written)


class Watch(threading.Thread):
    """Looks at the memory of several hosts four times a second, and keeps each one's peak."""

    def __init__(self, roots: dict[str, list[int]]) -> None:
        super().__init__(daemon=True)
        self.peaks = dict.fromkeys(roots, 0)
        self._roots, self._stopped = roots, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.is_set():
            self._look()
            self._stopped.wait(0.25)

    def _look(self) -> None:
        now = everyone()
        for name, roots in self._roots.items():
            memory = sum(process.memory for process in below(roots, now))
            self.peaks[name] = max(self.peaks[name], memory)

    def stop(self) -> dict[str, int]:
        """The peaks, in bytes."""
        self._stopped.set()
        self.join()
        return self.peaks
