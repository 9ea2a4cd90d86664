"""Compares mounted releases with the trees of their commits, and finds their roots."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from saltdeploy.config.exclude import NOTHING_LEFT_OUT, LeftOut
from saltdeploy.content import release_root
from saltdeploy.content.compare import FileEntry
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.source import ContentStream, Files
from saltdeploy.content.verify import Findings, verify_tree
from saltdeploy.git.objects import drop_changes, read_changes
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.lib.errors import Corrupt, GitFailed


class Comparison:
    """What mounts should hold.

    Args:
        changes: lists the files of commits.
        trees: where commits and trees are, for errors.
        catalogue: the database of the release that was compared last, see :mod:`saltdeploy.content.release_root`.
        left_out: what is no part of a release's tree.
    """

    def __init__(
        self, changes: Changes, trees: TreeStore, catalogue: Path, left_out: LeftOut = NOTHING_LEFT_OUT
    ) -> None:
        self._changes = changes
        self._trees = trees
        self._catalogue = catalogue
        self._left_out = left_out

    def compare(
        self,
        tree: Path,
        commit: str,
        *,
        full: bool,
        alone: bool,
        part: PathSlice | None = None,
        links: Collection[bytes] = (),
    ) -> Findings:
        """Compare a tree with a commit.

        Args:
            full: every byte; otherwise which files there are, and their modes.
            part: files of which every byte is compared besides.
            alone: no other releases are below it, whose files would be no difference.
            links: paths that are no difference either.

        Raises:
            Corrupt: the commit's trees cannot be read.
        """
        known = set(links)
        with tempfile.TemporaryFile() as content, Manifest(self._catalogue) as catalogue:
            try:
                self._changes.reader.diff("", commit, content)
                if self._left_out:
                    drop_changes(content, self._left_out.holds)
            except GitFailed as error:
                raise Corrupt(
                    f"the trees of {commit} cannot be read: {error.cause}",
                    path=str(self._trees.git_dir),
                    next=self._trees.advice,
                ) from error
            digests = catalogue if catalogue.commit() == commit else None
            expected = _expected(tree, content, known, digests, full=full, part=part)
            is_expected = known.__contains__ if alone else None
            return verify_tree(expected, tree, full=full, part=part, is_expected=is_expected, unreadable=True)

    def root_of(self, tree: Path, commit: str) -> str:
        """The root of a mounted release; what has changed since the last that it was asked of is read.

        Raises:
            Corrupt: the images cannot be read, or hold other bytes.
        """
        source = _Mount(tree)
        try:
            return release_root.root_of(
                self._catalogue, commit, self._changes.reader, source, (), self._left_out
            )
        except OSError as error:  # what a damaged image gives
            raise Corrupt(
                f"the images cannot be read: {error.strerror}", path=source.place, next=source.advice
            ) from error


class _Mount:
    """What is mounted, as a source of contents."""

    def __init__(self, tree: Path) -> None:
        self.place = str(tree)
        self.advice = "run the same command again; if it repeats, look at the images of the release (dmesg)"
        self.brings = 0
        self._tree = tree

    def need(self, oids: IO[bytes]) -> int:
        """Nothing is written."""
        return 0

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """The files as they are."""
        yield Files(self._tree, self.advice)


def _expected(
    tree: Path,
    content: IO[bytes],
    known: set[bytes],
    digests: Manifest | None,
    *,
    full: bool,
    part: PathSlice | None,
) -> Iterator[FileEntry]:
    """The files of a commit. An image does not change: without ``full`` a file is what is there, if its mode fits.

    Args:
        content: all files, as changes from nothing.
        known: grows by their paths.
        digests: knows the digests of this commit.
    """
    root = os.fsencode(tree)
    for change in read_changes(content):
        known.add(change.path)
        entry = FileEntry(change.path, change.mode, change.oid)
        if full or (part is not None and change.path in part):
            yield entry._replace(digest=digests.digest(change.path) if digests else None)
        else:
            yield _as_it_is(entry, os.path.join(root, change.path))


def _as_it_is(entry: FileEntry, place: bytes) -> FileEntry:
    try:
        now = os.lstat(place)
    except OSError:
        return entry
    return entry._replace(size=now.st_size, mtime=now.st_mtime_ns, ctime=now.st_ctime_ns, inode=now.st_ino)
