"""Trees of releases on the master, for rsync to read: ``exports/<repo>/<commit>``, beside the payloads.

A tree appears as a whole and never changes. The newest of a repo stays, others go when nobody has asked for long.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from saltdeploy.content.source import ContentStream, Stored, supplied
from saltdeploy.git.objects import GITLINK, SYMLINK, Change, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.lib import disk
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol.release import check_commit, file_name


class Exports:
    """The exported trees in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def ensure(self, source: Reader, repo: str, commit: str) -> Path:
        """Export a commit, unless that was done before; return the tree.

        Raises:
            Corrupt, GitFailed: it cannot be laid out.
            DiskFull, NoPermission: there is no room for it.
        """
        home = self._directory / file_name(repo)
        tree = home / check_commit(commit)
        try:
            if not tree.is_dir():
                home.mkdir(parents=True, exist_ok=True)
                aside = home / f".{secrets.token_hex(8)}"
                try:
                    _write(source, commit, aside)
                    os.rename(aside, tree)
                finally:
                    for left in (aside, aside.with_name(f"{aside.name}.aside")):
                        disk.remove_tree(left)
            os.utime(tree)
        except OSError as error:
            raise from_os(error, path=str(tree)) from error
        return tree

    def collect(
        self, older_than: float, sweep: Cleanup | None = None, repos: Collection[str] | None = None
    ) -> None:
        """Delete trees that nobody asked for since ``older_than`` (epoch), but the newest of each repo.

        Args:
            repos: those that there are; of others no tree stays. None: all.
        """
        sweep = sweep or Cleanup(measure=False)
        for home in self._directory.glob("*"):
            trees = sorted(home.iterdir(), key=lambda tree: tree.stat().st_mtime)
            known = repos is None or home.name in map(file_name, repos)
            for tree in trees[:-1] if known else trees:
                if tree.stat().st_mtime < older_than:
                    sweep.drop("exports", tree)


def _write(source: Reader, commit: str, root: Path) -> None:
    root.mkdir()
    root.chmod(0o755)
    tree = _Tree(root)
    with supplied(source, "", commit, Stored(source), root) as (changes, supply):
        for change in read_changes(changes):
            if change.mode != GITLINK:
                tree.put(change, supply)


class _Tree:
    """A tree that is being written. Its paths are not trusted: a link of the release may lead anywhere.

    All is made under one name beside the tree and renamed to its place: a file system that spreads what is made in
    different directories over the disk takes several times as long otherwise.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._aside = self._root + b".aside"
        self._made = {b""}

    def put(self, change: Change, supply: ContentStream) -> None:
        """Write one file or link."""
        self._make_directory(os.path.dirname(change.path))
        _, pieces = supply.next(change)
        if change.mode == SYMLINK:
            os.symlink(b"".join(pieces), self._aside)
        else:
            with open(self._aside, "xb") as file:
                file.writelines(pieces)
                os.fchmod(file.fileno(), 0o755 if change.mode == "100755" else 0o644)
        self._place(change.path)

    def _make_directory(self, directory: bytes) -> None:
        """Only directories that were made here are gone through."""
        if directory in self._made:
            return
        self._make_directory(os.path.dirname(directory))
        os.mkdir(self._aside)
        os.chmod(self._aside, 0o755)
        self._place(directory)
        self._made.add(directory)

    def _place(self, path: bytes) -> None:
        place = os.path.join(self._root, path)
        if os.path.basename(path) in (b"", b".", b"..") or os.path.lexists(place):
            disk.remove_tree(Path(os.fsdecode(self._aside)))
            raise Corrupt(
                f"the release holds {path!r} twice, or it is no legal path",
                next="git fsck in the repository of the release",
            )
        os.rename(self._aside, place)
