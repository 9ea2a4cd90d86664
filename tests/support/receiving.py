"""A real web server that keeps what it is sent, and answers, delays and refuses as a test tells it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.support.serving import until


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Message
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Listens on a port of this host.

    Attributes:
        received: what came, in order; also what was refused.
        answer: what is answered to a request: status and body.
        delay: seconds before each answer.
    """

    def __init__(self, port: int = 0) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], tuple[int, bytes]] = lambda request: (200, b"{}")
        self.delay = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Received(self.path, self.headers, body)
                receiver.received.append(request)
                time.sleep(receiver.delay)
                status, said = receiver.answer(request)
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                if status in (301, 302, 307):
                    self.send_header("Location", said.decode())
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def documents(self) -> list[Any]:
        return [one.document for one in self.received]

    def wait(self, true: Callable[[list[Received]], Any]) -> None:
        until(lambda: true(self.received))

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
