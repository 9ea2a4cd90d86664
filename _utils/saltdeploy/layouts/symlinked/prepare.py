"""Release trees next to each other; ``location`` is a symbolic link to one of them.

What layouts ``slots`` and ``releases`` have in common. A tree is brought to a release by writing what differs from
another one (:mod:`saltdeploy.layouts.symlinked.build`). It is marked as pending, durably, before it is touched, and as
complete once everything in it is on the disk; a pending tree never becomes live. A file is what its blob is: git's
conversions (line ends, filters) do not happen.
"""

from __future__ import annotations

import abc
import functools
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.source import Contents, Stored
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.repository import Progress, no_progress
from saltdeploy.layouts.activate import activate
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.layouts.symlinked.base import SymlinkedTrees
from saltdeploy.layouts.symlinked.blobs import BlobFilling
from saltdeploy.layouts.symlinked.build import EMPTY, BuildSite, Start, TreeBuild, TreeJob
from saltdeploy.layouts.symlinked.clone import Clone, Differs
from saltdeploy.layouts.symlinked.inspection import check_by_stat
from saltdeploy.layouts.symlinked.paths import disturbed
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import Slot, TreeState
from saltdeploy.lib import disk
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Immutable, NotReady
from saltdeploy.lib.open_files import users_of
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)

_MOST_ASKED_FOR_SIZES = 8  # trees that may know how large a file is
_MOST_COMPARED = 8  # trees that a new one may start from


