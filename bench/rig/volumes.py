"""A file system of its own for each host, as servers have one: ext4 with a journal, in a sparse file, new for each rig.

On a file system that all share, hosts wait for each other's journal, and who comes later meets what others left: ext4
without a journal passes over inodes that were deleted lately, one by one, which makes each new file ten times as dear.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SIZE = 1 << 36  # bytes of a host's disk; room is taken as it is written
_FORMAT = ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "--")


def possible(directory: Path) -> bool:
    """Whether this process may make and mount one; tried out in ``directory``."""
    try:
        mount(directory / "trial.img", directory / "trial", 1 << 24)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        unmount_below(directory / "trial")
    return True


def mount(image: Path, place: Path, size: int = _SIZE) -> None:
    """Make a file system in a new file and mount it; it goes with its last mount.

    Args:
        image: the file.
        place: the directory to mount it at; made if it is not there.
        size: bytes.

    Raises:
        subprocess.CalledProcessError: this process may not, or a program failed.
    """
    place.mkdir(parents=True, exist_ok=True)
    with open(image, "xb") as file:
        file.truncate(size)
    _run(*_FORMAT, image)
    _run("mount", "-o", "loop,nodiscard,noinit_itable", "--", image, place)
    device = _run("losetup", "--noheadings", "--output", "NAME", "--associated", image).strip()
    _run("losetup", "--direct-io=on", device)  # or else all that is written lies in memory twice
    (place / "lost+found").rmdir()


def unmount_below(directory: Path) -> None:
    """Unmount all that is mounted at or below a directory, the innermost first."""
    for place in mounts_below(directory):
        subprocess.run(["umount", "--lazy", "--", place], check=False, stderr=subprocess.DEVNULL)


def mounts_below(directory: Path) -> list[str]:
    """The places at or below a directory where something is mounted, the last one first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = (line.split()[1].encode().decode("unicode_escape") for line in reversed(lines))
    return [place for place in places if place == str(directory) or place.startswith(f"{directory}{os.sep}")]


def _run(*words: object) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout
