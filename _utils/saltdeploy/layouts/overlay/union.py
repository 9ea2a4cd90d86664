"""Several releases of layout ``overlay`` seen as one tree: the files of the live one, and below them those of older ones.

For hosts that serve static files: pages of an older release ask for its files a while longer. A union is an overlayfs over the mounts of
releases, ``mounts/shown-<number>``; what is in it is known from the kernel alone. It needs nothing but itself once it is
mounted: the releases below it may be unmounted. It never changes; another list of releases is another union.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

from saltdeploy.lib import disk, mounts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.open_files import users_of

_NAME = re.compile(r"shown-([0-9]{1,9})")


class Unions:
    """The unions of one repo.

    Args:
        home: where releases are mounted.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def make(self, names: Sequence[str]) -> Path:
        """Mount a union, unless there is one of these releases.

        Args:
            names: of mounted releases, the topmost first; at least two.

        Raises:
            Unsupported: this host cannot mount it.
        """
        for place in self._places():
            if self._layers(place) == tuple(names):
                return place
        last = max((int(_NAME.sub(r"\1", place.name)) for place in self._places()), default=0)
        place = self._home / f"shown-{last + 1}"
        disk.make_directory(place)
        mounts.mount_overlay(names, self._home, place)
        return place

    def top(self, place: Path) -> str:
        """The name of the release on top of what is mounted at a place; "" where no union is."""
        layers = self._layers(place)
        return layers[0] if layers else ""

    def drop_all_but(self, live: Path, cleanup: Cleanup) -> None:
        """Unmount unions that are neither live nor in use."""
        places = [place for place in self._places() if place != live]
        used = users_of(places)
        for place in places:
            if place not in used:
                cleanup.drop("mounts", by=functools.partial(_remove, place))

    def _places(self) -> list[Path]:
        return [path for path in self._home.glob("shown-*") if _NAME.fullmatch(path.name)]

    def _layers(self, place: Path) -> tuple[str, ...]:
        if place.parent != self._home or not _NAME.fullmatch(place.name):
            return ()
        seen = mounts.mounted(self._home).get(place.name)
        return seen.layers if seen is not None and seen.kind == "overlay" else ()


def _remove(place: Path) -> None:
    if place.name not in mounts.mounted(place.parent) or mounts.unmount(place):
        os.rmdir(place)
