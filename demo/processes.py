"""Start daemons so that all their processes can be found and ended later, also by another process.

Each daemon leads a session of its own; a file in the daemons' common directory lists the sessions.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 2.0
_SESSIONS = "sessions"


@dataclass(frozen=True)
class Process:
    """One line of ``/proc``: ``began`` tells two processes apart that had the same number."""

    pid: int
    parent: int
    session: int
    began: int
    command: list[bytes]


def launch(directory: Path, command: list[str], output: Path) -> subprocess.Popen[bytes]:
    """Start a daemon that writes its output to a file and belongs to ``directory``."""
    with open(output, "ab") as out:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    leader = _read(daemon.pid)
    with open(directory / _SESSIONS, "a") as sessions:
        sessions.write(f"{daemon.pid} {leader.began if leader else 0}\n")
    return daemon


def end_all(directory: Path) -> None:
    """End every process of the daemons in ``directory``: asked first, killed after :data:`PATIENCE`."""
    for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + patience
        asked: set[int] = set()
        while (running := alive(directory)) and time.monotonic() < deadline:
            # once each: a Salt daemon that is asked twice forgets its children
            for pid in running - asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            asked |= running
            time.sleep(0.05)


def alive(directory: Path) -> set[int]:
    """Processes in the daemons' sessions, and commands on ``directory``; never ourselves or an ancestor."""
    everyone = {process.pid: process for process in map(_read, _pids()) if process}
    sessions = _leaders(directory, everyone)
    below = os.fsencode(f"{directory}/")
    found = {
        process.pid
        for process in everyone.values()
        if process.session in sessions or any(word.startswith(below) for word in process.command)
    }
    pid = os.getpid()
    while pid in everyone:
        found.discard(pid)
        pid = everyone[pid].parent
    return found


def _leaders(directory: Path, everyone: dict[int, Process]) -> set[int]:
    """The daemons' sessions, without numbers that somebody else has got since."""
    file = directory / _SESSIONS
    pairs = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return {
        int(pid) for pid, began in pairs if int(pid) not in everyone or everyone[int(pid)].began == int(began)
    }


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return None
    # see proc(5); the second field is a name in parentheses that may hold anything, so count behind it
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    # Salt writes its processes' names over their arguments, with spaces between them
    words = command.replace(b" ", b"\0").split(b"\0")
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), words)
