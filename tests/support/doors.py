"""A warm door without Salt: the real listening process and real sessions, whose commands are a few words."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saltclient import wire
from saltdeploy.master.door.rights import Caller

from tests.conftest import CHECKOUT

PATIENCE = 30.0  # seconds; only a broken test waits for so long

_PROGRAM = """
import os, sys
from pathlib import Path
from saltdeploy.master.door import rights, session
from saltdeploy.master.door.listening import DoorListener

def act(request, caller):
    who = rights.operator(caller, request.environment)
    print(request.function, *request.arguments, "for", who, flush=True)
    if request.function == "wait":
        sys.stdin.read()
    if request.function == "screen":
        print(sys.stdout.isatty(), os.get_terminal_size(1).columns, os.environ.get("TERM"), flush=True)
        print("typed", sys.stdin.readline().strip(), flush=True)
    if request.function == "pid":
        print("pid", os.getpid(), flush=True)
        sys.stdin.read()
    if request.function == "talk":
        while True:
            print("x" * 1000, flush=True)
    return 0 if request.function != "fail" else 7

def work(request, caller, connection, streams):
    session.run(connection, streams, request.environment, lambda: act(request, caller))

place, stale = map(Path, sys.argv[1:])
DoorListener(place, {"config": "/etc/salt/master"}, work, stale.exists).serve(lambda: True)
"""


@dataclass
class RunningDoor:
    """A door that listens.

    Attributes:
        place: the socket.
        process: who listens.
        stale: the path whose presence means that what was loaded is no longer on the disk.
    """

    place: Path
    process: subprocess.Popen[bytes]
    stale: Path

    def knock(self) -> socket.socket:
        """A connection, of which nothing is read yet."""
        door = socket.socket(socket.AF_UNIX)
        door.connect(str(self.place))
        door.settimeout(PATIENCE)
        return door

    def enter(self) -> socket.socket:
        """A connection that was greeted."""
        door = self.knock()
        assert "config" in _next(door)
        return door

    def ask(self, *words: str, **environment: str) -> tuple[int, str]:
        """The status of a command, and what it wrote to its standard output."""
        read, write = os.pipe()
        with self.enter() as door, open(read) as shown:
            begin(door, words, write, environment)
            os.close(write)
            status = _next(door)["exit"]
            assert isinstance(status, int)
            return status, shown.read()

    def refused(self, door: socket.socket) -> str:
        """Why it was refused; the door must be shut then."""
        told = str(_next(door)["refused"])
        assert door.recv(1) == b""
        return told


def begin(
    door: socket.socket, words: Sequence[str], out: int, environment: dict[str, str] | None = None
) -> None:
    """Ask for a command that writes to ``out``."""
    request = {"words": list(words), "options": [], "environment": environment or {}}
    empty = os.open(os.devnull, os.O_RDWR)
    socket.send_fds(door, [wire.pack(request)], [empty, out, out])
    os.close(empty)


def _next(door: socket.socket) -> wire.Message:
    frames, told = wire.Frames(), list[wire.Message]()
    while not told:
        piece = door.recv(4096)
        assert piece, "the door was shut without a word"
        told = frames.feed(piece)
    return told[0]


@contextlib.contextmanager
def listening(place: Path) -> Iterator[RunningDoor]:
    """A door at this place."""
    stale = place.with_name("stale")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "_utils")}
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(place), str(stale)], env=environment)
    try:
        door = RunningDoor(place, process, stale)
        wait_for(lambda: _greets(door))
        yield door
    finally:
        process.kill()
        process.wait()


def _greets(door: RunningDoor) -> bool:
    with contextlib.suppress(OSError), door.knock() as connection:
        pid = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
        return pid == door.process.pid
    return False


def wait_for(condition: Callable[[], object]) -> None:
    """Until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.02)


def greeting(place: Path) -> tuple[int, dict[str, object]]:
    """The process that greets who comes to this socket now, and what it says first; 0 and nothing where nobody does."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(5)
        try:
            door.connect(str(place))
            greeted = wire.Frames().feed(door.recv(wire.MOST_BYTES))
        except OSError:
            return 0, {}
        return (Caller.of(door).pid, greeted[0]) if greeted else (0, {})
