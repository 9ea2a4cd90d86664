"""The release trees of one repo as they are: which there are, what is live, whether it is what it should be."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import logging
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.content.untracked import Known, KnownOnDisk, Untracked, in_release
from saltdeploy.content.verify import Findings
from saltdeploy.git.objects import read_changes
from saltdeploy.git.submodule_store import store_of
from saltdeploy.git.tree_store import trees_of
from saltdeploy.layouts import rendered
from saltdeploy.layouts.symlinked.adopt import Adoption
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.inspection import check_commit_and_root, wrong_manifest
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import Slot, TreeState, mark_suspect
from saltdeploy.layouts.untracked import of_foreign
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, NotReady
from saltdeploy.protocol.holdings import Holdings

log = logging.getLogger(__name__)


class SymlinkedTrees(abc.ABC):
    """The trees of one repo, and its stores.

    Args:
        home: where the trees are.
    """

    def __init__(self, repo: Repo, home: Path) -> None:
        self._repo = repo
        self._area = repo.paths.area
        self._home = home
        self._incoming = self._area / "incoming"
        self.store = store_of(repo, self._area / "store.git")
        self.trees = trees_of(repo, self._area / "trees.git")
        self._changes = Changes(self.store, self.trees, repo.paths.shared)
        self._shared = Adoption(repo, self._changes, self._incoming)

    @abc.abstractmethod
    def _places(self) -> list[Slot]:
        """Where trees are or may be."""

    def holdings(self) -> Holdings:
        """What is complete on disk, and what is live. Reads only."""
        view = self._look()
        complete = {slot: state for slot, state in view.states.items() if state.complete}
        previous, live = view.way_back(), complete.get(view.live) if view.live else None
        return Holdings(
            damaged=live is not None and live.suspect and live.shape == self._repo.shape,
            live=view.live_commit(),
            previous=complete[previous].commit if previous else "",
            held=tuple(dict.fromkeys(state.commit for state in complete.values() if not state.suspect)),
            tags={state.commit: state.tag for state in complete.values()},
            roots={s.commit: s.root for s in complete.values() if s.root and not s.suspect},
        )

    def verify(self, *, full: bool, part: PathSlice | None = None) -> Findings:
        """Compare the live tree with its manifest. A tree that differs is rebuilt by the next fetch of its release.

        Raises:
            NotReady: nothing is live.
            Corrupt: what is live is not known to be a release.
        """
        view = self._look()
        if view.live is None:
            raise NotReady(
                "nothing of this repo is live here",
                path=str(self._repo.paths.location),
                next=f"salt-run deploy.report repo={self._repo.name} ends with the command that brings its release",
            )
        state = view.states[view.live]
        if not state.complete:
            raise Corrupt(
                "what is live here is not known to be a complete release: its record is lost or damaged",
                path=str(view.live.tree),
                next=f"salt-run deploy.report repo={self._repo.name} ends with the command that mends it",
            )
        damaged: list[str] = []
        try:
            with view.live.manifest() as manifest:
                self._check_manifest(manifest, state, full=full)
                findings = self._compared(manifest, view.live.tree, damaged, full=full, part=part)
        except Unreadable:
            mark_suspect(view.live, state)
            raise
        if not findings.ok:
            self._mark_suspect(view.live, state, damaged)
        elif full and state.suspect:  # somebody has mended it by hand
            log.info("%s is not suspect any more", view.live.tree)
            view.live.note(dataclasses.replace(state, suspect=False))
        return findings

    def _compared(
        self, manifest: Manifest, tree: Path, damaged: list[str], *, full: bool, part: PathSlice | None
    ) -> Findings:
        """Compare a tree with its manifest, and its links to what is shared."""
        if not self._repo.paths.shared:
            return manifest.verify(tree, full=full, part=part, damaged=damaged.append)
        strays: list[bytes] = []
        findings = manifest.verify(tree, full=full, part=part, damaged=damaged.append, stray=strays.append)
        links = {**self._shared.links(tree), **rendered.links(self._repo, tree)}
        for path in strays:
            if not links.get(path.removesuffix(b"/")):
                findings.add("extra", path)
        for path, is_right in links.items():
            if not is_right:
                findings.add("missing", path)
        return findings

    def _mark_suspect(self, slot: Slot, state: TreeState, damaged: Collection[str]) -> None:
        """Note that a tree is not what its release should be.

        Args:
            damaged: blobs whose files in it hold something else.
        """
        # the others first: nobody looks for them any more once the tree itself is known
        self._mark_others_suspect(slot, damaged)
        mark_suspect(slot, state)

    def _mark_others_suspect(self, slot: Slot, damaged: Collection[str]) -> None:
        """Compare these blobs in other trees: a file there may be a further name of one here."""
        for other, state in self._look().states.items() if damaged else ():
            if other.tree != slot.tree and state.complete and not state.suspect:
                if _differs_in(other, damaged):
                    mark_suspect(other, state)

    def tree(self, commit: str) -> Path | None:
        """The tree that is live once the release is."""
        return next((slot.tree for slot in self._look().holding(commit)), None)

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """A file in that tree."""
        tree = self.tree(commit)
        return disk.read_below(tree, path, most) if tree else None

    def untracked(self, commit: str = "", coming: Known | None = None) -> Untracked:
        """What is in the live tree and of no release; in a tree that is not ours, what the next release has not."""
        view = self._look()
        if view.live is not None and view.states[view.live].complete:
            with contextlib.suppress(Unreadable), view.live.manifest() as manifest:
                return in_release(
                    view.live.tree, manifest, self._repo.layout.stat_limit, self._repo.paths.shared
                )
        tree = self.tree(commit) if commit else None
        return of_foreign(self._repo, coming or (KnownOnDisk(tree) if tree else None))

    def adopt(self, paths: Collection[str], source: str) -> dict[str, str]:
        """Take over what is to be shared; see :meth:`saltdeploy.layouts.symlinked.adopt.Adoption.adopt`."""
        return self._shared.adopt(paths, self._live_tree(), source)

    def _check_manifest(self, manifest: Manifest, state: TreeState, *, full: bool) -> None:
        """See to it that a manifest is that of a tree; ``full``: that it lists what the commit holds, and nothing else.

        Raises:
            Unreadable: it is not.
        """
        check_commit_and_root(manifest, state)
        if not full:
            return
        with tempfile.TemporaryFile() as content:
            self._changes.list_all(state.commit, content)
            good = manifest.lists(read_changes(content))
        if not good or (state.root and manifest.digests.recomputed() != state.root):
            raise wrong_manifest(manifest, state)

    def _look(self) -> Selection[Slot]:
        slots = {slot.tree: slot for slot in self._places()}
        return Selection({slot: slot.state() for slot in slots.values()}, slots.get(self._live_tree()))

    def _live_tree(self) -> Path:
        """The directory that ``location`` shows, whatever it is."""
        try:
            target = os.readlink(self._repo.paths.location)
        except OSError:
            return self._repo.paths.location
        return Path(os.path.normpath(self._repo.paths.location.parent / target))


def _differs_in(slot: Slot, blobs: Collection[str]) -> bool:
    """Whether a file of a tree that should hold one of the blobs does not; also where that cannot be told."""
    try:
        with slot.manifest() as manifest:
            return manifest.differs_in(slot.tree, blobs)
    except Unreadable:
        return True
