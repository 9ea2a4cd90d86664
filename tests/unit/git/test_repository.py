"""Releases lie in stores: one snapshot each, nothing of the history, nothing half."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import Corrupt, GitFailed, Unsupported

from tests.support.objectstores import THREE, bring, content, files, is_sound, objects, packed
from tests.support.repositories import FILE, Entry, Source, Tree, configure, git, link
from tests.support.rounds import rounds
from tests.unit.layouts.strategies import histories

MEGABYTE = 1 << 20


# -- bundles --------------------------------------------------------------------------------------------


def test_a_bare_store_takes_the_whole_release(either: Source, store: Repository, tmp_path: Path) -> None:
    commit = bring(either, 2, None, store, tmp_path)
    assert content(store, commit) == files(THREE[2])
    assert store.kept() == [commit]
    assert is_sound(store)


@pytest.mark.parametrize("base", [1, 0], ids=["the release before", "two releases behind"])
def test_a_store_that_holds_a_release_takes_what_differs(
    either: Source, store: Repository, tmp_path: Path, base: int
) -> None:
    bring(either, base, None, store, tmp_path)
    before = objects(store)
    commit = bring(either, 2, base, store, tmp_path)
    assert content(store, commit) == files(THREE[2])
    assert is_sound(store)
    brought = sorted(line.split()[1] for line in objects(store) - before)
    assert brought == [
        "blob",
        "blob",
        "commit",
        "tree",
        "tree",
    ]  # the two files that differ, and what leads there
    assert packed(tmp_path / "bundle") == len(brought)


def test_a_way_back_is_a_bundle_as_well(either: Source, store: Repository, tmp_path: Path) -> None:
    bring(either, 2, None, store, tmp_path)
    commit = bring(either, 0, 2, store, tmp_path)
    assert content(store, commit) == files(THREE[0])
    assert is_sound(store)


def test_only_the_pinned_tag_travels(plain: Source, store: Repository, tmp_path: Path) -> None:
    """Neither other tags nor what came and went between two releases."""
    bring(plain, 0, None, store, tmp_path)
    bring(plain, 2, 0, store, tmp_path)
    assert not store.has(plain.tag(1).commit)
    refs = git(store.git_dir, "for-each-ref", "--format=%(refname)").decode().split()
    assert set(refs) == {f"refs/deploy/{plain.tag(n).commit}" for n in (0, 2)}
    heads = subprocess.run(
        ["git", "bundle", "list-heads", str(tmp_path / "bundle")], capture_output=True, text=True
    )
    assert heads.stdout == f"{plain.tag(2).oid} refs/tags/v2\n"


def test_the_history_is_cut_off(plain: Source, store: Repository, tmp_path: Path) -> None:
    commits = [bring(plain, n, None, store, tmp_path) for n in (0, 1)]
    for commit in commits:
        assert git(store.git_dir, "rev-list", "--count", commit) == b"1\n"


def test_a_base_that_was_dropped_and_is_still_here_will_do(
    plain: Source, store: Repository, tmp_path: Path
) -> None:
    bring(plain, 0, None, store, tmp_path)
    store.forget_all_but([])
    commit = bring(plain, 1, 0, store, tmp_path)
    assert content(store, commit) == files(THREE[1])


def test_a_bundle_without_its_base_is_refused(plain: Source, store: Repository, tmp_path: Path) -> None:
    with pytest.raises(GitFailed):
        bring(plain, 1, 0, store, tmp_path)
    assert objects(store) == set()
    assert is_sound(store)


@pytest.mark.component("git packs and reads tens of megabytes")
def test_big_files_travel_whole(tmp_path: Path, store: Repository) -> None:
    """Larger than what git is told to hold in memory."""
    big = bytes(17 * MEGABYTE)
    source = Source(tmp_path / "source.git", {b"big": Entry(FILE, big)}, {b"big": Entry(FILE, big + b"more")})
    for number, base in ((0, None), (1, 0)):
        commit = bring(source, number, base, store, tmp_path)
        assert git(store.git_dir, "show", f"{commit}:big") == big + b"more" * number
        git(store.git_dir, "cat-file", "-e", commit)


@settings(max_examples=rounds(8), suppress_health_check=list(HealthCheck))
@given(trees=histories(most=4), data=st.data())
def test_whatever_the_releases_a_store_holds_them_whole(
    tmp_path_factory: pytest.TempPathFactory, trees: list[Tree], data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("random")
    source = Source(place / "source.git", *trees)
    store = Repository(place / "store.git")
    store.ensure()
    held: list[int] = []
    for number in data.draw(st.permutations(range(len(trees))), label="order"):
        base = data.draw(st.sampled_from([None, *held]), label="base")
        commit = bring(source, number, base, store, place)
        held.append(number)
        listed = git(source.git_dir, "ls-tree", "-r", "-z", commit)
        assert git(store.git_dir, "ls-tree", "-r", "-z", commit) == listed
        rows = [row.split(b"\t")[0].split() for row in listed.split(b"\0") if row]
        oids = b"".join(oid + b"\n" for _, kind, oid in rows if kind == b"blob")
        assert b"missing" not in git(store.git_dir, "cat-file", "--batch-check", input=oids)


def test_a_store_of_one_hash_becomes_one_of_the_other_with_its_repository(
    tmp_path: Path, store: Repository, plain: Source
) -> None:
    bring(plain, 0, None, store, tmp_path)
    other = tmp_path / "sha256.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--object-format=sha256", str(other)], check=True)
    commit = bring(Source(other, *THREE), 1, None, store, tmp_path)
    assert content(store, commit) == files(THREE[1])
    assert store.kept() == [commit]


def test_a_work_tree_is_never_made_anew_for_another_hash(tmp_path: Path, plain: Source) -> None:
    theirs = tmp_path / "theirs" / ".git"
    subprocess.run(["git", "init", "--quiet", "--object-format=sha256", str(theirs.parent)], check=True)
    (theirs / "precious").write_text("")
    with pytest.raises(Unsupported):
        bring(plain, 0, None, Repository(theirs), tmp_path)
    assert (theirs / "precious").exists()


# -- what a store keeps ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Sixty releases; each brings a file of its own that is not compressed away, and drops the last one's."""
    releases = [{b"same": Entry(FILE, b"x"), b"own": Entry(FILE, os.urandom(20_000))} for _ in range(60)]
    return Source(tmp_path_factory.mktemp("sixty") / "source.git", *releases)


