"""From every awkward tree to every other, in or beside the tree that holds the one: only what differs is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots

from tests.support.repositories import (
    EXECUTABLE,
    FILE,
    GITLINK,
    Entry,
    Source,
    Tree,
    deploy,
    link,
    repo,
    snapshot,
    tree,
)

pytestmark = pytest.mark.component("git beside us, from every awkward tree to every other")

KEEP = tree(keep="k", dir__keep="k")
DEEP = b"/".join([b"d%d" % n for n in range(150)])
LONG = b"n" * 255


def text(data: bytes = b"x") -> Entry:
    return Entry(FILE, data)


def submodule(digit: str = "1") -> Entry:
    return Entry(GITLINK, digit.encode() * 40)


CASES: dict[str, tuple[Tree, Tree]] = {
    "one byte": (tree(a="1"), tree(a="2")),
    "mode": ({b"a": text()}, {b"a": Entry(EXECUTABLE, b"x")}),
    "mode and content": ({b"a": text()}, {b"a": Entry(EXECUTABLE, b"y")}),
    "file and symbolic link": ({b"a": text()}, {b"a": link("keep")}),
    "file and a link with the same bytes": ({b"a": text(b"keep")}, {b"a": link("keep")}),
    "link elsewhere": ({b"a": link("keep")}, {b"a": link("dir/keep")}),
    "links to nowhere, above, and the root": ({b"a": link("..")}, {b"a": link("/"), b"b": link("nowhere")}),
    "link to itself": ({b"a": link("a")}, {b"a": text()}),
    "file and directory": ({b"a": text()}, {b"a/b": text(), b"a/c/d": text()}),
    "link and directory": ({b"a": link("dir")}, {b"a/keep": text(b"k")}),
    "link to a directory, and a file that lay behind it": ({b"a": link("dir")}, {b"a/keep": text(b"other")}),
    "directory and link to its twin": (
        {b"a/x": text(), b"b/x": text()},
        {b"a": link("b"), b"b/x": text()},
    ),
    "files change places with directories": ({b"a": text(), b"b/x": text()}, {b"b": text(), b"a/x": text()}),
    "the last file of nested directories": ({b"a/b/c/d/e": text()}, {}),
    "the last file of one of two directories": ({b"a/b/x": text(), b"a/c/x": text()}, {b"a/c/x": text()}),
    "empty file": ({b"a": text(b"")}, {b"a": text(b"full")}),
    "names that are not UTF-8": (
        {b"\xff\xfe/\x80": text(b"1")},
        {b"\xff\xfe/\x80": text(b"2"), b"\xe4": text()},
    ),
    "names with line ends, quotes and blanks": ({b"a\nb": text(), b'" \\"': text()}, {b"a\nb": text(b"2")}),
    "names like options": ({b"-rf": text(), b"--": text()}, {b"-rf": text(b"2"), b"-/-": text()}),
    "long names": ({LONG: text(b"1")}, {LONG: text(b"2"), b"d/" + LONG: text()}),
    "deep names": ({DEEP + b"/x": text(b"1")}, {DEEP + b"/x": text(b"2"), DEEP + b"/y": text()}),
    "names that sort around the slash": (
        {b"a": text(), b"a-b": text(), b"a.b": text(), b"a0": text()},
        {b"a/x": text(), b"a-b": text(), b"a.b": text(b"2"), b"a0/y": text()},
    ),
    "names that differ in case": (
        {b"README": text(b"1"), b"Readme": text(b"2"), b"readme": text(b"3")},
        {b"README": text(b"1"), b"Readme": text(b"4"), b"readme/x": text()},
    ),
    "a submodule comes": ({}, {b"sub": submodule()}),
    "a submodule moves on": ({b"sub": submodule("1")}, {b"sub": submodule("2")}),
    "a submodule becomes a file": ({b"sub": submodule()}, {b"sub": text()}),
    "a submodule becomes a directory": ({b"sub": submodule()}, {b"sub/x": text()}),
    "a submodule in a directory of its own": ({b"d/sub": submodule()}, {b"d/x": text()}),
    "most is deleted": (
        {b"d%d/f%d" % (n % 20, n): text(b"%d" % n) for n in range(400)},
        {b"d7/f7": text(b"7")},
    ),
    "big files": (
        {b"a": text(b"a" * 3_000_000)},
        {b"a": text(b"b" * 3_000_001), b"b": text(bytes(2_000_000))},
    ),
    "copies": ({b"a": text(b"same")}, {b"a": text(b"same"), b"b": text(b"same"), b"c/d": text(b"same")}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_spare_slot_is_brought_there_and_back(name: str, tmp_path: Path, location: Path) -> None:
    before, after = ({**KEEP, **case} for case in CASES[name])
    source = Source(tmp_path / "source", before, tree(other="o"), after)
    layout = Slots(repo(location, slots=2))
    deploy(layout, source, 0)
    for number, was in ((2, before), (0, after)):  # the slot is two releases behind; then the way back
        deploy(layout, source, 1)
        wanted = source.trees[number]
        facts = deploy(layout, source, number)
        assert snapshot(location) == source.checked_out(number)
        assert "made_anew" not in facts
        assert facts["files"] == sum(was.get(path) != entry for path, entry in wanted.items())
        assert facts["removed"] == len(was.keys() - wanted.keys())
        assert layout.verify(full=True).ok


@pytest.mark.parametrize("name", CASES)
def test_a_release_is_made_out_of_another_one(name: str, tmp_path: Path, location: Path) -> None:
    before, after = ({**KEEP, **case} for case in CASES[name])
    source = Source(tmp_path / "source", before, after)
    layout = Releases(repo(location, layout="releases"))
    deploy(layout, source, 0)
    facts = deploy(layout, source, 1)
    assert facts["files"] == sum(before.get(path) != entry for path, entry in after.items())
    for number in (1, 0):
        deploy(layout, source, number)
        assert snapshot(location) == source.checked_out(number)
        assert layout.verify(full=False).ok
        assert layout.verify(full=True).ok


def test_everything_may_go_and_come_back(tmp_path: Path, location: Path) -> None:
    source = Source(tmp_path / "source", KEEP, {}, tree(other="o"))
    layout = Slots(repo(location, slots=2))
    for number in (0, 2, 1, 2, 0, 1):
        deploy(layout, source, number)
        assert snapshot(location) == source.checked_out(number)


def test_a_file_is_what_its_blob_is(tmp_path: Path, location: Path) -> None:
    attributes = b"*.txt text eol=crlf ident\n*.bin filter=lfs\n* working-tree-encoding=UTF-16\n"
    files = {
        b".gitattributes": text(attributes),
        b"a.txt": text(b"one\ntwo $Id$\n"),
        b"b.bin": text(b"version 1\n"),
    }
    layout = Slots(repo(location))
    deploy(layout, Source(tmp_path / "source", files), 0)
    assert {path: (location / path.decode()).read_bytes() for path in files} == {
        p: e.data for p, e in files.items()
    }


def test_files_are_readable_by_all_whatever_the_umask(
    tmp_path: Path, location: Path, umask_077: None
) -> None:
    source = Source(
        tmp_path / "source", {b"a/b/file": text(), b"a/run": Entry(EXECUTABLE, b"x"), b"sub": submodule()}
    )
    deploy(Slots(repo(location)), source, 0)
    assert snapshot(location) == source.checked_out(0)
    area = tmp_path / ".live.deploy"
    assert [oct(path.stat().st_mode & 0o777) for path in (area, area / "slots", location)] == ["0o755"] * 3


def test_a_directory_that_a_killed_fetch_left_closed_is_opened(tmp_path: Path, location: Path) -> None:
    files = {b"a/b/file": text()}
    source = Source(tmp_path / "source", KEEP, files, files | {b"a/b/more": text()})
    layout = Slots(repo(location, slots=2))
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    recycled = location.resolve()
    (location / "a" / "b").chmod(0o700)  # made under a umask of 077, and killed before its mode was set
    deploy(layout, source, 0)
    deploy(layout, source, 2)
    assert location.resolve() == recycled
    assert (location / "a" / "b").stat().st_mode & 0o777 == 0o755


def test_a_path_that_is_too_long_for_the_disk_is_an_error_and_changes_nothing(
    tmp_path: Path, location: Path
) -> None:
    source = Source(tmp_path / "source", KEEP, {b"n" * 256: text(), b"a": text()})
    layout = Slots(repo(location))
    deploy(layout, source, 0)
    with pytest.raises(Exception, match="File name too long"):
        deploy(layout, source, 1)
    assert snapshot(location) == source.checked_out(0)
