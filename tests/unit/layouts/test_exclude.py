"""What the pillar excludes is in no tree and in no root, and going forth and back is as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.content import release_root
from saltdeploy.content.source import Stored
from saltdeploy.lib.errors import ConfigError, Unsupported

from tests.support.repositories import Source, deploy, repo, tree


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [
        tree(index=f"v{n}", docs__a=f"{n}", docs2="kept", lib__tests__x=f"{n}", lib__a="a", tests__y="y")
        for n in range(4)
    ]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.fixture(params=["slots", "releases"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return repo(tmp_path / "srv/demo", layout=request.param, exclude=["docs", "lib/tests/", "tests/y"])


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root.resolve())) for path in root.resolve().rglob("*") if path.is_file()}


def test_it_is_in_no_tree_forth_and_back(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    for number in (0, 1, 2, 3, 2, 0):
        deploy(layout, source, number)
        assert files(made.paths.location) == {"index", "docs2", "lib/a"}
        assert (made.paths.location / "index").read_text() == f"v{number}"
        assert layout.verify(full=True).ok
        assert not layout.untracked()


def test_the_root_is_that_of_what_is_there_on_the_master_too(
    made: Repo, source: Source, tmp_path: Path
) -> None:
    facts = deploy(layouts.of(made), source, 0)
    commit, reader = source.release(0).commit, source.repository
    wanted = release_root.root_of(tmp_path / "a.db", commit, reader, Stored(reader), (), made.left_out)
    same = Source(tmp_path / "same", tree(index="v0", docs2="kept", lib__a="a"))
    alone = same.repository
    assert facts["root"] == wanted
    assert wanted == release_root.root_of(tmp_path / "b.db", same.release(0).commit, alone, Stored(alone))


def test_a_change_of_the_list_makes_trees_new(made: Repo, source: Source) -> None:
    plain = repo(made.paths.location, layout=made.layout.name)
    deploy(layouts.of(plain), source, 0)
    assert "docs/a" in files(made.paths.location)
    deploy(layouts.of(made), source, 0)
    assert "docs/a" not in files(made.paths.location)
    assert layouts.of(made).verify(full=True).ok
    deploy(layouts.of(plain), source, 1)
    assert "docs/a" in files(made.paths.location)


@pytest.mark.parametrize("said", [["/docs"], ["a/../b"], "docs", ["docs", "docs/"], [""], [1]])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, said: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(tmp_path / "demo", exclude=said)
    assert caught.value.path.startswith("repo_config:demo:exclude")


@pytest.mark.parametrize("layout", ["overlay", "inplace"])
def test_a_layout_that_has_whole_releases_only_refuses_it_by_name(tmp_path: Path, layout: str) -> None:
    made = repo(tmp_path / "demo", layout=layout, transport="bundle", exclude=["docs"])
    with pytest.raises(Unsupported, match="cannot leave out a part") as caught:
        refuse_contents(made)
    assert caught.value.path == "repo_config:demo:exclude"
