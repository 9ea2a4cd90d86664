"""Runs rsync, whoever asks: for the names in a file, with its ssh, its cap, and what its daemons can be asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from saltdeploy.lib import process
from saltdeploy.lib.process import Ended

#: Nothing is asked of anybody: a key without a passphrase, and a host that is known.
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
_OPTIONS = ["--from0", "--files-from=-", "--timeout=120"]
_MODULE = re.compile(r"rsync://[^/]+/[^/]+/?|[^/:]+::[^/]+/?")


def split(place: str) -> tuple[str, str]:
    """What rsync is given as its source, and what then stands before each name that is asked for.

    A daemon without chroot may give no listed file when the source leads below its module (rsync 3.5.0), so the
    names begin at the module; what rsync makes here begins behind ``/./``.
    """
    module = _MODULE.match(place)
    if module is None:
        return f"{place.rstrip('/')}/", ""
    below = place[module.end() :].strip("/")
    return f"{module[0].rstrip('/')}/", f"{below}/./" if below else ""


def cap(rate: int) -> list[str]:
    """The option that keeps a transfer to so many bytes per second; none for 0."""
    return [f"--bwlimit={max(1, rate // 1024)}"] if rate else []


def run(
    options: Sequence[str],
    source: str,
    into: Path,
    names: IO[bytes],
    *,
    timeout: float = process.LONGEST,
    ssh: str = SSH,
    password: str = "",
    heard: Callable[[bytes], None] | None = None,
) -> Ended:
    """Bring files.

    Args:
        options: more of them.
        source: the first of what :func:`split` gives.
        into: a directory.
        names: an open file with what is wanted, a NUL behind each; the second of :func:`split` stands before each.
        timeout: seconds for all of it.
        password: of a daemon.
        heard: gets what rsync says, in pieces.

    Raises:
        FileNotFoundError: rsync is not installed.
        saltdeploy.lib.process.Overran: it took longer.
    """
    # ssh as an option would turn rsync:// into a daemon that is started by it
    environment = {"LC_ALL": "C", "RSYNC_RSH": ssh, "RSYNC_PASSWORD": password}
    command = ["rsync", *_OPTIONS, *options, "--", source, f"{os.fspath(into)}/"]
    return process.run(command, timeout, environment=environment, given=names, heard=heard, locks=True)
