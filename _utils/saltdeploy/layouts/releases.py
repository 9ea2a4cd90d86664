"""Which releases a host keeps. Decides on what is known; reads and writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout, TreeJob
from saltdeploy.layouts.symlinked.tree import P, Selection, Slot
from saltdeploy.lib import disk
from saltdeploy.lib.open_files import users_of


def surplus(view: Selection[P], keep: int, needed: Collection[str]) -> list[P]:
    """The places that may be let go; whether a process uses them is another question.

    What is live stays, and so do the ways back (what was live before, and the last good one) and what is needed, however
    many these are. Then good releases stay up to the number to keep, those that were live last first; then others.
    What is not whole, and a second copy of a release, is of no use.

    Args:
        keep: how many releases stay.
        needed: commits.
    """
    kept = {place for place in (view.live, view.previous(), view.way_back()) if place is not None}
    for commit in needed:  # what is live may be doubted, and a sound tree of the release beside it
        kept.update(view.holding(commit)[:1])
    known = {view.states[place].commit for place in kept}
    for place in sorted(view.states, key=lambda place: _worth(view, place), reverse=True):
        state = view.states[place]
        if state.whole and state.commit not in known and len(kept) < keep:
            kept.add(place)
            known.add(state.commit)
    return [place for place in view.states if place not in kept]


def _worth(view: Selection[P], place: P) -> tuple[bool, bool, int]:
    state = view.states[place]
    return not state.bad, not state.doubted, state.turn


class Releases(SymlinkedLayout):
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

    def _bring(self, job: TreeJob) -> dict[str, Any]:
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

    def _surplus(self, view: Selection[Slot], needed: Collection[str]) -> list[Slot]:
        return surplus(view, self._repo.keep_releases, needed)
