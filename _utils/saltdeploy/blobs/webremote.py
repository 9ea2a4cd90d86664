"""Contents from the URLs that git-annex has noted of them: its web remote, without git-annex.

The master reads the URLs and packs them into lists, which travel as payloads do; see :mod:`saltdeploy.blobs.urls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests

from saltdeploy.blobs import urls
from saltdeploy.blobs.shelf import Shelf
from saltdeploy.blobs.sources import Cap, Hear
from saltdeploy.blobs.web import Failed, Web, reason
from saltdeploy.carriers import Carrier
from saltdeploy.errors import Corrupt, Unavailable
from saltdeploy.gitcommand import no_progress
from saltdeploy.orders import Payload
from saltdeploy.pointers import Pointer
from saltdeploy.wording import public

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

    def __init__(self, lists: Sequence[Payload], carrier: Carrier, room: Path, cap: Cap) -> None:
        self._lists = lists
        self._carrier = carrier
        self._room = room
        self._web = Web(cap)
        self._silent: Counter[str] = Counter()

    def __str__(self) -> str:
        return "git-annex's web remote"

    def fetch(self, wanted: Sequence[Pointer], shelf: Shelf, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.sources.Source`."""
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
            path = self._room / f"{payload.sha256}.{urls.KIND}"
            self._carrier.fetch(payload, path, no_progress)
            found |= urls.read(path, keys)
            path.unlink()
        return found

    def _take(self, pointer: Pointer, known: Sequence[str], shelf: Shelf, hear: Hear) -> str:
        """Put the content on the shelf from the first URL that gives it; why none did, or ""."""
        failed = []
        for url in known:
            why = self._try(url, pointer, shelf, hear)
            if not why:
                return ""
            failed.append(f"{_shown(url)} {why}")
        return f"failed: {', '.join(failed[:_NAMED])}" if failed else "knows no URL of it"

    def _try(self, url: str, pointer: Pointer, shelf: Shelf, hear: Hear) -> str:
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
