"""A local user who exchanges a directory of release trees with a link, all the time, as whoever owns the one above it can."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def exchanging(trees: Path, pattern: str, outside: Path, rounds: int) -> Iterator[subprocess.Popen[bytes]]:
    """Let a process of its own exchange what matches ``pattern`` below ``trees`` with links to ``outside``.

    Args:
        rounds: exchanges of each, after which the process ends by itself.
    """
    command = [sys.executable, __file__, str(trees), pattern, str(outside), str(rounds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def _exchange(one: Path, other: Path) -> None:
    _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)


def _run(trees: Path, pattern: str, outside: Path, rounds: int) -> None:
    print("begun", flush=True)
    for number in range(rounds):
        if number % 50 == 0:
            places = list(trees.glob(pattern))
        for place in places:
            lure = place.with_name("lure")
            with contextlib.suppress(OSError):  # the deploy has just deleted one of the two
                lure.symlink_to(outside)
            _exchange(place, lure)


if __name__ == "__main__":
    _run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
