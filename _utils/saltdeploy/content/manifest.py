"""What a tree should hold: path, mode, blob, sha256 and last seen stat of every file; verify a tree against it.

One small sqlite database per tree. It changes by what a release changes, in one durable transaction, so its cost follows
the change too. It has the commit that names the files' blobs, and the digests of all directories
(:mod:`saltdeploy.protocol.merkle`); only those of directories are rebuilt that hold something that has changed. Where the
blob is a pointer and the file holds what it points to, it has the pointer as well, which is bound by the blob id and binds
the content. It does not say whether the tree is complete (:mod:`saltdeploy.layouts.symlinked.tree` does): one can ask for
that while a release is being written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.content import directory_ctimes, pointers
from saltdeploy.content.compare import FileEntry, digest_of
from saltdeploy.content.database import explained
from saltdeploy.content.directory_ctimes import DirectoryCtimes
from saltdeploy.content.pointers import Pointer
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.tree_digest import Digests, copy_rows
from saltdeploy.content.verify import Findings, differences, findings_of
from saltdeploy.git.objects import GITLINK, Change
from saltdeploy.lib.below import Below

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, mode TEXT NOT NULL, oid TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL, digest BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pointers (path BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS directories (path BLOB PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pages (
    directory BLOB NOT NULL, last BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (directory, last)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS root (only INTEGER PRIMARY KEY CHECK (only = 1), oid TEXT NOT NULL);
"""


