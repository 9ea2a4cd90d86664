"""What is wrong with the trees of a release is found, with its path, and only what has changed is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.git import flaws
from saltdeploy.git.reader import Reader

from tests.support.repositories import GITLINK, Entry, RawTree, Source, add_raw, git, link, tree

FILE, LINK, TREE = "100644", "120000", "40000"
DEEP = b"/".join([b"d" * 250] * 17)


def nested(parts: list[bytes], inside: RawTree) -> RawTree:
    for name in reversed(parts):
        inside = [(TREE, name, inside)]
    return inside


FLAWED: dict[str, tuple[RawTree, bytes, str]] = {
    "a name twice": ([(LINK, b"a", b"/etc"), (FILE, b"a", b"x")], b"a", "twice"),
    "a file and a directory": ([(FILE, b"a", b"x"), (FILE, b"a.b", b"x"), (TREE, b"a", [])], b"a", "twice"),
    "unsorted": ([(FILE, b"b", b"x"), (FILE, b"a", b"x")], b"b", "not sorted"),
    "a slash": ([(FILE, b"a/b", b"x")], b"a/b", "slash"),
    "empty": ([(FILE, b"", b"x")], b"", "no such name"),
    "dot": ([(FILE, b".", b"x")], b".", "no such name"),
    "dotdot": ([(TREE, b"..", [(FILE, b"x", b"x")])], b"..", "no such name"),
    "dotgit": ([(TREE, b"sub", [(FILE, b".GIT", b"x")])], b"sub/.GIT", "no such name"),
    "modules": ([(LINK, b".gitmodules", b"a")], b".gitmodules", "symbolic link"),
    "long name": ([(FILE, b"n" * 256, b"x")], b"n" * 256, "256 bytes"),
    "long path": (nested(DEEP.split(b"/"), [(FILE, b"x", b"x")]), DEEP, "the path has"),
    "link to nothing": ([(TREE, b"d", [(LINK, b"l", b"")])], b"d/l", "empty"),
    "link with NUL": ([(LINK, b"l", b"a\0b")], b"l", "NUL"),
    "long link": ([(LINK, b"l", b"a" * 4096)], b"l", "longer than 4095"),
    "mode": ([("70000", b"odd", b"x")], b"", "cannot read"),
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", tree(a="1", dir__b="2"), tree(a="1", dir__b="3", more__c="4"))


def found(source: Source, number: int, before: int | None = None) -> list[flaws.Flaw]:
    old = "" if before is None else source.tag(before).commit
    return list(flaws.find(source.repository, source.tag(number).commit, old))


@pytest.mark.parametrize("name", FLAWED)
@pytest.mark.parametrize("before", [None, 0])
def test_F50_a_flawed_tree_is_found_with_its_path(source: Source, name: str, before: int | None) -> None:
    content, path, why = FLAWED[name]
    add_raw(source, 2, content)
    first = found(source, 2, before)[0]
    assert why in first.why
    assert path == first.path or (name == "long path" and first.path.startswith(DEEP[:4000]))
    assert not first.is_missing


def test_F50_what_git_makes_of_any_files_is_well(tmp_path: Path) -> None:
    odd = {
        **tree(**{"a.b": "1", "a-b": "2", "a__c": "3", "a0": "4"}),
        b"l" * 255: Entry(FILE, b""),
        b"link": link("x" * 4095),
        b"sub": Entry(GITLINK, b"1" * 40),
        b".gitmodules": Entry(FILE, b""),
        b"..a": Entry(FILE, b""),
        b"\xff\n": Entry("100755", b"x"),
    }
    source = Source(tmp_path / "source", odd, {})
    assert found(source, 0) == found(source, 1) == found(source, 1, 0) == []


def test_F50_an_object_that_is_not_there_is_named_with_the_path_of_its_file(source: Source) -> None:
    oid = git(source.git_dir, "rev-parse", "v1:dir/b").decode().strip()
    (source.git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    (flaw,) = found(source, 1, 0)
    assert (flaw.path, flaw.is_missing) == (b"dir/b", True)
    assert oid in flaw.why


def test_F50_trees_that_have_not_changed_are_not_read(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    objects = Reader.objects

    def counting(self: Reader, oids: Iterable[str], *rest: Any) -> Iterator[tuple[str, bytes | None]]:
        wanted = list(oids)
        asked.update(wanted)
        return objects(self, wanted, *rest)

    monkeypatch.setattr(Reader, "objects", counting)
    tree_oid = git(source.git_dir, "rev-parse", "v0:dir").decode().strip()
    add_raw(source, 2, [(FILE, b"a", b"1"), (TREE, b"dir", [(FILE, b"b", b"2")]), (FILE, b"z", b"new")])
    assert found(source, 2, 0) == []
    assert tree_oid not in asked
    assert found(source, 2) == []
    assert tree_oid in asked
