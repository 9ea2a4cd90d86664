"""One command that came by the warm door: a process of the master on the standard streams of who asked.

The terminal is theirs, so width, colours and bars are as with ``salt-run``; the signals that they pass on arrive as signals.
When they are gone the process ends as a command whose terminal is closed. The deploy runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from types import FrameType

from saltclient import wire

_SIGNALS = {"stop": signal.SIGINT, "leave": signal.SIGTERM}


def run(
    connection: socket.socket, streams: list[int], environment: Mapping[str, str], act: Callable[[], int]
) -> None:
    """Carry a command out and tell its exit status; the process ends here.

    Args:
        connection: to who asked.
        streams: their standard input, output and error.
        environment: see :class:`~saltdeploy.master.door.requests.DoorRequest`.
        act: does it, and returns the exit status.
    """
    _take(streams)
    for name in wire.PASSED_ON:
        os.environ.pop(name, None)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _listen(connection)
    status = _status_of(act)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # who has gone away meanwhile must not be taken for an end
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError):
        connection.setblocking(True)
        connection.sendall(wire.pack({"exit": status}))
    os._exit(0)


def _take(streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        if stream >= wire.STREAMS:
            os.close(stream)
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)
    sys.stdout = _text(1)
    sys.stderr = _text(2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _text(number: int) -> io.TextIOWrapper:
    return open(
        number,
        "w",
        encoding="utf-8",
        errors="backslashreplace",
        buffering=1 if number == 2 or os.isatty(number) else -1,
        closefd=False,
    )


def _listen(connection: socket.socket) -> None:
    """Hear what is passed on while something else is done: the kernel tells by SIGIO. Children of this process hear nothing."""
    frames = wire.Frames()

    def hear(number: int, frame: FrameType | None) -> None:
        while True:
            try:
                piece = connection.recv(wire.MOST_BYTES, socket.MSG_DONTWAIT)
                told = frames.feed(piece)
            except BlockingIOError:
                return
            except (OSError, wire.WireError):
                os._exit(1)
            if not piece:
                os._exit(1)  # they are gone, and so is their terminal
            for each in told:
                known = _SIGNALS.get(str(each.get("signal")))
                if known:
                    os.kill(os.getpid(), known)

    os.register_at_fork(after_in_child=connection.close)
    signal.signal(signal.SIGIO, hear)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    os.kill(os.getpid(), signal.SIGIO)  # what came before the kernel was asked to tell


def _status_of(act: Callable[[], int]) -> int:
    try:
        return act()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except Exception:  # what Salt would print as well
        traceback.print_exc()
        return 1
