"""Layout ``slots``: a few whole work trees beside each other; ``location`` is a symbolic link to one of them.

On disk, beside ``location`` (``/srv/deployment/mediawiki`` here)::

    /srv/deployment/mediawiki -> .mediawiki.deploy/slots/1
    /srv/deployment/.mediawiki.deploy/store.git    objects, one snapshot per release
                               trees.git    commits and trees whose contents came another way
                               slots/0..2   whole trees
                               slots/0.json what each tree is (saltdeploy.layouts.slot)
                               slots/0.db   what it holds (saltdeploy.manifest)
                               incoming/    files that are being written
                               blobs/       what pointers in the trees point to (saltdeploy.blobs.shelf)

The spare tree is brought to a new release by writing what differs. It is marked as unclean, durably, before
it is touched, and as whole once everything in it is on the disk; an unclean tree is repaired or made anew,
never trusted. A file is what its blob is: git's conversions (line ends, filters) do not happen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path
from typing import IO, Any

from saltdeploy import disk
from saltdeploy.config import Repo
from saltdeploy.contents import Contents, Stored
from saltdeploy.digests import Unreadable
from saltdeploy.errors import Corrupt, DiskFull, GitFailed, NotReady, SlotsBusy, from_os
from saltdeploy.gitobjects import read_changes
from saltdeploy.gitreader import Reader
from saltdeploy.holdings import Holdings
from saltdeploy.layouts.filling import Filling
from saltdeploy.layouts.inuse import users_of
from saltdeploy.layouts.slot import Slot, State, View, doubt, find_root, refuse_other_root, show
from saltdeploy.layouts.worktree import WorkTree
from saltdeploy.manifest import Findings, Manifest
from saltdeploy.release import Release
from saltdeploy.repository import Progress, no_progress
from saltdeploy.trees import trees_of
from saltdeploy.whole import store_of


class _Differs(Exception):
    """A tree that was thought to be whole is not."""


class Slots:
    """The slots of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._area = repo.area
        self._home = self._area / "slots"
        self._incoming = self._area / "incoming"
        self._filling = Filling(repo)
        self._slots = [Slot(self._home / str(number), repo.shape) for number in range(repo.slots)]
        self.store = store_of(repo, self._area / "store.git")
        self.trees = trees_of(repo, self._area / "trees.git")

    # -- looking ----------------------------------------------------------------------------------------

    def holdings(self) -> Holdings:
        """What is whole on disk, and what is live. Reads only."""
        view = self._look()
        whole = {slot: state for slot, state in view.states.items() if state.whole}
        previous = view.previous()
        return Holdings(
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
        try:
            with view.live.manifest() as manifest:
                self._check_manifest(manifest, state, full=full)
                findings = manifest.verify(view.live.tree, full=full)
        except Unreadable:
            doubt(view.live, state)
            raise
        if not findings.ok:
            doubt(view.live, state)
        return findings

    def tree(self, commit: str) -> Path | None:
        """The tree that a flip to the release would show."""
        return next((slot.tree for slot in self._look().holding(commit)), None)

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """A file in that tree."""
        tree = self.tree(commit)
        return disk.read_below(tree, path, most) if tree else None

    def _check_manifest(self, manifest: Manifest, state: State, *, full: bool) -> None:
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

    def _look(self) -> View[Slot]:
        slots = {slot.tree: slot for slot in (*self._slots, *self._surplus())}
        return View({slot: slot.state() for slot in slots.values()}, slots.get(self._live_tree()))

    def _surplus(self) -> list[Slot]:
        """Slots of a time when the pillar said that there are more."""
        numbers = (path.name for path in self._home.glob("*[0-9]") if path.is_dir())
        surplus = (name for name in numbers if name.isdecimal() and int(name) >= len(self._slots))
        return [Slot(self._home / name, self._repo.shape) for name in surplus]

    def _live_tree(self) -> Path:
        """The directory that ``location`` shows, whatever it is."""
        try:
            target = os.readlink(self._repo.location)
        except OSError:
            return self._repo.location
        return Path(os.path.normpath(self._repo.location.parent / target))

    # -- preparing --------------------------------------------------------------------------------------

    def open(self) -> dict[str, Any]:
        """Make the object store, where there is none that git can use."""
        facts = {}
        if os.path.lexists(self.store.git_dir) and not self.store.is_readable():
            disk.remove_tree(self.store.git_dir)
            facts["store"] = "made anew"
        disk.make_directory(self._area)
        self.store.ensure()
        self._recover()
        return facts

    def prepare(
        self,
        release: Release,
        progress: Progress = no_progress,
        contents: Contents | None = None,
        root: str = "",
    ) -> dict[str, Any]:
        """Make the release's tree in a spare slot, whole and verified."""
        try:
            return self._prepare(release, progress, contents or Stored(self.store), root)
        except OSError as error:
            raise from_os(
                error, repo=self._repo.name, path="" if error.filename else str(self._area)
            ) from error

    def _prepare(self, release: Release, progress: Progress, contents: Contents, root: str) -> dict[str, Any]:
        self._clear_the_way()
        ready = self._ready(release.commit, root)
        if ready is not None:
            found = ready.state().root
            facts: dict[str, Any] = {"slot": ready.name, "files": 0, "bytes_written": 0, "root": found}
        else:
            facts = self._bring(self._spare(), release, progress, contents, root)
        self._tidy(release.commit)
        return facts

    def _recover(self) -> None:
        for store in (self.store, self.trees):
            if store.git_dir.is_dir():
                store.recover()

    def _clear_the_way(self) -> None:
        self._recover()
        disk.make_directory(self._home)
        disk.remove_tree(self._incoming)
        disk.make_directory(self._incoming)
        for directory in (self._area, self._home, self._incoming):
            disk.clear_asides(directory)
        for slot in self._slots:
            slot.clear_asides()

    def _tidy(self, commit: str) -> None:
        """Let go of slots and objects that nothing needs any more."""
        view = self._look()
        oldest = max(view.last_turn() - 1, 1)  # what was live last and before that is nobody's surplus yet
        needed = (*self._slots, view.live)
        surplus = [slot for slot, state in view.states.items() if slot not in needed and state.turn < oldest]
        used = users_of([slot.tree for slot in surplus])
        for slot in surplus:
            if slot.tree not in used:
                slot.remove()
        held = {c for state in view.states.values() for c in (state.commit, *state.towards) if c}
        for store in (self.store, self.trees):
            if store.git_dir.is_dir():
                store.forget_all_but({*held, commit})
        self._filling.collect(self._look().states)

    def _ready(self, commit: str, root: str) -> Slot | None:
        """A slot that holds the release already, and still does; one that does not is doubted from now on."""
        view = self._look()
        for slot in view.holding(commit):
            state = view.states[slot]
            if not state.doubted:
                if self._is_sound(slot, state, root, read=slot == view.live or bool(users_of([slot.tree]))):
                    return slot
                doubt(slot, slot.state())
        return None

    def _is_sound(self, slot: Slot, state: State, root: str, *, read: bool) -> bool:
        """Compare a whole tree by its stat, unless it is above ``stat_limit``; and its root, if it has to be a certain one.

        What its users wrote beside the release's files is theirs while they ``read`` it, and rubbish afterwards.
        """
        work = WorkTree(slot.tree, self._incoming, Stored(self.store))
        try:
            with slot.manifest() as manifest:
                self._check_manifest(manifest, state, full=False)
                if not state.root and not find_root(slot, state, manifest):
                    return False
                if root not in ("", manifest.root()):
                    return False
                if manifest.holds_more_than(self._repo.stat_limit):
                    return True

                def stray(path: bytes) -> None:
                    if not read:
                        work.remove_stray(path, manifest)

                sound = manifest.verify(slot.tree, full=False, stray=stray).ok
                work.sync()
                return sound
        except Unreadable:
            return False

    def _spare(self) -> Slot:
        """The slot to recycle."""
        candidates = self._look().recyclable(self._slots)
        users = users_of([slot.tree for slot in candidates])
        for slot in candidates:
            if slot.tree not in users:
                return slot
        raise SlotsBusy(
            f"each spare slot is in use: {'; '.join(f'{tree} by {who}' for tree, who in users.items())}",
            repo=self._repo.name,
            path=str(self._home),
            next="restart that process, or raise `slots` in the pillar; then run the same command again",
        )

    def _bring(
        self, slot: Slot, release: Release, progress: Progress, contents: Contents, root: str
    ) -> dict[str, Any]:
        try:
            return self._write(slot, release, progress, contents, root)
        except (_Differs, Unreadable) as why:  # somebody wrote into the spare slot, or damaged its manifest
            slot.remove()
            return {**self._write(slot, release, progress, contents, root), "made_anew": str(why)}

    def _write(
        self, slot: Slot, release: Release, progress: Progress, contents: Contents, root: str
    ) -> dict[str, Any]:
        state = slot.state()
        if not state.commit or state.doubted:  # nothing to build upon, and its space is needed
            slot.remove()
        spool = lambda: tempfile.TemporaryFile(dir=self._incoming)  # noqa: E731
        with spool() as changes, spool() as oids:
            base = self._list_changes(state, release.commit, changes)
            work = WorkTree(slot.tree, self._incoming, contents, self._repo.blobs)
            count = work.oids_to_write(changes, oids)
            work.refuse_if_full(oids, count, everything=not base)
            if base:
                towards = dict.fromkeys((*state.towards, release.commit))
                slot.note(dataclasses.replace(state, commit=base, towards=tuple(towards), turn=0))
            else:
                slot.remove()
                disk.make_directory(slot.tree)
            try:
                with slot.manifest() as manifest, manifest.transaction():
                    if base and manifest.commit() not in (base, *state.towards):
                        raise _Differs("the manifest of the spare slot was another tree's")
                    complete = not base or bool(manifest.root())
                    written = work.apply(changes, oids, count, manifest, progress)
                    filled = self._filling.fill(slot.tree, work, manifest, written, progress)
                    compared = self._compare(slot, state, work, manifest) if base else 0
                    if not complete and not manifest.complete(slot.tree):
                        raise _Differs("files of the spare slot differed")
                    work.sync()
                    found = manifest.seal()
                    refuse_other_root(found, root, release, slot.tree)
                    manifest.put_commit(release.commit)
                slot.note(State(release.commit, release.tag, shape=self._repo.shape, root=found))
            except (DiskFull, OSError):
                if not base:  # half a tree helps nobody on a full disk
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

    def _list_changes(self, state: State, commit: str, changes: IO[bytes]) -> str:
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

    def _all(self) -> Reader:
        """Reads every commit and tree that is here."""
        return self.trees.beside(self.store)

    def _list_all(self, commit: str, content: IO[bytes]) -> None:
        try:
            self._all().diff("", commit, content)
        except GitFailed as error:
            store = self.trees if self.trees.has(commit) else self.store
            raise Corrupt(
                f"the object store lacks a part of {commit}: {error.cause}",
                path=str(store.git_dir),
                next=store.advice,
            ) from error

    def _compare(self, slot: Slot, state: State, work: WorkTree, manifest: Manifest) -> int:
        """Compare all files by their stat; not in a tree above ``stat_limit``, unless there is a reason to.

        Returns:
            How many were compared.
        """
        reason = not state.whole or work.surprised
        if not reason and manifest.holds_more_than(self._repo.stat_limit):
            return 0
        findings = manifest.verify(
            slot.tree, full=False, stray=lambda path: work.remove_stray(path, manifest)
        )
        if not findings.ok:
            named = ", ".join([*findings.missing, *findings.changed][:3])
            raise _Differs(f"{findings.wrong} files of the spare slot differed ({named})")
        return findings.files

    # -- switching --------------------------------------------------------------------------------------

    def flip(self, release: Release) -> dict[str, Any]:
        """Point ``location`` at the tree that holds the release."""
        view = self._look()
        slot = next(iter(view.holding(release.commit)), None)
        if slot is None:
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not whole on disk",
                path=str(self._area),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} tag={release.tag}",
            )
        return {"slot": slot.name, **show(view, slot, release, self._repo.location)}
