"""A repository is asked: what a tag names, what a release holds, what has to travel."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.lib.errors import Corrupt, DiskFull, GitFailed, NoSuchTag, Unavailable

from tests.support.objectstores import THREE, files, pack
from tests.support.repositories import FILE, Entry, Source, git, link
from tests.unit.conftest import SmallDisk

MEGABYTE = 1 << 20


# -- tags -----------------------------------------------------------------------------------------------


def test_a_tag_names_a_commit_whether_annotated_or_not(either: Source) -> None:
    for number in (0, 1):
        commit = git(either.git_dir, "rev-parse", f"v{number}^{{commit}}").decode().strip()
        oid = git(either.git_dir, "rev-parse", f"refs/tags/v{number}").decode().strip()
        assert either.repository.tag(f"v{number}") == Tag(f"v{number}", oid, commit)
        assert (oid != commit) == (number == 1)


def test_a_tag_of_a_tag_names_the_commit(plain: Source) -> None:
    git(plain.git_dir, "tag", "-a", "-m", "x", "outer", "v1")
    assert plain.repository.tag("outer").commit == plain.tag(1).commit


@pytest.mark.parametrize("name", ["v9", "v", "main", "V0"])
def test_a_tag_that_is_not_there_is_named(plain: Source, name: str) -> None:
    with pytest.raises(NoSuchTag) as caught:
        plain.repository.tag(name)
    assert f"there is no tag {name}" in caught.value.cause


def test_near_tags_are_offered_and_how_to_make_one(plain: Source) -> None:
    git(plain.git_dir, "tag", "release/2026", "v1")
    with pytest.raises(NoSuchTag) as caught:
        plain.repository.tag("release/2025")
    assert "did you mean release/2026?" in caught.value.next
    assert f"git -C {plain.git_dir} tag -a -m release/2025 release/2025" in caught.value.next
    assert "tag=release/2025" in caught.value.next


def test_F03_of_a_branch_it_is_said_that_tags_are_deployed(plain: Source) -> None:
    commit = plain.tag(1).commit
    git(plain.git_dir, "update-ref", "refs/heads/topic", commit)
    for name in ("topic", commit):
        with pytest.raises(NoSuchTag, match="tags are deployed") as caught:
            plain.repository.tag(name)
        made = f"release/{commit[:12]}"
        assert f"tag -a -m {made} {made} {commit}" in caught.value.next
        assert f"tag={made}" in caught.value.next


@pytest.mark.parametrize("what", ["HEAD^{tree}", "HEAD:a"])
def test_a_tag_of_a_tree_or_a_file_is_no_release(plain: Source, what: str) -> None:
    git(plain.git_dir, "tag", "odd", what.replace("HEAD", "v0"))
    with pytest.raises(NoSuchTag, match="names no commit"):
        plain.repository.tag("odd")


def test_a_branch_of_the_same_name_is_not_taken_for_the_tag(plain: Source) -> None:
    git(plain.git_dir, "update-ref", "refs/heads/v0", plain.tag(2).commit)
    assert plain.repository.tag("v0").commit == plain.tag(0).commit


def test_a_moved_tag_names_its_new_commit(plain: Source) -> None:
    assert plain.repository.tag("v0").commit == plain.tag(0).commit
    git(plain.git_dir, "tag", "-f", "v0", plain.tag(2).commit)
    assert plain.repository.tag("v0").commit == plain.tag(2).commit


@pytest.mark.parametrize("there", [None, "a file", "a directory"])
def test_what_is_no_repository_is_unavailable(tmp_path: Path, there: str | None) -> None:
    place = tmp_path / "place"
    if there == "a file":
        place.write_text("")
    elif there:
        place.mkdir()
    assert not Repository(place).is_readable()
    with pytest.raises(Unavailable) as caught:
        Repository(place).tag("v1")
    assert caught.value.path == str(place)


@pytest.mark.parametrize(("held", "asked"), [("release/D", "release/D/1"), ("release/D/1", "release/D")])
def test_a_tag_in_the_way_of_another_does_not_hold_up_a_release(plain: Source, held: str, asked: str) -> None:
    old, new = plain.tag(0).commit, plain.tag(1).commit
    plain.repository.name(old, held)
    plain.repository.name(new, asked)
    assert plain.repository.name_of(old) in (held, "v0")
    assert plain.repository.tag(held).commit == old


def test_a_tag_that_cannot_be_written_for_another_reason_is_an_error(plain: Source) -> None:
    (plain.git_dir / "refs" / "tags" / "x.lock").write_text("")
    with pytest.raises(GitFailed):
        plain.repository.name(plain.tag(0).commit, "x")


# -- packing --------------------------------------------------------------------------------------------


def test_the_bundle_is_one_that_git_reads(plain: Source, tmp_path: Path) -> None:
    """Without us: a repository that holds the base can fetch from the file."""
    git_dir = tmp_path / "other.git"
    shutil.copytree(plain.git_dir, git_dir)
    git(git_dir, "tag", "-d", "v2")
    pack(plain, 2, 1, tmp_path / "bundle")
    git(git_dir, "fetch", str(tmp_path / "bundle"), "refs/tags/v2:refs/tags/v2")
    assert Repository(git_dir).tag("v2") == plain.tag(2)


def test_a_bundle_that_finds_no_room_on_the_master_is_a_full_disk_there(large: Source) -> None:
    with pytest.raises(DiskFull) as caught:
        large.repository.pack(large.tag(1), "", Path("/dev/full"))
    assert caught.value.path == "/dev"


@pytest.mark.small_disk
def test_a_disk_that_fills_up_while_git_packs_is_the_one_that_is_named(
    disk: SmallDisk, large: Source
) -> None:
    disk.change("size=4m")
    with pytest.raises(DiskFull) as caught:
        large.repository.pack(large.tag(1), "", disk.path / "bundle")
    assert caught.value.path == str(disk.path)


def test_a_base_that_the_source_does_not_hold_is_the_sources_fault(plain: Source, tmp_path: Path) -> None:
    with pytest.raises(GitFailed) as caught:
        plain.repository.pack(plain.tag(1), "a" * 40, tmp_path / "bundle")
    assert caught.value.path == str(plain.git_dir)


# -- comparing ------------------------------------------------------------------------------------------


def test_sizes_are_summed_up_before_anything_is_written(plain: Source, tmp_path: Path) -> None:
    rows = git(plain.git_dir, "ls-tree", "-r", "v2").decode().splitlines()
    with open(tmp_path / "oids", "w+b") as oids:
        oids.write("".join(f"{row.split()[2]}\n" for row in rows).encode())
        assert plain.repository.total_size(oids) == sum(len(data) for data in files(THREE[2]).values())
        oids.write(b"a" * 40 + b"\n")
        oids.flush()
        with pytest.raises(Corrupt, match="a" * 40):
            plain.repository.total_size(oids)


def test_a_comparison_with_a_commit_that_is_not_here_fails(plain: Source, tmp_path: Path) -> None:
    with open(tmp_path / "spool", "w+b") as spool, pytest.raises(GitFailed):
        plain.repository.diff("a" * 40, plain.tag(0).commit, spool)


def test_submodules_are_named(tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"lib/x": Entry("160000", b"1" * 40), b"a": Entry(FILE, b"")})
    assert source.repository.submodules(source.tag(0).commit) == {b"lib/x": "1" * 40}


# -- small files ----------------------------------------------------------------------------------------


def test_small_files_of_a_commit_are_read_together(tmp_path: Path) -> None:
    trees = {b"dir/a": Entry(FILE, b"1"), b"b": Entry(FILE, b"22\n\n"), b"large": Entry(FILE, b"x" * 100)}
    source = Source(tmp_path / "s.git", trees)
    asked = ["b", "dir", "none", "large", "dir/a", "../b"]
    found = list(source.repository.files(source.tag(0).commit, asked, 99))
    assert found == [("b", b"22\n\n"), ("dir/a", b"1")]


def test_only_plain_files_at_the_very_path_are_read(tmp_path: Path) -> None:
    deep = {b"a/b/c": Entry(FILE, b"deep"), b"a-b": Entry(FILE, b"flat")}
    source = Source(tmp_path / "s.git", {**deep, b"to": link("a"), b"x": Entry(FILE, b"")})
    asked = ["a/b/c", "a/b/c/d", "a/b", "to", "to/b/c", "x/y", "x", "", "/x"]
    found = dict(source.repository.files(source.tag(0).commit, asked, 99))
    assert found == {"a/b/c": b"deep", "x": b""}


def test_files_are_read_whatever_the_hash_is(either: Source) -> None:
    wanted = files({path: entry for path, entry in THREE[2].items() if entry.mode == FILE})
    assert dict(either.repository.files(either.tag(2).commit, wanted, MEGABYTE)) == wanted
