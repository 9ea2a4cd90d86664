"""The way of one minion's requests and answers to its master: a relay between the two that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Relays TCP connections to the master's return port. What the master publishes does not come this way."""

    def __init__(self, master_port: int) -> None:
        self._master_port = master_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield
        finally:
            self._listener.close()
            self._drop()

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Drop all connections, and every new one."""
        with self._lock:
            self._is_cut = True
        self._drop()
        try:
            yield
        finally:
            self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                near = self._listener.accept()[0]
                with self._lock:
                    far = None if self._is_cut else self._connect()
                    self._open |= {near, far} if far else set()
                if far is None:
                    near.close()
                    continue
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._relay, args=pair, daemon=True).start()

    def _connect(self) -> socket.socket | None:
        with contextlib.suppress(OSError):  # the master is being restarted
            return socket.create_connection(("127.0.0.1", self._master_port))
        return None

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                sink.sendall(piece)
        self._close(source, sink)

    def _drop(self) -> None:
        with self._lock:
            self._close(*self._open)

    def _close(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):  # the other end was first
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            self._open.discard(each)
