"""Brings one slot to a release, by writing what differs from what the build starts from."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.owner import TreeOwner, of_host
from saltdeploy.content.source import Contents
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked import space
from saltdeploy.layouts.symlinked.apply import WorkTree, Written
from saltdeploy.layouts.symlinked.blobs import BlobFilling
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.clone import Clone, Differs
from saltdeploy.layouts.symlinked.inspection import directories_to_check, note_directories
from saltdeploy.layouts.symlinked.tree import Slot, TreeState, refuse_other_root
from saltdeploy.lib import disk
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import DiskFull
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class BuildSite:
    """What the builds of one repo share.

    Attributes:
        incoming: a directory for temporary files, on the file system of the trees.
        filling: fetches what pointers point to.
        recent: the complete trees that were live last: they may know how large a file is.
    """

    repo: Repo
    incoming: Path
    changes: Changes
    filling: BlobFilling
    recent: Callable[[], list[Slot]]


@dataclass(frozen=True)
class Start:
    """What a build starts from: the tree in the slot, a clone of another tree, or nothing.

    Attributes:
        state: of the tree in the slot, or of the one that ``clone`` makes there.
        clone: makes a tree in the slot; None: it is there.
    """

    state: TreeState = TreeState()
    clone: Clone | None = None

    @property
    def base(self) -> str:
        """The commit that the tree was last complete with; "" for an empty tree."""
        return self.state.commit

    @property
    def is_in_slot(self) -> bool:
        """Whether the tree in the slot is kept and changed."""
        return bool(self.base) and self.clone is None


EMPTY = Start()


@dataclass(frozen=True)
class _Listed:
    """The changes of a build, the blobs that they need, and how many these are."""

    changes: IO[bytes]
    oids: IO[bytes]
    count: int


class TreeBuild:
    """One build: list the changes, reserve space, begin, apply, seal.

    The slot's state is written at three points: pending (:meth:`_mark_pending`) before the tree is touched, the
    commit of the manifest (:meth:`_seal`) in the transaction that notes the files, and complete
    (:meth:`_mark_complete`) once all of that is on the disk. An empty tree has no state until it is complete.

    Args:
        slot: where.
    """

    def __init__(self, slot: Slot, job: TreeJob, site: BuildSite) -> None:
        self._slot = slot
        self._job = job
        self._site = site
        self._limit = site.repo.layout.stat_limit

    def run(self, start: Start) -> dict[str, Any]:
        """Build the tree.

        Returns:
            Facts for people: ``files`` and ``bytes_written``, ``root``, ...

        Raises:
            Differs, Unreadable: what it starts from is not what was thought; the slot is not complete now.
            DiskFull: with the number of bytes or inodes that are missing.
            Corrupt: the release's contents are not what they should be.
        """
        with self._spool() as changes, self._spool() as oids:
            start = self._list_changes(start, changes)
            owner = of_host(self._site.repo.contents.owner, self._site.repo.name)
            work = WorkTree(
                self._slot.tree,
                self._site.incoming,
                self._job.contents,
                self._site.repo.contents.blobs,
                owner,
            )
            listed = _Listed(changes, oids, work.oids_to_write(changes, oids))
            log.debug("%s: %s blobs to write onto %s", self._slot.tree, listed.count, start.base or "nothing")
            self._reserve_space(start, listed)
            self._begin(start, owner)
            try:
                facts = self._write(start, work, listed)
            except (DiskFull, OSError):
                if not start.is_in_slot:  # half a tree helps nobody on a full disk
                    with contextlib.suppress(OSError):
                        self._slot.remove()
                raise
            finally:
                work.close()
        return facts

    def _spool(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._site.incoming)

    # -- the steps --------------------------------------------------------------------------------------

    def _list_changes(self, start: Start, changes: IO[bytes]) -> Start:
        """List what may differ; return what the build starts from in fact: nothing, where that cannot be compared."""
        commit, state = self._job.release.commit, start.state
        if state.commit and not state.suspect:
            if self._site.changes.list_since([state.commit, *state.pending], commit, changes):
                return start
        self._site.changes.list_all(commit, changes)
        return EMPTY

    def _reserve_space(self, start: Start, listed: _Listed) -> None:
        """Find out before anything is written whether it fits."""
        recent = self._site.recent()
        need = space.need(listed.changes, listed.oids, listed.count, self._job.contents, recent)
        inodes = listed.count
        if start.clone is not None:
            need, inodes = need + start.clone.bytes, inodes + start.clone.inodes
        disk.refuse_without_space(self._site.incoming, need, inodes)

    def _begin(self, start: Start, owner: TreeOwner | None) -> None:
        """See to it that the slot's tree may be written to."""
        if not start.is_in_slot:
            self._slot.remove()
            disk.make_directory(self._slot.tree)
            if owner is not None:
                below, name = Below.around(self._slot.tree)
                owner.give_directory(b"", name, below.directory(b""))
        if start.base:
            self._mark_pending(start.state)

    def _write(self, start: Start, work: WorkTree, listed: _Listed) -> dict[str, Any]:
        """Write the tree and its manifest."""
        with self._slot.manifest() as manifest, manifest.transaction():
            self._take_base(start, manifest)
            has_digests = not start.base or bool(manifest.root())
            among = self._directories_to_check(start, manifest)
            written, filled = self._apply(work, listed, manifest)
            among = None if work.surprised else among
            compared = self._compare(work, manifest, among) if self._may_differ(start, work) else 0
            if not has_digests and not manifest.complete(self._slot.tree):
                raise Differs("files of the spare slot differed")
            work.sync()
            if start.clone is not None:
                disk.sync_all(self._slot.tree)
            root = self._seal(manifest, among)
        self._mark_complete(root)
        return {
            "slot": self._slot.name,
            "files": written.files,
            "removed": written.removed,
            "bytes_written": written.bytes,
            "compared": compared,
            "root": root,
            **filled,
            **({"began_as": start.state.tag, "shared_by": start.clone.way} if start.clone else {}),
        }

    def _take_base(self, start: Start, manifest: Manifest) -> None:
        """Clone what is to be cloned, and see to it that the manifest is that of the tree.

        Raises:
            Differs: it is not.
        """
        if start.clone is not None:
            start.clone.make(self._slot.tree, manifest)
            manifest.put_commit(start.base)
        if start.base and manifest.commit() not in (start.base, *start.state.pending):
            raise Differs("the manifest of the spare slot was another tree's")

    def _apply(self, work: WorkTree, listed: _Listed, manifest: Manifest) -> tuple[Written, dict[str, Any]]:
        """Make the changes, and fetch what pointers in them point to."""
        tell = self._job.tell
        written = work.apply(listed.changes, listed.oids, listed.count, manifest, tell)
        filling = self._site.filling
        return written, filling.fill(self._slot.tree, work, manifest, written, tell, self._job.noted)

    def _directories_to_check(self, start: Start, manifest: Manifest) -> set[bytes] | None:
        """Those of a complete tree in which something has changed; None: all."""
        if start.is_in_slot and start.state.complete:
            return directories_to_check(self._slot.tree, manifest, self._limit)
        return None

    @staticmethod
    def _may_differ(start: Start, work: WorkTree) -> bool:
        """Whether somebody may have written into the tree; nobody had the time to in an empty one, or in a clone."""
        return work.surprised or (bool(start.base) and start.clone is None)

    def _compare(self, work: WorkTree, manifest: Manifest, among: set[bytes] | None) -> int:
        """Compare files by their stat, and delete what does not belong there.

        Args:
            among: the directories to look at; None: all.

        Returns:
            How many files were compared.
        """
        damaged: list[str] = []
        findings = manifest.verify(
            self._slot.tree,
            full=False,
            among=among,
            stray=lambda path: work.remove_stray(path, manifest),
            damaged=damaged.append,
        )
        if not findings.ok:
            named = ", ".join([*findings.missing, *findings.changed, *findings.misowned][:3])
            raise Differs(f"{findings.wrong} files of the spare slot differed ({named})", damaged)
        return findings.files

    # -- the state, at three points ---------------------------------------------------------------------

    def _mark_pending(self, state: TreeState) -> None:
        """From now on the tree is neither the old release nor the new one."""
        pending = dict.fromkeys((*state.pending, self._job.release.commit))
        self._slot.note(dataclasses.replace(state, pending=tuple(pending), generation=0))

    def _seal(self, manifest: Manifest, among: set[bytes] | None) -> str:
        """The manifest lists the release from the end of its transaction on; return the tree's root."""
        root = manifest.seal()
        refuse_other_root(root, self._job.root, self._job.release, self._slot.tree)
        note_directories(self._slot.tree, manifest, self._limit, among)
        manifest.put_commit(self._job.release.commit)
        return root

    def _mark_complete(self, root: str) -> None:
        """From now on the tree is the release."""
        release = self._job.release
        self._slot.note(TreeState(release.commit, release.tag, shape=self._site.repo.shape, root=root))
