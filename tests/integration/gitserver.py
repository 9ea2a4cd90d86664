"""A smart http server for git repositories: ``git http-backend`` behind Python's own http server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitServer:
    """Serves ``<root>/<repository>`` as ``/<host>/<repository>``: what a host asks for can be held back."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, tuple[threading.Event, threading.Event]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"git": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[GitServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    @contextlib.contextmanager
    def holding(self, host: str) -> Iterator[threading.Event]:
        """Hold back the objects that a host asks for; the event says that it has asked."""
        asked, go_on = threading.Event(), threading.Event()
        self._held[host] = asked, go_on
        try:
            yield asked
        finally:
            del self._held[host]
            go_on.set()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """What git answers, as a CGI program does: header lines, an empty line, the body."""
        place, _, query = path.partition("?")
        _, host, inner = place.split("/", 2)
        if method == "POST" and host in self._held:
            asked, go_on = self._held[host]
            asked.set()
            go_on.wait()
        request = {
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": method,
            "PATH_INFO": f"/{inner}",
            "QUERY_STRING": query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
        }
        command = ["git", "http-backend"]
        return subprocess.run(
            command, input=body, env={**os.environ, **request}, stdout=subprocess.PIPE, check=True
        ).stdout


class _Handler(BaseHTTPRequestHandler):
    git: GitServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {key.lower(): value for key, value in self.headers.items()}
        said, _, content = self.git.answer(self.command, self.path, headers, body).partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in said.decode().split("\r\n"))
        with contextlib.suppress(ConnectionError):  # whoever asked was killed
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""
