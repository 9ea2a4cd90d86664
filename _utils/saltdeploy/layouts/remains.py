"""What other layouts have left in a repo's area: trees, layers, mounts. No layout of today goes back to them, or deletes them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.git import inquiry
from saltdeploy.lib import disk, mounts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.open_files import users_of

log = logging.getLogger(__name__)

KIND = "remains"
_STORES = ("store.git", "trees.git", "blobs")
#: Layout to what it has in the area. What stands first is mounted over what follows.
OWN = {
    "slots": ("slots", *_STORES),
    "releases": ("releases", "records", *_STORES),
    "overlay": (
        "mounts",
        "layers",
        "catalogue.db",
        "catalogue.db-journal",
        "catalogue-*",
        "store.git",
        "trees.git",
    ),
    "inplace": ("first",),
}
_MOST_MOUNTS = 100  # on one place


def collect(repo: Repo, cleanup: Cleanup) -> list[str]:
    """Unmount and delete what other layouts left, once the layout of today has a release live.

    Returns:
        What somebody uses still, and who, for people.
    """
    in_use = []
    inquiry.end_all()  # or a git of this very process uses the store
    for place in _places(repo):
        users = users_of([place])
        if users:
            in_use.append(f"{place} is in use by {users[place]}")
        elif not _drop(place, cleanup):
            in_use.append(f"{place} cannot be unmounted: see who uses it (fuser -vm {place})")
    return in_use


def _places(repo: Repo) -> Iterator[Path]:
    """What is there, is no part of today's layout, and is not what ``location`` shows."""
    todays = OWN[repo.layout.name]
    names = dict.fromkeys(name for own in OWN.values() for name in own if name not in todays)
    live = _shown(repo.paths.location)
    area = repo.paths.area
    for place in (each for name in names for each in (area.glob(name) if "*" in name else [area / name])):
        if os.path.lexists(place) and not disk.is_below(live, place):
            yield place


def _shown(location: Path) -> Path:
    try:
        return location.parent / os.readlink(location)
    except OSError:
        return location


def _drop(place: Path, cleanup: Cleanup) -> bool:
    """Delete one place with all that is in it; False where something is mounted there and stays."""
    if not place.is_dir() or place.is_symlink():
        cleanup.drop(KIND, place)
        return True
    mounted = mounts.mounted(place)
    if not cleanup.test and not all(_unmounted(place / name) for name in mounted):
        return False
    # what is mounted takes no space; its image does
    cleanup.drop(
        KIND, *(each for each in sorted(place.iterdir()) if not (cleanup.test and each.name in mounted))
    )
    if not cleanup.test:
        log.info("%s is deleted: another layout left it", place)
        place.rmdir()
    return True


def _unmounted(place: Path) -> bool:
    for _ in range(_MOST_MOUNTS):
        if place.name not in mounts.mounted(place.parent):
            return True
        if not mounts.unmount(place):
            return False
    return False
