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

from collections.abc import Collection
from itertools import count
from typing import Any

from saltdeploy import disk
from saltdeploy.config import Repo
from saltdeploy.layouts.beside import Beside, Job
from saltdeploy.layouts.inuse import users_of
from saltdeploy.layouts.retention import surplus
from saltdeploy.layouts.slot import Slot, View


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
        return Slot(self._home / name, self._repo.shape, self._records)

    def _bring(self, job: Job) -> dict[str, Any]:
        disk.make_directory(self._records)
        self._make_way()
        return self._write_anew(self._free_place(job.release.tag), job)

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

    def _surplus(self, view: View[Slot], needed: Collection[str]) -> list[Slot]:
        return surplus(view, self._repo.keep_releases, needed)
