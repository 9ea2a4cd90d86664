"""Layout ``overlay``: releases are images, mounted over each other; ``location`` is a symbolic link to one of the mounts.

Nothing is unpacked: a release takes the space of its images, and is there as soon as they are. Every mount is
read-only. What is on disk is below the repo's area (:mod:`saltdeploy.layouts.overlay.mount`), and commits and trees in
``trees.git``. After a reboot nothing is mounted, and nothing is called live; the next fetch mounts again what is on disk.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection
from itertools import count
from pathlib import Path
from typing import Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.content.images import Layers
from saltdeploy.content.source import Contents
from saltdeploy.git.repository import Progress, Repository, no_progress
from saltdeploy.layouts.activate import activate
from saltdeploy.layouts.overlay.base import MountedReleases
from saltdeploy.layouts.overlay.layers import LINKS, Directories
from saltdeploy.layouts.overlay.mount import Mounted
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import TreeState, mark_suspect, refuse_other_root
from saltdeploy.lib import disk
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt, DeployError, NotReady
from saltdeploy.lib.open_files import users_of
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)


class Overlay(MountedReleases):
    """The mounted releases of one repo."""

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
            ready, facts = self._bring(release, progress, contents)
            return {**self._prepare(release, ready, root, needed), **facts}
        except OSError as error:
            raise from_os(
                error, repo=self._repo.name, path="" if error.filename else str(self._area)
            ) from error

    def _bring(
        self, release: Release, progress: Progress, contents: Contents | None
    ) -> tuple[Mounted, dict[str, Any]]:
        """See to it that the layers of the release are here, and over them links to what is shared."""
        disk.make_directory(self._home)
        for aside in self._asides():
            disk.remove_tree(aside)
        if isinstance(contents, Layers):
            layers = tuple(self._images.take(image) for image in contents.images)
        elif contents is not None:
            distrust = any(
                state.suspect for state in self._look().states.values()
            )  # by a layer that any may have
            layers = self._directories().make(release, contents, progress, distrust=distrust)
        else:
            sound = self._sound(release)
            layers = sound.layers()
        layers, facts = self._shared.over(release.commit, layers, self._foreign(), progress)
        if contents is None and layers == sound.layers():
            return sound, facts
        return self._place_for(release, layers), facts

    def _foreign(self) -> Path | None:
        """What is live, where that is no mounted release: into those nobody can have written."""
        return None if self._look().live is not None else self._repo.paths.location

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
        others = [path for path in self._area.glob("catalogue*.db*") if self._catalogue.name not in path.name]
        cleanup.drop("incoming", *others)
        self._delete_unneeded(cleanup, needed)
        for store in self._stores() if not cleanup.test else ():
            with cleanup.shrinking("objects", store.git_dir / "objects"):
                store.compact()

    def _asides(self) -> list[Path]:
        made = self._images.home.glob(f".{LINKS}*")
        return [*made, *(aside for each in self._releases() for aside in each.asides())]

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
        ready = self._held(release.commit)
        if ready is None:
            raise _not_ready(release, self._area)
        ready, facts = self._linked(release, ready)
        view = self._look()
        ready.mount()
        through = self._union(view, ready)
        taken = self._shared.take_over(None if view.live else self._repo.paths.location)
        switched = activate(view, ready, release, self._repo.paths.location, back=back, through=through)
        return {**facts, **taken, **switched}

    def _linked(self, release: Release, ready: Mounted) -> tuple[Mounted, dict[str, Any]]:
        """A release of a time when other paths were shared, once more with today's links; as it is where it cannot have them."""
        if ready.fits():
            return ready, {}
        try:
            layers, facts = self._shared.over(release.commit, ready.layers(), self._foreign(), no_progress)
        except DeployError as error:
            log.warning(
                "%s: %s goes live with the paths shared that were shared in its time: %s",
                self._repo.name,
                release.tag,
                error,
            )
            return ready, {}
        return self._beside(ready, layers), facts

    def _beside(self, known: Mounted, layers: tuple[str, ...]) -> Mounted:
        """Another mount of a release; the one that is known stays, in case that we are killed."""
        state = known.recorded()
        for copy in count(1):
            place = self._release(f"{state.commit}-{copy}")
            if place.recorded().commit:
                continue
            place.begin(layers, TreeState(state.commit, state.tag, suspect=state.suspect))
            return place
        raise AssertionError

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
