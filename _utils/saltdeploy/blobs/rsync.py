"""Contents by rsync, from a daemon or over ssh: all that is wanted in one run of the program."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.source import Cap, Hear, places
from saltdeploy.content.pointers import Pointer
from saltdeploy.lib import disk, rsync
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.text import public

_OPTIONS = [
    "--files-from=-",
    "--from0",
    "--whole-file",
    "--no-motd",
    "--out-format=%l",
    "--timeout=120",
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
            said = self._run(wanted, os.fsencode(room), hear)
            return self._sort(wanted, shelf, os.fsencode(room), said)
        finally:
            disk.remove_tree(room)

    def _run(self, wanted: Sequence[Pointer], room: bytes, hear: Hear) -> str:
        """Let rsync bring what there is; what it says of the rest."""
        largest = max(pointer.size for pointer in wanted)
        command = ["rsync", *_OPTIONS, *self._cap, f"--max-size={largest}"]
        with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as errors:
            listed = (f"{self._below}{place}\0" for each in wanted for place in places(each))
            names.write(b"".join(map(os.fsencode, listed)))
            names.seek(0)
            try:
                process = subprocess.Popen(
                    [*command, "--", self._root, room + b"/"],
                    stdin=names,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self._environment(),
                    pass_fds=disk.held_locks(),
                )
            except FileNotFoundError:
                return "cannot be asked: rsync is not installed on this host"
            with process:
                try:
                    assert process.stdout is not None
                    for line in process.stdout:
                        hear(int(line) if line.strip().isdigit() else 0)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode in (0, *_SOME_MISSING):
                return "has it not"
            errors.seek(0)
            text = errors.read(_MOST_SAID).decode("utf-8", "replace").strip().replace("\n", "; ")
            return public(f"failed ({process.returncode}): {text}")

    def _environment(self) -> dict[str, str]:
        # as an option, the shell would be used for a daemon's place as well
        return {**os.environ, "LC_ALL": "C", "RSYNC_RSH": self._ssh, "RSYNC_PASSWORD": self._password}

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


def _without_password(place: str) -> tuple[str, str]:
    if not place.startswith("rsync://"):
        return place, ""
    parts = urlsplit(place)
    if not parts.password:
        return place, ""
    rest = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{rest}")), parts.password
