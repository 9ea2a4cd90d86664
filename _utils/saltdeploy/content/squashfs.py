"""Makes squashfs images: a base image holds a whole release, an overlay image what a release has other than another one.

An image is made by ``sqfstar`` from a reproducible tar (:mod:`saltdeploy.content.tar`), with one time and owner for
everything. So the same commits make the same bytes, as long as the program is of the same version.

An overlay image is meant to lie over its base in an overlayfs: what is gone is marked there by a character device of the
numbers 0/0, a whiteout (see "whiteouts and opaque directories" in the kernel's Documentation/filesystems/overlayfs.rst).
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saltdeploy.content import tar as content_tar
from saltdeploy.content.source import Stored, supplied
from saltdeploy.git.objects import GITLINK, NOTHING, Change, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.lib import programs
from saltdeploy.lib.os_errors import from_os

_TIME = str(content_tar.TIME)
_SQFSTAR = [
    "sqfstar",
    "-comp",
    "zstd",
    "-no-xattrs",
    "-all-root",
    "-root-mode",
    "0755",
    "-all-time",
    _TIME,
    "-mkfs-time",
    _TIME,
    "-exit-on-error",
    "-quiet",
    "-no-progress",
]


def write_base(source: Reader, commit: str, image: Path) -> None:
    """Make the image of a whole release at the path ``image``.

    Raises:
        Unsupported: sqfstar is not installed.
        DiskFull, Corrupt: it failed.
    """
    _write(source, "", commit, image)


def write_overlay(source: Reader, base: str, commit: str, image: Path) -> None:
    """Make the image of what ``commit`` has other than ``base``; as :func:`write_base`."""
    _write(source, base, commit, image)


def _write(source: Reader, base: str, commit: str, image: Path) -> None:
    room = image.parent
    try:
        with (
            tempfile.TemporaryFile(dir=room) as tar,
            supplied(source, base, commit, Stored(source), room, room) as (changes, supply),
        ):
            for change in read_changes(changes):
                if change.mode == GITLINK:
                    content_tar.write_empty(change.path, tarfile.DIRTYPE, tar)
                elif change.mode != NOTHING:
                    content_tar.write_file(change, supply, tar)
            for path in whiteouts(source, commit, changes):
                content_tar.write_empty(path, tarfile.CHRTYPE, tar)
            content_tar.end(tar)
            tar.seek(0)
            programs.run([*_SQFSTAR, str(image)], tar, subprocess.DEVNULL)
    except OSError as error:
        raise from_os(error, path=str(room)) from error


def whiteouts(source: Reader, commit: str, changes: IO[bytes]) -> Iterator[bytes]:
    """What must be hidden of the base: of each removed path, the topmost part that the release has not as a directory.

    Where the release has something else at that part, that hides it already.
    """
    removed = [change.path for change in read_changes(changes) if change.mode == NOTHING]
    if not removed:
        return
    there = {change.path for change in read_changes(changes) if change.mode not in (NOTHING, GITLINK)}
    with tempfile.TemporaryFile() as content:
        source.diff("", commit, content)
        directories = _directories(read_changes(content))
    told: set[bytes] = set()
    for path in removed:
        gone = next((part for part in _parts(path) if part not in directories), None)
        if gone is not None and gone not in there and gone not in told:
            told.add(gone)
            yield gone


def _directories(entries: Iterator[Change]) -> set[bytes]:
    """The directories of a release; a submodule's is one."""
    found: set[bytes] = set()
    for entry in entries:
        directory = entry.path if entry.mode == GITLINK else os.path.dirname(entry.path)
        while directory and directory not in found:
            found.add(directory)
            directory = os.path.dirname(directory)
    return found


def _parts(path: bytes) -> Iterator[bytes]:
    """``a``, ``a/b``, ``a/b/c`` of ``a/b/c``."""
    end = path.find(b"/")
    while end >= 0:
        yield path[:end]
        end = path.find(b"/", end + 1)
    yield path
