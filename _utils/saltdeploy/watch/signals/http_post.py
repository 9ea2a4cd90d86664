"""Brings JSON to a web server that nobody believes: bounded in time, redirected by nobody, secrets in no message."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import requests

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.lib.text import public
from saltdeploy.lib.web_client import DirectClient, cause_of
from saltdeploy.watch.signals.sink import Refused, without
from saltdeploy.watch.text import clean

_LIMITS = Limits(connect=3.0, answer=10.0, silence=5.0, least=64.0)
_MOST = 1 << 16  # bytes of an answer
#: What a server says of this one message; other errors may go away.
_NEVER = (400, 409, 410, 413, 415, 422)


class Post:
    """Posts to one server.

    Args:
        secrets: texts that stand in no message of ours.
        proxy: the URL of a proxy; "" for none. Those of the environment are not asked.
    """

    def __init__(self, secrets: Collection[str] = (), proxy: str = "") -> None:
        self._secrets = secrets
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}

    def json(self, url: str, document: Any, headers: Mapping[str, str]) -> Any:
        """Post a document and read the answer; see :meth:`data`."""
        kind = {"Content-Type": "application/json"}
        answer = self.data(url, json.dumps(document, sort_keys=True).encode(), {**kind, **headers})
        try:
            return json.loads(answer) if answer.strip() else {}
        except ValueError:
            return {}

    def data(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Post bytes.

        Returns:
            The begin of what the server answered.

        Raises:
            Refused: it will not take this one.
            DeployError: it is away, slow, or does not let us in.
        """
        client = DirectClient(_LIMITS)
        try:
            with client, client.ask("POST", url, data=body, headers=headers, proxies=self._proxies) as answer:
                said = self._read(client, answer)
                status = answer.status_code
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._failed(url, f"{type(cause_of(error)).__name__}: {cause_of(error)}") from None
        if 200 <= status < 300:
            return said
        cause = f"it answers {status}: {clean(said.decode(errors='replace'), 300)}"
        raise self._failed(url, cause, Refused if status in _NEVER else DeployError)

    def _read(self, client: DirectClient, answer: requests.Response) -> bytes:
        said = b""
        for piece in client.pieces(answer):
            said += piece
            if len(said) >= _MOST:
                break
        return said[:_MOST]

    def _failed(self, url: str, cause: str, kind: type[DeployError] = DeployError) -> DeployError:
        place = public(url).partition("?")[0]
        text = without(f"{place} does not take it: {cause}", self._secrets)
        return kind(text, next="see to it; what it missed is told when it is back")
