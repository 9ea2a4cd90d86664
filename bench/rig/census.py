"""The processes of a host by what they do: what each kind computed, and the memory it took at its most."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path

from bench.rig import meters

#: role -> what the command line of its processes has in it; the first one that is found
ROLES = {
    "bench": r"bench[./]",
    "salt-run": r"salt-run",
    "workers": r"MWorker",
    "request server": r"ReqServer|RequestServer|ReqQueue",
    "event bus": r"EventPublisher",
    "publisher": r"PubServer|PublishServer|publish_daemon|Publish",
    "maintenance": r"Maintenance|FileserverUpdate|EventMonitor|EventReturn",
    "master, other": r"salt-master",
}


def role_of(command: str) -> str:
    """What a process does, by its command line."""
    return next((role for role, pattern in ROLES.items() if re.search(pattern, command)), "other")


class Census(threading.Thread):
    """Looks at the processes below some roots four times a second, until it is stopped."""

    def __init__(self, roots: list[int]) -> None:
        super().__init__(daemon=True)
        self._roots = list(roots)
        self._first: dict[int, float] = {}
        self._last: dict[int, tuple[str, float]] = {}
        self._memory: dict[str, int] = {}
        self._stopped = threading.Event()
        self._look(first=True)
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(0.25):
            self._look()

    def stop(self) -> dict[str, dict[str, float]]:
        """Role to ``cpu`` (seconds) and ``memory`` (bytes at the most, of all processes of the role together)."""
        self._stopped.set()
        self.join()
        self._look()
        found = {role: {"cpu": 0.0, "memory": float(memory)} for role, memory in self._memory.items()}
        for pid, (role, cpu) in self._last.items():
            found[role]["cpu"] += cpu - self._first.get(pid, 0.0)
        return found

    def _look(self, first: bool = False) -> None:
        memory: dict[str, int] = {}
        for process in meters.below(self._roots, meters.everyone()):
            with contextlib.suppress(OSError):  # it has ended
                command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                role = role_of(command.replace(b"\0", b" ").decode(errors="replace"))
                own = meters.own_cpu(Path(f"/proc/{process.pid}/stat").read_text(errors="replace"))
                self._last[process.pid] = (role, own)
                if first:
                    self._first[process.pid] = own
                memory[role] = memory.get(role, 0) + process.memory
        for role, size in memory.items():
            self._memory[role] = max(size, self._memory.get(role, 0))
