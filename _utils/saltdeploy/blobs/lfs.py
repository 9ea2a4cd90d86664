"""Contents from a git-lfs server: git-lfs, docs/api/batch.md and docs/api/basic-transfers.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.http import Failed, Web, reason
from saltdeploy.blobs.source import Cap, Hear
from saltdeploy.content.pointers import Pointer
from saltdeploy.lib.text import public

_BATCH = 100
_MOST_ANSWER = 16 << 20  # bytes
_TYPE = "application/vnd.git-lfs+json"


class LfsServer:
    """A git-lfs server.

    Args:
        url: of the API, without ``/objects/batch``; it may bear a user and a password.
        cap: what may come.
    """

    def __init__(self, url: str, cap: Cap = Cap()) -> None:  # noqa: B008 - frozen
        self._url = url.rstrip("/")
        self._web = Web(cap)

    def __str__(self) -> str:
        return public(self._url)

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.source.BlobSource`."""
        failed: dict[str, str] = {}
        for begin in range(0, len(wanted), _BATCH):
            batch = wanted[begin : begin + _BATCH]
            try:
                offers = self._ask(batch)
            except (Failed, ValueError, requests.RequestException) as error:
                why = reason(error) if isinstance(error, requests.RequestException) else str(error)
                return failed | {pointer.name: why for pointer in wanted[begin:]}
            failed |= self._web.each(
                batch,
                lambda pointer, offers=offers: self._take(pointer, offers, shelf, hear),  # type: ignore[misc]
            )
        return failed

    def _ask(self, batch: Sequence[Pointer]) -> dict[str, dict[str, Any]]:
        """What the server says of each content, by its digest.

        Raises:
            ValueError: no answer of this protocol.
        """
        question = {
            "operation": "download",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "objects": [{"oid": pointer.digest, "size": pointer.size} for pointer in batch],
        }
        headers = {"Accept": _TYPE, "Content-Type": _TYPE}
        data = json.dumps(question)
        with self._web.request("POST", f"{self._url}/objects/batch", data=data, headers=headers) as answer:
            text = b""
            for piece in answer.iter_content(1 << 16):
                text += piece
                if len(text) > _MOST_ANSWER:
                    raise ValueError("gave no end of an answer")
        try:
            return {str(each["oid"]): each for each in json.loads(text)["objects"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError("did not answer as a git-lfs server") from None

    def _take(
        self, pointer: Pointer, offers: dict[str, dict[str, Any]], shelf: BlobCache, hear: Hear
    ) -> None:
        offer = offers.get(pointer.digest, {})
        if isinstance(error := offer.get("error"), dict):
            raise Failed(f"said {error.get('code')} {str(error.get('message'))[:200]}", 404)
        try:
            action = offer["actions"]["download"]
            href, headers = str(action["href"]), action.get("header") or {}
            headers = {str(name): str(value) for name, value in headers.items()}
        except (KeyError, TypeError, AttributeError):
            raise Failed("offers no download of it", 404) from None
        if not href.startswith(("http://", "https://")):
            raise Failed("offers it in a way that is not http", 404)
        self._web.take(href, pointer, shelf, hear, headers=headers, auth=self._auth(href, headers))

    def _auth(self, href: str, headers: dict[str, str]) -> Any:
        """Our password only for the server that it is for; where the offer brings its own, that and nothing else."""
        api, place = urlsplit(self._url), urlsplit(href)
        ours = (api.scheme, api.hostname, api.port) == (place.scheme, place.hostname, place.port)
        if ours and api.username and not any(name.lower() == "authorization" for name in headers):
            return (requests.utils.unquote(api.username), requests.utils.unquote(api.password or ""))
        return lambda request: (
            request
        )  # or else requests would look into .netrc and overwrite the offer's header
