"""Layout ``overlay``: releases are images, mounted over each other; ``location`` is a symbolic link to one of the mounts.

Nothing is unpacked: a release takes the space of its images, and is there as soon as they are. Every mount is
read-only. What is on disk is below the repo's area (:mod:`saltdeploy.layouts.overlay.mount`), and commits and trees in
``trees.git``. After a reboot nothing is mounted, and nothing is called live; the next fetch mounts again what is on disk.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content.images import Layers
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.source import Contents
from saltdeploy.content.untracked import NOTHING_UNTRACKED, Known, KnownOnDisk, Untracked
from saltdeploy.content.verify import Findings
from saltdeploy.git.repository import Progress, Repository, no_progress
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.layouts.activate import activate
from saltdeploy.layouts.overlay.comparison import Comparison
from saltdeploy.layouts.overlay.layers import Directories
from saltdeploy.layouts.overlay.mount import ImageStore, Mounted
from saltdeploy.layouts.overlay.union import Unions
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import TreeState, mark_suspect, refuse_other_root
from saltdeploy.layouts.untracked import of_foreign
from saltdeploy.lib import disk
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt, DeployError, NotReady
from saltdeploy.lib.open_files import users_of
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)


class Overlay:
    """The mounted releases of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._area = repo.paths.area
        self._home = repo.paths.area / "mounts"
        self._images = ImageStore(repo.paths.area)
        self._unions = Unions(self._home)
        self.store = Repository(repo.paths.area / "store.git")
        self.trees = TreeStore(repo.paths.area / "trees.git")
        self._changes = Changes(self.store, self.trees)
        self._comparison = Comparison(self._changes, self.trees, repo.paths.area / "catalogue.db")

    # -- looking ----------------------------------------------------------------------------------------

    def holdings(self) -> Holdings:
        """What is on disk, and what is mounted and live. Reads only."""
        view = self._look()
        previous = view.way_back()
        return Holdings(
            damaged=view.live is not None
            and view.states[view.live].complete
            and view.states[view.live].suspect,
            live=view.live_commit(),
            previous=view.states[previous].commit if previous and previous.is_mounted() else "",
            held=tuple(dict.fromkeys(s.commit for s in view.states.values() if s.complete and not s.suspect)),
            tags={state.commit: state.tag for state in view.states.values() if state.complete},
            roots={s.commit: s.root for s in view.states.values() if s.complete and s.root and not s.suspect},
        )

    def tree(self, commit: str) -> Path | None:
        """Where the release is mounted, or will be: by :meth:`read` and :meth:`activate` at the latest."""
        held = self._held(commit)
        return held.tree if held else None

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """A file in that tree, which is mounted for that if it is not."""
        held = self._held(commit)
        if held is None:
            return None
        held.mount()
        return disk.read_below(held.tree, path, most)

    def untracked(self, commit: str = "", coming: Known | None = None) -> Untracked:
        """What the next release has not of a tree that is not ours. Into what is mounted nobody can write."""
        if self._look().live is not None:
            return NOTHING_UNTRACKED
        tree = self.tree(commit) if commit else None
        return of_foreign(self._repo, coming or (KnownOnDisk(tree) if tree else None))

    def verify(self, *, full: bool, part: PathSlice | None = None) -> Findings:
        """Compare what is mounted and live with the commit's trees; a release that differs is rebuilt by the next deploy."""
        view = self._look()
        if view.live is None or not view.states[view.live].complete:
            raise NotReady(
                "nothing of this repo is live here, or what is was not mounted since the host started",
                path=str(self._repo.paths.location),
                next=f"salt-run deploy.report repo={self._repo.name} ends with the command that mends it",
            )
        state = view.states[view.live]
        shown = self._shown()
        alone = os.path.realpath(shown) == os.path.realpath(view.live.tree)
        findings = self._comparison.compare(shown, state.commit, full=full, part=part, alone=alone)
        if not findings.ok:
            self._mark_suspect(view, view.live)
        elif full and state.root and self._comparison.root_of(view.live.tree, state.commit) != state.root:
            self._mark_suspect(view, view.live)
            raise Corrupt(
                f"its files do not come to root {state.root[:16]}, which they had when they were mounted first",
                path=str(view.live.tree),
                next=f"salt-run deploy.report repo={self._repo.name} ends with the command that mends it",
            )
        elif full and state.suspect:  # somebody has mended it by hand
            view.live.note(dataclasses.replace(state, suspect=False))
        return findings

    @staticmethod
    def _mark_suspect(view: Selection[Mounted], damaged: Mounted) -> None:
        """Note that a release is not what it should be, nor are those that may be damaged: they have layers in common."""
        layers = set(damaged.layers())
        others = [each for each in view.states if each != damaged and layers & set(each.layers())]
        for each in (
            *others,
            damaged,
        ):  # it is the last one: nobody looks for the others any more once it is known
            mark_suspect(each, view.states[each])

    def _shown(self) -> Path:
        """What ``location`` shows, by a name in the area, if that is where it leads."""
        try:
            return Path(
                os.path.normpath(self._repo.paths.location.parent / os.readlink(self._repo.paths.location))
            )
        except OSError:
            return self._repo.paths.location

    def _look(self) -> Selection[Mounted]:
        releases = list(self._releases())
        shown = self._shown()
        top = self._unions.top(shown)
        real = os.path.realpath(self._home / top if top else shown)
        live = next((each for each in releases if os.path.realpath(each.tree) == real), None)
        return Selection(
            {each: each.state() for each in releases},
            live if live is not None and live.is_mounted() else None,
        )

    def _releases(self) -> Iterator[Mounted]:
        for record in sorted(self._home.glob("[0-9a-f]*.json")):
            if not record.name.endswith(".layers.json"):
                yield self._release(record.stem)

    def _release(self, name: str) -> Mounted:
        return Mounted(self._home / name, self._images)

    def _held(self, commit: str) -> Mounted | None:
        return min(self._look().holding(commit), key=lambda each: not each.is_mounted(), default=None)

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
        """Mount the release, from layers that came or from those that are here; and the way back with it."""
        try:
            ready = self._bring(release, progress, contents)
            return self._prepare(release, ready, root, needed)
        except OSError as error:
            raise from_os(
                error, repo=self._repo.name, path="" if error.filename else str(self._area)
            ) from error

    def _bring(self, release: Release, progress: Progress, contents: Contents | None) -> Mounted:
        """See to it that the layers of the release are here."""
        disk.make_directory(self._home)
        for aside in self._asides():
            disk.remove_tree(aside)
        if isinstance(contents, Layers):
            layers = tuple(self._images.take(image) for image in contents.images)
            return self._place_for(release, layers)
        if contents is not None:
            distrust = any(
                state.suspect for state in self._look().states.values()
            )  # by a layer that any may have
            layers = self._directories().make(release, contents, progress, distrust=distrust)
            return self._place_for(release, layers)
        return self._sound(release)

    def _prepare(
        self, release: Release, ready: Mounted, root: str, needed: Collection[str]
    ) -> dict[str, Any]:
        """Mount it, and see to it that it is what it should be."""
        try:
            ready.mount()
            found = self._root(ready, release)
            refuse_other_root(found, root, release, ready.tree)
        except Corrupt:
            mark_suspect(ready, ready.state())  # so that nobody is told that it is here
            raise
        self._delete_unneeded(Cleanup(measure=False), {*needed, release.commit})
        self._mount_the_others(ready)
        return {"files": 0, "layers": len(ready.layers()), "root": found}

    def _root(self, ready: Mounted, release: Release) -> str:
        """The root of a release that is mounted.

        The images are the master's word, and of their files those are read that have changed. Where a signature is asked
        for, it counts for all of them: an image could have other bytes at a path that has not changed.
        """
        state = ready.state()
        if state.root:
            return state.root
        found = self._comparison.root_of(ready.tree, release.commit)
        if self._repo.trust.release_keys:
            findings = self._comparison.compare(ready.tree, release.commit, full=True, alone=True)
            if not findings.ok:
                named = ", ".join([*findings.missing, *findings.changed, *findings.extra][:3])
                raise Corrupt(
                    f"{findings.wrong} files in the images are not the release's ({named})",
                    path=str(ready.tree),
                    next="look at the master's payloads, and at what carried them",
                )
        ready.note(dataclasses.replace(state, root=found))
        return found

    def _sound(self, release: Release) -> Mounted:
        view = self._look()
        for each in view.holding(release.commit):
            if not view.states[each].suspect:
                return each
        raise _not_ready(release, self._area)

    def _place_for(self, release: Release, layers: tuple[str, ...]) -> Mounted:
        """Where these images are the release. A damaged one that somebody uses stays where it is."""
        live = self._look().live
        for copy in count():
            place = self._release(f"{release.commit}-{copy}" if copy else release.commit)
            state = place.state()
            if state.complete and not state.suspect and place.layers() == layers:
                return place
            if place != live and place.remove():
                place.begin(layers, TreeState(release.commit, release.tag))
                return place
        raise AssertionError

    def _mount_the_others(self, ready: Mounted) -> None:
        """After a reboot the way back is to be there as well; what cannot be mounted does not fail the release."""
        for each, state in self._look().states.items():
            if each != ready and state.complete and state.generation:
                try:
                    each.mount()
                except DeployError as error:
                    log.info(
                        "%s: %s is not mounted, there is no way back to it: %s",
                        self._repo.name,
                        each.name,
                        error,
                    )
                    continue

    def collect(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete releases, images and trees that nothing needs."""
        damaged = [store.aside for store in (self.store, self.trees) if store.aside.exists()]
        cleanup.drop("incoming", self._area / "incoming", *self._asides(), *damaged)
        self._delete_unneeded(cleanup, needed)
        for store in self._stores() if not cleanup.test else ():
            with cleanup.shrinking("objects", store.git_dir / "objects"):
                store.compact()

    def _asides(self) -> list[Path]:
        return [aside for each in self._releases() for aside in each.asides()]

    def _delete_unneeded(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete releases beyond those to keep, images and trees."""
        view = self._look()
        self._unions.drop_all_but(self._shown(), cleanup)
        gone = view.surplus(max(self._repo.layout.slots, self._repo.layout.visible_releases), needed)
        used = users_of([each.tree for each in gone])
        left = [each for each in view.states if each not in gone or each.tree in used]
        for each in gone:
            if each.tree not in used:
                cleanup.drop("mounts", by=each.remove)
        if not cleanup.test:  # those that somebody has in use without our seeing it are still there
            left = list(self._releases())
        layers = {name for each in left for name in each.layers()}
        self._images.drop_all_but(layers, cleanup)
        if not cleanup.test:
            held = {*(each.state().commit for each in left), *self._directories().commits(layers), *needed}
            for store in self._stores():
                store.forget_all_but(held - {""})

    def _directories(self) -> Directories:
        return Directories(self._images.home, self._area / "incoming", self._changes.reader)

    def _stores(self) -> list[Repository]:
        """Those that there are."""
        return [store for store in (self.store, self.trees) if store.git_dir.is_dir()]

    # -- switching --------------------------------------------------------------------------------------

    def activate(self, release: Release, *, back: bool = False) -> dict[str, Any]:
        """Point ``location`` at the mount of the release."""
        view = self._look()
        ready = self._held(release.commit)
        if ready is None:
            raise _not_ready(release, self._area)
        ready.mount()
        through = self._union(view, ready)
        return activate(view, ready, release, self._repo.paths.location, back=back, through=through)

    def _union(self, view: Selection[Mounted], top: Mounted) -> Path | None:
        """The release over those that were live last, as many as are to be seen; None where it is seen alone."""
        others = [
            each for each, state in view.states.items() if each != top and state.complete and state.generation
        ]
        others.sort(key=lambda each: view.states[each].generation, reverse=True)
        below = others[: self._repo.layout.visible_releases - 1]
        if not below:
            return None
        for each in below:
            each.mount()
        return self._unions.make([each.name for each in (top, *below)])


def _not_ready(release: Release, area: Path) -> NotReady:
    return NotReady(
        f"{release.tag} ({release.commit[:12]}) is not on disk",
        path=str(area),
        next=f"fetch it first: salt-run deploy.fetch repo={release.repo} {argument('tag', release.tag)}",
    )
