"""What a host does by itself where a minion would ask Salt: its services, and web servers."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import urllib3

from saltdeploy.checks import Response
from saltdeploy.lib import process
from saltdeploy.lib.errors import Unsupported
from saltdeploy.lib.rate_limit import Limits, TooSlow
from saltdeploy.lib.web_client import DirectClient, WebClient, cause_of

#: What of Salt's module ``service`` there is, for any system that has systemd or the command ``service``.
SERVICE_VERBS = ("start", "stop", "restart", "reload", "status")
_SYSTEMD = Path("/run/systemd/system")
_LONGEST = 600.0  # seconds; whoever calls kills it earlier
_REDIRECTS = 5
_MOST = 1_048_576  # bytes of a body: a check is no download


def call(function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """What Salt's function of this name does, for the few that there are.

    Raises:
        Unsupported: it is none of them.
    """
    module, _, verb = function.partition(".")
    if module == "service" and verb in SERVICE_VERBS and len(arguments) == 1 and not keywords:
        return _service(verb, str(arguments[0]))
    raise Unsupported(
        f"there is no Salt on this host, and so no function {function}",
        next="let a check of type command do it; docs/ssh-hosts.md says what is there",
    )


def _service(verb: str, name: str) -> bool:
    """Let the system do it; whether it has."""
    if _SYSTEMD.is_dir():
        command = ["systemctl", "is-active" if verb == "status" else verb, "--", name]
    else:
        command = ["service", name, verb]
    ended = process.run(command, _LONGEST)
    if ended.code and verb != "status":
        raise RuntimeError(f"{' '.join(command)}: exit code {ended.code}: {ended.output}")
    return ended.code == 0


def get(url: str, headers: Mapping[str, str], timeout: float) -> Response:
    """Ask a web server. Redirects are followed; proxies are not asked.

    Args:
        timeout: seconds.
    """
    limits = Limits(connect=timeout, answer=timeout, silence=timeout, least=1.0)
    try:
        with DirectClient(limits) as client:
            return _answered(client, url, dict(headers))
    except (requests.RequestException, urllib3.exceptions.HTTPError, TooSlow, OSError, ValueError) as error:
        return Response(0, body=f"{type(error).__name__}: {cause_of(error)}")


def _answered(client: WebClient, url: str, headers: dict[str, str]) -> Response:
    for _ in range(_REDIRECTS + 1):
        answer = client.ask("GET", url, headers=headers)
        with answer:
            if answer.is_redirect:
                url = urllib.parse.urljoin(url, answer.headers["location"])
                continue
            body = b""
            for piece in client.pieces(answer):
                body += piece
                if len(body) >= _MOST:
                    break
            text = body[:_MOST].decode(answer.encoding or "utf-8", "replace")
            return Response(answer.status_code, dict(answer.headers), text)
    return Response(0, body=f"more than {_REDIRECTS} redirects")
