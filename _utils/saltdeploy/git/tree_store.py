"""Commits and their trees without the contents of files: what binds a release's paths, modes and blobs to its commit.

A git directory of its own. git takes a commit that it holds for one whose blobs it holds as well, and a fetch or a
bundle that builds upon such a commit would lack them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.git.command import STREAM
from saltdeploy.git.packer import Packer
from saltdeploy.git.reader import Reader, Tag
from saltdeploy.git.repository import Repository
from saltdeploy.git.submodule_store import SubmoduleStore, urls_of
from saltdeploy.lib import disk


class TreeStore(Repository):
    """The trees of one repo on a target."""

    _unlisted = ("--filter=blob:none",)

    def open(self) -> None:
        """Make the store, also where there is one that has lost what it should hold: its trees come again."""
        if self.git_dir.exists() and not (self.is_readable() and all(map(self.has, self.kept()))):
            disk.remove_tree(self.git_dir)
        self.ensure()
        self.recover()

    def adopt(self, commit: str, store: Packer, aside: Path) -> None:
        """Copy the trees of a commit from an object store, so that what builds upon them outlives that.

        Args:
            aside: where a file may lie meanwhile.
        """
        store.pack(Tag("base", commit, commit), "", aside, contents=False)
        try:
            self.unpack(aside, commit)
        finally:
            aside.unlink()

    def beside(self, store: Repository) -> Reader:
        """Reads the objects of both, as far as they can be: a repository has one hash."""
        if not self.git_dir.is_dir():
            return store
        if store.git_dir.is_dir() and store.format() == self.format():
            return self._seeing_also(store.git_dir)
        return self

    def _seeing_also(self, git_dir: Path) -> Reader:
        return Reader(self.git_dir, git_dir)

    def _tidy(self, most_packs: int) -> None:
        if len(list(self.git_dir.glob("objects/pack/*.pack"))) > most_packs:
            self._join()

    def _join(self) -> None:
        """Make one pack of what is held. ``git repack`` cannot: it looks for the blobs."""
        packs = self.git_dir / "objects" / "pack"
        kept = [commit for release in self.kept() for commit in (release, *self.parts(release))]
        wanted = "".join(f"{commit}\n" for commit in kept).encode()
        with tempfile.TemporaryFile(dir=packs) as joined:
            self._run(
                ["pack-objects", "--stdout", "--revs", "--filter=blob:none", "--quiet"],
                stdout=joined,
                input=wanted,
            )
            joined.seek(0)
            said = self._run([*STREAM, "index-pack", "--stdin"], stdin=joined).stdout.decode()
        name = f"pack-{said.split()[-1]}"
        for path in packs.glob("pack-*"):
            if path.stem != name:
                path.unlink()
        self.let_go()


class SubmoduleTreeStore(TreeStore, SubmoduleStore):
    """The trees of one repo whose submodules are part of its releases; see :mod:`saltdeploy.git.submodule_store`."""

    def _seeing_also(self, git_dir: Path) -> Reader:
        return SubmoduleStore(self.git_dir, self._urls, git_dir)


def trees_of(repo: Repo, git_dir: Path) -> TreeStore:
    """A target's store of trees, as the repo's configuration wants it."""
    return SubmoduleTreeStore(git_dir, urls_of(repo)) if repo.contents.submodules else TreeStore(git_dir)
