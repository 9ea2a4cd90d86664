"""What on this host keeps us from writing to a path, beyond its owner and mode: a read-only mount, an attribute of chattr(1)."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import shlex
import stat

_GET_FLAGS = 0x80086601
_LETTERS = {"i": 0x10, "a": 0x20}  # immutable, append only
_OCTAL = re.compile(rb"\\([0-7]{3})")


def attribute(path: str) -> tuple[str, str]:
    """The path, or the directory above it, that nobody may change, and the letter of its attribute; ("", "") for none."""
    for place in (path, os.path.dirname(path)):
        flags = _flags(place)
        for letter, flag in _LETTERS.items():
            if flags & flag:
                return place, letter
    return "", ""


def _flags(path: str) -> int:
    found = array.array("L", [0])
    with contextlib.suppress(OSError):
        if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            return 0
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _GET_FLAGS, found)
        finally:
            os.close(fd)
    return found[0]


def mount_of(path: str) -> tuple[str, str]:
    """Where the file system is mounted that a path is on, and its kind, by ``/proc/self/mountinfo``."""
    real = os.path.realpath(os.fsencode(path))
    best = (b"/", b"")
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            before, _, behind = line.partition(b" - ")
            place = _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), before.split(b" ")[4])
            above = place.rstrip(b"/") + b"/"
            if (real + b"/").startswith(above) and len(place) >= len(best[0]):
                best = (place, behind.split(b" ")[0])
    return os.fsdecode(best[0]), best[1].decode("ascii", "replace")


def advice_on_mount(path: str) -> tuple[str, str]:
    """For a read-only file system: what it is, and what to do."""
    place, kind = mount_of(path)
    again = "then run the same command again"
    act = f"see why (dmesg; findmnt {shlex.quote(place)}), {shlex.join(['mount', '-o', 'remount,rw', place])}, {again}"
    return f"the file system at {place} ({kind}) is mounted read-only on this host", act


def advice_on_attribute(place: str, letter: str) -> tuple[str, str]:
    """For a path that has an attribute: what it is, and what to do."""
    word = {"i": "immutable", "a": "append-only"}[letter]
    again = "then run the same command again"
    act = f"see who needs that ({shlex.join(['lsattr', '-d', place])}), {shlex.join(['chattr', f'-{letter}', place])}, {again}"
    return f"{place} has the attribute {letter} ({word}), so that nobody may change it", act
