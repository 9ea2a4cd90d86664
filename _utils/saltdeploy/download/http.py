"""Carrier ``http``: any server of files; a payload lies at ``<base>/<sha256>``.

What is there of a payload already is not asked for again (a range request, RFC 9110 section 14). The server is not
believed: it must say how long its answer is, and that must be what is missing, so that it can neither fill the
disk nor keep us for ever. Redirects are not followed and proxies are not asked.
"""

from __future__ import annotations

import contextlib
import http
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from saltdeploy.git.repository import Progress
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.rate_limit import Limits, TooSlow
from saltdeploy.lib.web_client import DirectClient, WebClient, cause_of
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import Payload


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
        with (
            DirectClient(self._limits, self._ca_bundle) as client,
            self._ask(client, payload, have) as answer,
        ):
            begin = self._begin(answer, payload.size, have)
            with open(destination, "r+b" if begin else "wb") as file:
                file.seek(begin)
                for piece in self._pieces(client, answer, payload.size - begin):
                    file.write(piece)
                    progress("receive", file.tell(), payload.size, "bytes")

    def offer(self, payload: Payload) -> None:
        """Ask for a payload as :meth:`fetch` does, and take none of its bytes.

        Raises:
            Unavailable: the server does not have it, is silent, or would send something else.
        """
        with DirectClient(self._limits, self._ca_bundle) as client, self._ask(client, payload, 0) as answer:
            self._begin(answer, payload.size, 0)

    def _ask(self, client: WebClient, payload: Payload, have: int) -> requests.Response:
        wanted = {"Range": f"bytes={have}-"} if have else {}
        with self._named():
            return client.ask("GET", f"{self._source.url}/{payload.sha256}", headers=wanted)

    def _begin(self, answer: requests.Response, size: int, have: int) -> int:
        """From which byte on it sends."""
        status, coming = answer.status_code, answer.raw.length_remaining
        begin = have if have and status == http.HTTPStatus.PARTIAL_CONTENT else 0
        if status == http.HTTPStatus.NOT_FOUND:
            raise self._gives_up("does not have it")
        if not begin and status != http.HTTPStatus.OK:
            raise self._gives_up(f"answered {status} {(answer.reason or '')[:80]}")
        spans = answer.headers.get("Content-Range")
        if begin and spans != f"bytes {have}-{size - 1}/{size}":
            raise self._gives_up(f"sends another range: {str(spans)[:80]}")
        if answer.raw.chunked or coming != size - begin:
            says = "does not say how much" if coming is None else f"{coming} bytes"
            raise self._gives_up(f"sends {says}, not {size - begin} bytes")
        return begin

    def _pieces(self, client: WebClient, answer: requests.Response, size: int) -> Iterator[bytes]:
        arriving = client.arriving(answer, size)
        while size:
            with self._named():
                piece = next(arriving, b"")
            if not piece:
                raise self._gives_up(f"broke off {size} bytes before the end")
            size -= len(piece)
            yield piece

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """What goes wrong on the network is the server's fault; what goes wrong on our disk must not look so."""
        try:
            yield
        except TooSlow as slow:
            raise self._gives_up(f"is too slow: {slow}") from None
        except (OSError, HTTPException, HTTPError, ValueError) as error:
            cause = cause_of(error)
            if isinstance(cause, TimeoutError):
                raise self._gives_up("is silent") from None
            said = getattr(cause, "strerror", None) or cause
            raise self._gives_up(f"failed: {type(cause).__name__}: {str(said)[:200]}") from None

    def _gives_up(self, why: str) -> Unavailable:
        return Unavailable(why, path=self._source.url, next=f"curl -sSI -- {self._source.url}/")


def _usable(path: Path, size: int) -> int:
    """How many bytes of the payload are there; what is longer than it is no part of it."""
    try:
        have = path.stat().st_size
    except FileNotFoundError:
        return 0
    return have if have <= size else 0
