"""Carrier ``http``: any server of files; a payload lies at ``<base>/<sha256>``.

What is there of a payload already is not asked for again (a range request, RFC 9110 section 14). The server is not
believed: it must say how long its answer is, and that must be what is missing, so that it can neither fill the
disk nor keep us for ever. Redirects are not followed and proxies are not asked.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.git.repository import Progress
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.rate_limit import Limits, Pace, TooSlow
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import Payload

PORTS = {"http": http.client.HTTP_PORT, "https": http.client.HTTPS_PORT}


class Http:
    """One server.

    Args:
        source: where it is.
        limits: how long we wait for it, and how much it may send.
        ca_bundle: a file with the authorities that a server's certificate may be signed by; "" for those of the host.
    """

    def __init__(self, source: FanoutServer, limits: Limits = Limits(), ca_bundle: str = "") -> None:  # noqa: B008 - frozen
        self._source = source
        self._limits = limits
        self._ca_bundle = ca_bundle

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Append to ``destination`` what it lacks of the payload, or write it anew where the server cannot resume.

        What has come stays there when the server breaks off, and when we are killed.

        Raises:
            Unavailable: the server does not have it, is silent, too slow, or sends something else.
            OSError: our own disk's.
        """
        have = _usable(destination, payload.size)
        if have == payload.size:
            return  # whoever checks the digest has the last word
        with self._connected() as connection:
            begin, answer = self._ask(connection, payload, have)
            with open(destination, "r+b" if begin else "wb") as file:
                file.seek(begin)
                for piece in self._pieces(answer, payload.size - begin):
                    file.write(piece)
                    progress("receive", file.tell(), payload.size, "bytes")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        parts = self._source.parts
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port or PORTS[parts.scheme])
        with self._named():
            connection.sock = socket.create_connection(
                (connection.host, connection.port), self._limits.connect
            )
        try:
            if parts.scheme == "https":
                with self._named():
                    context = ssl.create_default_context(cafile=self._ca_bundle or None)
                    connection.sock = context.wrap_socket(
                        connection.sock, server_hostname=parts.hostname, do_handshake_on_connect=False
                    )
            connection.sock.settimeout(self._limits.silence)
            yield connection
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, payload: Payload, have: int
    ) -> tuple[int, http.client.HTTPResponse]:
        """From which byte on it sends, and the answer, of which nothing but the headers has been read."""
        wanted = {"Range": f"bytes={have}-"} if have else {}
        with self._named(), _cut_after(connection.sock, self._limits.answer):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request("GET", f"{self._source.parts.path}/{payload.sha256}", headers=wanted)
            answer = connection.getresponse()
        return self._begin(answer, payload.size, have), answer

    def _begin(self, answer: http.client.HTTPResponse, size: int, have: int) -> int:
        begin = have if have and answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        if answer.status == http.HTTPStatus.NOT_FOUND:
            raise self._gives_up("does not have it")
        if not begin and answer.status != http.HTTPStatus.OK:
            raise self._gives_up(f"answered {answer.status} {answer.reason[:80]}")
        if begin and answer.getheader("Content-Range") != f"bytes {have}-{size - 1}/{size}":
            raise self._gives_up(f"sends another range: {str(answer.getheader('Content-Range'))[:80]}")
        if answer.chunked or answer.length != size - begin:
            says = "does not say how much" if answer.length is None else f"{answer.length} bytes"
            raise self._gives_up(f"sends {says}, not {size - begin} bytes")
        return begin

    def _pieces(self, answer: http.client.HTTPResponse, size: int) -> Iterator[bytes]:
        pace = Pace(self._limits)
        while size:
            with self._named():
                piece = answer.read1(min(size, self._limits.piece))
                pace.took(len(piece))
            if not piece:
                raise self._gives_up(f"broke off {size} bytes before the end")
            size -= len(piece)
            yield piece

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """What goes wrong on the network is the server's fault; what goes wrong on our disk must not look so."""
        try:
            yield
        except TimeoutError:
            raise self._gives_up("is silent") from None
        except TooSlow as slow:
            raise self._gives_up(f"is too slow: {slow}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise self._gives_up(f"failed: {type(error).__name__}: {str(said)[:200]}") from None

    def _gives_up(self, why: str) -> Unavailable:
        return Unavailable(why, path=self._source.url, next=f"curl -sSI -- {self._source.url}/")


def _usable(path: Path, size: int) -> int:
    """How many bytes of the payload are there; what is longer than it is no part of it."""
    try:
        have = path.stat().st_size
    except FileNotFoundError:
        return 0
    return have if have <= size else 0


@contextlib.contextmanager
def _cut_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Each byte has its own timeout, so a server that sends one now and then could keep us for ever."""
    timer = threading.Timer(seconds, _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # a TLS socket's own shutdown would pull the session away from under the thread that reads
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
