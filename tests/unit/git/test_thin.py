"""A bundle upon another release holds differences only, also where git by itself would send whole directories."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.git import thin
from saltdeploy.git.repository import Repository

from tests.support.repositories import FILE, Entry, Source, Tree, git

_ALIKE = [b"icons/dist/esm/icons", b"icons-react/dist/esm/icons", b"more/icons/dist/esm/icons"]
_OLD: Tree = {
    b"%s/%s.js" % (above, hashlib.sha1(b"%d" % n).hexdigest()[:9].encode()): Entry(
        FILE, b"%d of %s" % (n, above)
    )
    for above in _ALIKE
    for n in range(1200)
}
_CHANGED = {
    next(path for path in _OLD if path.startswith(above)): Entry(FILE, b"changed") for above in _ALIKE
}


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    place = tmp_path_factory.mktemp("gitthin") / "source.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--object-format={request.param}", str(place)], check=True
    )
    return Source(place, _OLD, {**_OLD, **_CHANGED})


def test_one_changed_file_in_each_of_several_directories_whose_paths_end_alike_costs_little(
    source: Source, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    source.repository.pack(source.tag(1), source.tag(0).commit, bundle)
    directory = int(git(source.git_dir, "cat-file", "-s", f"v1:{_ALIKE[0].decode()}"))
    assert bundle.stat().st_size < 2_500 < directory / 10


def test_what_was_packed_in_parts_is_one_pack_that_git_takes_in(source: Source, tmp_path: Path) -> None:
    first, second, target = tmp_path / "first", tmp_path / "second", Repository(tmp_path / "target.git")
    source.repository.pack(source.tag(0), "", first)
    source.repository.pack(source.tag(1), source.tag(0).commit, second)
    target.ensure()
    target.unpack(first, source.tag(0).commit)
    target.unpack(second, source.tag(1).commit)
    git(target.git_dir, "fsck", "--strict", "--full")
    listed = ["ls-tree", "-r", "-z", source.tag(1).commit]
    assert git(target.git_dir, *listed) == git(source.git_dir, *listed)


def test_a_tag_of_a_tag_travels_with_what_it_is_a_tag_of(source: Source, tmp_path: Path) -> None:
    git(source.git_dir, "tag", "-f", "-a", "-m", "x", "outer", "v1")
    bundle = tmp_path / "bundle"
    source.repository.pack(source.repository.tag("outer"), source.tag(0).commit, bundle)
    other = tmp_path / "other.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", "--branch=v0", source.git_dir, other], check=True)
    git(other, "update-ref", "-d", "refs/tags/v1")
    git(other, "fetch", "--quiet", str(bundle), "refs/tags/outer:refs/tags/outer")
    assert git(other, "rev-parse", "outer^{tag}") == git(source.git_dir, "rev-parse", "outer^{tag}")
    assert git(other, "cat-file", "-t", source.tag(1).oid) == b"tag\n"


def test_paths_that_end_alike_are_divided_and_others_stay_together() -> None:
    alike = [b"%x %s\n" % (number, path) for number, path in enumerate(_ALIKE)]
    others = [b"c0ffee \n", b"c0de\n", b"dead README\n"]
    assert thin.divide([alike[0], *others, *alike[1:]]) == [[alike[0], *others], [alike[1]], [alike[2]]]


def test_there_are_never_many_parts() -> None:
    lines = [b"%040x %d/a/very/long/path/to/one.txt\n" % (n, n) for n in range(100)]
    parts = thin.divide(lines)
    assert len(parts) == 8
    assert sorted(line for part in parts for line in part) == lines


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(min_size=40, max_size=60))
def test_what_is_far_ahead_in_a_path_does_not_count(one: bytes, other: bytes, end: bytes) -> None:
    assert thin.name_hash(one + end) == thin.name_hash(other + end)


# Reckoned by hand: each character is added above the bits of those before it, which move down by two.
@pytest.mark.parametrize(
    ("path", "hashed"), [(b"", 0), (b"a", 0x61000000), (b"ab", 0x7A400000), (b"a b", 0x7A400000)]
)
def test_the_hash_of_a_path_is_gits(path: bytes, hashed: int) -> None:
    assert thin.name_hash(path) == hashed


def test_packs_that_are_joined_are_one_with_all_objects(source: Source) -> None:
    ids = git(source.git_dir, "rev-parse", "v0^{commit}", "v1^{commit}", "v0^{tree}").split()
    packs = [
        io.BytesIO(git(source.git_dir, "pack-objects", "--stdout", "--quiet", input=oid + b"\n"))
        for oid in ids
    ]
    joined = io.BytesIO()
    thin.join(packs, joined, len(ids[0]) // 2)
    git(source.git_dir, "index-pack", "--stdin", input=joined.getvalue())
    assert int.from_bytes(joined.getvalue()[8:12], "big") == len(ids)