@pytest.mark.component("hundreds of processes of git")
def test_a_store_stays_small_over_sixty_releases_and_loses_nothing_that_it_holds(
    sixty: Source, store: Repository, tmp_path: Path
) -> None:
    """Held are the newest three and the first, which somebody still runs."""
    for number in range(60):
        bring(sixty, number, None if number == 0 else number - 1, store, tmp_path)
        held = [sixty.tag(n).commit for n in {0, number, max(0, number - 1), max(0, number - 2)}]
        store.forget_all_but(held)
        assert sorted(store.kept()) == sorted(held)
    assert is_sound(store)
    for number in (0, 57, 58, 59):
        assert content(store, sixty.tag(number).commit) == files(sixty.trees[number])
    packs = list((store.git_dir / "objects" / "pack").glob("*.pack"))
    assert len(packs) <= 21
    assert sum(pack.stat().st_size for pack in packs) < 45 * 20_000  # all sixty would be 60 * 20,000


@pytest.mark.component("hundreds of processes of git")
def test_a_store_that_cannot_be_tidied_takes_releases_all_the_same(
    sixty: Source, store: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(22):
        if number == 20:  # from here on there are enough packs to be joined, and joining them fails
            configure(monkeypatch, tmp_path / "home", "[repack]\n useDeltaBaseOffset = nonsense\n")
        bring(sixty, number, None, store, tmp_path)
    assert len(list((store.git_dir / "objects" / "pack").glob("*.pack"))) == 22
    assert len(store.kept()) == 22


@pytest.mark.parametrize(
    "left",
    [
        "packed-refs.lock",
        "shallow.lock",
        "refs/deploy/x.lock",
        "objects/pack/tmp_pack_abc",
        "objects/pack/pack-1.pack",
    ],
)
def test_what_a_killed_git_left_is_in_nobodys_way(
    plain: Source, store: Repository, tmp_path: Path, left: str
) -> None:
    kept = bring(plain, 0, None, store, tmp_path)
    (store.git_dir / left).parent.mkdir(exist_ok=True)
    (store.git_dir / left).write_bytes(b"half")
    store.recover()
    assert not (store.git_dir / left).exists()
    assert store.has(kept)
    bring(plain, 1, 0, store, tmp_path)
    store.forget_all_but([plain.tag(1).commit])


def test_a_repository_of_users_keeps_its_history(tmp_path: Path, plain: Source) -> None:
    """A work tree with .git: what arrives is joined to the history that is there, not cut off from it."""
    theirs = tmp_path / "theirs"
    subprocess.run(["git", "clone", "--quiet", "--branch", "v1", str(plain.git_dir), str(theirs)], check=True,
                   capture_output=True)  # fmt: skip
    store = Repository(theirs / ".git")
    commit = bring(plain, 2, 1, store, tmp_path)
    assert git(store.git_dir, "rev-list", "--count", commit) == b"3\n"


@pytest.mark.parametrize("path", ["scap", "scap/checks.yaml"])
def test_F31_a_file_behind_a_link_is_told_as_a_link_since_no_host_follows_one(
    tmp_path: Path, path: str
) -> None:
    files = {b"deploy/checks.yaml": Entry(FILE, b"checks: {}\n"), path.encode(): link("deploy/checks.yaml")}
    source = Source(tmp_path / "s.git", files)
    with pytest.raises(Corrupt, match=f"^.*{path} is a symbolic link \\(to deploy/checks.yaml\\)"):
        source.repository.file(source.tag(0).commit, "scap/checks.yaml", 100)
