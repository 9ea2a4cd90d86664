"""As much of ZeroMQ's wire protocol (ZMTP 3.0, see rfc.zeromq.org/spec/23) as a crowd of clients in one process needs.

A socket of libzmq takes two files and a pipe; here ten thousand connections are ten thousand sockets of one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

_GREETING_SIZE = 64
_MORE, _LONG, _COMMAND = 1, 2, 4
_READY, _PING, _PONG = b"\x05READY", b"\x04PING", b"\x04PONG"
_ROOM = memoryview(bytearray(1 << 18))  # what has just come in, for one connection after the other
WHOLE = 1 << 62  # no frame is longer


def greeting(kind: str) -> bytes:
    """What a client says first: it is a socket of this kind (``SUB``, ``REQ``), and uses no encryption."""
    signature = b"\xff" + bytes(7) + b"\x01\x7f"
    hello = signature + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    value = kind.encode()
    ready = _READY + b"\x0bSocket-Type" + len(value).to_bytes(4, "big") + value
    return hello + frame(ready, _COMMAND)


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame as it goes over the wire."""
    if len(body) > 255:
        return bytes([flags | _LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def message(parts: Sequence[bytes]) -> bytes:
    """A message of several frames as it goes over the wire."""
    return b"".join(frame(part, _MORE) for part in parts[:-1]) + frame(parts[-1])


class Frames:
    """Cuts what a peer sends into frames, behind its greeting.

    Args:
        longest: bodies of more bytes are let pass unread, and come out empty.
    """

    def __init__(self, longest: int = WHOLE) -> None:
        self._longest = longest
        self._buffer = bytearray()
        self._skip = _GREETING_SIZE

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
        """Flags and body of each frame that is whole by now."""
        unread = min(self._skip, len(data))
        self._skip -= unread
        self._buffer += data[unread:]
        while not self._skip and (found := self._next()) is not None:
            yield found

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        head = 9 if buffer and buffer[0] & _LONG else 2
        if len(buffer) < head:
            return None
        flags, size = buffer[0], int.from_bytes(buffer[1:head], "big")
        here = min(len(buffer) - head, size)
        if size <= self._longest and here < size:
            return None
        body = bytes(buffer[head : head + size]) if size <= self._longest else b""
        self._skip = size - here
        del buffer[: head + here]
        return flags, body


class Connection(asyncio.BufferedProtocol):
    """A client's connection; a subclass takes the messages.

    Args:
        kind: of the socket.
        first: what is sent when the other side is ready; libzmq does not get over it when it comes before.
        longest: see :class:`Frames`.
    """

    def __init__(self, kind: str, first: bytes = b"", longest: int = WHOLE) -> None:
        self._kind, self._first = kind, first
        self._frames = Frames(longest)
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.received = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, parts: list[bytes]) -> None:
        """A message has come."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send a message that :func:`message` has made."""
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(greeting(self._kind))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _ROOM

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        for flags, body in self._frames.feed(_ROOM[:nbytes]):
            if flags & _COMMAND:
                self._obey(body)
            else:
                self._parts.append(body)
                if not flags & _MORE:
                    parts, self._parts = self._parts, []
                    self.take(parts)

    def _obey(self, command: bytes) -> None:
        if command.startswith(_READY):
            self.send(self._first)
            self.ready.set_result(None)
        elif command.startswith(_PING):  # behind it two bytes of time to live, and what is to be sent back
            self.send(frame(_PONG + command[len(_PING) + 2 :], _COMMAND))


class Subscriber(Connection):
    """A SUB socket.

    Args:
        topics: what it subscribes to; ``b""`` is all.
        heard: takes the last part of each message; None: nobody reads them.
    """

    def __init__(self, topics: Sequence[bytes], heard: Callable[[bytes], None] | None = None) -> None:
        wishes = b"".join(frame(b"\x01" + topic) for topic in topics)
        super().__init__("SUB", wishes, WHOLE if heard else 128)
        self._heard = heard
        self.messages = 0

    def take(self, parts: list[bytes]) -> None:
        self.messages += 1
        if self._heard:
            self._heard(parts[-1])


class Requester(Connection):
    """A REQ socket: one question, then its answer."""

    def __init__(self) -> None:
        super().__init__("REQ")
        self._answer: asyncio.Future[bytes] | None = None

    def ask(self, question: bytes) -> asyncio.Future[bytes]:
        """Ask; the answer comes some time, or :class:`ConnectionError` when the other side hangs up."""
        self._answer = asyncio.get_running_loop().create_future()
        self.send(message([b"", question]))
        return self._answer

    def take(self, parts: list[bytes]) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(parts[-1])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the other side has hung up"))
