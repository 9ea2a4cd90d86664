"""The URLs that git-annex has noted of contents: how its web remote writes them, and the lists in which they travel.

git-annex keeps them in the branch ``git-annex``, in a file for each key, see its internals: ``<timestamp>s <1|0> <url>``
a line, of which the newest about a URL holds. A list that travels has one line of JSON for each key: the key, then its
URLs. Neither is trusted: all that a URL decides is where somebody looks for a content, which is checked by its key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from saltdeploy.content.pointers.annex import hash_directories
from saltdeploy.lib.errors import Corrupt

#: Of the payloads that are lists.
KIND = "urls"
#: No file of git-annex about a key is read that has more bytes, and no list is longer.
MOST_OF_A_KEY, MOST_OF_A_LIST = 65_536, 64 << 20

_MOST = 8  # URLs of a key
_LONGEST = 2000  # characters of a URL
_LONGEST_LINE = 1 << 17  # bytes: a key, and so many URLs, escaped
_SCHEMES = ("http", "https")
_LINE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)s ([0-9X]) (.+)")


def logs(key: str) -> list[str]:
    """The files of the branch that may hold the URLs of a key.

    As git-annex names them, as it does with ``annex.tune.branchhash1``, and as older ones did.
    """
    lower, mixed = hash_directories(key)
    one = lower.partition("/")[0]
    return [f"{way}/{key}.log.web" for way in (lower, one, mixed)] + [f"remote/web/{lower}/{key}.log"]


def noted(log: bytes) -> list[str]:
    """The URLs that such files hold and that are still good, the newest first.

    What is no plain URL of a web server is left out: git-annex writes before a URL who else is to fetch it
    (``yt:``, ``quvi:``, ``:``).
    """
    newest: dict[str, tuple[Decimal, bool]] = {}
    for line in log.decode("utf-8", "replace").splitlines():
        if (parts := _LINE.fullmatch(line)) is None or not is_legal(parts[3]):
            continue
        moment = Decimal(parts[1])
        if parts[3] not in newest or newest[parts[3]][0] <= moment:
            newest[parts[3]] = moment, parts[2] == "1"
    found = sorted(((moment, url) for url, (moment, is_there) in newest.items() if is_there), reverse=True)
    return [url for _, url in found[:_MOST]]


def is_legal(url: object) -> bool:
    """Whether it is the URL of something behind a web server."""
    if not isinstance(url, str) or len(url) > _LONGEST or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def write(known: Mapping[str, Sequence[str]], path: Path) -> None:
    """Write a list of keys and their URLs; the same ones always give the same bytes. What is too much is left out."""
    left = MOST_OF_A_LIST
    with open(path, "wb") as file:
        for key in sorted(known):
            line = json.dumps([key, *known[key][:_MOST]]).encode() + b"\n"
            if len(line) <= min(left, _LONGEST_LINE):
                left -= len(line)
                file.write(line)


def read(path: Path, keys: Collection[str]) -> dict[str, list[str]]:
    """What a list says of these keys.

    Raises:
        Corrupt: it is no such list.
    """
    found: dict[str, list[str]] = {}
    with open(path, "rb") as file:
        while line := file.readline(_LONGEST_LINE):
            key, *said = _entry(line, path)
            if key in keys:
                found[key] = [url for url in said if is_legal(url)][:_MOST]
    return found


def _entry(line: bytes, path: Path) -> list[str]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, list) or not entry or not isinstance(entry[0], str):
        raise Corrupt("a list of URLs of an unreadable form", path=str(path))
    return entry
