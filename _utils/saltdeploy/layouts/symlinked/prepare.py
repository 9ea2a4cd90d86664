"""Whole work trees beside each other; ``location`` is a symbolic link to one of them.

What layouts ``slots`` and ``releases`` have in common. A tree is brought to a release by writing what differs from
another one. It is marked as unclean, durably, before it is touched, and as whole once everything in it is on the disk;
an unclean tree is never shown. A file is what its blob is: git's conversions (line ends, filters) do not happen.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import sqlite3
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.source import Contents, Stored
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import read_changes
from saltdeploy.git.repository import Progress, no_progress
from saltdeploy.layouts.symlinked import space
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.layouts.symlinked.base import SymlinkedTrees
from saltdeploy.layouts.symlinked.blobs import BlobFilling
from saltdeploy.layouts.symlinked.clone import Clone, Differs
from saltdeploy.layouts.symlinked.tree import (
    Selection,
    Slot,
    TreeState,
    find_root,
    refuse_other_root,
    show,
)
from saltdeploy.lib import disk
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import DiskFull, GitFailed, NotReady, from_os
from saltdeploy.lib.open_files import users_of
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.release import Release

_MOST_LOOKED_AT = 8  # trees that may know how large a file is
_MOST_COMPARED = 8  # trees that a new one may begin with


@dataclasses.dataclass(frozen=True)
class TreeJob:
    """A release that is to get a tree.

    Attributes:
        contents: where the contents of its files are.
        root: that the tree must have, see :mod:`saltdeploy.protocol.merkle`; "" where nobody has said.
        tell: hears of progress.
        noted: a last source of contents that pointers point to.
    """

    release: Release
    contents: Contents
    root: str
    tell: Progress
    noted: BlobSource | None = None


class SymlinkedLayout(SymlinkedTrees):
    """The trees of one repo. A layout says which there are, which of them takes a release, and which may go."""

    def __init__(self, repo: Repo, home: Path) -> None:
        super().__init__(repo, home)
        self._filling = BlobFilling(repo)

    @abc.abstractmethod
    def _bring(self, job: TreeJob) -> dict[str, Any]:
        """Make the release's tree, by :meth:`_write`; it is nowhere yet."""

    @abc.abstractmethod
    def _surplus(self, view: Selection[Slot], needed: Collection[str]) -> list[Slot]:
        """The trees that nothing speaks for any more."""

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
        """Make the release's tree, whole and verified, and let go of what nothing needs any more."""
        try:
            job = TreeJob(release, contents or Stored(self.store), root, progress, noted)
            return self._prepare(job, needed)
        except OSError as error:
            raise from_os(
                error, repo=self._repo.name, path="" if error.filename else str(self._area)
            ) from error

    def _prepare(self, job: TreeJob, needed: Collection[str]) -> dict[str, Any]:
        self._clear_the_way()
        ready = self._ready(job.release.commit, job.root)
        if ready is not None:
            found = ready.state().root
            facts: dict[str, Any] = {"slot": ready.name, "files": 0, "bytes_written": 0, "root": found}
        else:
            facts = self._bring(job)
        self._tidy(Cleanup(measure=False), {*needed, job.release.commit})
        return facts

    def collect(self, sweep: Cleanup, needed: Collection[str]) -> None:
        """Delete what nothing needs: trees, what was on its way, contents of pointers, objects."""
        if not self._area.is_dir():
            return
        if not sweep.test:
            self._recover()
        sweep.drop("incoming", *_within(self._incoming), *self._asides())
        self._tidy(sweep, needed)
        for store in (self.store, self.trees):
            if store.git_dir.is_dir() and not sweep.test:
                with sweep.shrinking("objects", store.git_dir / "objects"):
                    store.compact()

    def _recover(self) -> None:
        for store in (self.store, self.trees):
            if store.git_dir.is_dir():
                store.recover()

    def _clear_the_way(self) -> None:
        self._recover()
        disk.make_directory(self._home)
        disk.remove_tree(self._incoming)
        disk.make_directory(self._incoming)
        for aside in self._asides():
            disk.remove_tree(aside)

    def _asides(self) -> list[Path]:
        """What was left by those who were killed while they made a directory, a tree or a record."""
        made = [self._area, self._home, self._incoming]
        return [
            *(aside for directory in made for aside in disk.asides(directory)),
            *(aside for slot in self._places() for aside in slot.asides()),
        ]

    def _tidy(self, sweep: Cleanup, needed: Collection[str]) -> None:
        """Let go of trees and objects that nothing needs any more."""
        view = self._look()
        surplus = self._surplus(view, needed)
        used = users_of([slot.tree for slot in surplus])
        gone = [slot for slot in surplus if slot.tree not in used]
        for slot in gone:
            sweep.drop("trees", *slot.paths, by=slot.remove)
        left = {slot: state for slot, state in view.states.items() if slot not in gone}
        held = {c for state in left.values() for c in (state.commit, *state.towards) if c}
        for store in (self.store, self.trees):
            if store.git_dir.is_dir() and not sweep.test:
                store.forget_all_but({*held, *needed})
        self._filling.collect(left, sweep)

    def _ready(self, commit: str, root: str) -> Slot | None:
        """A slot that holds the release already, and still does; one that does not is doubted from now on."""
        view = self._look()
        for slot in view.holding(commit):
            state = view.states[slot]
            if not state.doubted:
                spoilt: list[str] = []
                read = slot == view.live or bool(users_of([slot.tree]))
                if self._is_sound(slot, state, root, spoilt, read=read):
                    return slot
                self._doubt(slot, slot.state(), spoilt)
        return None

    def _is_sound(self, slot: Slot, state: TreeState, root: str, spoilt: list[str], *, read: bool) -> bool:
        """Compare a whole tree by its stat; and its root, if it has to be a certain one.

        What its users wrote beside the release's files is theirs while they ``read`` it, and rubbish afterwards.

        Args:
            spoilt: grows by the blobs whose files hold something else.
        """
        work = WorkTree(slot.tree, self._incoming, Stored(self.store))
        try:
            with slot.manifest() as manifest:
                self._check_manifest(manifest, state, full=False)
                if not state.root and not find_root(slot, state, manifest):
                    return False
                if root not in ("", manifest.root()):
                    return False

                def stray(path: bytes) -> None:
                    if not read:
                        work.remove_stray(path, manifest)

                among = self._to_look_at(slot, manifest)
                findings = manifest.verify(
                    slot.tree, full=False, among=among, stray=stray, spoilt=spoilt.append
                )
                work.sync()
                if findings.ok and not read:  # on a full disk nothing is noted, and all of it looked at again
                    with contextlib.suppress(sqlite3.Error), manifest.transaction():
                        self._note_looks(slot, manifest, among)
                return findings.ok
        except Unreadable:
            return False

    def _write_anew(self, slot: Slot, job: TreeJob) -> dict[str, Any]:
        """Write a tree where none is: it begins as a second tree of the nearest one here (:mod:`saltdeploy.layouts.symlinked.clone`)."""
        for base, state in self._nearest(job.release.commit):
            try:
                copy = Clone(base, self._incoming, job.tell)
                began = TreeState(state.commit, shape=state.shape)
                facts = self._write(slot, began, job, copy)
                return {**facts, "began_as": state.tag, "shared_by": copy.way}
            except (Differs, Unreadable) as why:  # somebody wrote into that tree
                slot.remove()
                self._doubt(base, state, why.spoilt if isinstance(why, Differs) else ())
        return self._write(slot, TreeState(), job)

    def _nearest(self, commit: str) -> list[tuple[Slot, TreeState]]:
        """The whole trees that were live last, that from which the commit differs least first."""
        view = self._look()
        whole = [(slot, state) for slot, state in view.states.items() if state.whole and not state.doubted]
        whole.sort(key=lambda each: (each[0] == view.live, each[1].turn), reverse=True)
        far = [(self._distance(state.commit, commit), slot, state) for slot, state in whole[:_MOST_COMPARED]]
        near = [each for each in far if each[0] is not None]
        return [(slot, state) for _, slot, state in sorted(near, key=lambda each: each[0] or 0)]

    def _distance(self, old: str, new: str) -> int | None:
        """How many files differ; None where that is not known any more."""
        with tempfile.TemporaryFile(dir=self._incoming) as changes:
            try:
                self._all().diff(old, new, changes)
            except GitFailed:
                return None
            return sum(1 for _ in read_changes(changes))

    def _write(self, slot: Slot, state: TreeState, job: TreeJob, copy: Clone | None = None) -> dict[str, Any]:
        """Write what differs.

        Args:
            slot: where.
            state: of what is there, or will be by ``copy``.
            copy: makes a tree to begin with.

        Raises:
            Differs, Unreadable: that is not what was thought; whatever is in the slot now is not whole.
        """
        spool = lambda: tempfile.TemporaryFile(dir=self._incoming)  # noqa: E731
        release, contents = job.release, job.contents
        with spool() as changes, spool() as oids:
            base = self._list_changes(state, release.commit, changes)
            work = WorkTree(slot.tree, self._incoming, contents, self._repo.blobs)
            count = work.oids_to_write(changes, oids)
            self._refuse_if_full(changes, oids, count, contents, copy if base else None)
            if not base or copy:
                slot.remove()
                disk.make_directory(slot.tree)
            if base:
                towards = dict.fromkeys((*state.towards, release.commit))
                slot.note(dataclasses.replace(state, commit=base, towards=tuple(towards), turn=0))
            try:
                with slot.manifest() as manifest, manifest.transaction():
                    if base and copy:
                        copy.make(slot.tree, manifest)
                        manifest.put_commit(base)
                    if base and manifest.commit() not in (base, *state.towards):
                        raise Differs("the manifest of the spare slot was another tree's")
                    complete = not base or bool(manifest.root())
                    among = self._to_look_at(slot, manifest) if state.whole and not copy else None
                    written = work.apply(changes, oids, count, manifest, job.tell)
                    filled = self._filling.fill(slot.tree, work, manifest, written, job.tell, job.noted)
                    among = None if work.surprised else among
                    told = base and (not copy or work.surprised)
                    compared = self._compare(slot, work, manifest, among) if told else 0
                    if not complete and not manifest.complete(slot.tree):
                        raise Differs("files of the spare slot differed")
                    work.sync()
                    if copy:
                        disk.sync_all(slot.tree)
                    found = manifest.seal()
                    refuse_other_root(found, job.root, release, slot.tree)
                    self._note_looks(slot, manifest, among)
                    manifest.put_commit(release.commit)
                slot.note(TreeState(release.commit, release.tag, shape=self._repo.shape, root=found))
            except (DiskFull, OSError):
                if not base or copy:  # half a tree helps nobody on a full disk
                    with contextlib.suppress(OSError):
                        slot.remove()
                raise
        return {
            "slot": slot.name,
            "files": written.files,
            "removed": written.removed,
            "bytes_written": written.bytes,
            "compared": compared,
            "root": found,
            **filled,
        }

    def _refuse_if_full(
        self, changes: IO[bytes], oids: IO[bytes], count: int, contents: Contents, copy: Clone | None
    ) -> None:
        """Find out before anything is written whether it fits.

        Raises:
            DiskFull: with the number of bytes or inodes that are missing.
            Corrupt: a blob is missing.
        """
        whole = [(state.turn, slot) for slot, state in self._look().states.items() if state.whole]
        whole.sort(key=lambda each: each[0], reverse=True)
        looked_at = [slot for _, slot in whole[:_MOST_LOOKED_AT]]
        need, inodes = space.need(changes, oids, count, contents, looked_at), count
        if copy is not None:
            need, inodes = need + copy.bytes, inodes + copy.inodes
        disk.refuse_without_space(self._incoming, need, inodes)

    def _list_changes(self, state: TreeState, commit: str, changes: IO[bytes]) -> str:
        """List what may differ between a tree and ``commit``; return the commit that it builds upon, or "".

        A tree that somebody began to bring elsewhere differs from ``commit`` where its last whole commit does,
        and where one of the commits does that it was brought towards.
        """
        if state.commit and not state.doubted:
            try:
                self._all().diff_any([state.commit, *state.towards], commit, changes)
                return state.commit
            except GitFailed:  # the store has lost an old commit: nothing to build upon
                changes.seek(0)
                changes.truncate()
        self._list_all(commit, changes)
        return ""

    def _to_look_at(self, slot: Slot, manifest: Manifest) -> set[bytes] | None:
        """The directories to compare, in a tree above ``stat_limit``: those in which something has changed; else None: all."""
        if manifest.holds_more_than(self._repo.stat_limit):
            return manifest.looks.changed(slot.tree)
        return None

    def _compare(self, slot: Slot, work: WorkTree, manifest: Manifest, among: set[bytes] | None) -> int:
        """Compare files by their stat, and delete what does not belong there.

        Args:
            among: the directories to look at; None: all.

        Returns:
            How many files were compared.
        """
        spoilt: list[str] = []
        findings = manifest.verify(
            slot.tree,
            full=False,
            among=among,
            stray=lambda path: work.remove_stray(path, manifest),
            spoilt=spoilt.append,
        )
        if not findings.ok:
            named = ", ".join([*findings.missing, *findings.changed][:3])
            raise Differs(f"{findings.wrong} files of the spare slot differed ({named})", spoilt)
        return findings.files

    def _note_looks(self, slot: Slot, manifest: Manifest, among: set[bytes] | None) -> None:
        """Note how directories are now, in a tree above ``stat_limit``; where all were compared, all of them."""
        if not manifest.holds_more_than(self._repo.stat_limit):
            return
        if among is None:
            manifest.looks.clear()
        manifest.looks.note(slot.tree)

    # -- switching --------------------------------------------------------------------------------------

    def flip(self, release: Release, *, back: bool = False) -> dict[str, Any]:
        """Point ``location`` at the tree that holds the release."""
        view = self._look()
        slot = next(iter(view.holding(release.commit)), None)
        if slot is None:
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not whole on disk",
                path=str(self._area),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} {argument('tag', release.tag)}",
            )
        return {"slot": slot.name, **show(view, slot, release, self._repo.location, back=back)}


def _within(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
