"""Which releases a host keeps. Decides on what is known; reads and writes nothing."""

from __future__ import annotations

from collections.abc import Collection

from saltdeploy.layouts.slot import P, View


def surplus(view: View[P], keep: int, needed: Collection[str]) -> list[P]:
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


def _worth(view: View[P], place: P) -> tuple[bool, bool, int]:
    state = view.states[place]
    return not state.bad, not state.doubted, state.turn
