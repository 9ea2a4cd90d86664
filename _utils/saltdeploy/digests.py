"""The digests of the directories of a manifest, and its root (:mod:`saltdeploy.merkle`); in the manifest's own database."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from saltdeploy import merkle
from saltdeploy.errors import Corrupt
from saltdeploy.gitobjects import FILE, GITLINK, SYMLINK
from saltdeploy.merkle import Entry

# sqlite writes most heads by itself, see saltdeploy.merkle: a directory may have ten thousand entries, and all of them
# are needed when one has changed
_HEADS = """SELECT path, CASE WHEN mode IN ('100644', '100755') AND length(digest) = 32 THEN
    CAST(mode || ' ' || size || ' sha256:' || lower(hex(digest)) || ' ' AS BLOB) END
    FROM files WHERE path >= ?"""


class Unreadable(Corrupt):
    """The manifest itself is damaged; a new one comes with a new tree."""


class Digests:
    """The table ``directories`` beside the table ``files``. Every method raises sqlite's own errors.

    Args:
        db: the open database.
        path: where it is, for errors.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._stale: set[bytes] = set()  # directories whose digests are to be made anew

    def root(self) -> str:
        """The root as it was made last, in hexadecimal; "" where it never was."""
        row = self._db.execute("SELECT digest FROM directories WHERE path=?", (b"",)).fetchone()
        return row[0].hex() if row else ""

    def touch(self, path: bytes) -> None:
        """A file has changed: the digests of the directories above it are stale."""
        while path:
            path = os.path.dirname(path)
            if path in self._stale:
                return
            self._stale.add(path)

    def touch_all(self) -> None:
        """All digests are stale."""
        self._stale |= self._all_directories()

    def forget(self) -> None:
        """What was touched stays as it was after all."""
        self._stale.clear()

    def make(self) -> str:
        """Make the digests anew that are stale; return the root.

        Raises:
            Unreadable: a digest that is needed for that is missing.
        """
        self._stale.add(b"")
        for directory, digest in self._nodes(self._stale).items():
            if digest is None:
                self._db.execute("DELETE FROM directories WHERE path=?", (directory,))
            else:
                self._db.execute("INSERT OR REPLACE INTO directories VALUES (?,?)", (directory, digest))
        self._stale.clear()
        return self.root()

    def recomputed(self) -> str:
        """The root as it follows from the files alone; "" where the digest of one is not known. Changes nothing."""
        if self._db.execute("SELECT 1 FROM files WHERE digest IS NULL LIMIT 1").fetchone():
            return ""
        top = self._nodes(self._all_directories())[b""]
        return top.hex() if top else ""

    def _all_directories(self) -> set[bytes]:
        found = {b""}
        for (path,) in self._db.execute("SELECT path FROM files"):
            directory = os.path.dirname(path)
            while directory not in found:
                found.add(directory)
                directory = os.path.dirname(directory)
        return found

    def _nodes(self, directories: set[bytes]) -> dict[bytes, bytes | None]:
        """The digests of directories, the deepest first; None of one that is not there any more, save the top."""
        found: dict[bytes, bytes | None] = {}
        for directory in sorted(directories, key=lambda each: each.count(b"/") + bool(each), reverse=True):
            heads = self._heads(directory, found)
            found[directory] = merkle.node_of(heads) if heads or not directory else None
        return found

    def _heads(self, directory: bytes, found: dict[bytes, bytes | None]) -> list[tuple[bytes, bytes]]:
        """What stands in a directory: names and heads. What stands deeper is leapt over: a directory may hold all files.

        Args:
            found: digests of directories that take the place of those that are noted.
        """
        above = directory + b"/" if directory else b""
        skip = len(above)
        heads: list[tuple[bytes, bytes]] = []
        start: bytes | None = above
        while start is not None:
            rows = self._rows(start, directory)
            start = None
            for path, head in rows:
                name = path[skip:]
                if b"/" in name:
                    name = name.partition(b"/")[0]
                    heads.append((name, self._directory(above + name, name, found).head()))
                    start = above + name + b"0"  # 0 follows /
                    break
                heads.append((name, head or self._file(path, name).head()))
            rows.close()  # or else the statement is still busy, and would be compiled anew for the next rows
        return heads

    def _rows(self, start: bytes, directory: bytes) -> sqlite3.Cursor:
        """Files from a path on to the last one that stands in a directory or deeper."""
        if not directory:
            return self._db.execute(f"{_HEADS} ORDER BY path", (start,))
        return self._db.execute(f"{_HEADS} AND path < ? ORDER BY path", (start, directory + b"0"))

    def _directory(self, path: bytes, name: bytes, found: dict[bytes, bytes | None]) -> Entry:
        digest = found.get(path)
        if digest is None:
            row = self._db.execute("SELECT digest FROM directories WHERE path=?", (path,)).fetchone()
            digest = row[0] if row else None
        if digest is None:
            raise unreadable(self._path, "the digest of a directory is missing")
        return Entry(name, merkle.DIRECTORY, 0, digest)

    def _file(self, path: bytes, name: bytes) -> Entry:
        """What is not a plain file with a sha256."""
        row = self._db.execute("SELECT mode, size, digest FROM files WHERE path=?", (path,)).fetchone()
        mode, size, digest = row
        if digest is None:
            raise unreadable(self._path, "the digest of a file is missing")
        if mode == GITLINK:  # a directory's size is the file system's affair
            return Entry(name, mode, 0, digest)
        if mode == SYMLINK and self._db.execute("SELECT 1 FROM pointers WHERE path=?", (path,)).fetchone():
            mode = FILE
        return Entry(name, mode, size, digest)


def unreadable(path: Path, why: str) -> Unreadable:
    """The error for a manifest that is damaged."""
    return Unreadable(
        f"the manifest is damaged ({why})", path=str(path), next="the next fetch makes the tree anew"
    )
