"""What a work tree should hold: path, mode, blob and last seen stat of every file; verify a tree against it.

One small sqlite database per tree. It changes by what a release changes, in one durable transaction, so
its cost follows the change too. The digest of a file is its git blob id, and the commit that names them
all is the root: a tree that agrees with its manifest is that commit's tree. Where the blob is a pointer and
the file holds what it points to, the pointer stands here as well; it is bound by the blob id, and binds the
content. Whether the tree is whole is not written here (see saltdeploy.layouts.slot): one can ask for that
while a release is being written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from saltdeploy import pointers
from saltdeploy.errors import Corrupt, DeployError, DiskFull, NoPermission
from saltdeploy.gitobjects import FILE, GITLINK, NOTHING, SYMLINK, Change

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, mode TEXT NOT NULL, oid TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pointers (path BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS root (only INTEGER PRIMARY KEY CHECK (only = 1), oid TEXT NOT NULL);
"""
_CHUNK = 1 << 20
_NAMED = 1000


class Unreadable(Corrupt):
    """The manifest itself is damaged; a new one comes with a new tree."""


@dataclass
class Findings:
    """How a tree differs from its manifest; at most 1,000 paths of each kind are named, all are counted."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
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


class Manifest:
    """The database of one work tree. Use as a context manager.

    Raises:
        Unreadable: in any method, when the file is not what was written.
        DiskFull, NoPermission: in any method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Manifest:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        except sqlite3.Error as error:
            raise _ours(error, self.path) from error
        try:
            # with FULL a power cut just after a commit may bring the rolled back state to life again
            self._db.execute("PRAGMA synchronous=EXTRA")
            self._db.execute("PRAGMA cache_size=-8192")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise _ours(error, self.path) from error
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise _ours(error, self.path) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within happen together when the block ends, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # sqlite has ended it by itself when the disk is full
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise

    def root(self) -> str:
        """The commit whose files are noted here; "" when they were never brought to one."""
        row = self._db.execute("SELECT oid FROM root").fetchone()
        return row[0] if row else ""

    def put_root(self, commit: str) -> None:
        """Note that the files are those of ``commit``; in the transaction that makes it so."""
        self._db.execute("INSERT OR REPLACE INTO root VALUES (1, ?)", (commit,))

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

    def put(self, path: bytes, mode: str, oid: str, seen: os.stat_result, pointer: bytes = b"") -> None:
        """Note a file that was just written.

        Args:
            mode, oid: as git says it.
            seen: the file.
            pointer: what the blob holds, where the file holds what that points to.
        """
        row = (path, mode, oid, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?)", row)
        self._db.execute("DELETE FROM pointers WHERE path=?", (path,))
        if pointer:
            self._db.execute("INSERT INTO pointers VALUES (?,?)", (path, pointer))

    def drop(self, path: bytes) -> None:
        """Note that a file is gone."""
        self._db.execute("DELETE FROM files WHERE path=?", (path,))
        self._db.execute("DELETE FROM pointers WHERE path=?", (path,))

    def contents(self) -> set[str]:
        """The names of the contents that pointers of this tree point to."""
        rows = self._db.execute("SELECT mode, data FROM pointers JOIN files USING (path)")
        return {found.name for mode, data in rows if (found := pointers.read(mode, data)) is not None}

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

    def verify(self, root: Path, *, full: bool, stray: Callable[[bytes], None] | None = None) -> Findings:
        """Compare the tree at ``root`` with the manifest.

        Args:
            root: the work tree.
            full: read every byte. Otherwise a file whose stat (size, times, inode) is as it was when it was
                written is taken as unchanged, and only the others are read.
            stray: takes each path that should not be there, instead of the findings; a directory without
                anything in it ends in ``/``.
        """
        findings = Findings()
        base = os.fsencode(root)
        real = {b""}
        rows = self._db.execute(
            "SELECT files.*, data FROM files LEFT JOIN pointers USING (path) ORDER BY path"
        )
        for path, mode, oid, *seen, pointer in rows:
            findings.files += 1
            kind = "missing"
            if _is_real(base, os.path.dirname(path), real):
                known = None if full else tuple(seen)
                kind = compare(os.path.join(base, path), mode, oid, known, pointer or b"")
            if kind:
                findings.add(kind, path)
        for path in walk(root):
            if self.entry(path.removesuffix(b"/")) is None:
                if stray is None:
                    findings.add("extra", path)
                else:
                    stray(path)
        return findings


