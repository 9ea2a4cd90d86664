"""Which of several trees is used for what. Decides on what is known; reads and writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from saltdeploy.layouts.symlinked.tree import ReleaseTree, TreeState

R = TypeVar("R", bound=ReleaseTree)


@dataclass(frozen=True)
class Selection(Generic[R]):
    """The trees at one moment, and the choices that follow from them.

    Attributes:
        states: of all trees that there are.
        live: the one that users read, if any.
    """

    states: dict[R, TreeState]
    live: R | None

    def holding(self, commit: str) -> list[R]:
        """The complete trees of a commit: sound ones before suspect ones, the live one before others."""
        trees = [tree for tree, state in self.states.items() if state.complete and state.commit == commit]
        return sorted(trees, key=lambda tree: (self.states[tree].suspect, tree != self.live))

    def live_commit(self) -> str:
        """What users read; "" also when the live tree is suspect and a sound one waits to take its place."""
        if self.live is None or not self.states[self.live].complete:
            return ""
        commit = self.states[self.live].commit
        return commit if self.holding(commit)[0] == self.live else ""

    def previous(self) -> R | None:
        """Of the other releases that are complete, the one that was live last."""
        return max(self._activated(), key=lambda tree: self.states[tree].generation, default=None)

    def way_back(self) -> R | None:
        """The same, of those that are not bad: nobody goes back to what was rolled back."""
        good = [tree for tree in self._activated() if not self.states[tree].bad]
        return max(good, key=lambda tree: self.states[tree].generation, default=None)

    def recyclable(self, trees: list[R]) -> list[R]:
        """Which of ``trees`` may take another release: never the live one, the way back only if it is the last.

        Incomplete trees come first, then the one that was live longest ago.
        """
        candidates = [tree for tree in trees if tree != self.live]
        if len(candidates) > 1:
            kept = self.way_back() or self.previous()
            candidates = [tree for tree in candidates if tree != kept]
        return sorted(candidates, key=lambda tree: (self.states[tree].complete, self.states[tree].generation))

    def surplus(self, keep: int, needed: Collection[str]) -> list[R]:
        """The trees that may be deleted; whether a process uses them is another question.

        What is live stays, and so do the ways back (what was live before, and the last good one) and what is needed,
        however many these are. Then good releases stay up to the number to keep, those that were live last first;
        then others. An incomplete tree is of no use, nor is a second copy of a release.

        Args:
            keep: how many releases stay.
            needed: commits.
        """
        kept = {tree for tree in (self.live, self.previous(), self.way_back()) if tree is not None}
        for commit in needed:  # what is live may be suspect, and a sound tree of the release is next to it
            kept.update(self.holding(commit)[:1])
        known = {self.states[tree].commit for tree in kept}
        for tree in sorted(self.states, key=self._worth, reverse=True):
            state = self.states[tree]
            if state.complete and state.commit not in known and len(kept) < keep:
                kept.add(tree)
                known.add(state.commit)
        return [tree for tree in self.states if tree not in kept]

    def last_generation(self) -> int:
        """The number of the last activation; 0 before the first."""
        return max((state.generation for state in self.states.values()), default=0)

    def _worth(self, tree: R) -> tuple[bool, bool, int]:
        state = self.states[tree]
        return not state.bad, not state.suspect, state.generation

    def _activated(self) -> list[R]:
        live = self.states[self.live].commit if self.live else ""
        return [
            tree
            for tree, state in self.states.items()
            if tree != self.live and state.complete and state.generation and state.commit != live
        ]
