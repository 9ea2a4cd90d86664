"""The listening process of the warm door. It has one thread and waits for nobody: who is slow, silent or too many is let go.

For each request that is whole and allowed it forks, and the child carries the request out (``session.py``).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import signal
import socket
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from saltclient import wire

from saltdeploy.lib import errors
from saltdeploy.master.door import rights
from saltdeploy.master.door.requests import DoorRequest

log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds
_REQUEST_SECONDS = 5.0  # from the connection to the whole request
_MOST_WAITING = 64  # connections whose request is not whole
_MOST_WAITING_OF_ONE = 32  # of one user
_MOST_SESSIONS = 64  # commands that run at once
_BACKLOG = 1024
_ACCEPTS_AT_ONCE = 64

Work = Callable[[DoorRequest, rights.Caller, socket.socket, list[int]], None]
"""Carries a request out, in a process of its own, and does not return into what called it."""


@dataclass
class _Waiting:
    connection: socket.socket
    caller: rights.Caller
    until: float
    frames: wire.Frames = field(default_factory=wire.Frames)
    streams: list[int] = field(default_factory=list)

    def close(self) -> None:
        for number in self.streams:
            os.close(number)
        self.streams = []
        self.connection.close()


class DoorListener:
    """Listens on a unix socket until it is told that it is no longer the one that should.

    Args:
        place: path of the socket; what is there already is replaced, and never followed.
        greeting: told to everybody who may come in.
        work: carries a request out.
        is_stale: whether what this process has loaded is no longer what lies on the disk.
        admits: whether a caller has a role; see :func:`saltdeploy.master.door.rights.check`.
    """

    def __init__(
        self,
        place: Path,
        greeting: wire.Message,
        work: Work,
        is_stale: Callable[[], bool],
        admits: Callable[[rights.Caller], bool] = rights.nobody_else,
    ) -> None:
        self._place = place
        self._greeting = wire.pack(greeting)
        self._work = work
        self._is_stale = is_stale
        self._admits = admits
        self._waiting: dict[int, _Waiting] = {}
        self._sessions: set[int] = set()  # of each the end of a pipe whose other end it has
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._inode = self._bind()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _bind(self) -> int:
        """Bind aside, and put it in place by a rename: there is a whole socket at the place, or what was there before."""
        aside = self._place.with_name(f".{self._place.name}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
        self._listener.bind(str(aside))
        aside.chmod(0o666)  # anybody may knock: who may come in is decided by what the kernel says of them
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        inode = aside.lstat().st_ino
        aside.rename(self._place)
        return inode

    def serve(self, is_wanted: Callable[[], bool]) -> None:
        """Serve as long as this is wanted, nothing is stale, and no other process has taken the place.

        Args:
            is_wanted: asked about once a second.
        """
        looked, until = 0.0, float("inf")
        try:
            while time.monotonic() < until:
                if time.monotonic() - looked >= _LOOK_EVERY:
                    looked = time.monotonic()
                    if not is_wanted() or self._is_stale():
                        return
                    if not self._is_in_place():  # who has come to this socket before is still served
                        until = min(until, looked + _REQUEST_SECONDS)
                for key, _ in self._selector.select(_LOOK_EVERY):
                    self._serve(key.fd)
                self._let_go()
        finally:
            self._close()

    def _serve(self, ready: int) -> None:
        """Something can be read from a descriptor; one that was closed a moment ago is passed over."""
        if ready == self._listener.fileno():
            for _ in range(_ACCEPTS_AT_ONCE):
                if not self._accept():
                    break
        elif ready in self._sessions:
            self._end(ready)
        elif ready in self._waiting:
            self._read(self._waiting[ready])

    def _is_in_place(self) -> bool:
        try:
            found = self._place.lstat()
        except OSError:
            return False
        return stat.S_ISSOCK(found.st_mode) and found.st_ino == self._inode

    def _close(self) -> None:
        for each in self._waiting.values():
            each.close()
        self._waiting.clear()
        self._listener.close()
        if self._is_in_place():
            with contextlib.suppress(OSError):
                self._place.unlink()

    # -- who comes --------------------------------------------------------------------------------------

    def _accept(self) -> bool:
        """Take in the next one who has knocked; False where nobody has."""
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                log.warning("The warm door cannot let anybody in: %s", error.strerror)
                time.sleep(0.05)
            return False
        connection.setblocking(False)
        caller = rights.Caller.of(connection)
        try:
            rights.check(caller, admits=self._admits)
        except errors.DeployError as error:
            log.info("The warm door refused uid %d", caller.uid)
            _tell(connection, {"refused": str(error)})
            connection.close()
            return True
        of_one = sum(each.caller.uid == caller.uid for each in self._waiting.values())
        full = len(self._waiting) >= _MOST_WAITING or of_one >= _MOST_WAITING_OF_ONE
        if full or len(self._sessions) >= _MOST_SESSIONS or self._is_stale():
            connection.close()  # who is not greeted goes elsewhere
            return True
        waiting = _Waiting(connection, caller, time.monotonic() + _REQUEST_SECONDS)
        self._waiting[connection.fileno()] = waiting
        self._selector.register(connection, selectors.EVENT_READ)
        with contextlib.suppress(OSError):
            connection.send(self._greeting)
        return True

    def _read(self, waiting: _Waiting) -> None:
        try:
            flags = socket.MSG_CMSG_CLOEXEC
            data, streams, marks, _ = socket.recv_fds(
                waiting.connection, wire.MOST_BYTES, wire.STREAMS, flags
            )
        except BlockingIOError:
            return
        except OSError:
            self._drop(waiting)
            return
        waiting.streams += streams
        if not data:
            self._drop(waiting)
            return
        try:
            told = waiting.frames.feed(data)
            if len(waiting.streams) > wire.STREAMS or marks & socket.MSG_CTRUNC:
                raise wire.WireError("more than three streams")
            if told:
                self._begin(waiting, DoorRequest.of_wire(told[0]))
        except (wire.WireError, errors.DeployError) as error:
            _tell(waiting.connection, {"refused": str(error)})
            self._drop(waiting)

    def _begin(self, waiting: _Waiting, request: DoorRequest) -> None:
        if len(waiting.streams) != wire.STREAMS:
            raise wire.WireError("no standard streams came along")
        rights.check(waiting.caller, request, self._admits)
        ends, lives = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                # Salt ends what an engine has begun together with it, and a command shall outlive the engine
                if os.fork() == 0:
                    os.close(ends)
                    self._become(waiting)
                    os.register_at_fork(after_in_child=lambda: os.close(lives))
                    self._work(request, waiting.caller, waiting.connection, waiting.streams)
            finally:
                os._exit(0)
        os.close(lives)
        os.waitpid(child, 0)
        log.info("deploy.%s for uid %d", request.function, waiting.caller.uid)
        self._sessions.add(ends)
        self._selector.register(ends, selectors.EVENT_READ)
        self._drop(waiting)

    def _become(self, waiting: _Waiting) -> None:
        """In the child: keep nothing that is the listening process's."""
        os.setsid()
        self._selector.close()
        self._listener.close()
        for session in self._sessions:
            os.close(session)
        for each in self._waiting.values():
            if each is not waiting:
                each.close()
        waiting.connection.setblocking(True)
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    # -- who goes ---------------------------------------------------------------------------------------

    def _drop(self, waiting: _Waiting) -> None:
        self._waiting.pop(waiting.connection.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(waiting.connection)
        waiting.close()

    def _let_go(self) -> None:
        now = time.monotonic()
        for each in [each for each in self._waiting.values() if each.until <= now]:
            _tell(each.connection, {"refused": f"no request came within {_REQUEST_SECONDS:g} seconds"})
            self._drop(each)

    def _end(self, session: int) -> None:
        """The only other end of the pipe is closed: its process has ended."""
        self._selector.unregister(session)
        self._sessions.discard(session)
        os.close(session)


def _tell(connection: socket.socket, message: wire.Message) -> None:
    with contextlib.suppress(OSError, wire.WireError):
        connection.send(wire.pack(message), socket.MSG_DONTWAIT)
