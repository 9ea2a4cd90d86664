"""Contents by rsync, from a daemon or over ssh: all that is wanted in one run of the program."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.source import Cap, Hear
from saltdeploy.content.pointers import Pointer, places
from saltdeploy.lib import disk, process, rsync
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.text import public

_OPTIONS = [
    "--whole-file",
    "--no-motd",
    "--out-format=%l",
]
_SOME_MISSING = (23, 24)
_MOST_SAID = 2000


class RsyncSource:
    """What rsync can read: ``rsync://host/module``, ``host::module``, ``host:/path``.

    Args:
        place: the same; a password in the URL is given to rsync by its environment.
        cap: what may come. The program knows nothing of what others have booked, and keeps to the rate by itself.
        ssh: how ssh is called.
    """

    def __init__(self, place: str, cap: Cap = Cap(), ssh: str = rsync.SSH) -> None:  # noqa: B008 - frozen
        self._place, self._password = _without_password(place)
        self._root, self._below = rsync.split(self._place)
        self._cap = rsync.cap(cap.rate)
        self._ssh = ssh

    def __str__(self) -> str:
        return public(self._place)

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """See :class:`saltdeploy.blobs.source.BlobSource`."""
        room = shelf.incoming / "rsync"
        room.mkdir()
        try:
            said = self._run(wanted, room, hear)
            return self._sort(wanted, shelf, os.fsencode(room), said)
        finally:
            disk.remove_tree(room)

    def _run(self, wanted: Sequence[Pointer], room: Path, hear: Hear) -> str:
        """Let rsync bring what there is; what it says of the rest."""
        options = [*_OPTIONS, *self._cap, f"--max-size={max(pointer.size for pointer in wanted)}"]
        sizes = _Sizes(hear)
        with tempfile.TemporaryFile() as names:
            listed = (f"{self._below}{place}\0" for each in wanted for place in places(each))
            names.write(b"".join(map(os.fsencode, listed)))
            names.seek(0)
            try:
                ended = rsync.run(options, self._root, room, names, ssh=self._ssh, password=self._password,
                                  heard=sizes.take)  # fmt: skip
            except FileNotFoundError:
                return "cannot be asked: rsync is not installed on this host"
            except process.Overran:
                return "failed: it did not end"
        if ended.code in (0, *_SOME_MISSING):
            return "has it not"
        return public(f"failed ({ended.code}): {sizes.others()}")

    def _sort(self, wanted: Sequence[Pointer], shelf: BlobCache, room: bytes, said: str) -> dict[str, str]:
        failed = {}
        for pointer in wanted:
            came = [os.path.join(room, os.fsencode(place)) for place in places(pointer)]
            found = next((path for path in came if os.path.isfile(path) and not os.path.islink(path)), None)
            if found is None:
                failed[pointer.name] = said
                continue
            try:
                shelf.adopt(Path(os.fsdecode(found)), pointer)
            except Corrupt as error:
                failed[pointer.name] = error.cause
        return failed


class _Sizes:
    """Takes what rsync says: lines with the size of a file that has come, and others."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._rest = b""
        self._others = b""

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.strip().isdigit():
                self._hear(int(line))
            else:
                self._others = (self._others + line + b"\n")[:_MOST_SAID]

    def others(self) -> str:
        """What it said besides, as one line."""
        return (self._others + self._rest)[:_MOST_SAID].decode("utf-8", "replace").strip().replace("\n", "; ")


def _without_password(place: str) -> tuple[str, str]:
    if not place.startswith("rsync://"):
        return place, ""
    parts = urlsplit(place)
    if not parts.password:
        return place, ""
    rest = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{rest}")), parts.password
