"""The root of a tree: one number for its bytes, the same whoever computes it, and in whatever order."""

from __future__ import annotations

import contextlib
import hashlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import GITLINK, SYMLINK
from saltdeploy.protocol import merkle
from saltdeploy.protocol.merkle import DIRECTORY, DirectoryEntry

from tests.support import repositories
from tests.support.repositories import EXECUTABLE, FILE, Tree, put
from tests.unit.layouts.strategies import edited, histories

TREE: Tree = {
    b"README": repositories.Entry(FILE, b"read me\n"),
    b"bin/run": repositories.Entry(EXECUTABLE, b"#!/bin/sh\n"),
    b"bin/\xff\n": repositories.Entry(FILE, b""),
    b"bin-x": repositories.Entry(FILE, b"before bin/"),
    b"latest": repositories.Entry(SYMLINK, b"bin/run"),
    b"vendor/lib": repositories.Entry(GITLINK, b"1" * 40),
}


def note(manifest: Manifest, path: bytes, entry: repositories.Entry) -> None:
    if entry.mode == GITLINK:
        manifest.note(path, entry.mode, entry.data.decode(), 0, bytes.fromhex(entry.data.decode()))
    else:
        digest = hashlib.sha256(entry.data).digest()
        manifest.note(path, entry.mode, "0" * 40, len(entry.data), digest)


def root(tree: Tree) -> str:
    """The root as the page says it, without a database."""
    return _node(tree).hex()


def _node(tree: Tree) -> bytes:
    below: dict[bytes, Tree] = {}
    entries = []
    for path, entry in tree.items():
        name, deeper, rest = path.partition(b"/")
        if deeper:
            below.setdefault(name, {})[rest] = entry
        elif entry.mode == GITLINK:
            entries.append(DirectoryEntry(name, entry.mode, 0, bytes.fromhex(entry.data.decode())))
        else:
            entries.append(
                DirectoryEntry(name, entry.mode, len(entry.data), hashlib.sha256(entry.data).digest())
            )
    entries += [DirectoryEntry(name, DIRECTORY, 0, _node(inner)) for name, inner in below.items()]
    return node(entries)


def node(entries: list[DirectoryEntry]) -> bytes:
    """The digest of a directory, its pages made one by one."""
    pages: list[list[bytes]] = [[]]
    for entry in sorted(entries, key=DirectoryEntry.key):
        pages[-1].append(entry.encoded())
        if merkle.ends_page(entry.key()):
            pages.append([])
    return merkle.node(merkle.page(each) for each in pages if each)


def test_the_encoding_never_changes() -> None:
    """The golden file holds two pages as they were written by hand."""
    golden = (Path(__file__).parent / "golden" / "merkle.bin").read_bytes()
    _, first, second = golden.split(b"saltdeploy page 1\n")
    pages = [hashlib.sha256(b"saltdeploy page 1\n" + each).digest() for each in (first, second)]
    directory = hashlib.sha256(b"saltdeploy tree 1\n" + b"".join(pages)).digest()
    inner = [
        DirectoryEntry(b"run", EXECUTABLE, 10, hashlib.sha256(b"#!/bin/sh\n").digest()),
        DirectoryEntry(b"\xff\n", FILE, 0, hashlib.sha256(b"").digest()),
    ]
    entries = [
        DirectoryEntry(b"bin", DIRECTORY, 0, node(inner)),
        DirectoryEntry(b"README", FILE, 8, hashlib.sha256(b"read me\n").digest()),
        DirectoryEntry(b"bin-x", FILE, 11, hashlib.sha256(b"before bin/").digest()),
        DirectoryEntry(b"e60", FILE, 0, hashlib.sha256(b"").digest()),
        DirectoryEntry(b"fat", FILE, 4, hashlib.sha1(b"data").digest()),
        DirectoryEntry(b"latest", SYMLINK, 7, hashlib.sha256(b"bin/run").digest()),
        DirectoryEntry(b"module", GITLINK, 0, b"\x11" * 20),
    ]
    assert node(entries) == directory
    assert root(TREE) == "c8cb41c9a3f1edd697e1fda55f87f547b60b58a81415ffa9100e9efa93686711"


def test_the_root_of_nothing_is_that_of_an_empty_directory(tmp_path: Path) -> None:
    with Manifest(tmp_path / "db") as manifest, manifest.transaction():
        assert manifest.seal() == root({}) == hashlib.sha256(b"saltdeploy tree 1\n").hexdigest()


