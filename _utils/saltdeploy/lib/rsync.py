"""How rsync is asked, whoever asks: its ssh, its cap, and what its daemons can be asked for."""

from __future__ import annotations

import re

#: Nothing is asked of anybody: a key without a passphrase, and a host that is known.
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
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