class Manifest:
    """The database of one work tree. Use as a context manager.

    Args:
        path: the file.

    Attributes:
        digests: those of directories.
        ctimes: those of directories, as they were seen last.

    Raises:
        Unreadable: in any method, when the file is not what was written.
        DiskFull, NoPermission: in any method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._points = True  # whether there may be a pointer

    def __enter__(self) -> Manifest:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        self.digests, self.ctimes = Digests(self._db, self.path), DirectoryCtimes(self._db)
        try:
            # with FULL a power cut just after a commit may bring the rolled back state to life again
            self._db.execute("PRAGMA synchronous=EXTRA")
            self._db.execute("PRAGMA cache_size=-8192")
            self._db.executescript(_SCHEMA + directory_ctimes.SCHEMA)
            self._add_digests()
        except sqlite3.Error as error:
            self._db.close()
            raise explained(error, self.path) from error
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise explained(error, self.path) from error

    def _add_digests(self) -> None:
        """The manifests of older versions have none; :meth:`complete` finds them."""
        if "digest" not in [column[1] for column in self._db.execute("PRAGMA table_info(files)")]:
            self._db.execute("ALTER TABLE files ADD COLUMN digest BLOB")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within happen together when the block ends, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        self._points = self._db.execute("SELECT 1 FROM pointers LIMIT 1").fetchone() is not None
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self.digests.forget()
            if self._db.in_transaction:  # sqlite has ended it by itself when the disk is full
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise
        finally:
            self._points = True
            self.ctimes.forget()

    def commit(self) -> str:
        """The commit whose files are noted here; "" when they were never brought to one."""
        row = self._db.execute("SELECT oid FROM root").fetchone()
        return row[0] if row else ""

    def put_commit(self, commit: str) -> None:
        """Note that the files are those of ``commit``; in the transaction that makes it so."""
        self._db.execute("INSERT OR REPLACE INTO root VALUES (1, ?)", (commit,))

    # -- files ------------------------------------------------------------------------------------------

    def lists(self, content: Iterable[Change]) -> bool:
        """Whether the files noted here are these and no others.

        Args:
            content: all files of a commit, as changes from nothing.
        """
        listed = 0
        for change in content:
            if self.entry(change.path) != (change.mode, change.oid):
                return False
            listed += 1
        return listed == self._db.execute("SELECT COUNT(*) FROM files").fetchone()[0]

    def put(
        self,
        path: bytes,
        mode: str,
        oid: str,
        seen: os.stat_result,
        digest: bytes | None,
        pointer: bytes = b"",
    ) -> None:
        """Note a file that was just written.

        Args:
            mode, oid: as git says it.
            seen: the file.
            digest: of its content, see :func:`saltdeploy.content.compare.digest_of`; None where it is not known.
            pointer: what the blob holds, where the file holds what that points to.
        """
        stat = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
        self._put((path, mode, oid, *stat, digest), pointer)

    def note(self, path: bytes, mode: str, oid: str, size: int, digest: bytes, pointer: bytes = b"") -> None:
        """As :meth:`put`, of a file that is on no disk.

        Args:
            size: bytes of its content.
        """
        self._put((path, mode, oid, size, 0, 0, 0, digest), pointer)

    def _put(self, row: tuple[Any, ...], pointer: bytes) -> None:
        path = row[0]
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?)", row)
        if pointer:
            self._db.execute("INSERT OR REPLACE INTO pointers VALUES (?,?)", (path, pointer))
            self._points = True
        elif self._points:
            self._db.execute("DELETE FROM pointers WHERE path=?", (path,))
        self._touch(path)
        if row[1] == GITLINK:  # a directory, in which nothing is to be
            self.ctimes.touch(path)

    def _touch(self, path: bytes) -> None:
        self.digests.touch(path)
        self.ctimes.touch(os.path.dirname(path))

    def take(self, other: Manifest) -> None:
        """Note all files as another manifest has them; the digests of directories are apart."""
        copy_rows("files", other._db, self._db)
        copy_rows("pointers", other._db, self._db)
        self._points = True

    def forget_ctimes(self) -> None:
        """Files get further names, in other trees, which changes their ctimes: they are not compared any more."""
        with self.transaction():
            self._db.execute("UPDATE files SET ctime=0 WHERE ctime!=0")

    def drop(self, path: bytes) -> None:
        """Note that a file is gone."""
        self._db.execute("DELETE FROM files WHERE path=?", (path,))
        self._db.execute("DELETE FROM pointers WHERE path=?", (path,))
        self._touch(path)

    def clear(self) -> None:
        """Note that all files are gone."""
        for table in ("files", "pointers", "directories", "pages", "root", "looks"):
            self._db.execute(f"DELETE FROM {table}")
        self.digests.forget()

    def contents(self) -> set[str]:
        """The names of the contents that pointers of this tree point to."""
        return {found.name for _, found in self.stubs()}

    def stubs(self) -> Iterator[tuple[bytes, Pointer]]:
        """The paths at which this tree has contents, and the pointers that its commit has there."""
        rows = self._db.execute("SELECT path, mode, data FROM pointers JOIN files USING (path)")
        return (
            (path, found) for path, mode, data in rows if (found := pointers.read(mode, data)) is not None
        )

    def stub(self, path: bytes) -> Pointer | None:
        """As :meth:`stubs`, the pointer at one path."""
        wanted = "SELECT mode, data FROM pointers JOIN files USING (path) WHERE path=?"
        row = self._db.execute(wanted, (path,)).fetchone()
        return pointers.read(*row) if row else None

    def sizes(self) -> tuple[int, int]:
        """How many files the tree should hold, and their bytes."""
        files, size = self._db.execute("SELECT COUNT(*), TOTAL(size) FROM files").fetchone()
        return files, int(size)

    def size_of(self, path: bytes, oid: str) -> int | None:
        """The bytes of the blob ``oid`` where the tree has it at ``path``, else None; a pointer counts as nothing."""
        wanted = (
            "SELECT CASE WHEN data IS NULL THEN size ELSE 0 END FROM files LEFT JOIN pointers USING (path)"
        )
        row = self._db.execute(f"{wanted} WHERE path=? AND oid=?", (path, oid)).fetchone()
        return row[0] if row else None

    def entries(self) -> Iterator[FileEntry]:
        """All files, sorted by their paths."""
        rows = "SELECT files.*, COALESCE(data, x'') FROM files LEFT JOIN pointers USING (path) ORDER BY path"
        yield from map(FileEntry._make, self._db.execute(rows))

    def paths(self) -> Iterator[bytes]:
        """The paths of all files."""
        return (path for (path,) in self._db.execute("SELECT path FROM files"))

    def holds(self, path: bytes) -> bool:
        """Whether the tree should hold a file at this path."""
        return self.entry(path) is not None

    def holds_more_than(self, files: int) -> bool:
        """Whether the tree should hold more files than that; looks at no more of them than it must."""
        return self._db.execute("SELECT 1 FROM files LIMIT 1 OFFSET ?", (files,)).fetchone() is not None

    def entry(self, path: bytes) -> tuple[str, str] | None:
        """``(mode, oid)`` of one path; None when the tree should not hold it."""
        row = self._db.execute("SELECT mode, oid FROM files WHERE path=?", (path,)).fetchone()
        return (row[0], row[1]) if row else None

    def holds_below(self, directory: bytes) -> bool:
        """Whether the tree should hold a file in ``directory`` or deeper."""
        below = "SELECT 1 FROM files WHERE path > ? AND path < ? LIMIT 1"
        return (
            self._db.execute(below, (directory + b"/", directory + b"0")).fetchone() is not None
        )  # 0 follows /

    def digest(self, path: bytes) -> bytes | None:
        """The digest of a file's content; None where it is not known."""
        row = self._db.execute("SELECT digest FROM files WHERE path=?", (path,)).fetchone()
        return row[0] if row else None

    # -- the root ---------------------------------------------------------------------------------------

    def root(self) -> str:
        """The root as it was computed last, in hexadecimal; "" where it never was."""
        return self.digests.root()

    def seal(self) -> str:
        """Rebuild the digests of directories that hold something that has changed; in the same transaction.

        Returns:
            The root.
        """
        return self.digests.make()

    def complete(self, root: Path) -> bool:
        """Find the digests that are not known, by reading the files; in a transaction, before :meth:`seal`.

        Args:
            root: the work tree.

        Returns:
            False where a file is not what it should be.
        """
        unknown = (
            "SELECT path, mode, oid, data FROM files LEFT JOIN pointers USING (path) WHERE digest IS NULL"
        )
        below = Below(root)
        for path, mode, oid, pointer in self._db.execute(unknown).fetchall():
            at = below.find(os.path.dirname(path))
            name = os.path.basename(path)
            found = None if at is None else digest_of(name, mode, oid, pointer or b"", at)
            if found is None:
                return False
            self._db.execute("UPDATE files SET digest=? WHERE path=?", (found, path))
        self.digests.touch_all()
        return True

    # -- verifying --------------------------------------------------------------------------------------

    def verify(
        self,
        root: Path,
        *,
        full: bool,
        part: PathSlice | None = None,
        among: Collection[bytes] | None = None,
        stray: Callable[[bytes], None] | None = None,
        damaged: Callable[[str], None] | None = None,
    ) -> Findings:
        """Compare the tree at ``root`` with the manifest.

        Args:
            root: the work tree.
            full, part: what is read, see :func:`saltdeploy.content.verify.verify_tree`.
            among: only what is directly in these directories, see
                :meth:`saltdeploy.content.directory_ctimes.DirectoryCtimes.changed`; never ``full``.
            stray, damaged: see :func:`saltdeploy.content.verify.findings_of`.
        """
        if among is not None:
            with contextlib.closing(self.ctimes.differences(root, among)) as seen:
                return findings_of(seen, stray, damaged)
        found = differences(self.entries(), root, full=full, part=part, is_expected=self.holds)
        with contextlib.closing(found):
            return findings_of(found, stray, damaged)

    def differs_in(self, root: Path, blobs: Collection[str]) -> bool:
        """Whether a file that should hold one of these blobs holds something else; they are read until one is found."""
        among = (entry for entry in self.entries() if entry.oid in blobs)
        return any(kind for kind, _, _ in differences(among, root, full=True))
