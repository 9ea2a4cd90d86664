"""What is deleted is counted as the file system counts it: a file with several names is free once the last is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltdeploy.lib.cleanup import Cleanup


@pytest.fixture
def trees(tmp_path: Path) -> list[Path]:
    """Three trees: the first two have one file in common, and the third has it as well under another name."""
    made = [tmp_path / name for name in "abc"]
    for tree in made:
        (tree / "deep").mkdir(parents=True)
        (tree / "own").write_bytes(os.urandom(40_000))
    (made[0] / "deep/shared").write_bytes(os.urandom(400_000))
    os.link(made[0] / "deep/shared", made[1] / "shared")
    os.link(made[0] / "deep/shared", made[2] / "shared")
    return made


def test_what_others_still_have_is_not_free(trees: list[Path]) -> None:
    sweep = Cleanup()
    sweep.drop("trees", *trees[:2])
    assert 80_000 <= sweep.freed()["trees"] < 400_000
    sweep.drop("trees", trees[2])
    assert sweep.freed()["trees"] >= 520_000
    assert not any(tree.exists() for tree in trees)


def test_a_test_counts_the_same_and_deletes_nothing(trees: list[Path]) -> None:
    told, done = Cleanup(test=True), Cleanup()
    for sweep in (told, done):
        for tree in trees:
            sweep.drop("trees", tree)
        assert all(tree.exists() for tree in trees) == sweep.test
    assert told.freed() == done.freed()


def test_links_are_not_followed_and_what_is_not_there_is_fine(tmp_path: Path, trees: list[Path]) -> None:
    (tmp_path / "link").symlink_to(trees[0])
    sweep = Cleanup()
    sweep.drop("links", tmp_path / "link", tmp_path / "nothing")
    assert sweep.freed().get("links", 0) < 40_000
    assert (trees[0] / "own").exists()


def test_what_is_reached_by_a_link_of_the_operator_is_counted_and_deleted(
    tmp_path: Path, trees: list[Path]
) -> None:
    (tmp_path / "elsewhere").symlink_to(trees[2])
    sweep = Cleanup()
    sweep.drop("trees", tmp_path / "elsewhere" / "own")
    assert sweep.freed()["trees"] >= 40_000
    assert not (trees[2] / "own").exists()


def test_somebody_else_may_delete(trees: list[Path]) -> None:
    asked = []
    Cleanup().drop("trees", trees[0], by=lambda: asked.append("deleted"))
    Cleanup(test=True).drop("trees", trees[0], by=lambda: asked.append("not in a test"))
    assert asked == ["deleted"]


def test_by_how_much_something_shrank(trees: list[Path]) -> None:
    sweep = Cleanup()
    with sweep.shrinking("objects", trees[0]):
        (trees[0] / "own").unlink()
    assert sweep.freed()["objects"] >= 40_000
