"""Contents from the URLs that git-annex has noted of them: its web remote, without git-annex.

The master reads the URLs and packs them into lists, which travel as payloads do; see :mod:`saltdeploy.blobs.annex_urls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests

from saltdeploy.blobs import annex_urls
from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.http import Failed, Web, reason
from saltdeploy.blobs.source import Cap, Hear
from saltdeploy.content.payloads import Downloader
from saltdeploy.content.pointers import Pointer
from saltdeploy.git.command import no_progress
from saltdeploy.lib.errors import Corrupt, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.protocol.orders import Payload

_GIVE_UP = 3  # failures of the network, of one server
_NAMED = 3  # URLs in a message
_LONGEST = 120  # characters of one


class WebRemote:
    """The URLs of a release's contents.

    Args:
        lists: payloads; one is brought only when those before it do not say enough.
        carrier: brings them.
        room: a directory for them, which is made when it is needed and which the caller deletes.
        cap: what may come.
    """

    def __init__(self, lists: Sequence[Payload], carrier: Downloader, room: Path, cap: Cap) -> None:
        self._lists = lists
        self._carrier = carrier
        self._room = room
        self._web = Web(cap)
        self._silent: Counter[str] = Counter()

    def __str__(self) -> str:
        return "git-annex's web remote"

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.source.BlobSource`."""
        try:
            known = self._known({pointer.key for pointer in wanted})
        except (Unavailable, Corrupt) as error:
            return {pointer.name: f"cannot be asked: {error.cause}" for pointer in wanted}
        failed = {
            pointer.name: self._take(pointer, known.get(pointer.key, []), shelf, hear) for pointer in wanted
        }
        return {name: why for name, why in failed.items() if why}

    def _known(self, keys: set[str]) -> dict[str, list[str]]:
        """Key to its URLs, of those that have any."""
        found: dict[str, list[str]] = {}
        for payload in self._lists:
            if keys <= found.keys():
                break
            self._room.mkdir(parents=True, exist_ok=True)
            path = self._room / f"{payload.sha256}.{annex_urls.KIND}"
            self._carrier.fetch(payload, path, no_progress)
            found |= annex_urls.read(path, keys)
            path.unlink()
        return found

    def _take(self, pointer: Pointer, known: Sequence[str], shelf: BlobCache, hear: Hear) -> str:
        """Put the content on the shelf from the first URL that gives it; why none did, or ""."""
        failed = []
        for url in known:
            why = self._try(url, pointer, shelf, hear)
            if not why:
                return ""
            failed.append(f"{_shown(url)} {why}")
        return f"failed: {', '.join(failed[:_NAMED])}" if failed else "knows no URL of it"

    def _try(self, url: str, pointer: Pointer, shelf: BlobCache, hear: Hear) -> str:
        server = urlsplit(url).netloc
        if self._silent[server] >= _GIVE_UP:
            return "was given up"
        try:
            self._web.take(url, pointer, shelf, hear)
        except (Corrupt, Failed) as error:
            return str(error)
        except requests.RequestException as error:
            self._silent[server] += _GIVE_UP if isinstance(error, requests.ConnectionError) else 1
            return reason(error)
        except ValueError:  # of urllib3 and of codecs, for names of hosts that are none
            return "is no URL that can be asked for"
        return ""


def _shown(url: str) -> str:
    """A URL as it may be logged: a query may hold a signature."""
    return public(urlsplit(url)._replace(query="", fragment="").geturl())[:_LONGEST]
