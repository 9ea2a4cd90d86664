"""One release tree: a work tree, and what is known of it.

Next to the tree ``slots/0`` are ``0.json``, what is known of it (:class:`TreeState`), and ``0.db``, what is known of its
files (:mod:`saltdeploy.content.manifest`). Both are written durably before they are relied upon.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from saltdeploy.config.owner import NOBODYS, Ownership
from saltdeploy.content import database
from saltdeploy.content.manifest import Manifest
from saltdeploy.lib import disk
from saltdeploy.lib.errors import BadName, Corrupt, Immutable
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol import merkle
from saltdeploy.protocol.release import Release, check_commit

log = logging.getLogger(__name__)

_SQLITE = b"SQLite format 3\0"
_ON_DISK = {"pending": "towards", "generation": "turn", "suspect": "doubted"}  # where a key has another name


@dataclass(frozen=True)
class TreeState:
    """What is known of a release tree.

    Attributes:
        commit, tag: what it held when it was last complete; "" when never.
        pending: commits that somebody began to bring it to and did not finish; empty when it is complete.
        generation: grows with each activation; the tree with the greatest was live last. 0: not since it changed.
        suspect: somebody found files in it that are not the release's. One can go back to it, since that is
            what users have read, but whoever deploys its release gets a new tree.
        bad: this host was rolled back from it, and it has not been live since.
        shape: what it holds besides git's own files, see :attr:`saltdeploy.config.Repo.shape`.
        root: of the tree when it was last complete, see :mod:`saltdeploy.protocol.merkle`; "" where an older version
            wrote it.
    """

    commit: str = ""
    tag: str = ""
    pending: tuple[str, ...] = ()
    generation: int = 0
    suspect: bool = False
    bad: bool = False
    shape: str = ""
    root: str = ""

    @property
    def complete(self) -> bool:
        """Whether the tree was brought to its commit completely."""
        return bool(self.commit) and not self.pending

    @classmethod
    def from_disk(cls, data: dict[str, Any]) -> TreeState:
        """Rebuild what was written down.

        Raises:
            BadName, TypeError, AttributeError: it is not a state.
        """
        keys = _keys()
        if not data.keys() <= set(keys.values()):
            raise TypeError("unknown keys")
        ours = {name: data[key] for name, key in keys.items() if key in data}
        state = cls(**{**ours, "pending": tuple(ours.get("pending", ()))})
        for commit in filter(None, (state.commit, *state.pending)):
            check_commit(commit)
        flags = isinstance(state.suspect, bool) and isinstance(state.bad, bool)
        good = flags and isinstance(state.generation, int) and isinstance(state.shape, str)
        if not good or (state.root and not merkle.is_root(state.root)):
            raise TypeError("turn, doubted, bad, shape, root")
        return state

    def to_disk(self) -> dict[str, Any]:
        """What is written down."""
        return {key: getattr(self, name) for name, key in _keys().items()}


def _keys() -> dict[str, str]:
    """Fields to their keys on disk."""
    return {field.name: _ON_DISK.get(field.name, field.name) for field in dataclasses.fields(TreeState)}


def read_state(record: Path) -> TreeState:
    """The state in a record; an empty one where there is none, or where it cannot be read."""
    try:
        return TreeState.from_disk(disk.read_json(record, {}))
    except (Corrupt, BadName, TypeError, AttributeError) as error:  # not ours, or of another version
        log.debug("%s holds no state: %s", record, error)
        return TreeState()


def write_state(record: Path, state: TreeState) -> None:
    """Write a record, durably."""
    disk.write_json(record, state.to_disk())


class ReleaseTree(Protocol):
    """A place where a release can be, and what is known of it."""

    @property
    def tree(self) -> Path:
        """Its files."""

    def state(self) -> TreeState:
        """What is known."""

    def note(self, state: TreeState) -> None:
        """Write down what is known, durably."""


class Slot:
    """One work tree with its records.

    Args:
        tree: the work tree.
        shape: what trees of this repo have today. One of another shape is suspect.
        records: the directory of its records; by default they are next to the tree.
        said: whose its files should be.
    """

    def __init__(
        self, tree: Path, shape: str = "", records: Path | None = None, said: Ownership = NOBODYS
    ) -> None:
        self.tree = tree
        self._said = said
        self._shape = shape
        self.name = tree.name
        directory = tree.parent if records is None else records
        self._record = directory / f"{tree.name}.json"
        self._database = directory / f"{tree.name}.db"

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that is on disk of it."""
        return self._record, self.tree, self._database, Path(f"{self._database}-journal")

    def state(self) -> TreeState:
        """What is known; nothing, when a part of the slot is missing or cannot be read."""
        if not self.tree.is_dir() or self.tree.is_symlink() or not self._has_manifest():
            return TreeState()
        state = read_state(self._record)
        return state if state.shape == self._shape else dataclasses.replace(state, suspect=True)

    def note(self, state: TreeState) -> None:
        """Write down what is known, durably."""
        write_state(self._record, state)

    def manifest(self) -> Manifest:
        """The record of the tree's files."""
        return Manifest(self._database, self._said)

    def contents(self) -> set[str]:
        """The names of the contents that the tree's pointers point to.

        Raises:
            Unreadable: the manifest is damaged.
        """
        if not self._has_manifest():
            return set()
        with self.manifest() as manifest:
            return manifest.contents()

    def asides(self) -> list[Path]:
        """What somebody left who was killed while he made the tree or wrote the record."""
        return [*disk.asides(self.tree), *disk.asides(self._record)]

    def remove(self) -> None:
        """Delete the tree and what is known of it; first of all, that it is complete."""
        self._record.unlink(missing_ok=True)
        if self._record.parent.is_dir():
            disk.fsync_dir(self._record.parent)
        self._remove_tree()
        database.remove(self._database)

    def _remove_tree(self) -> None:
        """Delete the tree. One in which somebody has made a file immutable is set aside: no release has to wait for him."""
        try:
            disk.remove_tree(self.tree)
        except PermissionError as error:
            if not isinstance(ours := from_os(error), Immutable):
                raise
            aside = disk.aside_of(self.tree)
            log.warning("%s cannot be deleted, it is %s now: %s", self.tree, aside, ours)
            self.tree.rename(aside)

    def _has_manifest(self) -> bool:
        try:
            with open(self._database, "rb") as file:
                return file.read(len(_SQLITE)) == _SQLITE
        except FileNotFoundError:
            return False


