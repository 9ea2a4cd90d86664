"""Shared paths of layout ``overlay``: a layer of links lies on top of the layers of a release, and is made on the host.

Next to the other layers is ``layers/links-<digest>/``, with a link at each shared path and the directories above them. The
digest is that of where they lead, so a layer never changes, and all releases have the same one as long as the pillar shares
the same paths. A number behind the name tells another copy, made since somebody had written into the first. What is shared
lies where it does for other layouts (:mod:`saltdeploy.layouts.symlinked.shared`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any

from saltdeploy.config import Repo
from saltdeploy.content.source import ContentStream, Files, Piece
from saltdeploy.git.objects import Change
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.overlay.layers import LINKS
from saltdeploy.layouts.overlay.mount import ImageStore
from saltdeploy.layouts.symlinked.adopt import Adoption
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.shared_place import SharedPlace, parents
from saltdeploy.lib import disk
from saltdeploy.lib.below import Below

_DIGITS = 16
_ADVICE = "run the same command again; if it repeats, look at the layers of the release (dmesg)"


class SharedLinks(SharedPlace):
    """The layer of links of one repo, and what they lead to. Only one process at a time makes it."""

    def __init__(self, repo: Repo, images: ImageStore, changes: Changes) -> None:
        super().__init__(repo)
        self._images = images
        self._incoming = repo.paths.area / "incoming"
        self._shared = Adoption(repo, changes, self._incoming)
        self._name = self._digest() if self._paths else ""

    def fit(self, layers: Sequence[str]) -> bool:
        """Whether a release of these layers has links at the paths that are shared today, and at no others."""
        found = [name for name in layers if name.startswith(LINKS)]
        return [_without_number(name) for name in found] == ([self._name] if self._name else [])

    def over(
        self, commit: str, layers: Sequence[str], live: Path | None, tell: Progress
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Make what is shared and is not there yet, and put the links to it over the layers of a release.

        Args:
            layers: of the release, the topmost first; perhaps with other links.
            live: what is live now, where that is no release of this layout: what it has there is taken over by the switch.

        Returns:
            The layers with the links, and facts as :meth:`saltdeploy.layouts.symlinked.shared.SharedArea.make` tells them.

        Raises:
            NotReady: a shared file is nowhere.
            Unsupported: the release has a file where a directory must be; and others of ``make``. Nothing has changed.
        """
        plain = tuple(name for name in layers if not name.startswith(LINKS))
        if not self._paths:
            return plain, {}
        contents = _OfLayers(self._images, plain)
        with contents.topmost() as topmost:
            for path in self._paths:
                self._refuse_in_the_way(topmost, path)
        disk.make_directory(self._incoming)
        facts = self._shared.make(commit, contents, live, tell, whole=True)
        return (self._layer(), *plain), facts

    def seen(self, tree: Path, layers: Sequence[str]) -> dict[bytes, bool]:
        """Each shared path to whether a mounted tree has its link there, and the layer as well: the kernel may go on with what was."""
        found = self.links(tree)
        for name in layers:
            if name.startswith(LINKS):
                below = self.links(self._images.home / name)
                found = {path: is_right and below[path] for path, is_right in found.items()}
        return found

    def take_over(self, live: Path | None) -> dict[str, Any]:
        """See :meth:`saltdeploy.layouts.symlinked.shared.SharedArea.take_over`."""
        return self._shared.take_over(live)

    def adopt(self, paths: Collection[str], live: Path, source: str) -> dict[str, str]:
        """See :meth:`saltdeploy.layouts.symlinked.adopt.Adoption.adopt`."""
        return self._shared.adopt(paths, live, source)

    def _digest(self) -> str:
        below = Below(self._images.home / LINKS)  # all layers, and all mounts, are as deep
        known = {os.fsdecode(path): self._text(below, path) for path in self._paths}
        return f"{LINKS}{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:_DIGITS]}"

    def _layer(self) -> str:
        """The name of the layer; a copy that somebody has written into stays, since it may be mounted."""
        for number in count():
            place = self._images.home / (f"{self._name}-{number}" if number else self._name)
            if not place.is_dir():
                self._write(place)
                return place.name
            if all(self.links(place).values()):
                return place.name
        raise AssertionError

    def _write(self, place: Path) -> None:
        aside = disk.aside_of(place)
        disk.make_directory(aside)
        self.link(aside)
        disk.sync_all(aside)
        os.rename(aside, place)
        disk.fsync_dir(place.parent)

    def _refuse_in_the_way(self, layers: list[tuple[Below, Files]], path: bytes) -> None:
        """A directory of a layer above it would hide what the release has there."""
        for parent in parents(path):
            seen = next(filter(None, (below.seen(parent) for below, _ in layers)), None)
            if seen is not None and not stat.S_ISDIR(seen.st_mode) and not _is_whiteout(seen):
                raise self._unfit(
                    path,
                    f"the release has something else than a directory at {os.fsdecode(parent)}",
                    "take it out of `shared`, or out of the release",
                )


class _OfLayers:
    """The files of a release, each from the topmost layer that has it: the same that a mount would show.

    Args:
        names: of the layers, the topmost first.
    """

    def __init__(self, images: ImageStore, names: Sequence[str]) -> None:
        self.place = str(images.home)
        self.advice = _ADVICE
        self.brings = 0
        self._images = images
        self._names = names

    def need(self, oids: IO[bytes]) -> int | None:
        """Nobody knows before they are read."""
        return None

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """The files as they are."""
        with self.topmost() as topmost:
            yield _Topmost(topmost)

    @contextlib.contextmanager
    def topmost(self) -> Iterator[list[tuple[Below, Files]]]:
        """The layers, for as long as the block runs: nobody can unmount one of which something is open."""
        for name in self._names:
            self._images.mount(name)
        with contextlib.ExitStack() as stack:
            places = [self._images.home / name for name in self._names]
            yield [(stack.enter_context(Below(place)), Files(place, _ADVICE)) for place in places]


class _Topmost:
    def __init__(self, layers: list[tuple[Below, Files]]) -> None:
        self._layers = layers

    def next(self, change: Change) -> Piece:
        """What the lowest layer has not is nowhere, and it says so."""
        found = (files for below, files in self._layers if below.seen(change.path) is not None)
        return next(found, self._layers[-1][1]).next(change)


def _is_whiteout(seen: os.stat_result) -> bool:
    return stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0


def _without_number(name: str) -> str:
    return "-".join(name.split("-")[:2])
