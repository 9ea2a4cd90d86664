"""``verify``: what the live tree should be, compared with what it is."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.content.compare import blob_id
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.errors import Corrupt

from tests.support.repositories import EXECUTABLE, FILE, GITLINK, Entry, Source, deploy, link, repo, tree

TREE = {
    **tree(file="file", lib__one="1", lib__deep__two="2", empty=""),
    b"run": Entry(EXECUTABLE, b"#!/bin/sh\n"),
    b"link": link("file"),
    b"sub": Entry(GITLINK, b"1" * 40),
    b"\xff\n": Entry(FILE, b"x"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", TREE)


@pytest.fixture
def layout(source: Source, location: Path) -> Slots:
    layout = Slots(repo(location))
    deploy(layout, source, 0)
    return layout


def flip_a_byte(live: Path) -> None:
    path = live / "file"
    seen = path.stat()
    path.write_bytes(b"file"[:-1] + b"\xe5")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace_link(live: Path, target: str) -> None:
    (live / "link").unlink()
    (live / "link").symlink_to(target)


Finds = dict[str, list[str]]

DIFFERENCES: dict[str, tuple[Callable[[Path], object], Finds]] = {
    "content": (lambda live: (live / "file").write_text("other"), {"changed": ["file"]}),
    "one byte, with the old time": (flip_a_byte, {"changed": ["file"]}),
    "mode": (lambda live: (live / "run").chmod(0o644), {"changed": ["run"]}),
    "link elsewhere": (lambda live: replace_link(live, "empty"), {"changed": ["link"]}),
    "link became what it shows": (
        lambda live: ((live / "link").unlink(), shutil.copy(live / "file", live / "link")),
        {"changed": ["link"]},
    ),
    "file gone": (lambda live: (live / "lib/one").unlink(), {"missing": ["lib/one"]}),
    "directory gone": (lambda live: shutil.rmtree(live / "lib"), {"missing": ["lib/deep/two", "lib/one"]}),
    "submodule's directory gone": (lambda live: (live / "sub").rmdir(), {"missing": ["sub"]}),
    "file more": (lambda live: (live / "lib/more").touch(), {"extra": ["lib/more"]}),
    "file in the submodule": (lambda live: (live / "sub/more").touch(), {"extra": ["sub/more"]}),
    "link more": (lambda live: (live / "more").symlink_to("/"), {"extra": ["more"]}),
    "empty directory more": (
        lambda live: (live / "more/more").mkdir(parents=True),
        {"extra": ["more/more/"]},
    ),
    "pipe instead of a file": (
        lambda live: ((live / "file").unlink(), os.mkfifo(live / "file")),
        {"changed": ["file"]},
    ),
    "directory instead of a file": (
        lambda live: ((live / "file").unlink(), (live / "file").mkdir()),
        {"changed": ["file"]},
    ),
    "link instead of a directory": (
        lambda live: (
            os.rename(live / "lib", live.parent / "lib"),
            (live / "lib").symlink_to(live.parent / "lib"),
        ),
        {"missing": ["lib/deep/two", "lib/one"], "extra": ["lib"]},
    ),
    "name that is not UTF-8": (
        lambda live: os.unlink(bytes(live) + b"/\xff\n"),
        {"missing": ["\\xff\n"]},
    ),
}


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_it_is_named(name: str, full: bool, layout: Slots, location: Path) -> None:
    spoil, finds = DIFFERENCES[name]
    spoil(location)
    found = layout.verify(full=full)
    assert {"missing": found.missing, "changed": found.changed, "extra": found.extra} == {
        "missing": [],
        "changed": [],
        "extra": [],
        **finds,
    }
    assert found.wrong == sum(map(len, finds.values()))
    assert not found.ok
    assert found.files == len(TREE)


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
def test_new_times_are_no_difference(full: bool, layout: Slots, location: Path) -> None:
    os.utime(location / "file", (0, 0))
    shutil.copy2(location / "lib/one", location / "copy")
    os.rename(location / "copy", location / "lib/one")
    assert layout.verify(full=full).ok


def test_quick_reads_no_file_whose_stat_is_known(layout: Slots, location: Path) -> None:
    files = [path for path in location.rglob("*") if path.is_file() and not path.is_symlink()]
    os.utime(location / "lib/one", (0, 0))
    before = {path: path.stat().st_atime_ns for path in files}
    layout.verify(full=False)
    assert {path for path in files if path.stat().st_atime_ns != before[path]} <= {location / "lib/one"}


def test_many_differences_are_counted_and_some_named(tmp_path: Path, location: Path) -> None:
    layout = Slots(repo(location))
    deploy(layout, Source(tmp_path / "source", tree(**{f"f{n:04}": "x" for n in range(1200)})), 0)
    for path in location.iterdir():
        path.unlink()
    found = layout.verify(full=False)
    assert found.wrong == 1200
    assert len(found.missing) == 1000


@pytest.mark.parametrize(
    "statement", ["DELETE FROM files WHERE path=?", "UPDATE files SET mode='100755' WHERE path=?"]
)
def test_full_compares_the_manifest_with_the_commit(
    statement: str, layout: Slots, tmp_path: Path, location: Path
) -> None:
    with sqlite3.connect(tmp_path / ".live.deploy/slots/0.db") as database:
        database.execute(statement, (b"lib/one",))
    database.close()
    if "DELETE" in statement:
        (location / "lib/one").unlink()
    else:
        (location / "lib/one").chmod(0o755)
    with pytest.raises(Corrupt):
        layout.verify(full=True)
    assert layout.holdings().held == ()


@pytest.mark.parametrize("table", ["files", "directories"])
def test_full_computes_the_root_again(table: str, layout: Slots, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / ".live.deploy/slots/0.db")) as database, database:
        path = b"lib/one" if table == "files" else b""
        database.execute(f"UPDATE {table} SET digest=? WHERE path=?", (b"\0" * 32, path))
    with pytest.raises(Corrupt):
        layout.verify(full=True)
    assert layout.holdings().held == ()


def test_full_finds_what_gits_own_ids_do_not_tell(layout: Slots, tmp_path: Path, location: Path) -> None:
    """As if two contents had the same id of git's: the file is as its blob says, and not as it was written."""
    other = b"filE"
    (location / "file").write_bytes(other)
    oid = blob_id(bytes(location / "file"), (location / "file").stat(), 40)
    with contextlib.closing(sqlite3.connect(tmp_path / ".live.deploy/slots/0.db")) as database, database:
        database.execute("UPDATE files SET oid=? WHERE path=?", (oid, b"file"))
    assert layout.verify(full=False).changed == ["file"]
