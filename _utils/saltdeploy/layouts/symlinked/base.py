"""Whole work trees beside each other, as they are: which there are, what is live, whether it is what it should be."""

from __future__ import annotations

import abc
import dataclasses
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

from saltdeploy.config import Repo
from saltdeploy.content.manifest import Findings, Manifest
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.git.submodule_store import store_of
from saltdeploy.git.tree_store import trees_of
from saltdeploy.layouts.symlinked.tree import Selection, Slot, TreeState, doubt
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, GitFailed, NotReady
from saltdeploy.protocol.holdings import Holdings


class SymlinkedTrees(abc.ABC):
    """The trees of one repo, and the stores beside them.

    Args:
        home: where the trees are.
    """

    def __init__(self, repo: Repo, home: Path) -> None:
        self._repo = repo
        self._area = repo.area
        self._home = home
        self._incoming = self._area / "incoming"
        self.store = store_of(repo, self._area / "store.git")
        self.trees = trees_of(repo, self._area / "trees.git")

    @abc.abstractmethod
    def _places(self) -> list[Slot]:
        """Where trees are or may be."""

    def holdings(self) -> Holdings:
        """What is whole on disk, and what is live. Reads only."""
        view = self._look()
        whole = {slot: state for slot, state in view.states.items() if state.whole}
        previous, live = view.way_back(), whole.get(view.live) if view.live else None
        return Holdings(
            damaged=live is not None and live.doubted and live.shape == self._repo.shape,
            live=view.live_commit(),
            previous=whole[previous].commit if previous else "",
            held=tuple(dict.fromkeys(state.commit for state in whole.values() if not state.doubted)),
            tags={state.commit: state.tag for state in whole.values()},
            roots={s.commit: s.root for s in whole.values() if s.root and not s.doubted},
        )

    def verify(self, *, full: bool) -> Findings:
        """Compare the live tree with its manifest. A tree that differs is made anew by the next fetch of its release.

        Raises:
            NotReady: nothing is live.
            Corrupt: what is live is not known to be a release.
        """
        view = self._look()
        if view.live is None:
            raise NotReady(
                "nothing of this repo is live here",
                path=str(self._repo.location),
                next="deploy a release first",
            )
        state = view.states[view.live]
        if not state.whole:
            raise Corrupt(
                "what is live here is not known to be a whole release: its record is lost or damaged",
                path=str(view.live.tree),
                next=f"salt-run deploy.sync repo={self._repo.name} with the tag that should be live",
            )
        spoilt: list[str] = []
        try:
            with view.live.manifest() as manifest:
                self._check_manifest(manifest, state, full=full)
                findings = manifest.verify(view.live.tree, full=full, spoilt=spoilt.append)
        except Unreadable:
            doubt(view.live, state)
            raise
        if not findings.ok:
            self._doubt(view.live, state, spoilt)
        elif full and state.doubted:  # somebody has mended it by hand
            view.live.note(dataclasses.replace(state, doubted=False))
        return findings

    def _doubt(self, slot: Slot, state: TreeState, spoilt: Collection[str]) -> None:
        """Note that a tree is not what its release should be.

        Args:
            spoilt: blobs whose files in it hold something else.
        """
        self._doubt_others(
            slot, spoilt
        )  # first: nobody looks for them any more once the tree itself is known
        doubt(slot, state)

    def _doubt_others(self, slot: Slot, spoilt: Collection[str]) -> None:
        """See whether other trees hold the spoilt blobs as they are: a file there may be a further name of one here."""
        for other, state in self._look().states.items() if spoilt else ():
            if other.tree != slot.tree and state.whole and not state.doubted and _differs_in(other, spoilt):
                doubt(other, state)

    def tree(self, commit: str) -> Path | None:
        """The tree that a flip to the release would show."""
        return next((slot.tree for slot in self._look().holding(commit)), None)

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """A file in that tree."""
        tree = self.tree(commit)
        return disk.read_below(tree, path, most) if tree else None

    def _check_manifest(self, manifest: Manifest, state: TreeState, *, full: bool) -> None:
        """See to it that a manifest is that of a tree; ``full``: that it lists what the commit holds, and nothing else.

        Raises:
            Unreadable: it is not.
        """
        good = manifest.commit() == state.commit and (not state.root or manifest.root() == state.root)
        if good and full:
            with tempfile.TemporaryFile() as content:
                self._list_all(state.commit, content)
                good = manifest.lists(read_changes(content))
            good = good and (not state.root or manifest.digests.recomputed() == state.root)
        if not good:
            raise Unreadable(
                f"the manifest does not list the files of {state.commit}",
                path=str(manifest.path),
                next="the next fetch makes the tree anew",
            )

    def _look(self) -> Selection[Slot]:
        slots = {slot.tree: slot for slot in self._places()}
        return Selection({slot: slot.state() for slot in slots.values()}, slots.get(self._live_tree()))

    def _live_tree(self) -> Path:
        """The directory that ``location`` shows, whatever it is."""
        try:
            target = os.readlink(self._repo.location)
        except OSError:
            return self._repo.location
        return Path(os.path.normpath(self._repo.location.parent / target))

    def _all(self) -> Reader:
        """Reads every commit and tree that is here."""
        return self.trees.beside(self.store)

    def _list_all(self, commit: str, content: IO[bytes]) -> None:
        try:
            self._all().diff("", commit, content)
        except GitFailed as error:
            store = self.trees if self.trees.has(commit) else self.store
            raise store.lacks(commit, error) from error


def _differs_in(slot: Slot, blobs: Collection[str]) -> bool:
    """Whether a file of a tree that should hold one of the blobs does not; also where that cannot be told."""
    try:
        with slot.manifest() as manifest:
            return manifest.differs_in(slot.tree, blobs)
    except Unreadable:
        return True