def _ours(error: sqlite3.Error, path: Path) -> DeployError:
    """What sqlite's error means; before Python 3.11 there is nothing but its text to tell by."""
    text = str(error)
    if "full" in text:
        return DiskFull(
            f"no space left for the manifest ({text})",
            path=str(path),
            next=f"free space (df -h {path.parent}), then run the same command again",
        )
    if "readonly" in text or "unable to open" in text:
        return NoPermission(
            f"the manifest cannot be written ({text})",
            path=str(path),
            next="check the owner and mode of this path, and the user that Salt runs as",
        )
    if "locked" in text or "I/O error" in text:
        return DeployError(
            f"the manifest cannot be used ({text})",
            path=str(path),
            next="look for a process that holds it (fuser) and at the kernel's log (dmesg), then try again",
        )
    return Unreadable(
        f"the manifest is damaged ({text})", path=str(path), next="the next fetch makes the tree anew"
    )


def compare(
    path: bytes, mode: str, oid: str, seen: tuple[int, ...] | None = None, pointer: bytes = b""
) -> str:
    """How the file at ``path`` differs from what it should be: ``missing``, ``changed`` or "".

    Args:
        path: absolute.
        mode, oid: what it should be, as git says it.
        seen: size, mtime, ctime (ns) and inode when it was last known to be right; a file with the same ones is
            not read. None: read it in any case.
        pointer: what the blob holds, where the file should hold what that points to.
    """
    try:
        now = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if mode == GITLINK:
        return "" if stat.S_ISDIR(now.st_mode) else "changed"
    if git_mode(now) != (FILE if pointer and mode == SYMLINK else mode):
        return "changed"
    found = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    # the content may have further names in other trees, and the ctime changes with each that comes or goes
    if seen and (found == seen or (pointer and _without_ctime(found) == _without_ctime(seen))):
        return ""
    try:
        same = _is_content(path, mode, oid, pointer) if pointer else blob_id(path, now, len(oid)) == oid
    except FileNotFoundError:  # its users are at work
        return "missing"
    return "" if same else "changed"


def _without_ctime(seen: tuple[int, ...]) -> tuple[int, ...]:
    size, mtime, _, inode = seen
    return size, mtime, inode


def _is_content(path: bytes, mode: str, oid: str, data: bytes) -> bool:
    """Whether the blob is this pointer, and the file what it points to."""
    blob = hasher(len(data), len(oid))
    blob.update(data)
    try:
        pointer = pointers.read(mode, data)
    except pointers.NoPointer:
        return False
    return blob.hexdigest() == oid and pointer is not None and _fed(path, pointer.hasher()) == pointer.digest


def git_mode(seen: os.stat_result) -> str:
    """git's mode of what ``seen`` describes; ``000000`` for what git cannot hold."""
    if stat.S_ISLNK(seen.st_mode):
        return SYMLINK
    if stat.S_ISREG(seen.st_mode):
        return "100755" if seen.st_mode & stat.S_IXUSR else "100644"
    return NOTHING


def hasher(size: int, oid_length: int) -> hashlib._Hash:
    """A hash that becomes a blob's id once the content has been fed to it (gitformat: ``blob <size> NUL``)."""
    digest = hashlib.sha256() if oid_length == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    return digest


def blob_id(path: bytes, seen: os.stat_result, oid_length: int) -> str:
    """The git blob id of the file or symbolic link at ``path``."""
    digest = hasher(seen.st_size, oid_length)
    if stat.S_ISLNK(seen.st_mode):
        digest.update(os.readlink(path))
        return digest.hexdigest()
    return _fed(path, digest)


def _fed(path: bytes, digest: hashlib._Hash) -> str:
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _is_real(base: bytes, directory: bytes, known: set[bytes]) -> bool:
    """Whether ``directory`` and those above it are real directories; a link may show other files tomorrow.

    Args:
        known: those below ``base`` of which it is known; grows.
    """
    unknown = []
    while directory not in known:
        unknown.append(directory)
        directory = os.path.dirname(directory)
    for directory in reversed(unknown):
        try:
            if not stat.S_ISDIR(os.lstat(os.path.join(base, directory)).st_mode):
                return False
        except (FileNotFoundError, NotADirectoryError):
            return False
        known.add(directory)
    return True


def walk(root: Path) -> Iterator[bytes]:
    """Every path below ``root``, relative to it, except directories that hold something; no link is followed.

    An empty directory ends in ``/``.
    """
    base = os.fsencode(root)
    todo = [b""]
    while todo:
        directory = todo.pop()
        try:
            with os.scandir(os.path.join(base, directory)) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):  # its users are at work
            continue
        if directory and not found:
            yield directory + b"/"
        for name, is_directory in found:
            path = os.path.join(directory, name)
            if is_directory:
                todo.append(path)
            else:
                yield path
