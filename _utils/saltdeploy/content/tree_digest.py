"""The digests of the directories of a manifest, and its root (:mod:`saltdeploy.protocol.merkle`); in the manifest's own database."""

from __future__ import annotations

import bisect
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.git.objects import FILE, GITLINK, SYMLINK
from saltdeploy.lib.errors import Corrupt
from saltdeploy.protocol import merkle
from saltdeploy.protocol.merkle import DirectoryEntry

# sqlite writes most heads by itself, see saltdeploy.protocol.merkle: a directory may have ten thousand entries, and all of them
# are needed when one has changed
_HEADS = """SELECT path, CASE WHEN mode IN ('100644', '100755') AND length(digest) = 32 THEN
    CAST(mode || ' ' || size || ' sha256:' || lower(hex(digest)) || ' ' AS BLOB) END
    FROM files WHERE path >= ?"""


class Unreadable(Corrupt):
    """The manifest itself is damaged; a new one comes with a new tree."""


Page = tuple[bytes, bytes]
"""The key of the entry that ends it, b"" where no entry does; and its digest."""
_END = b""


class _Directory:
    """A directory whose entries come one after the other, in their order.

    Attributes:
        path: of the directory.
        pages: those that are full; all of them, behind :meth:`end`.
    """

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.pages: list[Page] = []
        self._encoded: list[bytes] = []

    def add(self, key: bytes, entry: bytes) -> None:
        """The next entry, encoded."""
        self._encoded.append(entry)
        if merkle.ends_page(key):
            self.pages.append((key, merkle.page(self._encoded)))
            self._encoded = []

    def end(self) -> None:
        """There are no more."""
        if self._encoded:
            self.pages.append((_END, merkle.page(self._encoded)))

    @property
    def digest(self) -> bytes:
        """Of the directory, behind :meth:`end`."""
        return merkle.node(digest for _, digest in self.pages)


