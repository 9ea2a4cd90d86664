"""One slot: a work tree, what is known of it, and which of several is to be used for what.

Beside the tree ``slots/0`` lie ``0.json``, what is known of it as a whole (:class:`State`), and ``0.db``, what
is known of its files (:mod:`saltdeploy.content.manifest`). Both are written durably before they are relied upon.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from saltdeploy.content import database
from saltdeploy.content.manifest import Manifest
from saltdeploy.lib import disk
from saltdeploy.lib.errors import BadName, Corrupt, from_os
from saltdeploy.protocol import merkle
from saltdeploy.protocol.release import Release, check_commit

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class TreeState:
    """What is known of a work tree.

    Attributes:
        commit, tag: what it held when it was last whole; "" when never.
        towards: commits that somebody began to bring it to and did not finish; empty when it is whole.
        turn: grows with each switch; the tree with the greatest number was live last. 0: not since it changed.
        doubted: somebody found files in it that are not the release's. One can go back to it, since that is
            what users have read, but whoever deploys its release gets a new tree.
        bad: this host was led back from it, and it has not been live since.
        shape: what was put in beside git's own files, see :attr:`saltdeploy.config.Repo.shape`.
        root: of the tree when it was last whole, see :mod:`saltdeploy.protocol.merkle`; "" where an older version made it.
    """

    commit: str = ""
    tag: str = ""
    towards: tuple[str, ...] = ()
    turn: int = 0
    doubted: bool = False
    bad: bool = False
    shape: str = ""
    root: str = ""

    @property
    def whole(self) -> bool:
        """Whether the tree was brought to its commit completely."""
        return bool(self.commit) and not self.towards

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> TreeState:
        """Rebuild what was written down.

        Raises:
            BadName, TypeError, AttributeError: it is not a state.
        """
        state = cls(**{**data, "towards": tuple(data.get("towards", ()))})
        for commit in filter(None, (state.commit, *state.towards)):
            check_commit(commit)
        flags = isinstance(state.doubted, bool) and isinstance(state.bad, bool)
        good = flags and isinstance(state.turn, int) and isinstance(state.shape, str)
        if not good or (state.root and not merkle.is_root(state.root)):
            raise TypeError("turn, doubted, bad, shape, root")
        return state


class Slot:
    """One slot.

    Args:
        tree: the work tree.
        shape: what trees of this repo have today. One of another shape is doubted.
        records: the directory of what is known of it; by default it lies beside the tree.
    """

    def __init__(self, tree: Path, shape: str = "", records: Path | None = None) -> None:
        self.tree = tree
        self._shape = shape
        self.name = tree.name
        beside = tree.parent if records is None else records
        self._record = beside / f"{tree.name}.json"
        self._database = beside / f"{tree.name}.db"

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that is on disk of it."""
        return self._record, self.tree, self._database, Path(f"{self._database}-journal")

    def state(self) -> TreeState:
        """What is known; nothing, when a part of the slot is missing or cannot be read."""
        if not self.tree.is_dir() or self.tree.is_symlink() or not self._has_manifest():
            return TreeState()
        try:
            state = TreeState.from_wire(disk.read_json(self._record, {}))
        except (Corrupt, BadName, TypeError, AttributeError):  # not ours, or of another version
            return TreeState()
        return state if state.shape == self._shape else dataclasses.replace(state, doubted=True)

    def note(self, state: TreeState) -> None:
        """Write down what is known, durably."""
        disk.write_json(self._record, dataclasses.asdict(state))

    def manifest(self) -> Manifest:
        """The record of the tree's files."""
        return Manifest(self._database)

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
        """Delete the tree and what is known of it; first of all, that it is whole."""
        self._record.unlink(missing_ok=True)
        if self._record.parent.is_dir():
            disk.fsync_dir(self._record.parent)
        disk.remove_tree(self.tree)
        database.remove(self._database)

    def _has_manifest(self) -> bool:
        try:
            with open(self._database, "rb") as file:
                return file.read(len(_SQLITE)) == _SQLITE
        except FileNotFoundError:
            return False


class ReleaseTree(Protocol):
    """Somewhere a release can be, and what is known of it."""

    @property
    def tree(self) -> Path:
        """Its files."""

    def state(self) -> TreeState:
        """What is known."""

    def note(self, state: TreeState) -> None:
        """Write down what is known, durably."""


