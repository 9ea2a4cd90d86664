"""Keeps files of older releases within reach, for whoever still has their pages: ``assets`` beside the trees.

A fetch puts there what the live release has below the named paths and the coming one has not, and what the coming one has
and the live one has not: so it is there before a switch, forth or back, and a switch writes nothing. A web server looks there
for what the live tree does not have (docs/assets.md). No tree and no root has any part in it.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.objects import EXECUTABLE, FILE, read_changes
from saltdeploy.layouts import Layout
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, GitFailed
from saltdeploy.lib.os_errors import from_os

log = logging.getLogger(__name__)

#: Beside the trees: the files, and of which release each was last.
ASSETS, NOTE = "assets", "assets.json"
_LARGEST = 1 << 26  # bytes of a file that is kept
_MOST_NOTED = 200  # releases, with those that were never live
_FILES = (FILE, EXECUTABLE)


def keep(repo: Repo, layout: Layout, live: str, coming: str) -> None:
    """See to it that no file below the named paths goes out of reach by the next switch, forth or back.

    Args:
        live, coming: commits; ``live`` is "" where nothing is.

    Raises:
        DiskFull, NoPermission: nothing of what users see has changed.
    """
    place = repo.paths.area / ASSETS
    if not repo.paths.assets:
        if os.path.lexists(place):
            disk.remove_tree(place)
            (repo.paths.area / NOTE).unlink(missing_ok=True)
        return
    try:
        _keep(repo, layout, live, coming, place)
    except OSError as error:
        raise from_os(error, repo=repo.name, path=str(place)) from error


def _keep(repo: Repo, layout: Layout, live: str, coming: str, place: Path) -> None:
    disk.make_directory(place)
    releases, were_live, files = _noted(repo, place, live)
    releases = [*(each for each in releases if each not in (live, coming)), *filter(None, (live, coming))]
    for path, commit in _one_sided(repo, layout, live, coming):
        data = _read(layout, commit, path)
        if data is not None and _put(place / path, data, place):
            files[path] = commit
    releases = _kept(releases, {*were_live, live, coming}, repo.paths.assets.keep)
    files = {path: commit for path, commit in files.items() if commit in releases}
    were_live = [each for each in releases if each in {*were_live, live}]
    disk.clear_asides(repo.paths.area / NOTE)
    disk.write_json(repo.paths.area / NOTE, {"releases": releases, "live": were_live, "files": files})
    _drop_others(place, set(files))


def _kept(releases: list[str], counted: set[str], most: int) -> list[str]:
    """The newest releases. One that was never live is not counted: whoever tries often does not drive out what users have."""
    kept = releases[-_MOST_NOTED:]
    while sum(each in counted for each in kept) > most:
        kept = kept[1:]
    return kept


def _noted(repo: Repo, place: Path, live: str) -> tuple[list[str], list[str], dict[str, str]]:
    """The releases, oldest first; those that were live; and of which each file was last.

    Where that is lost, all files are of what is live.
    """
    try:
        note = disk.read_json(repo.paths.area / NOTE, {})
        releases, were_live, files = note.get("releases"), note.get("live"), note.get("files")
        if (
            _are_texts(releases)
            and _are_texts(were_live)
            and isinstance(files, dict)
            and _are_texts([*files, *files.values()])
        ):
            there = {path: commit for path, commit in files.items() if (place / path).is_file()}
            return list(releases), list(were_live), there
    except (Corrupt, AttributeError) as error:
        log.warning("%s: %s is damaged and is rebuilt: %s", repo.name, repo.paths.area / NOTE, error)
    return [], [], dict.fromkeys(_there(place), live) if live else {}


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(each, str) for each in found)


def _one_sided(repo: Repo, layout: Layout, live: str, coming: str) -> Iterator[tuple[str, str]]:
    """Path and release of each file that one of the two has and the other has not."""
    if not live or live == coming:
        return
    reader = layout.trees.beside(layout.store) if layout.trees else layout.store
    with tempfile.TemporaryFile(dir=repo.paths.area) as changes:
        try:
            reader.diff(live, coming, changes)
        except GitFailed as error:
            log.warning(
                "%s: what is live is not known any more, and its assets are not kept: %s", repo.name, error
            )
            return
        for change in read_changes(changes):
            if not repo.paths.assets.holds(change.path) or repo.left_out.holds(change.path):
                continue
            was, is_there = change.old_mode in _FILES, change.mode in _FILES
            if was != is_there:
                yield os.fsdecode(change.path), live if was else coming


def _read(layout: Layout, commit: str, path: str) -> bytes | None:
    try:
        return layout.read(commit, path, _LARGEST)
    except Corrupt as error:
        log.warning("%s is not kept for old pages: %s", path, error)
        return None


def _put(file: Path, data: bytes, place: Path) -> bool:
    """Write a file, by one rename; False where a directory has its name, or a file that of one above it: those stay."""
    between = file.parents[: len(file.parts) - len(place.parts) - 1]
    if file.is_dir() or any(each.is_file() for each in between):
        log.warning("%s is not kept for old pages: another release has something else there", file)
        return False
    disk.make_directory(file.parent)
    disk.write_atomically(file, data)
    file.chmod(0o644)
    return True


def _there(place: Path) -> Iterator[str]:
    for directory, _, names in os.walk(place):
        for name in names:
            yield os.path.relpath(os.path.join(directory, name), place)


def _drop_others(place: Path, wanted: set[str]) -> None:
    """Delete what is of no release that counts, what a killed process left, and directories in which nothing is."""
    for directory, _, names in os.walk(place, topdown=False):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.relpath(path, place) not in wanted:
                os.unlink(path)
        if directory != str(place) and not os.listdir(directory):
            os.rmdir(directory)
