"""Layout ``releases``: one whole work tree for each release, named by its tag; ``location`` is a symbolic link to one of them.

On disk, beside ``location`` (``/srv/deployment/mediawiki`` here)::

    /srv/deployment/mediawiki -> .mediawiki.deploy/releases/v7
    /srv/deployment/.mediawiki.deploy/releases/v6, v7   whole trees; a slash in a tag is a dash in the name
                               records/v7.json, v7.db   what each tree is, and what it holds
                               store.git, trees.git, incoming/, blobs/   as with layout ``slots``

A new release begins as a second tree of that one here from which it differs least (:mod:`saltdeploy.layouts.farm`); then
what differs is written. So a tree never changes once it is whole, and a fetch takes time for each file of the tree. Which trees stay is decided in
:mod:`saltdeploy.layouts.retention`. One that was not finished is made anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from itertools import count
from typing import Any

from saltdeploy import disk
from saltdeploy.config import Repo
from saltdeploy.digests import Unreadable
from saltdeploy.errors import GitFailed
from saltdeploy.gitobjects import read_changes
from saltdeploy.layouts.beside import Beside, Job
from saltdeploy.layouts.farm import Differs, Farm
from saltdeploy.layouts.inuse import users_of
from saltdeploy.layouts.retention import surplus
from saltdeploy.layouts.slot import Slot, State, View, doubt

_MOST_COMPARED = 8  # trees that a new one may begin with


class Releases(Beside):
    """The release directories of one repo."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo, repo.area / "releases")
        self._records = self._area / "records"

    def _places(self) -> list[Slot]:
        """All of which there is a tree, or a part of a record."""
        trees = {path.name for path in self._home.glob("*") if not path.name.startswith(".")}
        records = {path.stem for path in self._records.glob("*") if path.suffix in (".json", ".db")}
        return [self._place(name) for name in sorted(trees | records) if not name.startswith(".")]

    def _place(self, name: str) -> Slot:
        return Slot(self._home / name, self._repo.shape, self._records, shared=True)

    def _bring(self, job: Job) -> dict[str, Any]:
        disk.make_directory(self._records)
        self._make_way()
        slot = self._free_place(job.release.tag)
        for base, state in self._nearest(job.release.commit):
            try:
                copy = Farm(base, self._incoming, job.tell)
                began = State(state.commit, shape=state.shape)
                facts = self._write(slot, began, job, copy)
                return {**facts, "began_as": state.tag, "shared_by": copy.way}
            except (Differs, Unreadable):  # somebody wrote into that tree
                slot.remove()
                doubt(base, state)
        return self._write(slot, State(), job)

    def _make_way(self) -> None:
        """Let go of trees that were not finished, before there is one more."""
        view = self._look()
        broken = [slot for slot, state in view.states.items() if not state.whole and slot != view.live]
        used = users_of([slot.tree for slot in broken])
        for slot in broken:
            if slot.tree not in used:
                slot.remove()

    def _free_place(self, tag: str) -> Slot:
        """Where nothing is. No tag has a tilde: it numbers the trees whose names would be the same."""
        name = tag.replace("/", "-")
        taken = {slot.name for slot in self._places()}
        names = (f"{name}~{number}" if number > 1 else name for number in count(1))
        return self._place(next(each for each in names if each not in taken))

    def _nearest(self, commit: str) -> list[tuple[Slot, State]]:
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

    def _surplus(self, view: View[Slot], needed: Collection[str]) -> list[Slot]:
        return surplus(view, self._repo.keep_releases, needed)
