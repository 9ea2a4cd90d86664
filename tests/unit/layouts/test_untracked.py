"""What is of no release is named before it goes from users' sight: in a live tree of ours, and in what was there before."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.content import untracked
from saltdeploy.content.untracked import KnownDigests, KnownPaths
from saltdeploy.lib.errors import BadArguments, UntrackedFiles
from saltdeploy.minion import untracked as minion_untracked

from tests.support.repositories import Source, deploy, prepare, repo, tree

V = [tree(index=f"v{n}", lib__a="a", lib__deep__b="b", images__README="git's") for n in range(4)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *V)


@pytest.fixture(params=["slots", "releases"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return repo(tmp_path / "srv/demo", layout=request.param)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("theirs")


def named(made: Repo, commit: str = "") -> tuple[str, ...]:
    return layouts.of(made).untracked(commit).named


# -- in a tree of ours ----------------------------------------------------------------------------------


def test_what_an_application_wrote_into_the_live_tree_is_named(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    deploy(layout, source, 0)
    assert not layout.untracked()
    write(made.paths.location, "cache/1", "cache/2", "lib/deep/log", "images/cat.png")
    os.symlink("index", made.paths.location / "alias")
    os.mkfifo(made.paths.location / "pipe")
    assert named(made) == ("alias", "cache/", "images/cat.png", "lib/deep/log", "pipe")
    prepare(layout, source, 1)
    found = layout.untracked(source.release(1).commit)
    assert str(found) == "alias, cache/, images/cat.png, lib/deep/log, pipe"
    layout.activate(source.release(1))
    assert not layout.untracked(), "once: the tree that is live now has nothing of the kind"


def test_in_a_big_tree_only_directories_are_read_that_somebody_has_changed(
    made: Repo, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = replace(made, layout=replace(made.layout, stat_limit=0))
    layout = layouts.of(big)
    deploy(layout, source, 0)
    write(made.paths.location, "lib/deep/log", "cache/1")
    read: list[bytes] = []
    entries = untracked.Below.entries

    def noted(below: Any, path: bytes) -> Any:
        read.append(path)
        return entries(below, path)

    monkeypatch.setattr(untracked.Below, "entries", noted)
    assert named(big) == ("cache/", "lib/deep/log")
    assert sorted(read) == [b"", b"lib/deep"]


def test_what_is_shared_is_no_stranger(tmp_path: Path, source: Source) -> None:
    made = repo(tmp_path / "demo", shared={"dirs": ["images", "var/cache"]})
    deploy(layouts.of(made), source, 0)
    write(made.paths.location, "images/cat.png", "var/cache/x", "var/other")
    assert named(made) == ("var/other",)


def test_many_are_counted_and_some_are_named(made: Repo, source: Source) -> None:
    deploy(layouts.of(made), source, 0)
    write(made.paths.location, *(f"lib/{n:03}{'x' * 100}" for n in range(40)))
    found = layouts.of(made).untracked()
    assert (len(found.named), found.count) == (8, 40)
    assert str(found).endswith("and 32 more")
    assert all(len(name) == 60 for name in found.named)


def test_a_record_that_is_damaged_keeps_nobody_from_looking(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    deploy(layout, source, 0)
    prepare(layout, source, 1)
    write(made.paths.location, "cache/1")
    [record] = [
        path
        for path in made.paths.area.rglob("*.db")
        if path.stem == Path(os.readlink(made.paths.location)).name
    ]
    record.write_bytes(record.read_bytes()[:100] + b"x" * 4000)
    assert named(made, source.release(1).commit) == ("cache/",)


# -- in what was there before ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["slots", "releases", "inplace"])
@pytest.mark.parametrize("link", [False, True], ids=["a directory", "a link of Capistrano's"])
def test_what_the_first_release_has_not_is_named(
    tmp_path: Path, source: Source, layout: str, link: bool
) -> None:
    made = repo(tmp_path / "srv/demo", layout=layout)
    old = tmp_path / "srv/releases/2023" if link else made.paths.location
    write(old, "LocalSettings.php", "index", "images/cat.png", "images/README", "vendor/x/y")
    if layout != "inplace":  # which would go on with it
        write(old, ".git/config")
    os.symlink("index", old / "lib")
    if link:
        made.paths.location.symlink_to("releases/2023")
    prepare(layouts.of(made), source, 0)
    assert named(made, source.release(0).commit) == ("LocalSettings.php", "images/cat.png", "lib", "vendor/")
    layouts.of(made).activate(source.release(0))
    assert named(made, source.release(0).commit) == ()


def test_a_plan_is_told_the_same_by_digests_of_the_paths(made: Repo, source: Source) -> None:
    write(
        made.paths.location,
        "LocalSettings.php",
        "index",
        "images/cat.png",
        "lib/a",
        "lib/deep/c",
        "vendor/x/y",
    )
    coming = KnownDigests(KnownPaths(V[0]).digests())
    found = layouts.of(made).untracked(coming=coming)
    assert found.named == ("LocalSettings.php", "images/cat.png", "lib/deep/c", "vendor/")
    assert named(made) == ("LocalSettings.php", "images/", "index", "lib/", "vendor/"), (
        "of which nothing is known"
    )


@pytest.mark.parametrize("text", ["paths:x", "paths:ü", "paths:!!!!"])
def test_what_are_no_digests_is_refused(text: str) -> None:
    with pytest.raises(BadArguments, match="no digests of paths"):
        KnownDigests(text)


def test_a_tree_without_end_is_not_walked_to_its_end(
    made: Repo, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untracked, "_MOST_LOOKED_AT", 20)
    write(made.paths.location, *(f"lib/{n}" for n in range(50)))
    prepare(layouts.of(made), source, 0)
    found = layouts.of(made).untracked(source.release(0).commit)
    assert not found.is_whole
    assert found.count < 20
    assert "the first 20 names" in str(found)


# -- what follows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["warn", "refuse", "ignore"])
def test_the_pillar_says_what_follows(tmp_path: Path, source: Source, what: str) -> None:
    made = repo(tmp_path / "demo", untracked=what)
    layout = layouts.of(made)
    deploy(layout, source, 0)
    write(made.paths.location, "cache/1")
    prepare(layout, source, 1)
    commit = source.release(1).commit
    if what == "refuse":
        with pytest.raises(UntrackedFiles, match="cache/") as caught:
            minion_untracked.look(made, layout, commit)
        assert "shared" in caught.value.next
        (made.paths.location / "cache/1").unlink()
        (made.paths.location / "cache").rmdir()
        assert minion_untracked.look(made, layout, commit) == {}
    else:
        told = {"untracked": "cache/"} if what == "warn" else {}
        assert minion_untracked.look(made, layout, commit) == told
        assert minion_untracked.look_back(made, layout) == told


def test_of_several_repos_each_is_named(made: Repo) -> None:
    other = replace(made, name="other")
    facts = [{"untracked": "a"}, {"files": 1}, {"untracked": "b"}]
    assert minion_untracked.of_each(facts, [made, other, other]) == [
        {"untracked": "demo: a"},
        {"files": 1},
        {"untracked": "other: b"},
    ]
