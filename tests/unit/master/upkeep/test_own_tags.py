"""Old tags go by ``deploy.gc``: those that were made here, that nothing needs; of everybody else's none is counted or deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.git.naming import NamingRepository
from saltdeploy.lib import flock
from saltdeploy.master.upkeep import own_tags
from saltdeploy.staging.tagging import TagText

from tests.support.repositories import Source, git, tree
from tests.unit.master.pasts import REPO, Past

FOREIGN = ["light", "of-another-repo", "theirs"]


class Tagged:
    """A master on which releases were deployed, and the mirror with their tags and with others'."""

    def __init__(self, directory: Path, *deployed: str) -> None:
        self.past = Past.of(directory, *deployed)
        source = Source(directory / "upstream", tree(a="0"))
        self.commit = source.tag(0).commit
        self.mirror = NamingRepository(self.past.master.root / "mirrors" / f"{REPO}.git")
        self.mirror.bring_commit(str(source.git_dir), self.commit, "refs/heads/main")
        for number in range(1, 10):
            self.tag(f"v{number}", REPO, 1_000_000 + number)
        self.tag("of-another-repo", "other", 1)
        self.mirror.create_tag("theirs", self.commit, "x <x@y> 2 +0000", f"theirs\n\nfixes\nrepo: {REPO}")
        git(self.mirror.git_dir, "update-ref", "refs/tags/light", self.commit)

    def tag(self, name: str, repo: str, made: float) -> None:
        text = TagText("alice", "master", made, {"repo": repo, "reason": "two\nlines"})
        self.mirror.create_tag(name, self.commit, text.tagger, text.message(name))

    def collect(self, keep: int, *, test: bool = False) -> dict[str, Any]:
        repo = replace(self.past.repo, staging=replace(self.past.repo.staging, keep_tags=keep))
        return own_tags.collect([repo], self.past.master, test=test)

    def left(self) -> list[str]:
        found = sorted(self.mirror.tags())
        assert set(FOREIGN) <= set(found)
        return [name for name in found if name not in FOREIGN]


@pytest.fixture
def tagged(tmp_path: Path) -> Tagged:
    return Tagged(tmp_path, "v2", "v3")


def test_the_newest_stay_and_what_is_pinned_or_a_way_back(tagged: Tagged) -> None:
    told = {REPO: {"dropped": 4, "kept": 5}}
    assert tagged.collect(3, test=True) == told
    assert tagged.left() == [f"v{number}" for number in range(1, 10)]
    assert tagged.collect(3) == told
    assert tagged.left() == ["v2", "v3", "v7", "v8", "v9"]
    assert tagged.collect(3) == {}


def test_without_a_number_in_the_pillar_none_goes(tagged: Tagged) -> None:
    assert tagged.collect(0) == {}
    assert len(tagged.left()) == 9


def test_of_one_second_the_name_says_which_is_older(tagged: Tagged) -> None:
    for number in range(9, 12):
        tagged.tag(f"release/2015-06-10/{number}", REPO, 2_000_000)
    tagged.collect(2)
    assert tagged.left() == ["release/2015-06-10/10", "release/2015-06-10/11", "v2", "v3"]


def test_while_somebody_works_on_the_mirror_nothing_goes(tagged: Tagged) -> None:
    with flock.taken(tagged.mirror.git_dir.with_suffix(".lock")) as free:
        assert free
        assert tagged.collect(1) == {}
    assert len(tagged.left()) == 9
