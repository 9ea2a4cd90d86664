"""Trees of releases on the master, for rsync to read: ``exports/<repo>/<commit>``, beside the payloads.

A tree appears as a whole and never changes. The newest of a repo stays, others go when nobody has asked for long.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from saltdeploy import disk
from saltdeploy.contents import Stored, Supply
from saltdeploy.errors import Corrupt, from_os
from saltdeploy.gitobjects import GITLINK, SYMLINK, Change, read_changes
from saltdeploy.gitreader import Reader
from saltdeploy.release import check_commit, file_name


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
                    disk.remove_tree(aside)
            os.utime(tree)
        except OSError as error:
            raise from_os(error, path=str(tree)) from error
        return tree

    def collect(self, older_than: float) -> None:
        """Delete trees that nobody asked for since ``older_than`` (epoch), but the newest of each repo."""
        for home in self._directory.glob("*"):
            trees = sorted(home.iterdir(), key=lambda tree: tree.stat().st_mtime)
            for tree in trees[:-1]:
                if tree.stat().st_mtime < older_than:
                    disk.remove_tree(tree)


def _write(source: Reader, commit: str, root: Path) -> None:
    root.mkdir()
    root.chmod(0o755)
    made = {b""}
    with tempfile.TemporaryFile() as changes, tempfile.TemporaryFile() as oids:
        source.diff("", commit, changes)
        for change in read_changes(changes):
            if change.mode != GITLINK:
                oids.write(change.oid.encode() + b"\n")
        oids.flush()
        with Stored(source).open(changes, oids, root) as supply:
            for change in read_changes(changes):
                if change.mode != GITLINK:
                    _put(change, supply, os.fsencode(root), made)


def _put(change: Change, supply: Supply, root: bytes, made: set[bytes]) -> None:
    _make_directories(os.path.dirname(change.path), root, made)
    path = os.path.join(root, change.path)
    _, pieces = supply.next(change)
    try:
        if change.mode == SYMLINK:
            os.symlink(b"".join(pieces), path)
            return
        mode = 0o755 if change.mode == "100755" else 0o644
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise _twofold(change.path) from None
    with os.fdopen(fd, "wb") as file:
        file.writelines(pieces)
        os.fchmod(file.fileno(), mode)


def _make_directories(directory: bytes, root: bytes, made: set[bytes]) -> None:
    """Only directories that were made here are gone through: a link of the release may lead anywhere."""
    if directory in made:
        return
    _make_directories(os.path.dirname(directory), root, made)
    if os.path.basename(directory) in (b"", b".", b".."):
        raise _twofold(directory)
    try:
        os.mkdir(os.path.join(root, directory))
    except FileExistsError:
        raise _twofold(directory) from None
    os.chmod(os.path.join(root, directory), 0o755)
    made.add(directory)


def _twofold(path: bytes) -> Corrupt:
    return Corrupt(
        f"the release holds {path!r} twice, or it is no legal path",
        next="git fsck in the repository of the release",
    )
