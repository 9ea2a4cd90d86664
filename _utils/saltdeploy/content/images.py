"""Squashfs images on a target: the base image that it keeps, and images as a source of contents.

An image is a file that its sha256 names, and the sha256 came over Salt's channel. All the same, whoever writes a file
from it compares it with its blob.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from saltdeploy.content import payloads
from saltdeploy.content.source import ContentStream, Files, Piece
from saltdeploy.git.objects import GITLINK, NOTHING, Change, read_changes
from saltdeploy.lib import disk, programs
from saltdeploy.lib.errors import Corrupt
from saltdeploy.protocol.orders import Payload

_ADVICE = (
    "run the same command again; if it repeats: choose another transport, and look at the master's payloads"
)
_MOST_LISTED = 10_000  # unsquashfs goes through the list for every name of a directory
_WELL = (
    0,
    2,
)  # 2: a device could not be made without being root, for one; what is needed is looked at anyway


class Images:
    """The base image that a target keeps of a repo, in a directory of its own.

    Attributes:
        unpacked: room for what is in images, on the same file system.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.unpacked = directory / "unpacked"

    def open(self) -> None:
        """Make the directory; delete what was unpacked when somebody killed us."""
        disk.make_directory(self._directory)
        disk.remove_tree(self.unpacked)

    def find(self, payload: Payload) -> Path | None:
        """The image, if it is here and still what its name says."""
        path = self._directory / payload.sha256
        return path if path.is_file() and payloads.digest_of(path) == payload.sha256 else None

    def take(self, received: Path, payload: Payload) -> Path:
        """Keep an image, and no other one."""
        path = self._directory / payload.sha256
        keep(received, path)
        for other in self._directory.iterdir():
            if other != path:
                disk.remove_tree(other)
        return path


def keep(image: Path, place: Path) -> None:
    """Let an image be at a place as well, durably; on the same file system it is a hard link.

    Raises:
        DiskFull: there is no room for a copy.
    """
    aside = place.with_name(f"{place.name}.part")
    aside.unlink(missing_ok=True)
    try:
        os.link(image, aside)
    except OSError:  # another file system, or one without links
        disk.refuse_without_space(place.parent, image.stat().st_size)
        shutil.copyfile(image, aside)
    disk.fsync_file(aside)
    os.rename(aside, place)
    disk.fsync_dir(place.parent)


class Layers:
    """Images as a source of contents.

    Args:
        images: the topmost first: a file is taken from the first that has it.
        room: a directory to make for what is in them.
        brings: see :class:`saltdeploy.content.source.Contents`.
    """

    def __init__(self, images: Sequence[Path], room: Path, brings: int = 0) -> None:
        self.images = tuple(images)
        self.place = ", ".join(map(str, self.images))
        self.advice = _ADVICE
        self.brings = brings
        self._room = room

    def need(self, oids: IO[bytes]) -> None:
        """Not known before they are unpacked."""

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """Unpack what the changes need. Each file is given away once."""
        disk.remove_tree(self._room)
        self._room.mkdir(mode=0o700)
        try:
            roots = []
            for number, image in enumerate(self.images):
                roots.append(self._room / str(number))
                self._unpack(image, roots[-1], changes, roots[:-1])
            yield _Layered(roots)
        finally:
            disk.remove_tree(self._room)

    def _unpack(self, image: Path, root: Path, changes: IO[bytes], above: list[Path]) -> None:
        """Unpack an image, as far as the roots ``above`` do not have what is needed."""
        command = ["unsquashfs", "-no-progress", "-quiet", "-no-xattrs", "-dest", str(root)]
        wanted = _wanted(changes, above) if above else None
        if wanted is not None:
            if not wanted:
                return
            listed = root.with_suffix(".list")
            # the backslash: a name may begin with a space, or with what else begins a comment
            listed.write_bytes(b"".join(b"\\%s\n" % path for path in wanted))
            command += ["-no-wildcards", "-extract-file", str(listed)]
        programs.run([*command, str(image)], subprocess.DEVNULL, subprocess.DEVNULL, _WELL)


def _wanted(changes: IO[bytes], above: list[Path]) -> list[bytes] | None:
    """The paths that are needed and that none of the roots has; None where they cannot be listed, or are many."""
    wanted: list[bytes] = []
    for change in read_changes(changes):
        if change.mode in (NOTHING, GITLINK) or any(_holds(root, change.path) for root in above):
            continue
        if b"\n" in change.path or len(wanted) == _MOST_LISTED:
            return None
        wanted.append(change.path)
    return wanted


def _holds(root: Path, path: bytes) -> bool:
    return os.path.lexists(os.path.join(os.fsencode(root), path))


class _Layered:
    def __init__(self, roots: list[Path]) -> None:
        self._files = [(root, Files(root, _ADVICE, drop=True)) for root in roots]

    def next(self, change: Change) -> Piece:
        """The file of the topmost root that has the path. No link on the way to it is followed."""
        held = ((root, files) for root, files in self._files if _holds(root, change.path))
        root, files = next(held, self._files[-1])
        directory = os.path.dirname(os.path.join(os.fsencode(root), change.path))
        if os.path.realpath(directory) != directory:
            raise Corrupt(f"a link leads to {change.path!r}", path=str(root), next=_ADVICE)
        return files.next(change)
