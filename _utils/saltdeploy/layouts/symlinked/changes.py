"""What differs between commits, read from both stores of a repo: the objects, and the trees without contents."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

from saltdeploy.config.exclude import NOTHING_LEFT_OUT, LeftOut
from saltdeploy.git.objects import drop_changes, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Repository
from saltdeploy.git.tree_store import TreeStore
from saltdeploy.lib.errors import GitFailed

log = logging.getLogger(__name__)


class Changes:
    """Lists the files of commits, and what differs between them.

    Args:
        store, trees: the stores of one repo.
        left_out: what is no part of its trees.
    """

    def __init__(self, store: Repository, trees: TreeStore, left_out: LeftOut = NOTHING_LEFT_OUT) -> None:
        self._left_out = left_out
        self._store = store
        self._trees = trees

    @property
    def reader(self) -> Reader:
        """Reads every commit and tree that is here."""
        return self._trees.beside(self._store)

    def list_all(self, commit: str, changes: IO[bytes]) -> None:
        """List all files of a commit, as changes from nothing.

        Raises:
            Corrupt: the commit cannot be read.
        """
        try:
            self.reader.diff("", commit, changes)
        except GitFailed as error:
            store = self._trees if self._trees.has(commit) else self._store
            raise store.lacks(commit, error) from error
        self._leave_out(changes)

    def list_shared(self, commit: str, path: bytes, changes: IO[bytes]) -> None:
        """List what a commit has at a shared path, and below it.

        Raises:
            GitFailed: the commit cannot be read.
        """
        self.reader.diff("", commit, changes)
        drop_changes(changes, lambda each: each != path and not each.startswith(path + b"/"))

    def _leave_out(self, changes: IO[bytes]) -> None:
        if self._left_out:
            drop_changes(changes, self._left_out.holds)

    def list_since(self, commits: Collection[str], commit: str, changes: IO[bytes]) -> bool:
        """List what may differ between a commit and a tree that was on its way between others.

        Such a tree differs from the commit where one of the others does.

        Returns:
            False, and nothing is listed, where the store has lost one of the others.
        """
        try:
            self.reader.diff_any(commits, commit, changes)
            self._leave_out(changes)
            return True
        except GitFailed as error:
            log.debug("cannot compare %s with %s: %s", commit, " ".join(commits), error)
            changes.seek(0)
            changes.truncate()
            return False

    def distance(self, old: str, new: str, scratch: Path) -> int | None:
        """How many files differ; None where that is not known any more.

        Args:
            scratch: a directory for a temporary file.
        """
        with tempfile.TemporaryFile(dir=scratch) as changes:
            try:
                self.reader.diff(old, new, changes)
            except GitFailed:
                return None
            return sum(1 for _ in read_changes(changes))
