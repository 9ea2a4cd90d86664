"""Runs a deploy in a process of its own, which outlives the terminal that began it; here one only looks on.

The process that deploys leaves the session of its starter: it hears no Ctrl-C and no hang-up. It sends its events, and
at last its result, through a pipe; when nobody reads there any more it goes on in silence.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import msgpack

from saltdeploy.master.context import Listener
from saltdeploy.protocol import events

_LOOK_EVERY = 0.2  # seconds
log = logging.getLogger(__name__)

View = dict[str, Any]
Work = Callable[[tuple[Listener, ...], Callable[[], str]], View]
"""What deploys: ``work(watchers, aborted)`` returns what ``salt-run`` shall print."""


def start(work: Work, log: Path) -> int:
    """Begin the work in a process of its own.

    Args:
        work: raises nothing.
        log: takes what the process would print.

    Returns:
        The end of the pipe to read from.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(writer)
        os.waitpid(child, 0)
        return reader
    try:
        os.close(reader)
        _leave(log)
        if os.fork() == 0:  # whoever started us may live long, and shall not have to bury us
            _deploy(work, writer)
            from saltdeploy.git import shield  # whoever deploys has loaded it, and nobody else needs it

            shield.forget()
    finally:
        os._exit(0)


def _leave(log: Path) -> None:
    os.setsid()
    fds = (os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    for target, fd in ((0, fds[0]), (1, fds[1]), (2, fds[1])):
        os.dup2(fd, target)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def _deploy(work: Work, writer: int) -> None:
    reasons: list[str] = []
    signal.signal(signal.SIGTERM, lambda number, frame: reasons.append("stopped by SIGTERM"))
    pipe = _Pipe(writer)
    log.info("a process of its own deploys: %d", os.getpid())
    view = work((pipe,), lambda: reasons[0] if reasons else "")
    with contextlib.suppress(OSError):
        pipe.send({"view": view})


class _Pipe:
    """A watcher that passes events on. When nobody reads any more (who was stopped does not, either) it raises."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def hear(self, event: events.Event) -> None:
        self.send({"event": event})

    def tick(self, now: float) -> None:
        """The reader has a clock of its own."""

    def send(self, message: dict[str, Any]) -> None:
        data = msgpack.packb(message, default=str)
        if os.write(self._fd, data) < len(data):
            os.close(self._fd)
            raise BlockingIOError


def look_on(reader: int, see: Callable[[Iterable[events.Event | None]], object]) -> View | None:
    """See what comes through the pipe, until the result comes.

    Args:
        see: takes the events, and None where there is nothing new, for as long as it likes.

    Returns:
        The result; None when one has seen enough, or when the process ended without a word.
    """
    views: list[View] = []
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        see(_told(pipe, views.append))
    return views[0] if views else None


def _told(pipe: FileIO, end: Callable[[View], None]) -> Iterator[events.Event | None]:
    for message in _messages(pipe):
        if "view" in message:
            end(message["view"])
            return
        yield message.get("event")
    log.debug("the deploying process ended without a result")


def _messages(pipe: FileIO) -> Iterator[dict[str, Any]]:
    """What comes through the pipe, and {} after each look at it; it ends when the other side has closed it."""
    unpacker = msgpack.Unpacker()
    while True:
        readable, _, _ = select.select([pipe], [], [], _LOOK_EVERY)
        piece = pipe.read(65_536) if readable else b""
        if readable and not piece:
            return
        unpacker.feed(piece)
        yield from unpacker
        yield {}
