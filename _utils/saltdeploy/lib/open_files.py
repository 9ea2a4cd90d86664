"""Which processes use a directory tree: as current or root directory, by open files, by mapped files.

Read from ``/proc`` (proc(5)). Without root only one's own processes can be looked into.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def users_of(trees: list[Path]) -> dict[Path, str]:
    """Find one user of each tree.

    Args:
        trees: directories; those that do not exist have no users.

    Returns:
        Tree to a description such as ``pid 4242 (php-fpm)``; trees that nobody uses are left out.
    """
    prefixes = {os.path.realpath(os.fsencode(tree)): tree for tree in trees if os.path.lexists(tree)}
    found: dict[Path, str] = {}
    if not prefixes:
        return found
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        for used in _paths_of(pid, tuple(prefixes)):
            for prefix, tree in prefixes.items():
                if used == prefix or used.startswith(prefix + b"/"):
                    found.setdefault(tree, f"pid {pid} ({_name(pid)})")
        if len(found) == len(prefixes):
            break
    return found


def _paths_of(pid: str, wanted: tuple[bytes, ...]) -> Iterator[bytes]:
    base = f"/proc/{pid}".encode()
    for link in (b"cwd", b"root", b"exe"):
        with contextlib.suppress(OSError):
            yield os.readlink(base + b"/" + link)
    with contextlib.suppress(OSError):
        for fd in os.listdir(base + b"/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(base + b"/fd/" + fd)
    with contextlib.suppress(OSError), open(base + b"/maps", "rb") as maps:
        mapped = maps.read()  # a thousand lines in a big daemon: looked into only where it may matter
        if any(prefix in mapped for prefix in wanted):
            yield from (line[line.find(b"/") :] for line in mapped.splitlines() if b"/" in line)


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "gone"
