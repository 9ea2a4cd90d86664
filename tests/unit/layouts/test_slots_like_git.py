"""Whatever the releases and whatever the way between them: a tree holds what ``git checkout`` would make."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout

from tests.support.repositories import Source, Tree, bring_bundle, repo, snapshot
from tests.unit.layouts.strategies import histories

EXAMPLES = int(os.environ.get("SALTDEPLOY_EXAMPLES", "12"))


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(trees=histories(), of=st.sampled_from([Slots, Releases]), keep=st.integers(2, 4), data=st.data())
def test_a_tree_holds_what_git_checkout_makes(
    trees: list[Tree], of: type[SymlinkedLayout], keep: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        source = Source(place / "source", *trees)
        location = place / "live"
        layout = of(repo(location, slots=keep, keep_releases=keep))
        walk = data.draw(st.lists(st.integers(0, len(trees) - 1), min_size=1, max_size=6), label="walk")
        for number in walk:
            bring_bundle(layout, source, number, data.draw(bases(layout), label="base"))
            release = source.release(number)
            layout.prepare(release)
            layout.activate(release)
            assert snapshot(location) == source.checked_out(number)
            assert layout.holdings().live == release.commit
            assert layout.verify(full=True).ok
            assert layout.verify(full=False).ok


def bases(layout: SymlinkedLayout) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *layout.store.kept()] if layout.store.git_dir.is_dir() else [""])
