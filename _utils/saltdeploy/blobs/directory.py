"""Contents from plain files: a directory, or the same behind a web server."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.http import Failed, Web
from saltdeploy.blobs.source import Cap, Hear
from saltdeploy.content.pointers import Pointer, places
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.text import public


class Directory:
    """A directory of this host: a mount, or what somebody has put there before."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __str__(self) -> str:
        return str(self._path)

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.source.BlobSource`."""
        failed = {}
        for pointer in wanted:
            try:
                self._take(pointer, shelf)
                hear(pointer.size)
            except FileNotFoundError:
                failed[pointer.name] = "has it not"
            except Corrupt as error:
                failed[pointer.name] = error.cause
            except PermissionError as error:
                failed[pointer.name] = f"cannot be read ({error.strerror})"
        return failed

    def _take(self, pointer: Pointer, shelf: BlobCache) -> None:
        found = next(filter(os.path.isfile, (self._path / place for place in places(pointer))), None)
        if found is None:
            raise FileNotFoundError(self._path)
        with open(found, "rb") as file:
            shelf.take(file, pointer)


class WebDirectory:
    """Plain files behind a web server.

    Args:
        cap: what may come.
    """

    def __init__(self, url: str, cap: Cap = Cap()) -> None:  # noqa: B008 - frozen
        self._url = url.rstrip("/")
        self._web = Web(cap)

    def __str__(self) -> str:
        return public(self._url)

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.source.BlobSource`."""
        return self._web.each(wanted, lambda pointer: self._take(pointer, shelf, hear))

    def _take(self, pointer: Pointer, shelf: BlobCache, hear: Hear) -> None:
        for place in places(pointer):
            try:
                url = f"{self._url}/{urllib.parse.quote(os.fsencode(place))}"
                return self._web.take(url, pointer, shelf, hear)
            except Failed as error:
                if error.status not in (404, 410):
                    raise
        raise Failed("has it not", 404)
