"""Trees without contents: they travel, are copied, and are drop, and no blob is ever looked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from saltdeploy.git.objects import read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Repository
from saltdeploy.git.tree_store import TreeStore

from tests.support.objectstores import objects
from tests.support.repositories import Source, tree

RELEASES = [tree(a=str(n), same__b="same", **{f"d{n}__c": "x"}) for n in range(30)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("many") / "source.git", *RELEASES)


@pytest.fixture
def trees(tmp_path: Path) -> TreeStore:
    made = TreeStore(tmp_path / "trees.git")
    made.ensure()
    return made


def bring(trees: TreeStore, source: Source, number: int, base: int | None, place: Path) -> str:
    commit = "" if base is None else source.tag(base).commit
    source.repository.pack(source.tag(number), commit, place / "bundle", contents=False)
    trees.unpack(place / "bundle", source.tag(number).commit)
    return source.tag(number).commit


def listed(reader: Reader, old: str, new: str) -> list[tuple[bytes, str, str]]:
    with tempfile.TemporaryFile() as spool:
        reader.diff(old, new, spool)
        return [(change.path, change.mode, change.oid) for change in read_changes(spool)]


def test_paths_modes_and_blobs_are_known_and_no_blob_is_here(
    trees: TreeStore, many: Source, tmp_path: Path
) -> None:
    first, second = bring(trees, many, 0, None, tmp_path), bring(trees, many, 1, 0, tmp_path)
    assert listed(trees, first, second) == listed(many.repository, first, second) != []
    assert not any(kind.endswith(" blob") for kind in objects(trees))


def test_many_releases_become_one_pack_that_holds_what_is_held_and_no_more(
    trees: TreeStore, many: Source, tmp_path: Path
) -> None:
    commits = [bring(trees, many, 0, None, tmp_path)]
    for number in range(1, 25):
        trees.forget_all_but(commits[-2:])
        commits.append(bring(trees, many, number, number - 1, tmp_path))
    assert len(list((trees.git_dir / "objects/pack").glob("*.pack"))) < 10
    assert not trees.has(commits[0])
    for held in commits[-3:]:
        assert listed(trees, "", held) == listed(many.repository, "", held)


def test_what_builds_upon_a_release_of_the_other_store_outlives_it(
    trees: TreeStore, many: Source, store: Repository, tmp_path: Path
) -> None:
    many.repository.pack(many.tag(0), "", tmp_path / "bundle")
    base = many.tag(0).commit
    store.unpack(tmp_path / "bundle", base)
    trees.adopt(base, store, tmp_path / "aside")
    bring(trees, many, 1, 0, tmp_path)
    assert not any(kind.endswith(" blob") for kind in objects(trees))
    assert not (tmp_path / "aside").exists()
    away = tmp_path / "away"
    store.git_dir.rename(away)
    assert listed(trees, "", many.tag(1).commit) == listed(many.repository, "", many.tag(1).commit)


@pytest.mark.parametrize("name", ["plain", "with:colon", 'with"quote', "with\\backslash"])
def test_both_stores_are_read_as_one(many: Source, tmp_path: Path, name: str) -> None:
    trees, store = TreeStore(tmp_path / name / "trees.git"), Repository(tmp_path / name / "store.git")
    assert trees.beside(store) is store
    for each in (trees, store):
        each.ensure()
    many.repository.pack(many.tag(0), "", tmp_path / "bundle")
    store.unpack(tmp_path / "bundle", many.tag(0).commit)
    new = bring(trees, many, 1, None, tmp_path)
    both = trees.beside(store)
    assert listed(both, many.tag(0).commit, new) == listed(many.repository, many.tag(0).commit, new)
