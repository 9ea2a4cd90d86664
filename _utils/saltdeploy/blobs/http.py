"""Gets contents by http and https: checked on the way, and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import requests

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.source import Cap, Hear
from saltdeploy.content.pointers import Pointer
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.lib.web_client import WebClient, cause_of

_CONNECT, _SILENCE = 10, 60  # seconds
_GIVE_UP = 3  # failures of the network in a row


class Failed(Exception):
    """A server did not give what it was asked for.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Web:
    """One session with a server.

    Args:
        cap: what may come.
    """

    def __init__(self, cap: Cap = Cap()) -> None:  # noqa: B008 - frozen
        limits = Limits(connect=_CONNECT, silence=_SILENCE, least=0, rate=cap.rate, shared=cap.booked)
        self._client = WebClient(limits)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """A streamed answer; the caller closes it.

        Raises:
            Failed: the server said no.
            requests.RequestException: it said nothing.
        """
        answer = self._client.ask(method, url, **options)
        if answer.status_code >= 300:
            answer.close()
            raise Failed(f"answered {answer.status_code} {(answer.reason or '')[:60]}", answer.status_code)
        return answer

    def take(self, url: str, pointer: Pointer, shelf: BlobCache, hear: Hear, **options: Any) -> None:
        """Put the content at ``url`` on the shelf.

        Raises:
            Corrupt: it is another one.
            Failed, requests.RequestException: see :meth:`request`.
        """
        with self.request("GET", url, **options) as answer, shelf.receive(pointer) as receiver:
            for piece in self._client.pieces(answer):
                receiver.write(piece)
                hear(len(piece))

    def each(self, wanted: Sequence[Pointer], take: Callable[[Pointer], None]) -> dict[str, str]:
        """Take one after the other; those that failed, and why. A server that is gone is not asked again and again."""
        failed: dict[str, str] = {}
        silent = 0
        for pointer in wanted:
            if silent == _GIVE_UP:
                failed[pointer.name] = f"was given up after {_GIVE_UP} failures in a row"
                continue
            try:
                take(pointer)
                silent = 0
            except (Corrupt, Failed) as error:
                failed[pointer.name] = str(error)
            except requests.RequestException as error:
                failed[pointer.name] = reason(error)
                silent = _GIVE_UP if isinstance(error, requests.ConnectionError) else silent + 1
        return failed


def reason(error: requests.RequestException) -> str:
    """What happened; without the URL, in which there may be a signature or a token."""
    cause = cause_of(error)
    said = cause.strerror if isinstance(cause, OSError) else None
    return f"does not answer ({said or type(error).__name__})"
