"""Layout ``releases``: a directory for each release, named by its tag; ``location`` is a symbolic link to one of them.

On disk, next to ``location`` (``/srv/deployment/mediawiki`` here)::

    /srv/deployment/mediawiki -> .mediawiki.deploy/releases/v1.2
    /srv/deployment/.mediawiki.deploy/releases/v1.2       a complete tree
                               records/v1.2.json, .db     what it is, and what it holds

and the stores and directories that layout ``slots`` has as well.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.layouts.symlinked.build import TreeJob
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib import disk
from saltdeploy.lib.open_files import users_of


class Releases(SymlinkedLayout):
    """The release directories of one repo."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo, repo.paths.area / "releases")
        self._records = self._area / "records"

    def _places(self) -> list[Slot]:
        """All of which there is a tree, or a part of a record."""
        trees = {path.name for path in self._home.glob("*") if not path.name.startswith(".")}
        records = {path.stem for path in self._records.glob("*") if path.suffix in (".json", ".db")}
        return [self._place(name) for name in sorted(trees | records) if not name.startswith(".")]

    def _place(self, name: str) -> Slot:
        return Slot(self._home / name, self._repo.shape, self._records, self._repo.contents.owner)

    def _build(self, job: TreeJob) -> dict[str, Any]:
        disk.make_directory(self._records)
        self._delete_incomplete()
        return self._rebuild(self._free_place(job.release.tag), job)

    def _delete_incomplete(self) -> None:
        """Delete trees that were not finished, before there is one more."""
        view = self._look()
        incomplete = [slot for slot, state in view.states.items() if not state.complete and slot != view.live]
        used = users_of([slot.tree for slot in incomplete])
        for slot in incomplete:
            if slot.tree not in used:
                slot.remove()

    def _free_place(self, tag: str) -> Slot:
        """Where nothing is. No tag has a tilde: it numbers the trees whose names would be the same."""
        name = tag.replace("/", "-")
        taken = {slot.name for slot in self._places()}
        names = (f"{name}~{number}" if number > 1 else name for number in count(1))
        return self._place(next(each for each in names if each not in taken))

    def _surplus(self, view: Selection[Slot], needed: Collection[str]) -> list[Slot]:
        return view.surplus(self._repo.layout.keep_releases, needed)
