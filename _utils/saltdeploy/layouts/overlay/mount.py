"""One release of layout ``overlay``: images over each other, where they are mounted, and what is known of it.

Below the repo's area::

    layers/<name>.img           an image; the name is its sha256, with a number behind it for another copy
    layers/<name>/              where it is mounted, once for all releases that need it
    layers/base-..., over-...   layers that are directories (saltdeploy.layouts.overlay.layers)
    layers/links-...            links to what is shared (saltdeploy.layouts.overlay.shared)
    layers/empty/               a layer for releases of one image: an overlay has two at least
    mounts/<name>/              where the images are mounted over each other; the name is the commit, perhaps with a number
    mounts/<name>.layers.json   the names of the images, the topmost first
    mounts/<name>.json          what is known of the release (saltdeploy.layouts.symlinked.tree); there is none without it
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from saltdeploy.content import payloads
from saltdeploy.content.images import keep
from saltdeploy.layouts.overlay.layers import LINKS, is_directory_layer
from saltdeploy.layouts.symlinked.tree import Slot, TreeState, read_state, write_state
from saltdeploy.lib import disk, mounts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt

_EMPTY = "empty"


class ImageStore:
    """The images of one repo that releases on this host need."""

    def __init__(self, area: Path) -> None:
        self.home = area / "layers"

    def take(self, image: Path) -> str:
        """Keep an image that came, named by its sha256; return the name it has here.

        A copy that is here and damaged may be mounted: it stays, and the new one gets another name.
        """
        disk.make_directory(self.home / _EMPTY)
        for number in count():
            name = f"{image.name}-{number}" if number else image.name
            kept = self._image(name)
            if not os.path.lexists(kept):
                keep(image, kept)
                return name
            if self._is_sound(name):
                return name
        raise AssertionError

    def has(self, name: str) -> bool:
        """Whether the layer is here; the bytes of an image are compared when it is mounted."""
        if name.startswith(LINKS):  # it appears as a whole
            return (self.home / name).is_dir()
        if is_directory_layer(name):
            return Slot(self.home / name).state().complete
        return self._image(name).is_file()

    def mount(self, name: str) -> None:
        """Mount an image, unless it is. A directory is there as it is.

        Raises:
            Corrupt: its bytes are not what its name says.
            Unsupported: this host cannot mount.
        """
        if is_directory_layer(name) and self.has(name):
            return
        seen = mounts.mounted(self.home).get(name)
        if seen is not None and seen.kind == "squashfs":
            return
        if not self._is_sound(name):
            raise Corrupt(
                "the image is not what its name says, or it is gone",
                path=str(self._image(name)),
                next="deploy the release again: the image is fetched again",
            )
        disk.make_directory(self.home / name)
        mounts.mount_image(self._image(name), self.home / name)

    def drop_all_but(self, names: set[str], cleanup: Cleanup) -> None:
        """Unmount and delete images that nobody needs; one that is still in use stays for now."""
        if not self.home.is_dir():
            return
        here = mounts.mounted(self.home)
        needed = {_EMPTY, *names, *(self._image(name).name for name in names)}
        found = list(self.home.iterdir())
        for name in {path.name.partition(".")[0] for path in found if is_directory_layer(path.name)} - names:
            layer = Slot(self.home / name)
            cleanup.drop("layers", *layer.paths, by=layer.remove)
        for path in found:
            if path.name in needed or is_directory_layer(path.name):
                continue
            if path.name in here or path.is_dir():
                cleanup.drop("images", by=functools.partial(_unmount, path))
            else:
                cleanup.drop("images", path)

    def _image(self, name: str) -> Path:
        return self.home / f"{name}.img"

    def _is_sound(self, name: str) -> bool:
        path = self._image(name)
        return path.is_file() and payloads.digest_of(path) == name.partition("-")[0]


class Mounted:
    """A release that is, or can be, mounted at ``tree``.

    Args:
        tree: its place below ``mounts``.
        images: has those of the release.
        fit: whether layers are such as a release has today: with the right links.
    """

    def __init__(self, tree: Path, images: ImageStore, fit: Callable[[Sequence[str]], bool]) -> None:
        self.tree = tree
        self.name = tree.name
        self._images = images
        self._fit = fit
        self._record = tree.with_name(f"{tree.name}.json")
        self._list = tree.with_name(f"{tree.name}.layers.json")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mounted) and other.tree == self.tree

    def __hash__(self) -> int:
        return hash(self.tree)

    def state(self) -> TreeState:
        """What is known; nothing where the record is damaged, or an image is gone. Without today's links it is suspect."""
        state = self.recorded()
        layers = self.layers()
        if not layers or not all(map(self._images.has, layers)):
            return TreeState()
        return state if self.fits() else dataclasses.replace(state, suspect=True)

    def recorded(self) -> TreeState:
        """What was written down."""
        return read_state(self._record)

    def fits(self) -> bool:
        """Whether it has links at the paths that are shared today."""
        return self._fit(self.layers())

    def note(self, state: TreeState) -> None:
        """Write down what is known, durably; not that links are missing, which the next pillar may ask for again."""
        if not self.fits():
            state = dataclasses.replace(state, suspect=self.recorded().suspect)
        write_state(self._record, state)

    def layers(self) -> tuple[str, ...]:
        """The names of its images, the topmost first; none where they are not known."""
        try:
            names = disk.read_json(self._list, [])
        except Corrupt:
            return ()
        fine = isinstance(names, list) and all(
            isinstance(n, str) and n.replace("-", "").isalnum() for n in names
        )
        return tuple(names) if fine else ()

    def begin(self, layers: tuple[str, ...], state: TreeState) -> None:
        """Record that there is such a release."""
        disk.make_directory(self.tree)
        disk.write_json(self._list, list(layers))
        self.note(state)

    def is_mounted(self) -> bool:
        """Whether it is mounted, by the kernel's word; somebody's other mount on its place is none."""
        seen = mounts.mounted(self.tree.parent).get(self.name)
        return seen is not None and seen.kind == "overlay" and seen.layers == self._stack()

    def mount(self) -> None:
        """Mount it, unless it is; as :meth:`ImageStore.mount`."""
        if self.is_mounted():
            return
        for name in self.layers():
            self._images.mount(name)
        disk.make_directory(self.tree)
        disk.make_directory(self._images.home / _EMPTY)
        mounts.mount_overlay(self._stack(), self._images.home, self.tree)

    def remove(self) -> bool:
        """Unmount it and forget it; False when somebody uses it."""
        if self.name in mounts.mounted(self.tree.parent) and not mounts.unmount(self.tree):
            return False
        self._record.unlink(missing_ok=True)
        self._list.unlink(missing_ok=True)
        disk.fsync_dir(self.tree.parent)
        _remove_empty(self.tree)
        return True

    def asides(self) -> list[Path]:
        """What somebody left who was killed while he wrote."""
        return [aside for path in (self.tree, self._record, self._list) for aside in disk.asides(path)]

    def _stack(self) -> tuple[str, ...]:
        layers = self.layers()
        return layers if len(layers) > 1 else (*layers, _EMPTY)


def _unmount(place: Path) -> None:
    """Unmount what may be mounted, and remove the place; what is still in use stays for now."""
    if place.name not in mounts.mounted(place.parent) or mounts.unmount(place):
        _remove_empty(place)


def _remove_empty(place: Path) -> None:
    """Remove where something was mounted. Whatever is still there, below another mount even, is not ours to delete."""
    with contextlib.suppress(OSError):
        place.rmdir()
