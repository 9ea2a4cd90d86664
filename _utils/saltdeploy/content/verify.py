"""Compares a tree on a disk with the files that it should hold. All layouts do it here."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from saltdeploy.content.compare import FileEntry, compare
from saltdeploy.content.owner import TreeOwner
from saltdeploy.content.slices import PathSlice
from saltdeploy.lib.below import Below

_NAMED = 1000

Difference = tuple[str, bytes, str]
"""``missing``, ``changed``, ``misowned`` (of another owner or mode) or ``extra``, "" for a file that is as it should be; its path; its blob, "" of an extra one."""


@dataclass
class Findings:
    """How a tree differs from what it should hold; at most 1,000 paths of each kind are named, all are counted."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    misowned: list[str] = field(default_factory=list)
    files: int = 0
    wrong: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.wrong == 0

    def add(self, kind: str, path: bytes) -> None:
        """Count one path and name it, while there are few."""
        self.wrong += 1
        names: list[str] = getattr(self, kind)
        if len(names) < _NAMED:
            names.append(path.decode("utf-8", "backslashreplace"))


def verify_tree(
    expected: Iterable[FileEntry],
    root: Path,
    *,
    full: bool,
    part: PathSlice | None = None,
    is_expected: Callable[[bytes], bool] | None = None,
    unreadable: bool = False,
) -> Findings:
    """Compare a tree with its files.

    Args:
        expected: the files that the tree should hold.
        root: the tree.
        full: read every byte. Otherwise a file whose stat (size, times, inode) is as it was when it was last known to
            be right is taken as unchanged, and only the others are read.
        part: files that are read in any case.
        is_expected: whether the tree should hold a path; asked after all files were compared. None: what else is
            in the tree is no difference.
        unreadable: a file that cannot be read is ``changed``, as in a damaged image; otherwise its error is raised.
    """
    return findings_of(
        differences(expected, root, full=full, part=part, is_expected=is_expected, unreadable=unreadable)
    )


def findings_of(
    found: Iterable[Difference],
    stray: Callable[[bytes], None] | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Findings:
    """Count and name differences.

    Args:
        stray: takes each path that should not be there, instead of the findings; a directory without
            anything in it ends in ``/``.
        damaged: takes the blob of each file that holds something else, besides the findings.
    """
    findings = Findings()
    for kind, path, oid in found:
        findings.files += kind != "extra"
        if kind == "changed" and damaged is not None and oid:
            damaged(oid)
        if kind == "extra" and stray is not None:
            stray(path)
        elif kind:
            findings.add(kind, path)
    return findings


def differences(
    expected: Iterable[FileEntry],
    root: Path,
    *,
    full: bool,
    part: PathSlice | None = None,
    is_expected: Callable[[bytes], bool] | None = None,
    unreadable: bool = False,
    owner: TreeOwner | None = None,
) -> Generator[Difference, None, None]:
    """One for each file, and one for each path that should not be there; see :func:`verify_tree`."""
    with Below(root) as below:  # who looks for users of the tree would find this process
        for entry in expected:
            try:
                read = full or (part is not None and entry.path in part)
                kind = compare_below(below, entry, full=read, owner=owner)
            except OSError:
                if not unreadable:
                    raise
                kind = "changed"
            yield kind, entry.path, entry.oid
    for path in walk(root) if is_expected is not None else ():
        if is_expected is not None and not is_expected(path.removesuffix(b"/")):
            yield "extra", path, ""


def compare_below(
    below: Below, entry: FileEntry, *, full: bool = False, owner: TreeOwner | None = None
) -> str:
    """As :func:`saltdeploy.content.compare.compare`; what only a link leads to is missing: it may be another file tomorrow.

    Args:
        owner: whose it should be; what is someone else's is ``misowned``.
    """
    at = below.find(os.path.dirname(entry.path))
    if at is None:
        return "missing"
    found = compare(os.path.basename(entry.path), entry, full=full, at=at)
    if owner is None or found:
        return found
    seen = below.seen(entry.path)
    return "" if seen is None or owner.fits(seen, entry.mode) else "misowned"


def walk(root: Path) -> Iterator[bytes]:
    """Every path below ``root``, relative to it, except directories that hold something; no link is followed.

    An empty directory ends in ``/``.
    """
    below = Below(root)
    todo = [b""]
    while todo:
        directory = todo.pop()
        found = below.entries(directory)  # none where its users are at work
        if directory and not found and below.find(directory) is not None:
            yield directory + b"/"
        for name, is_directory in found:
            path = os.path.join(directory, name)
            if is_directory:
                todo.append(path)
            else:
                yield path
