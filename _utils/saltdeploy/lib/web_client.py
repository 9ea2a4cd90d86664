"""The one client for http and https, made of the library ``requests``: streamed, bounded in time and in rate.

Who asks keeps what is its own: what an answer must look like, and what is made of a failure.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from saltdeploy.lib.rate_limit import Limits, Pace

_CHUNK = 1 << 16  # bytes
_HEADERS = {"User-Agent": "saltext-deploy", "Accept-Encoding": "identity"}


class WebClient:
    """One session, with servers that the environment leads to: its proxies, its authorities, its ``.netrc``.

    Args:
        limits: what each transfer keeps to; the rate holds for all of them together.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)

    def __enter__(self) -> WebClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """An answer of whatever status, of which nothing but the headers has been read; the caller closes it.

        Args:
            options: of ``requests.Session.request``.

        Raises:
            requests.RequestException, ValueError: there is none, or the URL is none; see :func:`cause_of`.
        """
        timeout = (self._limits.connect, self._limits.silence)
        return self._session.request(method, url, stream=True, timeout=timeout, **options)

    def pieces(self, answer: requests.Response) -> Iterator[bytes]:
        """All that an answer brings, decoded.

        Raises:
            TooSlow: fewer bytes come than the floor allows.
            requests.RequestException: it broke off, or fell silent.
        """
        for piece in answer.iter_content(_CHUNK):
            self._pace.took(len(piece))
            yield piece

    def arriving(self, answer: requests.Response, most: int) -> Iterator[bytes]:
        """At most so many bytes of an answer, as they are on the wire and as soon as one is there.

        It ends early when the server does: the caller counts.

        Raises:
            TooSlow: fewer bytes come than the floor allows.
            OSError, http.client.HTTPException, urllib3.exceptions.HTTPError: it fell silent, or broke.
        """
        # urllib3's own reads, before its version 2, wait until all is there: a server that trickles would keep us
        body = answer.raw._fp
        while most and (piece := body.read1(min(most, self._limits.piece))):
            self._pace.took(len(piece))
            most -= len(piece)
            yield piece

    @cached_property
    def _pace(self) -> Pace:
        """Begins with the first byte: how long a server thought is no matter of its rate."""
        return Pace(self._limits)


class DirectClient(WebClient):
    """A session with one server that nobody believes: nothing of the environment leads it elsewhere.

    Proxies are not asked, ``.netrc`` is not read, and the whole head of an answer must be there in time.

    Args:
        ca_bundle: a file with the authorities that a server's certificate may be signed by; "" for those of the host.
    """

    def __init__(self, limits: Limits, ca_bundle: str = "") -> None:
        super().__init__(limits)
        self._ca_bundle = ca_bundle
        self._session.trust_env = False
        self._session.mount("http://", _Direct(limits))

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """See :class:`WebClient`; redirects are not followed.

        Raises:
            OSError: the file of authorities cannot be read.
        """
        if url.startswith("https:"):
            self._session.mount("https://", _Direct(self._limits, self._authorities))
        return super().ask(method, url, allow_redirects=False, **options)

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca_bundle or None)
        # urllib3 1 tells TLS no name that is an address; it then compares names itself, as version 2 could
        context.check_hostname = not urllib3.__version__.startswith("1.")
        return context


def cause_of(error: BaseException) -> BaseException:
    """What happened below the layers of the library; without the URL, in which there may be a signature or a token."""
    cause: BaseException | None = error
    while cause is not None and not _is_systems(cause):
        cause = cause.__cause__ or cause.__context__
    return cause or error


def _is_systems(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or (isinstance(error, OSError) and bool(error.strerror))


class _Deadline:
    """Cuts a connection: each byte has its own timeout, so a server that sends one now and then could keep us for ever.

    Args:
        connection: TLS may take it over meanwhile.
        seconds: from now on.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection.dup()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def over(self) -> None:
        """The connection lives on."""
        self._timer.cancel()
        self._connection.close()


class _Bounded:
    """What is mixed into urllib3's connections; ``_new_conn`` is where its own ``contrib.socks`` puts itself in, too."""

    limits: Limits
    deadline: _Deadline | None = None

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        connection.settimeout(self.limits.silence)
        self.deadline = _Deadline(connection, self.limits.answer)
        return connection

    def getresponse(self, *args: Any, **options: Any) -> Any:
        """The head of an answer; urllib3 1 calls twice, and the first one fails before anything is read."""
        answer = super().getresponse(*args, **options)  # type: ignore[misc]
        self._in_time()
        return answer

    def close(self) -> None:
        """Also when there was no answer."""
        super().close()  # type: ignore[misc]
        self._in_time()

    def _in_time(self) -> None:
        if self.deadline is not None:
            self.deadline.over()


class _Direct(HTTPAdapter):
    """Connections that :class:`_Bounded` holds, and certificates that only the given context judges."""

    def __init__(self, limits: Limits, authorities: ssl.SSLContext | None = None) -> None:
        self._limits = limits
        self._authorities = authorities
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """See the library."""
        if self._authorities is not None:
            options["ssl_context"] = self._authorities
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": self._bounded(urllib3.HTTPConnectionPool, HTTPConnection),
            "https": self._bounded(urllib3.HTTPSConnectionPool, HTTPSConnection),
        }

    def _bounded(self, pool: type, connection: type) -> type:
        bounded = type(connection.__name__, (_Bounded, connection), {"limits": self._limits})
        return type(pool.__name__, (pool,), {"ConnectionCls": bounded})

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context knows its authorities; the library would add its own to them."""
        conn.cert_reqs = "CERT_REQUIRED"
