"""The record of a tree's files: all of a change or none of it, and its own damage is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.content.compare import FileEntry, blob_id, compare
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import Change
from saltdeploy.lib.errors import NoPermission

OID = "587be6b4c3f93f93c489c0111bba5596147a26cb"  # "x" and a line end


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0.db"


def put(manifest: Manifest, *names: bytes) -> None:
    for name in names:
        manifest.put(name, "100644", OID, os.stat("/"), b"d" * 32)


def test_what_was_put_is_there_for_the_next_reader(path: Path) -> None:
    with Manifest(path) as manifest, manifest.transaction():
        put(manifest, b"a", b"\xff\n")
        manifest.put_commit("1" * 40)
    with Manifest(path) as manifest:
        assert manifest.entry(b"a") == manifest.entry(b"\xff\n") == ("100644", OID)
        assert manifest.entry(b"b") is None
        assert manifest.commit() == "1" * 40


def test_a_transaction_that_fails_changes_nothing(path: Path) -> None:
    with Manifest(path) as manifest, manifest.transaction():
        put(manifest, b"a")
    with pytest.raises(ZeroDivisionError), Manifest(path) as manifest, manifest.transaction():
        put(manifest, b"b")
        manifest.drop(b"a")
        manifest.put_commit("1" * 40)
        raise ZeroDivisionError
    with Manifest(path) as manifest:
        assert manifest.entry(b"a") and not manifest.entry(b"b")
        assert manifest.commit() == ""


def test_a_killed_writer_changes_nothing(path: Path) -> None:
    with Manifest(path) as manifest, manifest.transaction():
        put(manifest, b"a")
    program = (
        "import os, signal, sys; from pathlib import Path; from saltdeploy.content.manifest import Manifest\n"
        "with Manifest(Path(sys.argv[1])) as manifest, manifest.transaction():\n"
        "    for n in range(20_000): manifest.put(b'%d' % n, '100644', 'x' * 40, os.stat('/'), b'd' * 32)\n"  # spills to disk
        "    manifest.drop(b'a')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(path)], env=environment)
    with Manifest(path) as manifest:
        assert manifest.entry(b"a") is not None
        assert not manifest.holds_more_than(1)


@pytest.mark.parametrize(
    ("directory", "holds"),
    [(b"d", True), (b"d/e", True), (b"d/e/f", False), (b"d.x", False), (b"e", False), (b"d0", False)],
)
def test_it_knows_what_lies_below_a_directory(directory: bytes, holds: bool, path: Path) -> None:
    with Manifest(path) as manifest:
        put(manifest, b"d/e/f", b"d.x", b"d0")
        assert manifest.holds_below(directory) is holds


CONTENT = [Change(b"a", "100644", OID), Change(b"b", "100644", OID)]


@pytest.mark.parametrize(
    ("content", "agrees"),
    [
        (CONTENT, True),
        (CONTENT[:1], False),
        ([*CONTENT, Change(b"c", "100644", OID)], False),
        ([CONTENT[0], Change(b"b", "100755", OID)], False),
        ([CONTENT[0], Change(b"b", "100644", "0" * 40)], False),
        ([], False),
    ],
)
def test_it_is_compared_with_a_commits_content(content: list[Change], agrees: bool, path: Path) -> None:
    with Manifest(path) as manifest:
        put(manifest, b"a", b"b")
        assert manifest.lists(content) is agrees


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"rubbish" * 1000,
        lambda data: data[:5000],
        lambda data: data[:100] + os.urandom(len(data) - 100),
    ],
)
def test_damage_is_told_as_such(damage: Callable[[bytes], bytes], path: Path) -> None:
    with Manifest(path) as manifest:
        put(manifest, *[b"%d" % n for n in range(1000)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Unreadable) as caught, Manifest(path) as manifest:
        manifest.verify(path.parent, full=False)
    assert caught.value.path == str(path)


def test_a_place_that_is_not_there_is_no_damage(path: Path) -> None:
    with pytest.raises(NoPermission), Manifest(path.parent / "missing" / "0.db"):
        pass


@pytest.mark.parametrize("length", [40, 64])
def test_the_digest_of_a_file_is_its_blob_in_git(length: int, tmp_path: Path) -> None:
    kind = {40: "sha1", 64: "sha256"}[length]
    subprocess.run(["git", "init", "--quiet", f"--object-format={kind}", str(tmp_path / "repo")], check=True)
    for data in (b"", b"x\n", os.urandom(3_000_000)):
        file = tmp_path / "file"
        file.write_bytes(data)
        command = ["git", "-C", str(tmp_path / "repo"), "hash-object", "--no-filters", str(file)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        assert blob_id(bytes(file), file.stat(), length) == said


def test_a_file_that_vanishes_is_missing(tmp_path: Path) -> None:
    assert compare(bytes(tmp_path / "gone"), FileEntry(b"gone", "100644", OID)) == "missing"
    assert compare(bytes(tmp_path / "gone/deeper"), FileEntry(b"gone/deeper", "100644", OID)) == "missing"
