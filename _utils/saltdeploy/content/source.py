"""Where the contents of a release's files come from while they are written: the object store, or somewhere else.

The commit and its trees say which paths there are and which blob each is. Whoever writes a file compares its bytes
with that blob's id, so a source of contents may be hostile: the worst that it can do is to fail the fetch.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from saltdeploy.config.exclude import NOTHING_LEFT_OUT, LeftOut
from saltdeploy.git.objects import SYMLINK, Blobs, Change, drop_changes, list_blobs, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.lib.below import Below, plain
from saltdeploy.lib.errors import Corrupt

_CHUNK = 1 << 20
Piece = tuple[int, Iterator[bytes]]
"""The size of a file, or of a link's target, and its bytes in pieces, which must all be taken."""


class ContentStream(Protocol):
    """Contents, one after the other."""

    def next(self, change: Change) -> Piece:
        """The content of the next file that is to be written.

        Raises:
            Corrupt: it is not there.
        """


class Contents(Protocol):
    """A source of contents.

    Attributes:
        place: where it is, for errors.
        advice: what to do when it gives wrong bytes.
        brings: bytes of all files that it has and a release that is here has not, where it does not know single ones.
    """

    place: str
    advice: str
    brings: int

    def need(self, oids: IO[bytes]) -> int | None:
        """The bytes of these blobs; None where that is not known before they come.

        Args:
            oids: a file of blob ids, one a line.

        Raises:
            Corrupt: one is missing.
        """

    def open(
        self, changes: IO[bytes], oids: IO[bytes], basis: Path
    ) -> contextlib.AbstractContextManager[ContentStream]:
        """Make ready to give the content of each change that has one, in the order of ``changes``.

        Args:
            changes: from :meth:`Reader.diff`.
            oids: their blobs, one a line.
            basis: a tree that holds an older release at the most.
        """


@contextlib.contextmanager
def supplied(
    reader: Reader,
    base: str,
    commit: str,
    contents: Contents,
    basis: Path,
    room: Path | None = None,
    left_out: LeftOut = NOTHING_LEFT_OUT,
) -> Iterator[tuple[IO[bytes], ContentStream]]:
    """What a commit has other than another one, and the contents of that.

    Args:
        reader: knows the trees of both.
        base: "" for a whole commit.
        basis: see :meth:`Contents.open`.
        room: where files may lie meanwhile; the system's place for them by default.
        left_out: paths that are left out.

    Yields:
        The changes, for :func:`saltdeploy.git.objects.read_changes`; and a supply for them, to be asked in their order.
    """
    with tempfile.TemporaryFile(dir=room) as changes, tempfile.TemporaryFile(dir=room) as oids:
        reader.diff(base, commit, changes)
        if left_out:
            drop_changes(changes, left_out.holds)
        list_blobs(read_changes(changes), oids)
        with contents.open(changes, oids, basis) as supply:
            yield changes, supply


class Stored:
    """The blobs of a git object store."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self.place = str(store.git_dir)
        self.advice = store.advice
        self.brings = 0

    def need(self, oids: IO[bytes]) -> int:
        """The sizes that git knows."""
        return self._store.total_size(oids)

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """One git process gives them all."""
        with self._store.blobs(oids) as blobs:
            yield _OfGit(blobs)


class _OfGit:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def next(self, change: Change) -> Piece:
        return self._blobs.next(change.oid)


class Files:
    """The files of a tree, whoever wrote it.

    Args:
        root: the tree.
        advice: what to do when one is missing.
        drop: delete each file once it was taken, for a tree that nobody needs any more.
    """

    def __init__(self, root: Path, advice: str, *, drop: bool = False) -> None:
        self._tree = Below(root)
        self._advice = advice
        self._drop = drop

    def next(self, change: Change) -> Piece:
        """The file at the change's path. Links are not followed, and nothing but a plain file is opened."""
        try:
            if change.mode == SYMLINK:
                name, at = self._tree.place(change.path)
                target = os.readlink(name, dir_fd=at)
                return len(target), iter([target])
            fd = self._tree.open(change.path)
        except OSError as error:
            raise self._missing(change, error.strerror or "") from error
        seen = plain(fd)
        if seen is None:
            raise self._missing(change, "not a plain file")
        return seen.st_size, self._pieces(fd, seen.st_size, change.path)

    def _pieces(self, fd: int, size: int, path: bytes) -> Iterator[bytes]:
        """At most ``size`` bytes: the file may grow while it is read."""
        with os.fdopen(fd, "rb") as file:
            while size and (piece := file.read(min(size, _CHUNK))):
                size -= len(piece)
                yield piece
        if self._drop:
            self._tree.remove(path)

    def _missing(self, change: Change, why: str) -> Corrupt:
        name = change.path.decode("utf-8", "backslashreplace")
        return Corrupt(
            f"{name} is not there ({why})", path=os.fsdecode(self._tree.at(b"")), next=self._advice
        )
