"""Finds what is wrong with the trees of a release: what git calls an error, what no host can write, what is not there.

Only what differs from another commit is looked at, tree by tree from the root: git's own comparisons take trees for
well formed.
"""

from __future__ import annotations

import functools
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from saltdeploy.git.objects import entries
from saltdeploy.git.reader import Reader
from saltdeploy.lib.errors import Corrupt

_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, see limits.h
_RESERVED = re.compile(rb"\.{0,2}|\.git", re.IGNORECASE)
_SUBMODULE = 0o160000
_OCTAL = re.compile(rb"[0-7]+")


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a path of a release.

    Attributes:
        path: as git gives it; b"" for the root.
        why: what people are told of it.
        is_missing: an object is not there; what there is may be well.
    """

    path: bytes
    why: str
    is_missing: bool = False


@dataclass(frozen=True)
class _Row:
    """One entry of a tree.

    Attributes:
        kind: as in a file's mode; 0 for what is none.
        length: bytes of mode and name.
    """

    kind: int
    name: bytes
    oid: str
    length: int

    @property
    def is_known(self) -> bool:
        return self.kind in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR, _SUBMODULE)

    @property
    def is_tree(self) -> bool:
        return self.kind == stat.S_IFDIR

    @property
    def is_link(self) -> bool:
        return self.kind == stat.S_IFLNK

    @property
    def is_submodule(self) -> bool:
        return self.kind == _SUBMODULE

    @property
    def sorts_as(self) -> bytes:
        return self.name + b"/" if self.is_tree else self.name


@dataclass(frozen=True)
class _Pair:
    """A tree of the release, and the one at the same path before; "" for none."""

    directory: bytes
    new: str
    old: str


def find(reader: Reader, commit: str, before: str = "") -> Iterator[Flaw]:
    """What is wrong with a commit's trees, as far as they differ from those of ``before``.

    Args:
        reader: has both commits.
        before: a commit whose trees are known to be well; "" for none.
    """
    width = len(commit) // 2
    pairs = [_Pair(b"", _root(reader, commit), _root(reader, before) if before else "")]
    while pairs:
        known = {pair.old for pair in pairs} - {""}
        olds = {oid: set(_in_order(tree or b"", width) or ()) for oid, tree in reader.objects(known, "tree")}
        below: list[_Pair] = []
        files: list[tuple[bytes, _Row]] = []
        news = reader.objects((pair.new for pair in pairs), "tree")
        for pair, (_, tree) in zip(pairs, news, strict=True):
            if tree is None:
                yield _missing(pair.directory, "tree", pair.new)
                continue
            before_it = olds.get(pair.old, set())
            found = _in_order(tree, width)
            if found is None:
                rows = _rows(tree, width)
                yield from _of_tree(pair.directory, rows, is_whole=_length(rows, width) == len(tree))
            else:  # what was there before as well is known to be well: a tree may have ten thousand entries
                rows = [_row(*each) for each in found if each not in before_it]
                yield from _of_tree(pair.directory, rows, is_whole=True)
            gone = [_row(*each) for each in before_it.difference(found or ())]
            _descend(pair.directory, rows, gone, below, files)
        yield from _of_files(reader, files)
        pairs = below


def _descend(
    directory: bytes, rows: list[_Row], olds: list[_Row], below: list[_Pair], files: list[tuple[bytes, _Row]]
) -> None:
    """Add what differs to ``below`` and ``files``."""
    same = {row.name: row for row in olds}
    for row in rows:
        old = same.get(row.name)
        if row == old or not row.is_known:
            continue
        if row.is_tree:
            below.append(_Pair(directory + row.name + b"/", row.oid, old.oid if old and old.is_tree else ""))
        elif not row.is_submodule:
            files.append((directory + row.name, row))


def _of_tree(directory: bytes, rows: list[_Row], *, is_whole: bool) -> Iterator[Flaw]:
    if not is_whole or not all(row.is_known for row in rows):
        yield Flaw(directory.rstrip(b"/"), "git cannot read this tree")
    seen: set[bytes] = set()
    for row in rows:
        path = directory + row.name
        if row.name in seen:
            yield Flaw(path, "this name is there twice")
        seen.add(row.name)
        if why := _wrong_name(path, row):
            yield Flaw(path, why)
    keys = [row.sorts_as for row in rows]
    for row, key, following in zip(rows, keys, keys[1:], strict=False):
        if key > following:
            yield Flaw(directory + row.name, "the tree is not sorted as git sorts")


def _wrong_name(path: bytes, row: _Row) -> str:
    if b"/" in row.name:
        return "a name has a slash in it"
    if _RESERVED.fullmatch(row.name):
        return "git checks out no such name"
    if len(row.name) > _LONGEST_NAME:
        return f"the name has {len(row.name)} bytes, and a file system takes {_LONGEST_NAME}"
    if len(path) > _LONGEST_PATH:
        return f"the path has {len(path)} bytes, and Linux takes {_LONGEST_PATH}"
    if row.is_link and row.name.lower() == b".gitmodules":
        return ".gitmodules is a symbolic link"
    return ""


def _of_files(reader: Reader, files: list[tuple[bytes, _Row]]) -> Iterator[Flaw]:
    gone = reader.missing(row.oid for _, row in files)
    for path, row in files:
        if row.oid in gone:
            yield _missing(path, "blob", row.oid)
    links = [(path, row.oid) for path, row in files if row.is_link and row.oid not in gone]
    targets = reader.objects((oid for _, oid in links), "blob", _LONGEST_PATH + 1)
    for (path, _), (_, target) in zip(links, targets, strict=True):
        if not target:
            yield Flaw(path, "the symbolic link leads nowhere: its target is empty")
        elif b"\0" in target:
            yield Flaw(path, "the symbolic link's target has a NUL byte in it")
        elif len(target) > _LONGEST_PATH:
            yield Flaw(path, f"the symbolic link's target is longer than {_LONGEST_PATH} bytes")


def _missing(path: bytes, kind: str, oid: str) -> Flaw:
    return Flaw(path.rstrip(b"/"), f"the repository lacks its {kind} {oid}", is_missing=True)


def _root(reader: Reader, commit: str) -> str:
    """The tree of a commit.

    Raises:
        Corrupt: it is not here.
    """
    ((_, head),) = reader.objects([commit], "commit")
    if head is None:
        raise Corrupt(
            f"the object store cannot give commit {commit}", path=str(reader.git_dir), next=reader.advice
        )
    return head.partition(b"\n")[0].removeprefix(b"tree ").decode()


_Raw = tuple[bytes, bytes, bytes]
"""Mode, name and object id of an entry, as they stand in the tree."""


@functools.lru_cache
def _entry(width: int) -> re.Pattern[bytes]:
    return re.compile(rb"([0-7]+) ([^\0]*)\0(.{%d})" % width, re.DOTALL)


@functools.lru_cache
def _kind(mode: bytes) -> int:
    return stat.S_IFMT(int(mode, 8)) if _OCTAL.fullmatch(mode) else 0


def _in_order(tree: bytes, width: int) -> list[_Raw] | None:
    """All entries of a tree that is nothing but entries, each name once and in git's order; None where it is not."""
    found: list[_Raw] = _entry(width).findall(tree)
    if sum(len(mode) + len(name) + 2 + width for mode, name, _ in found) != len(tree):
        return None
    keys = [name + b"/" if _kind(mode) == stat.S_IFDIR else name for mode, name, _ in found]
    is_sorted = keys == sorted(keys) and len({name for _, name, _ in found}) == len(found)
    return found if is_sorted else None


def _row(mode: bytes, name: bytes, oid: bytes) -> _Row:
    return _Row(_kind(mode), name, oid.hex(), len(mode) + len(name))


def _rows(tree: bytes, width: int) -> list[_Row]:
    return [_Row(_kind(mode), name, oid, len(mode) + len(name)) for mode, name, oid in entries(tree, width)]


def _length(rows: list[_Row], width: int) -> int:
    """Of the tree that holds these rows and nothing else: each has a blank, a NUL and an id besides."""
    return sum(row.length + 2 + width for row in rows)