class Digests:
    """The tables ``directories`` and ``pages``, next to the table ``files``. Every method raises sqlite's own errors.

    A directory that has one page only is not in ``pages``.

    Args:
        db: the open database.
        path: where it is, for errors.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._stale: dict[bytes, set[bytes]] = {}  # directory to the keys of entries that have changed
        self._is_new: bool | None = (
            None  # there is no digest yet: all are to be computed, whatever was touched
        )

    def root(self) -> str:
        """The root as it was computed last, in hexadecimal; "" where it never was."""
        row = self._db.execute("SELECT digest FROM directories WHERE path=?", (b"",)).fetchone()
        return row[0].hex() if row else ""

    def touch(self, path: bytes) -> None:
        """A file has changed: the digests of the directories above it are stale."""
        if self._is_new is None:
            self._is_new = not self.root()
        if self._is_new:
            return
        key = os.path.basename(path)
        while path:
            path = os.path.dirname(path)
            keys = self._stale.setdefault(path, set())
            if key in keys:
                return
            keys.add(key)
            key = os.path.basename(path) + b"/"

    def touch_all(self) -> None:
        """All digests are stale."""
        self._db.execute("DELETE FROM pages")
        self._db.execute("DELETE FROM directories")
        self._is_new = True

    def take(self, other: Digests) -> None:
        """Take over what another manifest has, of the same files; where it has no root, all have yet to be computed."""
        if not other.root():
            return
        copy_rows("directories", other._db, self._db)
        copy_rows("pages", other._db, self._db)
        self.forget()

    def forget(self) -> None:
        """What was touched stays as it was after all."""
        self._stale.clear()
        self._is_new = None

    def make(self) -> str:
        """Rebuild the digests that are stale; return the root.

        Raises:
            Unreadable: a digest that is needed for that is missing.
        """
        if self._is_new or not self.root():
            self._make_all()
        else:
            self._make_stale()
        self.forget()
        return self.root()

    def recomputed(self) -> str:
        """The root as it follows from the files alone; "" where the digest of one is not known. Changes nothing."""
        if self._db.execute("SELECT 1 FROM files WHERE digest IS NULL LIMIT 1").fetchone():
            return ""
        return [directory.digest for directory in self._bottom_up()][-1].hex()

    def _make_all(self) -> None:
        for directory in self._bottom_up():
            self._keep(directory.path, [], directory.pages)
            self._note(directory.path, directory.digest)

    def _make_stale(self) -> None:
        found: dict[bytes, bytes] = {}
        for directory in sorted(self._stale, key=_depth, reverse=True):
            before = self._pages(directory)
            pages = self._renewed(directory, before, found) if before else self._all_pages(directory, found)
            self._keep(directory, before, pages)
            if pages or not directory:
                found[directory] = merkle.node(digest for _, digest in pages)
                self._note(directory, found[directory])
            else:
                self._db.execute("DELETE FROM directories WHERE path=?", (directory,))

    def _note(self, directory: bytes, digest: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO directories VALUES (?,?)", (directory, digest))

    def _bottom_up(self) -> Iterator[_Directory]:
        """All directories, each behind those that it holds: one walk over all files in their order."""
        walked = [_Directory(b"")]  # from the top one down to that of the last file
        for path, head in self._rows(b"", None):
            parent, _, name = path.rpartition(b"/")
            if parent != walked[-1].path:
                yield from _left(walked, parent)
                _enter(walked, parent)
            walked[-1].add(name, b"%s%s\0" % (head or self._file(path, name).head(), name))
        yield from _left(walked, b"")
        walked[0].end()
        yield walked[0]

    # -- pages ------------------------------------------------------------------------------------------

    def _pages(self, directory: bytes) -> list[Page]:
        """The pages as they were kept, in their order; none where there was one only."""
        rows = self._db.execute("SELECT last, digest FROM pages WHERE directory=?", (directory,)).fetchall()
        return sorted(rows, key=lambda row: (row[0] == _END, row[0]))

    def _keep(self, directory: bytes, before: list[Page], pages: list[Page]) -> None:
        after = pages if len(pages) > 1 else []
        gone = {last for last, _ in before} - {last for last, _ in after}
        for last in gone:
            self._db.execute("DELETE FROM pages WHERE directory=? AND last=?", (directory, last))
        known = set(before)
        for last, digest in after:
            if (last, digest) not in known:
                self._db.execute("INSERT OR REPLACE INTO pages VALUES (?,?,?)", (directory, last, digest))

    def _all_pages(self, directory: bytes, found: dict[bytes, bytes]) -> list[Page]:
        return self._read(directory, _END, _END, found)

    def _renewed(self, directory: bytes, before: list[Page], found: dict[bytes, bytes]) -> list[Page]:
        """The pages of a directory, of which those are read that have an entry that has changed.

        A page whose end has changed is read with the one behind it: they may be one now.
        """
        if before[-1][0] != _END:  # nothing is behind the last end yet, and something may be now
            before = [*before, (_END, b"")]
        keys = sorted(self._stale[directory])
        pages: list[Page] = []
        first, start = 0, _END
        for number, (last, digest) in enumerate(before):
            low = before[number - 1][0] if number else _END
            high = bisect.bisect_right(keys, last) if last != _END else len(keys)
            changed = high > (bisect.bisect_right(keys, low) if number else 0)
            joined = number > first
            if not changed and not joined:
                if digest:
                    pages.append((last, digest))
                first, start = number + 1, last
            elif last == _END or last not in self._stale[directory]:
                pages += self._read(directory, start, last, found)
                first, start = number + 1, last
        return pages

    def _read(self, directory: bytes, start: bytes, last: bytes, found: dict[bytes, bytes]) -> list[Page]:
        """Pages rebuilt from the entries behind the one with the key ``start``, up to that with the key ``last``.

        Args:
            start, last: b"" for the first and for the last one.
            found: digests of directories that take the place of those that are noted.
        """
        part = _Directory(directory)
        for key, entry in self._entries(directory, start, last, found):
            part.add(key, entry)
        part.end()
        return part.pages

    def _entries(
        self, directory: bytes, start: bytes, last: bytes, found: dict[bytes, bytes]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys and encoded entries. What is deeper is skipped: a directory may hold all files."""
        above = directory + b"/" if directory else b""
        skip = len(above)
        after: bytes | None = _behind(above + start) if start else above
        end = _behind(above + last) if last else directory + b"0" if directory else None  # 0 follows /
        while after is not None:
            rows = self._rows(after, end)
            after = None
            for path, head in rows:
                name = path[skip:]
                if b"/" in name:
                    name = name.partition(b"/")[0]
                    yield name + b"/", self._directory(above + name, name, found).encoded()
                    after = _behind(above + name + b"/")
                    break
                yield name, b"%s%s\0" % (head or self._file(path, name).head(), name)
            rows.close()  # or else the statement is still busy, and would be compiled again for the next rows

    def _rows(self, after: bytes, end: bytes | None) -> sqlite3.Cursor:
        """Files from a path on to the last one before another."""
        if end is None:
            return self._db.execute(f"{_HEADS} ORDER BY path", (after,))
        return self._db.execute(f"{_HEADS} AND path < ? ORDER BY path", (after, end))

    def _directory(self, path: bytes, name: bytes, found: dict[bytes, bytes]) -> DirectoryEntry:
        digest = found.get(path)
        if digest is None:
            row = self._db.execute("SELECT digest FROM directories WHERE path=?", (path,)).fetchone()
            digest = row[0] if row else None
        if digest is None:
            raise unreadable(self._path, "the digest of a directory is missing")
        return DirectoryEntry(name, merkle.DIRECTORY, 0, digest)

    def _file(self, path: bytes, name: bytes) -> DirectoryEntry:
        """What is not a plain file with a sha256."""
        row = self._db.execute("SELECT mode, size, digest FROM files WHERE path=?", (path,)).fetchone()
        mode, size, digest = row
        if digest is None:
            raise unreadable(self._path, "the digest of a file is missing")
        if mode == GITLINK:  # a directory's size is the file system's affair
            return DirectoryEntry(name, mode, 0, digest)
        if mode == SYMLINK and self._db.execute("SELECT 1 FROM pointers WHERE path=?", (path,)).fetchone():
            mode = FILE
        return DirectoryEntry(name, mode, size, digest)


