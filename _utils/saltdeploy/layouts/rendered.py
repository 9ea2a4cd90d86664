"""Files that this host has rendered for a release: sets beside the trees, and the links of a tree to one of them.

A set is a directory whose name is the digest of all that is in it: it never changes, and what it should hold is known by its
name. A tree leads to one set, so the files become live by the one rename that makes the tree live, and go back with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.layouts.symlinked.shared_place import SharedPlace
from saltdeploy.lib import disk
from saltdeploy.lib.below import Below

_DIGITS = 32
_NOTE = "of-"  # and a commit: a link to the set of its release


class RenderedSet(SharedPlace):
    """One set of rendered files, and the links of trees to it.

    Args:
        digest: its name.

    Attributes:
        name: the same.
    """

    def __init__(self, repo: Repo, digest: str) -> None:
        super().__init__(repo)
        self.name = digest
        self._place = home(repo) / digest
        self._paths = tuple(os.fsencode(path) for path in repo.paths.shared.rendered)
        self._dirs = set()

    def _text(self, below: Below, path: bytes) -> str:
        return os.path.relpath(self._at(path), os.path.dirname(os.fsdecode(below.at(path))))

    def is_sound(self) -> bool:
        """Whether it holds what its name says."""
        try:
            files = {
                os.fsdecode(path): (
                    stat.S_IMODE(os.lstat(self._at(path)).st_mode),
                    _plain(Path(self._at(path))),
                )
                for path in self._paths
            }
        except OSError:
            return False
        return digest_of(files) == self.name


def home(repo: Repo) -> Path:
    """Where the sets of a repo are."""
    return repo.paths.area / "rendered"


def digest_of(files: Mapping[str, tuple[int, bytes]]) -> str:
    """The name of a set.

    Args:
        files: path to mode and contents.
    """
    known = {path: [mode, hashlib.sha256(data).hexdigest()] for path, (mode, data) in sorted(files.items())}
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:_DIGITS]


def _plain(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def store(repo: Repo, files: Mapping[str, tuple[int, bytes]]) -> RenderedSet:
    """Write a set, whole or not at all.

    Args:
        files: path to mode and contents.
    """
    found = RenderedSet(repo, digest_of(files))
    place = home(repo) / digest_of(files)
    if found.is_sound():
        return found
    disk.make_directory(home(repo))
    aside = disk.aside_of(place)
    try:
        for path, (mode, data) in files.items():
            target = aside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
        disk.sync_all(aside)
        disk.remove_tree(place)  # it was damaged
        os.rename(aside, place)
    except BaseException:
        disk.remove_tree(aside)
        raise
    disk.fsync_dir(home(repo))
    return found


def of_tree(repo: Repo, tree: Path) -> RenderedSet | None:
    """The set that a tree leads to; None where it leads to none, or not with all of its links."""
    first = next(iter(repo.paths.shared.rendered), "")
    try:
        text = os.readlink(tree / first)
    except OSError:
        return None
    real = Path(os.path.normpath(tree / os.path.dirname(first) / text))
    parts = real.relative_to(home(repo)).parts if real.is_relative_to(home(repo)) else ()
    found = RenderedSet(repo, parts[0]) if parts else None
    return found if found is not None and all(found.links(tree).values()) else None


def put(repo: Repo, commit: str, tree: Path, wanted: RenderedSet) -> None:
    """Let the tree of a release lead to a set, and note which one it is: a tree that nobody uses loses what is not git's."""
    note = _note_of(repo, commit)
    aside = disk.aside_of(note)
    os.symlink(wanted.name, aside)
    os.replace(aside, note)
    disk.fsync_dir(home(repo))
    wanted.link(tree)


def noted(repo: Repo, commit: str) -> RenderedSet | None:
    """The set that a release had last, as far as it is there and holds what it should."""
    try:
        found = RenderedSet(repo, os.path.basename(os.readlink(_note_of(repo, commit))))
    except OSError:
        return None
    return found if found.is_sound() else None


def _note_of(repo: Repo, commit: str) -> Path:
    return home(repo) / f"{_NOTE}{commit}"


def links(repo: Repo, tree: Path) -> dict[bytes, bool]:
    """Each rendered path to whether the tree has its link there, to a set that holds what it should."""
    paths = [os.fsencode(path) for path in repo.paths.shared.rendered]
    found = of_tree(repo, tree) if paths else None
    is_right = found is not None and found.is_sound()
    return dict.fromkeys(paths, is_right)


def forget(repo: Repo, commits: Iterable[str]) -> None:
    """Delete the sets that none of these releases has."""
    notes = {_note_of(repo, commit).name for commit in commits}
    if not home(repo).is_dir():
        return
    entries = list(home(repo).iterdir())
    wanted = {os.readlink(entry) for entry in entries if entry.name in notes}
    for entry in entries:
        if entry.name not in notes and entry.name not in wanted:
            disk.remove_tree(entry)
