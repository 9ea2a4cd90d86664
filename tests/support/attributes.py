"""Files that nobody may change: ``chattr +i``, where this machine lets us."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10


def _set(fd: int, *, immutable: bool) -> None:
    flags = array.array("L", [0])
    fcntl.ioctl(fd, _GET_FLAGS, flags)
    flags[0] = flags[0] | _IMMUTABLE if immutable else flags[0] & ~_IMMUTABLE
    fcntl.ioctl(fd, _SET_FLAGS, flags)


@contextlib.contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nobody change a file or directory while the block runs, wherever it is moved meanwhile."""
    fd = os.open(path, os.O_RDONLY)
    try:
        _set(fd, immutable=True)
        yield
    finally:
        _set(fd, immutable=False)
        os.close(fd)


def possible() -> bool:
    """Whether the file system of temporary files has such attributes, and we may set them."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            with immutable(Path(directory)):
                return True
        except OSError:
            return False
