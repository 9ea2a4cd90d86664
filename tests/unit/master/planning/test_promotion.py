"""One environment takes exactly what another one runs, and only where it has stood its time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import MovedTag, NotReady
from saltdeploy.master.planning.promotion import Promoted, find
from saltdeploy.master.records.history import History
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *[tree(index=str(n)) for n in range(3)])


@pytest.fixture
def fleet(tmp_path: Path, source: Source) -> Fleet:
    """The environment that runs v1."""
    found = Fleet(tmp_path, source)
    found.sync("v0")
    found.sync("v1")
    return found


def promoted(fleet: Fleet, source: Source, after: float = 0.0) -> Promoted:
    other = config.load(
        {"repo_config": {"prod": {"source": str(source.git_dir), "targets": "p*", "promote_after": after}}},
        "prod",
    )
    return find(fleet.config(Path("/srv/site")), other, fleet.master)


def test_what_every_host_runs_is_promoted_by_its_tag(fleet: Fleet, source: Source) -> None:
    found = promoted(fleet, source)
    assert (found.tag, found.commit) == ("v1", "")


def test_a_release_that_only_the_first_one_has_a_tag_for_is_promoted_by_its_commit(
    fleet: Fleet, source: Source, tmp_path: Path
) -> None:
    found = promoted(fleet, Source(tmp_path / "other", tree(index="other")))  # it has v0 alone
    assert (found.tag, found.commit) == ("", source.tag(1).commit)


def test_a_tag_that_means_another_commit_there_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    other = Source(tmp_path / "other", tree(index="x"), tree(index="y"))
    with pytest.raises(MovedTag, match="tag v1 means commit"):
        promoted(fleet, other)


def test_it_must_have_run_there_for_so_long(fleet: Fleet, source: Source) -> None:
    with pytest.raises(NotReady, match="takes what has run for 3600 seconds"):
        promoted(fleet, source, after=3600)
    fleet._clock += 3600
    assert promoted(fleet, source, after=3600).tag == "v1"


def test_what_is_marked_bad_there_is_not_promoted(fleet: Fleet, source: Source) -> None:
    History(fleet.master.store).mark_bad(REPO, Release(REPO, "v1", source.tag(1).commit), "it burnt")
    with pytest.raises(NotReady, match="v1 is marked bad there: it burnt"):
        promoted(fleet, source)


def test_a_host_that_runs_something_else_or_is_silent_stops_it(
    fleet: Fleet, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    web2 = fleet.minions["web2"]
    answer = web2._answer

    def elsewhere(function: str, arguments: list[Any]) -> Result:
        said = answer(function, arguments)
        return dataclasses.replace(said, holdings=dataclasses.replace(said.holdings, live="0" * 40))

    monkeypatch.setattr(web2, "_answer", elsewhere)
    with pytest.raises(NotReady, match="web2 does not run it"):
        promoted(fleet, source)


def test_nothing_is_promoted_of_an_environment_without_a_pin(tmp_path: Path, source: Source) -> None:
    fleet = Fleet(tmp_path, source)
    with pytest.raises(NotReady, match="nothing is pinned there"):
        promoted(fleet, source)