def _left(walked: list[_Directory], parent: bytes) -> Iterator[_Directory]:
    """End the directories that do not hold ``parent``, the deepest first; each is an entry of the one above it."""
    while not _holds(walked[-1].path, parent):
        done = walked.pop()
        done.end()
        name = done.path.rpartition(b"/")[2]
        walked[-1].add(name + b"/", DirectoryEntry(name, merkle.DIRECTORY, 0, done.digest).encoded())
        yield done


def _enter(walked: list[_Directory], directory: bytes) -> None:
    """Go down to a directory below the last one."""
    missing = []
    while directory != walked[-1].path:
        missing.append(directory)
        directory = os.path.dirname(directory)
    walked += [_Directory(path) for path in reversed(missing)]


def _holds(directory: bytes, other: bytes) -> bool:
    """Whether a directory is the other one, or above it."""
    return not directory or other == directory or other.startswith(directory + b"/")


def _behind(place: bytes) -> bytes:
    """The least path behind an entry: a file, or a directory with all that it holds."""
    return place[:-1] + b"0" if place.endswith(b"/") else place + b"\0"


def _depth(directory: bytes) -> int:
    return directory.count(b"/") + bool(directory)


def copy_rows(table: str, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Add all rows of a table to the same table of another manifest."""
    rows = old.execute(f"SELECT * FROM {table}")
    places = ",".join("?" * len(rows.description))
    new.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def unreadable(path: Path, why: str) -> Unreadable:
    """The error for a manifest that is damaged."""
    return Unreadable(
        f"the manifest is damaged ({why})", path=str(path), next="the next fetch rebuilds the tree"
    )
