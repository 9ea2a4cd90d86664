"""How the directories of a tree were seen last: it tells in which ones somebody has made, renamed or removed something.

Whoever does that gives the directory a new ctime, which nobody can set back. To look at all directories costs much less
than to look at all files, and a directory that nobody has touched is not read. In the manifest's own database.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Collection, Generator, Iterator
from pathlib import Path

from saltdeploy.content.compare import FileEntry
from saltdeploy.content.owner import TreeOwner
from saltdeploy.content.verify import Difference, compare_below
from saltdeploy.git.objects import GITLINK
from saltdeploy.lib.below import Below

_TICK = 10_000_000  # ns; two changes within one tick of the kernel's clock give the same ctime

SCHEMA = """
CREATE TABLE IF NOT EXISTS looks (
    path BLOB PRIMARY KEY, ctime INTEGER NOT NULL, inode INTEGER NOT NULL
) WITHOUT ROWID;
"""


class DirectoryCtimes:
    """The table ``looks``, next to the tables ``files`` and ``directories``. Every method raises sqlite's own errors.

    Args:
        db: the open database.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._touched: set[bytes] = set()

    def touch(self, directory: bytes) -> None:
        """Something of ours has changed in a directory: it is seen again by :meth:`note`, and so are those above it."""
        while directory not in self._touched:
            self._touched.add(directory)
            directory = os.path.dirname(directory)

    def forget(self) -> None:
        """What was touched stays as it was after all."""
        self._touched.clear()

    def clear(self) -> None:
        """Nothing is known of any directory."""
        self._db.execute("DELETE FROM looks")

    def note(self, root: Path) -> None:
        """See the directories that were touched; all of them where nothing is known. The digests are made before."""
        directories = self._touched if self._is_known(b"") else self._all()
        below = Below(root)
        seen = {path: _seen(below, path) for path in directories}
        _wait_for_the_next_tick(max((ctime for ctime, _ in filter(None, seen.values())), default=0))
        for path, found in seen.items():
            if found is None:
                self._db.execute("DELETE FROM looks WHERE path=?", (path,))
            else:
                self._db.execute("INSERT OR REPLACE INTO looks VALUES (?,?,?)", (path, *found))
        self.forget()

    def changed(self, root: Path) -> set[bytes] | None:
        """The directories that are not as they were seen last; None where nothing is known of any."""
        if not self._is_known(b""):
            return None
        rows = self._db.execute("SELECT path, ctime, inode FROM looks")
        top = os.open(root, os.O_PATH | os.O_DIRECTORY)
        try:
            return {path for path, ctime, inode in rows if not _is_as_seen(top, path, ctime, inode)}
        finally:
            os.close(top)

    def differences(
        self, root: Path, directories: Collection[bytes], owner: TreeOwner | None = None
    ) -> Generator[Difference, None, None]:
        """How what is in these directories, and in those below that nobody has seen yet, differs from the manifest.

        Returns:
            One for each file, and one for each path that should not be there. A directory that is missing is named
            once, and one without anything in it that should not be there ends in ``/``.
        """
        with Below(root) as tree:
            yield from self._differences(tree, set(directories), owner)

    def _differences(self, tree: Below, todo: set[bytes], owner: TreeOwner | None) -> Iterator[Difference]:
        done: set[bytes] = set()
        while todo:
            directory = todo.pop()
            done.add(directory)
            files, below = self._children(directory)
            if tree.find(directory) is None:
                if files or below:
                    yield "missing", directory, ""
                continue
            self.touch(directory)
            for entry in files.values():
                yield compare_below(tree, entry, owner=owner), entry.path, entry.oid
            found = tree.entries(directory)
            if not found and directory and not files and not self._should_be(directory):
                yield "extra", directory + b"/", ""
            for name, is_directory in found:
                path = os.path.join(directory, name)
                if is_directory:
                    below.add(path)
                elif path not in files:
                    yield "extra", path, ""
            todo |= {path for path in below if path not in done and not self._is_known(path)}

    def _is_known(self, path: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM looks WHERE path=?", (path,)).fetchone() is not None

    def _should_be(self, path: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM files WHERE path=?", (path,)).fetchone() is not None

    def _all(self) -> list[bytes]:
        """All directories that the tree should have."""
        submodules = self._db.execute("SELECT path FROM files WHERE mode=?", (GITLINK,))
        return [path for (path,) in [*self._db.execute("SELECT path FROM directories"), *submodules]]

    def _children(self, directory: bytes) -> tuple[dict[bytes, FileEntry], set[bytes]]:
        """What the tree should have directly in a directory: files, and directories. What is deeper is skipped."""
        above = directory + b"/" if directory else b""
        end = directory + b"0" if directory else b"\xff" * 8192  # 0 follows /; no path is so long
        files: dict[bytes, FileEntry] = {}
        below: set[bytes] = set()
        after: bytes | None = above
        while after is not None:
            rows = self._db.execute(
                "SELECT files.*, COALESCE(data, x'') FROM files LEFT JOIN pointers USING (path) "
                "WHERE path >= ? AND path < ? ORDER BY path",
                (after, end),
            )
            after = None
            for row in rows:
                name, deeper, _ = row[0][len(above) :].partition(b"/")
                if deeper:
                    below.add(above + name)
                    after = above + name + b"0"
                    break
                files[row[0]] = FileEntry._make(row)
            rows.close()
        return files, below


def _is_as_seen(top: int, path: bytes, ctime: int, inode: int) -> bool:
    """Whether a directory is as it was; asked of each in a tree, so it does no more than it must."""
    try:
        now = os.stat(path or b".", dir_fd=top, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return now.st_ctime_ns == ctime and now.st_ino == inode


def _seen(below: Below, path: bytes) -> tuple[int, int] | None:
    """ctime and inode of a directory; None where there is none."""
    now = below.seen(path)
    return (now.st_ctime_ns, now.st_ino) if now is not None and stat.S_ISDIR(now.st_mode) else None


def _wait_for_the_next_tick(ctime: int) -> None:
    """Wait until what is changed from now on gets a later ctime."""
    ahead = ctime + _TICK - time.time_ns()
    if 0 < ahead <= _TICK:
        time.sleep(ahead / 1e9)