def mark_suspect(tree: ReleaseTree, state: TreeState) -> None:
    """Note that a tree is not what its release should be, unless a deploy has changed it in between."""
    if tree.state() == state:
        log.info("%s is suspect: files of %s in it differ", tree.tree, state.tag or state.commit)
        tree.note(dataclasses.replace(state, suspect=True))


def find_root(slot: Slot, state: TreeState, manifest: Manifest) -> bool:
    """Find and note the root of a tree that an older version wrote; False where its files are not what they should be."""
    with manifest.transaction():
        if not manifest.complete(slot.tree):
            return False
        found = manifest.seal()
    slot.note(dataclasses.replace(state, root=found))
    return True


def refuse_other_root(found: str, wanted: str, release: Release, tree: Path) -> None:
    """See to it that a tree has the root that the master computed.

    Args:
        found: of the tree.
        wanted: the master's; "" where it has not said.

    Raises:
        Corrupt: it has another one.
    """
    if wanted not in ("", found):
        raise Corrupt(
            f"the files of {release.tag} come to root {found[:16]} here, and to {wanted[:16]} on the master: "
            "they are not the same bytes",
            repo=release.repo,
            path=str(tree),
            next=f"salt-run deploy.report repo={release.repo}; look at the repository (git fsck) and at what carried it",
        )
