"""Exported trees: they appear as a whole, are what the release is, and stay within their directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltdeploy.content.exports import Exports
from saltdeploy.lib.errors import Corrupt

from tests.support.repositories import RawTree, Source, add_raw, link, put, snapshot, tree
from tests.support.travels import ODD


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path / "exports")


def test_an_export_is_what_git_would_check_out(exports: Exports, tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", ODD)
    found = exports.ensure(source.repository, "demo/slot0", source.tag(0).commit)
    assert snapshot(found) == source.checked_out(0)
    assert list(found.parent.iterdir()) == [found]


def test_it_is_made_once(exports: Exports, tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", tree(a="1"))
    found = exports.ensure(source.repository, "demo", source.tag(0).commit)
    before = (found / "a").stat().st_ctime_ns
    assert exports.ensure(source.repository, "demo", source.tag(0).commit) == found
    assert (found / "a").stat().st_ctime_ns == before


FILE = "100644"
HOSTILE: dict[str, RawTree] = {
    "a file through a link": [("120000", b"a", b"/tmp"), ("40000", b"a", [(FILE, b"b", b"x")])],
    "a path that leads out": [("40000", b"..", [(FILE, b"b", b"x")])],
    "a path twice": [(FILE, b"a", b"1"), (FILE, b"a", b"2")],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tree_is_refused_and_nothing_is_left(exports: Exports, tmp_path: Path, kind: str) -> None:
    source = Source(tmp_path / "source.git", tree(a="1"))
    add_raw(source, 1, HOSTILE[kind])
    with pytest.raises(Corrupt):
        exports.ensure(source.repository, "demo", source.tag(1).commit)
    assert list((tmp_path / "exports/demo").iterdir()) == []
    assert not (tmp_path / "exports/b").exists()


def test_the_newest_stays_and_the_others_go_when_nobody_asks(exports: Exports, tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", *(put(tree(a=str(n)), b"l", link("a")) for n in range(3)))
    made = [exports.ensure(source.repository, "demo", source.tag(n).commit) for n in range(3)]
    for age, path in enumerate(reversed(made)):
        os.utime(path, (1000 - age, 1000 - age))
    exports.collect(older_than=999)
    assert sorted(made[0].parent.iterdir()) == sorted(made[1:])
    exports.collect(older_than=5000)
    assert list(made[0].parent.iterdir()) == made[2:]
