"""A tree of real files in a wished size, and releases that change a given number of them.

The files are those of npm packages (``big_tree``), as many packages as it takes. The edits are synthetic: each release
inserts a line in the middle of some files, spread over the whole tree, other ones each time where it is big enough.

==================  ===================================================
tag                 what it changes
==================  ===================================================
``base``            everything is new
``small/1..12``     20 files
``medium/1..2``     1,000 files, or a tenth of a small tree
``large/1..2``      10,000 files, or a third of a small tree
==================  ===================================================
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import big_tree

#: kind -> how many releases, how many files each changes, and the share of the tree that is the most
KINDS = {"small": (12, 20, 10), "medium": (2, 1_000, 10), "large": (2, 10_000, 3)}
_EDITABLE = (b".js", b".ts", b".mjs", b".css", b".scss", b".svg", b".md", b".json")
_LONGEST = 50_000


@dataclass(frozen=True)
class Tree:
    """The repository and its numbers.

    Attributes:
        repository: bare.
        files: in ``base``.
    """

    repository: Path
    files: int

    def changes(self, old: str, new: str) -> list[bytes]:
        """The paths that differ between two tags; all of ``new`` without an old one."""
        between = ["diff-tree", "-r", "--name-only", "-z", old, new]
        return self._names(between if old else ["ls-tree", "-r", "--name-only", "-z", new])

    def content(self, tag: str, path: bytes) -> bytes:
        """What a file holds in a release."""
        return self._git("cat-file", "blob", b"%s:%s" % (tag.encode(), path))

    def sizes(self, tag: str) -> dict[bytes, int]:
        """The size of each file of a release."""
        lines = self._names(["ls-tree", "-r", "-l", "-z", tag])
        pairs = (line.split(b"\t", 1) for line in lines)
        return {path: int(head.split()[3]) for head, path in pairs}

    def _names(self, arguments: list[str]) -> list[bytes]:
        return self._git(*arguments).split(b"\0")[:-1]

    def _git(self, *arguments: str | bytes) -> bytes:
        command = ["git", f"--git-dir={self.repository}", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def build(directory: Path, files: int) -> Tree:
    """Make the repository, unless it is there already.

    Args:
        directory: holds the packages and the repositories.
        files: how many ``base`` shall have; those of all packages (some 309,000) if that is less.
    """
    repository = directory / f"tree-{files}.git"
    if not (repository / "complete").exists():
        big_tree.import_history(repository, lambda out: _write(out, directory / "packages", files))
    tree = Tree(repository, 0)
    return Tree(repository, len(tree.changes("", "base")))


def _write(out: IO[bytes], packages: Path, most: int) -> None:
    """A release after the other, for ``git fast-import``."""
    big_tree.begin_commit(out, 0, "base")
    editable, count = {}, 0
    for path, mode, content in _files(packages, most):
        big_tree.put_file(out, path, mode, content)
        count += 1
        if mode == "100644" and path.endswith(_EDITABLE) and len(content) < _LONGEST and content:
            editable[path] = content
    big_tree.tag(out, "base")
    paths, number, begin = sorted(editable), 0, 0
    for kind, (releases, changes, share) in KINDS.items():
        changes = min(changes, count // share, len(paths))
        for release in range(1, releases + 1):
            number += 1
            name = f"{kind}/{release}"
            big_tree.begin_commit(out, number, name)
            stride = max(1, len(paths) // changes)
            for index in range(changes):
                path = paths[(begin + index * stride) % len(paths)]
                editable[path] = _edited(editable[path], name)
                big_tree.put_file(out, path, "100644", editable[path])
            big_tree.tag(out, name)
            begin += 1


def _files(packages: Path, most: int) -> Iterator[tuple[bytes, str, bytes]]:
    count = 0
    for name, versions in big_tree.PACKAGES.items():
        if count >= most:
            return
        for path, mode, content in big_tree.files_of(big_tree.fetch(packages, name, versions[0])):
            if count >= most:
                return
            yield b"node_modules/%s/%s" % (name.encode(), path), mode, content
            count += 1


def _edited(content: bytes, name: str) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(len(lines) // 2, f"/* {name} */\n".encode())
    return b"".join(lines)
