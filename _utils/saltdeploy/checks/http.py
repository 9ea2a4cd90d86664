"""Checks that ask over the network: ``http`` and ``port``; and the client that they ask with."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Mapping
from typing import Any

from saltdeploy.checks.base import FAIL, PASS, CheckContext, Response, Verdict
from saltdeploy.config.rollout import Check

_HERE = "127.0.0.1"
_MOST = 1_048_576  # bytes of a body: a check is no download
_NO_ANSWER = 599  # tornado's status for "there was none"
_SHOWN = 300  # characters of a body


def http(check: Check, place: CheckContext) -> Verdict:
    """Status, body and headers of an answer."""
    found = place.get(check.option("url"), _asked_with(check), check.timeout)
    if not found.status:
        return Verdict(FAIL, f"no answer: {found.body}")
    expected = check.option("status", (200,))
    if found.status not in expected:
        wanted = " or ".join(map(str, expected))
        return Verdict(FAIL, f"status {found.status}, not {wanted}: {found.body[:_SHOWN]}")
    pattern = check.option("body")
    if pattern and not re.search(pattern, found.body):
        return Verdict(FAIL, f"the body does not match {pattern!r}: {found.body[:_SHOWN]}")
    headers = {name.lower(): value for name, value in found.headers.items()}
    for name, pattern in check.option("headers", {}).items():
        value = headers.get(name.lower())
        if value is None or not re.search(pattern, value):
            return Verdict(FAIL, f"the header {name} is {value!r} and does not match {pattern!r}")
    return Verdict(PASS, f"status {found.status}")


def http_by_hand(check: Check, place: CheckContext) -> str:
    """The same with curl."""
    headers = [part for name, value in _asked_with(check).items() for part in ("-H", f"{name}: {value}")]
    return shlex.join(["curl", "-iL", *headers, "--", check.option("url")])


def port(check: Check, place: CheckContext) -> Verdict:
    """Something accepts connections."""
    host = check.option("host", _HERE)
    for number in check.option("port"):
        try:
            socket.create_connection((host, number), check.timeout).close()
        except OSError as error:
            return Verdict(FAIL, f"{host} port {number}: {error.strerror or error}")
    return Verdict(PASS)


def port_by_hand(check: Check, place: CheckContext) -> str:
    """The same with netcat."""
    return shlex.join(["nc", "-vz", check.option("host", _HERE), *map(str, check.option("port"))])


def _asked_with(check: Check) -> dict[str, str]:
    host = check.option("host")
    return {"Host": host} if host else {}


def client(
    query: Callable[..., dict[str, Any]], opts: Mapping[str, Any]
) -> Callable[[str, Mapping[str, str], float], Response]:
    """The ``get`` of a :class:`Place`, made of Salt's client. Redirects are followed; proxies are not asked.

    Args:
        query: ``salt.utils.http.query``.
        opts: the process's Salt configuration.
    """

    def get(url: str, headers: Mapping[str, str], timeout: float) -> Response:
        limits = {
            "http_request_timeout": timeout,
            "http_connect_timeout": timeout,
            "http_max_body": _MOST,
            "backend": "tornado",  # the only one that keeps the time
            "proxy_host": None,
        }
        try:
            answer = query(
                url,
                header_dict=dict(headers),
                opts={**opts, **limits},
                status=True,
                text=True,
                headers=True,
                raise_error=False,
            )
        except Exception as error:  # a bad certificate, a URL that is none, ...
            return Response(0, body=f"{type(error).__name__}: {error}")
        status = answer.get("status", 0)
        if status in (0, _NO_ANSWER):
            return Response(0, body=str(answer.get("error", "no answer")))
        return Response(status, dict(answer.get("headers", {})), _text(answer.get("text", "")))

    return get


def _text(body: str | bytes) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else body