@pytest.fixture(scope="module", params=[1, 2, 3, merkle.SEVERAL])
def several(request: pytest.FixtureRequest) -> Iterator[int]:
    """Pages so small that these trees have many of them, and such as they are."""
    before, merkle.SEVERAL = merkle.SEVERAL, request.param
    yield request.param
    merkle.SEVERAL = before


@pytest.mark.usefixtures("several")
@given(histories(), st.randoms(use_true_random=False))
def test_a_manifest_comes_to_the_root_of_its_files_whatever_was_there_before(
    tmp_path_factory: pytest.TempPathFactory, history: list[Tree], shuffled: random.Random
) -> None:
    with Manifest(tmp_path_factory.mktemp("manifest") / "db") as manifest:
        before: Tree = {}
        for tree in history:
            with manifest.transaction():
                for path in before.keys() - tree.keys():
                    manifest.drop(path)
                changed = [(path, entry) for path, entry in tree.items() if before.get(path) != entry]
                shuffled.shuffle(changed)
                for path, entry in changed:
                    note(manifest, path, entry)
                assert manifest.seal() == manifest.digests.recomputed() == root(tree)
            before = tree


@given(histories(most=1).flatmap(lambda trees: st.tuples(st.just(trees[0]), edited(trees[0]))))
def test_two_trees_have_one_root_only_if_they_are_the_same(trees: tuple[Tree, Tree]) -> None:
    first, second = trees
    assert (root(first) == root(second)) is (first == second)


@pytest.mark.parametrize(
    "other",
    [
        put(TREE, b"README", repositories.Entry(FILE, b"read me!")),
        put(TREE, b"README", repositories.Entry(EXECUTABLE, b"read me\n")),
        put(TREE, b"README", repositories.Entry(SYMLINK, b"read me\n")),
        put(TREE, b"latest", repositories.Entry(SYMLINK, b"bin/ran")),
        put(TREE, b"vendor/lib", repositories.Entry(GITLINK, b"2" * 40)),
        {(b"readme" if path == b"README" else path): entry for path, entry in TREE.items()},
        {path: entry for path, entry in TREE.items() if path != b"bin/run"},
        {**TREE, b"more": repositories.Entry(FILE, b"")},
    ],
    ids=["content", "mode", "kind", "target", "submodule", "name", "one less", "one more"],
)
def test_whatever_differs_gives_another_root(other: Tree) -> None:
    assert root(other) != root(TREE)


def test_a_digest_says_by_its_length_what_it_is_of() -> None:
    """The content of a directory's encoding, as a file, is not that directory."""
    inner = DirectoryEntry(b"x", FILE, 1, hashlib.sha256(b"x").digest())
    encoded = b"saltdeploy tree 1\n" + inner.encoded()
    as_file = DirectoryEntry(b"d", FILE, len(encoded), hashlib.sha256(encoded).digest())
    assert node([as_file]) != node([DirectoryEntry(b"d", DIRECTORY, 0, node([inner]))])


def test_what_failed_leaves_the_root_as_it_was(tmp_path: Path) -> None:
    with Manifest(tmp_path / "db") as manifest:
        with manifest.transaction():
            for path, entry in TREE.items():
                note(manifest, path, entry)
            manifest.seal()
        with pytest.raises(ZeroDivisionError), manifest.transaction():
            manifest.drop(b"bin/run")
            manifest.seal()
            raise ZeroDivisionError
        assert manifest.root() == manifest.digests.recomputed() == root(TREE)
        with manifest.transaction():
            note(manifest, b"new", repositories.Entry(FILE, b""))
            assert manifest.seal() == root({**TREE, b"new": repositories.Entry(FILE, b"")})


def test_a_manifest_that_lacks_a_digest_says_so(tmp_path: Path) -> None:
    with Manifest(tmp_path / "db") as manifest, manifest.transaction():
        for path, entry in TREE.items():
            note(manifest, path, entry)
        manifest.seal()
    with contextlib.closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as database:
        database.execute("DELETE FROM directories WHERE path=?", (b"bin",))
    with Manifest(tmp_path / "db") as manifest, pytest.raises(Unreadable), manifest.transaction():
        note(manifest, b"new", repositories.Entry(FILE, b""))
        manifest.seal()
