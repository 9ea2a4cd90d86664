"""Where the shared paths of a repo are, and the links of trees to them."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import stat
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.content.owner import TreeOwner, of_host
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import Unsupported
from saltdeploy.lib.os_errors import from_os

log = logging.getLogger(__name__)

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class SharedPlace:
    """The shared paths of one repo on this host, as far as trees have links to them."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._place = repo.paths.shared_place
        self._paths = tuple(os.fsencode(path) for path in repo.paths.shared.paths)
        self._dirs = {os.fsencode(path) for path in repo.paths.shared.dirs}
        self._owner: TreeOwner | None = None

    def link(self, tree: Path, *, strict: bool = True) -> None:
        """See to it that a tree has a link at each shared path.

        Args:
            strict: something else that is there is an error; else it stays.

        Raises:
            Unsupported: the release has a link or a file where a directory must be, or something else is in the way.
        """
        if not self._paths:
            return
        self._owner = of_host(self._repo.contents.owner, self._repo.name)
        try:
            with Below(tree) as below:
                for path in self._paths:
                    self._link_one(below, path, strict=strict)
        except OSError as error:
            raise from_os(error, repo=self._repo.name, path=str(tree)) from error

    def _link_one(self, below: Below, path: bytes, *, strict: bool) -> None:
        for parent in parents(path):
            seen = below.seen(parent)
            if seen is None:
                below.make_directory(parent)
                if self._owner is not None:
                    self._owner.give_directory(parent, *below.place(parent))
            elif not stat.S_ISDIR(seen.st_mode):
                raise self._unfit(
                    path,
                    f"the release has something else than a directory at {os.fsdecode(parent)}",
                    "take it out of `shared`, or out of the release",
                )
        name, at = below.place(path)
        text, seen = os.fsencode(self._text(below, path)), below.seen(path)
        if seen is None:
            os.symlink(text, name, dir_fd=at)
        elif not stat.S_ISLNK(seen.st_mode):
            self._tell_in_the_way(below, path, strict=strict)
            return
        elif os.readlink(name, dir_fd=at) == text:
            return
        else:
            aside = b".%s.%s" % (name, secrets.token_hex(4).encode())
            os.symlink(text, aside, dir_fd=at)
            os.rename(aside, name, src_dir_fd=at, dst_dir_fd=at)
        sync(at)

    def links(self, tree: Path) -> dict[bytes, bool]:
        """Each shared path to whether the tree has its link there."""
        found = {}
        with Below(tree) as below:
            for path in self._paths:
                seen = below.seen(path)
                is_link = seen is not None and stat.S_ISLNK(seen.st_mode)
                found[path] = is_link and self._reads(below, path) == os.fsencode(self._text(below, path))
        return found

    @staticmethod
    def _reads(below: Below, path: bytes) -> bytes:
        name, at = below.place(path)
        return os.readlink(name, dir_fd=at)

    def _text(self, below: Below, path: bytes) -> str:
        """What the link says: beside the releases it is relative, so that it holds wherever all of that is seen."""
        target = self._at(path)
        if self._repo.paths.shared.place:
            return target
        return os.path.relpath(target, os.path.dirname(os.fsdecode(below.at(path))))

    def _tell_in_the_way(self, below: Below, path: bytes, *, strict: bool) -> None:
        there = os.fsdecode(below.at(path))
        if strict:
            raise self._unfit(
                path,
                f"somebody has put something at {there}, where the link to it belongs",
                f"on the host: mv -- {shlex.quote(there)} {shlex.quote(there + '.kept')}; then run the same command again",
            )
        log.warning(
            "%s: %s stays, and is not shared: the tree is of a time when it was not", self._repo.name, there
        )

    def _make_parents(self, path: bytes) -> None:
        with Below(self._place) as below:
            for parent in parents(path):
                if below.seen(parent) is None:
                    below.make_directory(parent)

    def _at(self, path: bytes) -> str:
        return str(self._place / os.fsdecode(path))

    def _unfit(self, path: bytes, why: str, hint: str) -> Unsupported:
        return Unsupported(f"{os.fsdecode(path)} cannot be shared: {why}", repo=self._repo.name,
                           path=self._at(path), next=hint)  # fmt: skip


def parents(path: bytes) -> list[bytes]:
    """The directories above a path, the topmost first."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def sync(at: int) -> None:
    """Make the names in an open directory survive a power cut."""
    fd = os.open(".", _READ, dir_fd=at)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