def find_root(slot: Slot, state: TreeState, manifest: Manifest) -> bool:
    """Find and note the root of a tree that an older version made; False where its files are not what they should be."""
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


def doubt(place: ReleaseTree, state: TreeState) -> None:
    """Note that a tree is not what its release should be, unless a deploy came between and made it another."""
    if place.state() == state:
        place.note(dataclasses.replace(state, doubted=True))


def _number(place: ReleaseTree, state: TreeState, last: int) -> int:
    """Note that a tree was live last, unless that is known; return the number of its turn."""
    turn = last if last and state.turn == last else last + 1
    numbered = dataclasses.replace(state, turn=turn)
    if numbered != place.state():
        place.note(numbered)
    return turn


P = TypeVar("P", bound=ReleaseTree)


@dataclass(frozen=True)
class Selection(Generic[P]):
    """What lies in the slots at one moment, and the choices that follow from it. Reads and writes nothing.

    Attributes:
        states: of all slots that there are.
        live: the one that users read, if any.
    """

    states: dict[P, TreeState]
    live: P | None

    def holding(self, commit: str) -> list[P]:
        """The whole trees of a commit: sound ones before doubted ones, the live one before others."""
        slots = [slot for slot, state in self.states.items() if state.whole and state.commit == commit]
        return sorted(slots, key=lambda slot: (self.states[slot].doubted, slot != self.live))

    def live_commit(self) -> str:
        """What users read; "" also when the live tree is doubted and a sound one waits to take its place."""
        if self.live is None or not self.states[self.live].whole:
            return ""
        commit = self.states[self.live].commit
        return commit if self.holding(commit)[0] == self.live else ""

    def previous(self) -> P | None:
        """Of the other releases that are whole, the one that was live last."""
        return max(self._lived(), key=lambda slot: self.states[slot].turn, default=None)

    def way_back(self) -> P | None:
        """The same, of those that are not bad: nobody is to be led back to what users were led away from."""
        good = [slot for slot in self._lived() if not self.states[slot].bad]
        return max(good, key=lambda slot: self.states[slot].turn, default=None)

    def recyclable(self, slots: list[P]) -> list[P]:
        """Which of ``slots`` may take another release: never the live one, the way back only if it is the last.

        Trees that are not whole come first, then the one that was live longest ago.
        """
        candidates = [slot for slot in slots if slot != self.live]
        if len(candidates) > 1:
            kept = self.way_back() or self.previous()
            candidates = [slot for slot in candidates if slot != kept]
        return sorted(candidates, key=lambda slot: (self.states[slot].whole, self.states[slot].turn))

    def _lived(self) -> list[P]:
        live = self.states[self.live].commit if self.live else ""
        return [
            slot
            for slot, state in self.states.items()
            if slot != self.live and state.whole and state.turn and state.commit != live
        ]

    def last_turn(self) -> int:
        """The number of the last switch; 0 before the first."""
        return max((state.turn for state in self.states.values()), default=0)


def show(
    view: Selection[P],
    place: P,
    release: Release,
    location: Path,
    *,
    back: bool = False,
    through: Path | None = None,
) -> dict[str, Any]:
    """Point ``location`` at a tree, unless it does so already, and number the switch.

    Args:
        view: how things are before.
        back: users are led back from what is live, which is bad therefore.
        through: where the tree is seen, if not at its own place.

    Returns:
        Facts: ``moved_aside`` names what was found at ``location`` and kept.
    """
    facts: dict[str, Any] = {}
    last = view.last_turn()
    tree = through or place.tree
    if place != view.live or os.path.realpath(location) != os.path.realpath(tree):
        if view.live and view.states[view.live].whole:  # a switch that was killed did not get its number
            left = view.states[view.live]
            bad = left.bad or (back and place != view.live)
            last = _number(view.live, dataclasses.replace(left, bad=bad), last)
        try:
            moved_aside = disk.flip(location, tree)
        except OSError as error:
            raise from_os(error, repo=release.repo, path=str(location)) from error
        if moved_aside:
            facts["moved_aside"] = moved_aside
    _number(place, dataclasses.replace(view.states[place], tag=release.tag, bad=False), last)
    return facts
