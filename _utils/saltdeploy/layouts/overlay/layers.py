"""Layers of layout ``overlay`` that are directories: a base holds a complete release, another one what differs from it.

They are for releases whose contents came into the store. Next to the images are::

    layers/base-<commit>/         a complete tree, with its record and its list of files (saltdeploy.layouts.symlinked.tree)
    layers/over-<base>-<commit>/  what differs; what is gone is marked by a whiteout (saltdeploy.content.squashfs)

A number behind the name tells another copy, made since somebody had written into the first. A base serves as long as what
differs from it is at most a quarter of it; it is never changed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO

from saltdeploy.content import squashfs
from saltdeploy.content.source import Contents
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked import space
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.layouts.symlinked.tree import Slot, TreeState
from saltdeploy.lib import disk
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import GitFailed, Unsupported
from saltdeploy.protocol.release import Release

BASE, OVER = "base-", "over-"
LINKS = "links-"  # of what is shared, see saltdeploy.layouts.overlay.shared
_SHARE = 4  # a base serves while what is over it is at most this part of it


def is_directory_layer(name: str) -> bool:
    """Whether a layer of this name is a directory, and no image."""
    return name.startswith((BASE, OVER, LINKS))


class Directories:
    """The layers in one directory.

    Args:
        home: of all layers.
        incoming: a directory for files that are being written, on the same file system.
        reader: knows the trees of the releases.
    """

    def __init__(self, home: Path, incoming: Path, reader: Reader) -> None:
        self._home = home
        self._incoming = incoming
        self._reader = reader

    def make(
        self, release: Release, contents: Contents, tell: Progress, *, distrust: bool
    ) -> tuple[str, ...]:
        """See to it that the layers of a release are there; return their names, the topmost first.

        Args:
            distrust: read every byte of a layer before it is used again.

        Raises:
            DiskFull: nothing was written.
            Corrupt: the contents are not what the trees say.
            Unsupported: this host may not make whiteouts.
        """
        disk.remove_tree(self._incoming)
        disk.make_directory(self._incoming)
        disk.make_directory(self._home)
        for base in self._bases():
            over = self._over(base, release, contents, tell, distrust=distrust)
            if over is not None:
                return (*over, base.name)
        return (self._layer(f"{BASE}{release.commit}", "", release, contents, tell, distrust=distrust),)

    def commits(self, names: set[str]) -> set[str]:
        """What the bases among these layers hold: what is to be compared with a release must be known."""
        return {Slot(self._home / name).state().commit for name in names if name.startswith(BASE)} - {""}

    def _bases(self) -> Iterator[Slot]:
        """The complete ones, the newest first."""
        found = [Slot(path) for path in self._home.glob(f"{BASE}*") if path.is_dir()]
        for base in sorted(found, key=lambda each: each.tree.stat().st_ctime_ns, reverse=True):
            if base.state().complete:
                yield base

    def _over(
        self, base: Slot, release: Release, contents: Contents, tell: Progress, *, distrust: bool
    ) -> tuple[str, ...] | None:
        """The layers over a base: none over that of the release itself. None: the base does not serve."""
        commit = base.state().commit
        if distrust and not _is_sound(base):
            return None
        if commit == release.commit:
            return ()
        try:
            if not self._is_near(base, commit, release.commit):
                return None
        except GitFailed:  # nobody knows any more what it holds
            return None
        name = f"{OVER}{base.name.removeprefix(BASE)}-{release.commit}"
        return (self._layer(name, commit, release, contents, tell, distrust=distrust),)

    def _is_near(self, base: Slot, old: str, new: str) -> bool:
        with base.manifest() as manifest:
            files, _ = manifest.sizes()
        with tempfile.TemporaryFile(dir=self._incoming) as changes:
            self._reader.diff(old, new, changes)
            return sum(1 for _ in read_changes(changes)) * _SHARE <= files

    def _layer(
        self,
        name: str,
        base: str,
        release: Release,
        contents: Contents,
        tell: Progress,
        *,
        distrust: bool,
    ) -> str:
        """The layer, or a new copy of it where somebody has written into it."""
        for number in count():
            layer = Slot(self._home / (f"{name}-{number}" if number else name))
            if not layer.state().complete:
                layer.remove()
                self._write(layer, base, release, contents, tell)
                return layer.name
            if not distrust or _is_sound(layer):
                return layer.name
        raise AssertionError

    def _write(self, layer: Slot, base: str, release: Release, contents: Contents, tell: Progress) -> None:
        spool = lambda: tempfile.TemporaryFile(dir=self._incoming)  # noqa: E731
        with spool() as changes, spool() as oids:
            self._list(base, release.commit, changes)
            work = WorkTree(layer.tree, self._incoming, contents)
            number = work.oids_to_write(changes, oids)
            need = space.need(changes, oids, number, contents, [])
            disk.refuse_without_space(self._incoming, need, number)
            disk.make_directory(layer.tree)
            with layer.manifest() as manifest, manifest.transaction():
                work.apply(changes, oids, number, manifest, tell)
                below = Below(layer.tree)
                for path in squashfs.whiteouts(self._reader, release.commit, changes):
                    _hide(below, path)
                work.sync()
                disk.sync_all(layer.tree)
                manifest.put_commit(release.commit)
            layer.note(TreeState(release.commit, release.tag))

    def _list(self, base: str, commit: str, changes: IO[bytes]) -> None:
        try:
            self._reader.diff(base, commit, changes)
        except GitFailed as error:
            raise self._reader.lacks(commit, error) from error


def _is_sound(layer: Slot) -> bool:
    """Whether each file is what its blob says. Whiteouts are no files."""
    try:
        with layer.manifest() as manifest:
            return manifest.verify(layer.tree, full=True, stray=lambda path: None).ok
    except Unreadable:
        return False


def _hide(below: Below, path: bytes) -> None:
    """Make a whiteout, and the directories above it where they are not there."""
    above = path.split(b"/")[:-1]
    for depth in range(1, len(above) + 1):
        with contextlib.suppress(FileExistsError):
            below.make_directory(b"/".join(above[:depth]))
    name, at = below.place(path)
    try:
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=at)
    except PermissionError as error:
        raise Unsupported(
            f"this host may not mark what a release has not: {error.strerror}",
            path=os.fsdecode(below.at(path)),
            next="choose layout slots; or let the minion make devices (CAP_MKNOD)",
        ) from error
