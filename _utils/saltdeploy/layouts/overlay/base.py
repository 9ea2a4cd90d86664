"""The mounted releases of one repo as they are: which there are, what is live, whether it is what it should be."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.untracked import NOTHING_UNTRACKED, Known, KnownOnDisk, Untracked
from saltdeploy.content.verify import Findings
from saltdeploy.git.repository import Repository
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.layouts.overlay.comparison import Comparison
from saltdeploy.layouts.overlay.layers import LINKS
from saltdeploy.layouts.overlay.mount import ImageStore, Mounted
from saltdeploy.layouts.overlay.shared import SharedLinks
from saltdeploy.layouts.overlay.union import Unions
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import mark_suspect
from saltdeploy.layouts.untracked import of_foreign
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, NotReady
from saltdeploy.protocol.holdings import Holdings


class MountedReleases:
    """What :class:`saltdeploy.layouts.overlay.Overlay` knows without changing anything that is mounted."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._area = repo.paths.area
        self._home = repo.paths.area / "mounts"
        self._images = ImageStore(repo.paths.area)
        self._unions = Unions(self._home)
        self.store = Repository(repo.paths.area / "store.git")
        self.trees = TreeStore(repo.paths.area / "trees.git")
        self._changes = Changes(self.store, self.trees, repo.left_out)
        self._shared = SharedLinks(repo, self._images, self._changes)
        shape = repo.paths.shared.shape  # a catalogue is that of one kind of trees
        self._catalogue = repo.paths.area / (f"catalogue-{shape}.db" if shape else "catalogue.db")
        self._comparison = Comparison(self._changes, self.trees, self._catalogue, repo.left_out)

    # -- looking ----------------------------------------------------------------------------------------

    def holdings(self) -> Holdings:
        """What is on disk, and what is mounted and live. Reads only."""
        view = self._look()
        previous = view.way_back()
        return Holdings(
            damaged=view.live is not None
            and view.states[view.live].complete
            and view.states[view.live].suspect
            and view.live.fits(),
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

    def adopt(self, paths: Collection[str], source: str) -> dict[str, str]:
        """Take over what is to be shared; see :meth:`saltdeploy.layouts.symlinked.adopt.Adoption.adopt`."""
        return self._shared.adopt(paths, self._repo.paths.location, source)

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
        links = self._shared.seen(shown, view.live.layers())
        right = {path for path, is_right in links.items() if is_right}
        findings = self._comparison.compare(
            shown, state.commit, full=full, part=part, alone=alone, links=right
        )
        for path in sorted(links.keys() - right):
            findings.add("missing", path)
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
        layers = {
            name for name in damaged.layers() if not name.startswith(LINKS)
        }  # links are looked at anyway
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
        return Mounted(self._home / name, self._images, self._shared.fit)

    def _held(self, commit: str) -> Mounted | None:
        return min(self._look().holding(commit), key=lambda each: not each.is_mounted(), default=None)
