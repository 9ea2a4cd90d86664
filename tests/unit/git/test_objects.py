"""What git says of trees and blobs, piece by piece, from a real git."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltdeploy.git import objects
from saltdeploy.git.objects import GITLINK, NOTHING, Change, read_changes
from saltdeploy.lib.errors import Corrupt

from tests.support.repositories import FILE, Entry, Source, Tree, git, tree
from tests.support.rounds import rounds
from tests.unit.layouts.strategies import histories


def changes(source: Source, olds: list[str], new: str) -> list[Change]:
    with tempfile.TemporaryFile() as spool:
        source.repository.diff_any(olds, new, spool)
        return list(read_changes(spool))


def listing(source: Source, commit: str) -> dict[bytes, tuple[str, str]]:
    """Path to (mode, oid), as ``git ls-tree`` tells."""
    rows = [row for row in git(source.git_dir, "ls-tree", "-r", "-z", commit).split(b"\0") if row]
    return {
        row.split(b"\t", 1)[1]: (row[:6].decode(), row.split(b"\t", 1)[0].split()[2].decode()) for row in rows
    }


@settings(max_examples=rounds(15), suppress_health_check=list(HealthCheck))
@given(trees=histories(most=4), data=st.data())
def test_the_changes_turn_any_of_the_old_trees_into_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, trees: list[Tree], data: st.DataObject
) -> None:
    source = Source(tmp_path_factory.mktemp("random") / "source.git", *trees)
    numbers = st.lists(st.integers(0, len(trees) - 1), min_size=1, max_size=3)
    olds = [source.tag(number).commit for number in data.draw(numbers, label="olds")]
    new = source.tag(data.draw(st.integers(0, len(trees) - 1), label="new")).commit
    found = changes(source, olds, new)
    assert len({change.path for change in found}) == len(found)
    for old in olds:
        held = listing(source, old)
        for change in found:
            held.pop(change.path, None)
            if change.mode != NOTHING:
                held[change.path] = (change.mode, change.oid)
        assert held == listing(source, new)


def test_from_nothing_everything_is_a_change(tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", tree(a="1", b__c="2"))
    found = changes(source, [""], source.tag(0).commit)
    assert {change.path: (change.mode, change.oid) for change in found} == listing(
        source, source.tag(0).commit
    )


def test_names_longer_than_a_piece_that_is_read_come_out_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(
        tmp_path / "source.git", {b"d%d/%s" % (n, b"x" * 250): Entry(FILE, b"") for n in range(20)}
    )
    whole = changes(source, [""], source.tag(0).commit)
    monkeypatch.setattr(objects, "_CHUNK", 7)
    assert changes(source, [""], source.tag(0).commit) == whole


# -- blobs ----------------------------------------------------------------------------------------------

CONTENTS = [b"", b"\n", b"text", b"\0\n\0", b"x" * (objects._CHUNK + 1), b"x" * 2 * objects._CHUNK]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.git", {b"f%d" % n: Entry(FILE, data) for n, data in enumerate(CONTENTS)})


def oid_list(place: Path, oids: list[str]) -> IO[bytes]:
    file = open(place / "oids", "w+b")
    file.write("".join(f"{oid}\n" for oid in oids).encode())
    file.flush()
    return file


def test_contents_come_one_after_the_other(source: Source, tmp_path: Path) -> None:
    found = listing(source, source.tag(0).commit)
    oids = [found[b"f%d" % n][1] for n in range(len(CONTENTS))]
    with oid_list(tmp_path, oids) as asked, source.repository.blobs(asked) as blobs:
        for oid, data in zip(oids, CONTENTS, strict=True):
            size, pieces = blobs.next(oid)
            assert size == len(data)
            assert b"".join(pieces) == data


def test_a_content_that_is_not_there_is_named(source: Source, tmp_path: Path) -> None:
    with oid_list(tmp_path, ["a" * 40]) as asked, source.repository.blobs(asked) as blobs:
        with pytest.raises(Corrupt, match="a" * 40) as caught:
            blobs.next("a" * 40)
    assert str(source.git_dir) in caught.value.next


def test_what_is_no_file_is_not_taken_for_one(source: Source, tmp_path: Path) -> None:
    commit = source.tag(0).commit
    with (
        oid_list(tmp_path, [commit]) as asked,
        source.repository.blobs(asked) as blobs,
        pytest.raises(Corrupt),
    ):
        blobs.next(commit)


def test_a_git_that_ends_in_the_middle_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"%s blob 10\nhalf" % (b"a" * 40))
    with open(tmp_path / "out", "rb") as stream:
        size, pieces = objects.Blobs(stream, tmp_path, "advice").next("a" * 40)
        assert size == 10
        with pytest.raises(Corrupt, match="middle"):
            list(pieces)


def test_a_submodule_is_told_by_its_mode(tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", {b"lib": Entry(GITLINK, b"1" * 40)})
    assert changes(source, [""], source.tag(0).commit) == [Change(b"lib", GITLINK, "1" * 40)]
