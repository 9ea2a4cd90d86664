"""A real server of payloads on the loopback, which a test can make behave badly."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from saltdeploy.download import server as embedded_server
from saltdeploy.protocol.orders import Payload

from tests.support.serving import free_port, until

#: More than what sockets hold back, so that a server that breaks off is seen in the middle.
DATA = random.Random(1).randbytes(
    3_000_000
)  # names of tests are made of its digest: the same in each process
PAYLOAD = Payload("", hashlib.sha256(DATA).hexdigest(), len(DATA))


class Request(BaseHTTPRequestHandler):
    """One request; what answers it stands in the server."""

    server: PayloadServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range", "")))
        with contextlib.suppress(OSError):
            self.server.answer(self)

    def do_HEAD(self) -> None:
        self.server.answer_head(self)

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def send(self, status: int, data: bytes = b"", **headers: object) -> None:
        """An answer; ``Content_Length`` is that of the data unless it is given, or None."""
        self.send_response(status)
        for name, value in {"Content_Length": len(data), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)

    @property
    def span(self) -> tuple[int, int]:
        """The first byte that is asked for, and the one behind the last; all of them without a range."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        size = len(self.server.data)
        return (int(found[1]), min(size, int(found[2] or size) + 1)) if found else (0, size)


class PayloadServer(ThreadingHTTPServer):
    """One server.

    Attributes:
        data: what it serves under its sha256.
        answer: answers a request; as a good server does, until a test gives another one.
        answer_head: the same for a request that asks for no content.
        asked: ``(path, value of the header Range)`` of each request.
        told: lets a server go on that waits for it; set when the test is over.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, data: bytes = DATA) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.data = data
        self.answer: Callable[[Request], None] = self.well
        self.answer_head: Callable[[Request], None] = lambda request: request.send(404)
        self.asked: list[tuple[str, str]] = []
        self.told = threading.Event()
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/payloads"

    def well(self, request: Request) -> None:
        name = hashlib.sha256(self.data).hexdigest()
        if request.path != f"/payloads/{name}":
            request.send(404)
        elif "Range" in request.headers:
            begin, end = request.span
            span = f"bytes {begin}-{end - 1}/{len(self.data)}"
            request.send(206, self.data[begin:end], Content_Range=span)
        else:
            request.send(200, self.data)

    def breaks_off(self, request: Request, behind: int = 1_000_000) -> None:
        """Sends a part of what it said."""
        data = self.data[request.span[0] :]
        request.send(200, data[:behind], Content_Length=len(data))

    def is_silent(self, request: Request) -> None:
        self.told.wait()

    def falls_silent(self, request: Request) -> None:
        self.breaks_off(request)
        self.told.wait()

    def trickles_headers(self, request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.told.wait(0.02):
            request.wfile.write(b"x")

    def trickles(self, request: Request) -> None:
        request.send(200, Content_Length=len(self.data))
        while not self.told.wait(0.02):
            request.wfile.write(b"x")

    def flips_a_bit(self, request: Request) -> None:
        data = bytes([self.data[0] ^ 1]) + self.data[1:]
        request.send(200, data)

    @contextlib.contextmanager
    def running(self, context: ssl.SSLContext | None = None) -> Iterator[PayloadServer]:
        if context is not None:
            self.scheme = "https"
            self.socket = context.wrap_socket(self.socket, server_side=True)
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.told.set()
            self.shutdown()
            thread.join()
            self.server_close()


@contextlib.contextmanager
def embedded(directory: Path) -> Iterator[str]:
    """The embedded server of a directory, in a thread; gives its base URL."""
    port = free_port()
    loop = asyncio.new_event_loop()
    task = loop.create_task(embedded_server.serve(directory, "127.0.0.1", port))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def accepts(port: int) -> bool:
    """Whether somebody takes connections on a port of this host."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
