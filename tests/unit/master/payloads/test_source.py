"""Where the master finds the repository of a repo: git is asked, and what it calls a repository is one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import NotAsRecorded, Unavailable
from saltdeploy.master.payloads import source as master_source

from tests.support.guarding import refuse_dangerous
from tests.support.repositories import GITLINK, Entry, Source, git, repo, tree


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.git", tree(a="0"), tree(a="1"))


def run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def bare(source: Source, place: Path) -> None:
    os.rename(source.git_dir, place)


def clone(source: Source, place: Path) -> None:
    run("git", "clone", "-q", source.git_dir, place)


def linked(source: Source, place: Path) -> None:
    run("git", f"--git-dir={source.git_dir}", "worktree", "add", "-q", "--detach", place, "v0^{commit}")


def separate(source: Source, place: Path) -> None:
    run("git", "clone", "-q", f"--separate-git-dir={place}-git", source.git_dir, place)


def behind_a_link(source: Source, place: Path) -> None:
    clone(source, place.with_name("clone"))
    place.symlink_to(place.with_name("clone"))


MADE: list[Callable[[Source, Path], None]] = [bare, clone, linked, separate, behind_a_link]


@pytest.mark.parametrize("make", MADE, ids=lambda make: f"F24-{make.__name__}")
def test_what_git_calls_a_repository_is_one(
    make: Callable[[Source, Path], None], source: Source, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    tag = source.tag(1)
    make(source, place)
    found = master_source.Source(repo(tmp_path / "live", source=str(place)), tmp_path / "master")
    assert found.tag("v1") == tag
    found.repository.pack(tag, "", tmp_path / "bundle")
    assert (found.work_tree or place) == place
    assert (found.work_tree is None) == (make is bare)


def nothing(place: Path) -> None:
    pass


def no_repository(place: Path) -> None:
    place.mkdir()


def a_file(place: Path) -> None:
    place.touch()


def a_directory_of_another_repository(place: Path) -> None:
    run("git", "init", "-q", place.parent)
    place.mkdir()


def a_lost_git_directory(place: Path) -> None:
    place.mkdir()
    (place / ".git").write_text("gitdir: /nowhere/at-all\n")


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (nothing, "No such file"),
        (no_repository, "not a git repository"),
        (a_file, "Not a directory"),
        (a_directory_of_another_repository, "not a git repository"),
        (a_lost_git_directory, "/nowhere/at-all"),
    ],
    ids=lambda each: f"F24-{each.__name__}" if callable(each) else None,
)
def test_what_is_none_is_named_with_gits_own_words(
    make: Callable[[Path], None], word: str, tmp_path: Path
) -> None:
    place = tmp_path / "outer" / "place"
    place.parent.mkdir()
    make(place)
    with pytest.raises(Unavailable) as caught:
        master_source.Source(repo(tmp_path / "live", source=str(place)), tmp_path / "master")
    assert word in caught.value.cause
    assert caught.value.path == str(place)


def test_F24_trebuchets_staging_tree_may_have_its_git_directory_elsewhere(
    source: Source, tmp_path: Path
) -> None:
    separate(source, tmp_path / "demo")
    pillar = {"deployment_config": {"parent_dir": str(tmp_path)}, "repo_config": {"demo": {}}}
    assert config.load(pillar, "demo").origin.source == str(tmp_path / "demo")


def test_F24_a_forgotten_update_of_a_submodule_is_seen_in_a_linked_work_tree(
    source: Source, tmp_path: Path
) -> None:
    site = Source(
        tmp_path / "site.git", {**tree(a="0"), b"sub": Entry(GITLINK, source.tag(1).commit.encode())}
    )
    place = tmp_path / "place"
    linked(site, place)
    separate(source, place / "sub")
    git(place / "sub/.git", "checkout", "-q", "--detach", "v0", cwd=place / "sub")
    found = repo(tmp_path / "live", source=str(place), checkout_submodules=True, url="file:///x")
    opened = master_source.Source(found, tmp_path / "master")
    with pytest.raises(NotAsRecorded) as caught:
        refuse_dangerous(found, opened, opened.tag("v0"), "", force=False)
    assert source.tag(0).commit in caught.value.cause


@pytest.mark.parametrize("remote", [False, True])
def test_all_tags_are_listed_here_and_from_elsewhere(source: Source, tmp_path: Path, remote: bool) -> None:
    run(
        "git",
        "-C",
        source.git_dir,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "tag",
        "-a",
        "-m",
        "x",
        "release/1",
        "v1",
    )
    place = f"file://{source.git_dir}" if remote else str(source.git_dir)
    found = master_source.Source(repo(tmp_path / "live", source=place), tmp_path / "master")
    assert sorted(found.tags()) == ["release/1", "v0", "v1"]
