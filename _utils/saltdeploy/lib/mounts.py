"""Mounts images read-only, and says what is mounted: from ``/proc/self/mountinfo`` (proc(5)), never from a note."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.lib import flock
from saltdeploy.lib.errors import Unsupported
from saltdeploy.lib.text import public

log = logging.getLogger(__name__)

_SAFE = "ro,nodev,nosuid"
_LONGEST = 120  # seconds
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """What is mounted at a place.

    Attributes:
        kind: of file system.
        layers: the names of an overlay's lower directories, the topmost first.
    """

    kind: str
    layers: tuple[str, ...] = ()


def mounted(directory: Path) -> dict[str, Mount]:
    """What is mounted directly below a directory, by name; of several on one place, what is seen."""
    real = os.path.realpath(os.fsencode(directory))
    found = {}
    with open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            before, _, behind = line.partition(b" - ")
            place = _plain(before.split(b" ")[4])
            if os.path.dirname(place) == real:
                kind, _, options = behind.rstrip(b"\n").split(b" ", 2)
                found[os.fsdecode(os.path.basename(place))] = Mount(kind.decode(), _layers(_plain(options)))
    return found


def _plain(field: bytes) -> bytes:
    """Undo the escapes of mountinfo."""
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field)


def _layers(options: bytes) -> tuple[str, ...]:
    """One option ``lowerdir`` with colons, or one ``lowerdir+`` for each, as the kernel was told."""
    named = (each.partition(b"=") for each in options.split(b","))
    places = [place for key, _, value in named if key.startswith(b"lowerdir") for place in value.split(b":")]
    return tuple(os.fsdecode(os.path.basename(place)) for place in places)


def mount_image(image: Path, place: Path) -> None:
    """Mount a squashfs image on a directory.

    Raises:
        Unsupported: this host cannot, or may not.
    """
    _mount(["-t", "squashfs", "-o", f"loop,{_SAFE}", "--", str(image), str(place)], place.parent)


def mount_overlay(layers: Sequence[str], home: Path, place: Path) -> None:
    """Mount directories over each other.

    Args:
        layers: their names in ``home``, plain ones, the topmost first; at least two.
        place: a directory.

    Raises:
        Unsupported: this host cannot, or may not.
    """
    # relative names: a colon or comma in a path would end it
    options = f"{_SAFE},lowerdir={':'.join(layers)}"
    _mount(["-t", "overlay", "-o", options, "--", "overlay", str(place)], home)


def unmount(place: Path) -> bool:
    """Unmount; False when somebody uses it."""
    try:
        done = _run(["umount", "--", str(place)], place.parent).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("cannot unmount %s: %s", place, error)
        return False
    log.debug("%s %s", "unmounted" if done else "still in use:", place)
    return done


def _mount(arguments: list[str], directory: Path) -> None:
    try:
        ended = _run(["mount", *arguments], directory)
    except (OSError, subprocess.SubprocessError) as error:
        raise _cannot(f"mount did not end, or cannot be run ({error})", arguments[-1]) from None
    if ended.returncode:
        said = "; ".join(filter(None, map(str.strip, ended.stdout.splitlines())))
        raise _cannot(f"mount ended with {ended.returncode}: {public(said)[-1500:]}", arguments[-1])
    log.debug("mounted %s", directory / arguments[-1])


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Whoever comes after us when we are killed must not mount a second time: the child keeps the lock."""
    return subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_LONGEST,
        env={**os.environ, "LC_ALL": "C"},
        pass_fds=flock.held_locks(),
    )


def _cannot(said: str, place: str) -> Unsupported:
    return Unsupported(
        f"this host cannot mount: {said}",
        path=place,
        next="choose layout slots, which takes transport squashfs as well; or let the minion mount "
        "(as root, with loop devices, squashfs and overlay in the kernel)",
    )