class SymlinkedLayout(SymlinkedTrees):
    """The trees of one repo. A layout says which there are, which of them takes a release, and which may go."""

    def __init__(self, repo: Repo, home: Path) -> None:
        super().__init__(repo, home)
        self._filling = BlobFilling(repo)
        self._site = BuildSite(repo, self._incoming, self._changes, self._filling, self._recent)

    @abc.abstractmethod
    def _build(self, job: TreeJob) -> dict[str, Any]:
        """Build the release's tree, by :meth:`_rebuild` or a :class:`TreeBuild`; no tree here holds it yet."""

    @abc.abstractmethod
    def _surplus(self, view: Selection[Slot], needed: Collection[str]) -> list[Slot]:
        """The trees that nothing needs any more."""

    # -- preparing --------------------------------------------------------------------------------------

    def open(self) -> dict[str, Any]:
        """Make the object store, where there is none that git can use."""
        return self.store.ensure_usable()

    def prepare(
        self,
        release: Release,
        progress: Progress = no_progress,
        contents: Contents | None = None,
        root: str = "",
        needed: Collection[str] = (),
        noted: BlobSource | None = None,
    ) -> dict[str, Any]:
        """Build the release's tree, complete and verified, and delete what nothing needs any more."""
        try:
            job = TreeJob(release, contents or Stored(self.store), root, progress, noted)
            return self._prepare(job, needed, whole=contents is not None or self.store.has(release.commit))
        except OSError as error:
            raise from_os(
                error, repo=self._repo.name, path="" if error.filename else str(self._area)
            ) from error

    def _prepare(self, job: TreeJob, needed: Collection[str], *, whole: bool) -> dict[str, Any]:
        self._clear_leftovers()
        shared = self._shared.make(job.release.commit, job.contents, self._live_tree(), job.tell, whole=whole)
        ready = self._ready(job.release.commit, job.root)
        if ready is not None:
            log.debug("%s: %s holds %s already", self._repo.name, ready.tree, job.release.tag)
            found = ready.state().root
            facts: dict[str, Any] = {"slot": ready.name, "files": 0, "bytes_written": 0, "root": found}
        else:
            facts = self._build(job)
        self._shared.link(self._look().holding(job.release.commit)[0].tree)
        facts |= shared
        self._delete_unneeded(Cleanup(measure=False), {*needed, job.release.commit})
        return facts

    def _ready(self, commit: str, root: str) -> Slot | None:
        """A slot that holds the release already, and still does; one that does not is suspect from now on."""
        view = self._look()
        for slot in view.holding(commit):
            state = view.states[slot]
            if not state.suspect:
                in_use = functools.partial(_is_in_use, slot, view.live)
                work = WorkTree(slot.tree, self._incoming, Stored(self.store))
                limit = self._repo.layout.stat_limit
                sound, damaged = check_by_stat(slot, state, root, work, limit, in_use=in_use)
                work.close()
                if sound:
                    return slot
                self._mark_suspect(slot, slot.state(), damaged)
        return None

    def _rebuild(self, slot: Slot, job: TreeJob) -> dict[str, Any]:
        """Build a tree where none is: it starts as a clone of the nearest one here (:mod:`saltdeploy.layouts.symlinked.clone`)."""
        build = TreeBuild(slot, job, self._site)
        for base, state in self._nearest(job.release.commit):
            try:
                clone = Clone(base, self._incoming, job.tell, self._repo.contents.owner)
                began = TreeState(state.commit, state.tag, shape=state.shape)
                return build.run(Start(began, clone))
            except (Differs, Unreadable) as why:  # somebody wrote into that tree
                log.info("%s cannot be cloned: %s", base.tree, why)
                slot.remove()
                self._mark_suspect(base, state, why.damaged if isinstance(why, Differs) else ())
        try:
            return build.run(EMPTY)
        except Differs as why:
            slot.remove()
            raise disturbed(str(slot.tree), f": {why}") from None

    def _nearest(self, commit: str) -> list[tuple[Slot, TreeState]]:
        """The complete trees that were live last, that from which the commit differs least first."""
        view = self._look()
        sound = [(slot, state) for slot, state in view.states.items() if state.complete and not state.suspect]
        sound.sort(key=lambda each: (each[0] == view.live, each[1].generation), reverse=True)
        far = [
            (self._changes.distance(state.commit, commit, self._incoming), slot, state)
            for slot, state in sound[:_MOST_COMPARED]
        ]
        near = [each for each in far if each[0] is not None]
        return [(slot, state) for _, slot, state in sorted(near, key=lambda each: each[0] or 0)]

    def _recent(self) -> list[Slot]:
        """The complete trees that were live last."""
        complete = [(state.generation, slot) for slot, state in self._look().states.items() if state.complete]
        complete.sort(key=lambda each: each[0], reverse=True)
        return [slot for _, slot in complete[:_MOST_ASKED_FOR_SIZES]]

    # -- cleanup ----------------------------------------------------------------------------------------

    def collect(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete what nothing needs: trees, what was on its way, contents of pointers, objects."""
        if not self._area.is_dir():
            return
        if not cleanup.test:
            self._recover()
        damaged = [store.aside for store in (self.store, self.trees) if store.aside.exists()]
        cleanup.drop("incoming", *_within(self._incoming), *damaged)
        for aside in self._asides():
            cleanup.drop("incoming", aside, by=functools.partial(_remove_aside, aside))
        self._delete_unneeded(cleanup, needed)
        for store in (self.store, self.trees):
            if store.git_dir.is_dir() and not cleanup.test:
                with cleanup.shrinking("objects", store.git_dir / "objects"):
                    store.compact()

    def _recover(self) -> None:
        for store in (self.store, self.trees):
            if store.git_dir.is_dir():
                store.recover()

    def _clear_leftovers(self) -> None:
        """Delete what killed processes left."""
        self._recover()
        disk.make_directory(self._home)
        disk.remove_tree(self._incoming)
        disk.make_directory(self._incoming)
        for aside in self._asides():
            _remove_aside(aside)

    def _asides(self) -> list[Path]:
        """What was left by those who were killed while they made a directory, a tree or a record."""
        made = [self._area, self._home, self._incoming]
        return [
            *(aside for directory in made for aside in disk.asides(directory)),
            *(aside for slot in self._places() for aside in slot.asides()),
            *self._home.glob(f".*.{'[0-9a-f]' * 8}"),
        ]

    def _delete_unneeded(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete trees, objects and contents that nothing needs any more."""
        view = self._look()
        surplus = self._surplus(view, needed)
        used = users_of([slot.tree for slot in surplus])
        gone = [slot for slot in surplus if slot.tree not in used]
        for slot in gone:
            log.debug("%s: %s is surplus", self._repo.name, slot.tree)
            cleanup.drop("trees", *slot.paths, by=slot.remove)
        left = {slot: state for slot, state in view.states.items() if slot not in gone}
        held = {c for state in left.values() for c in (state.commit, *state.pending) if c}
        for store in (self.store, self.trees):
            if store.git_dir.is_dir() and not cleanup.test:
                store.forget_all_but({*held, *needed})
        self._filling.collect(left, cleanup)

    # -- activating -------------------------------------------------------------------------------------

    def activate(self, release: Release, *, back: bool = False) -> dict[str, Any]:
        """Point ``location`` at the tree that holds the release."""
        view = self._look()
        slot = next(iter(view.holding(release.commit)), None)
        if slot is None:
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not complete on disk",
                path=str(self._area),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} {argument('tag', release.tag)}",
            )
        self._shared.link(slot.tree, strict=False)
        taken = self._shared.take_over(self._live_tree())
        return {
            "slot": slot.name,
            **taken,
            **activate(view, slot, release, self._repo.paths.location, back=back),
        }


def _is_in_use(slot: Slot, live: Slot | None) -> bool:
    """Whether users read a tree."""
    return slot == live or bool(users_of([slot.tree]))


def _remove_aside(aside: Path) -> None:
    """Delete what was set aside. What somebody has made immutable stays, and is named in the log each time."""
    try:
        disk.remove_tree(aside)
    except PermissionError as error:
        if not isinstance(ours := from_os(error), Immutable):
            raise
        log.warning("%s stays: %s", aside, ours)


def _within(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
