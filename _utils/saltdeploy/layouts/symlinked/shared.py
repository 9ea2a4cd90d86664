"""What all trees of a repo share: uploads, caches, a file with passwords. It lies beside the trees, and each has links to it.

It is the host's own. No release changes it, no digest knows it, and nothing of it is ever deleted or overwritten here: what
is there stays, what is not there is made once, and what the tree that is live has at such a path moves there as it is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shlex
import stat
import tempfile
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.owner import TreeOwner, of_host
from saltdeploy.content.source import Contents
from saltdeploy.git.repository import Progress
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.layouts.symlinked.changes import Changes
from saltdeploy.layouts.symlinked.shared_place import SharedPlace, parents, sync
from saltdeploy.lib import disk
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import Corrupt, NotReady
from saltdeploy.lib.os_errors import from_os

log = logging.getLogger(__name__)

_MAKING = re.compile(rb"\.deploy-making-[0-9a-f]{8}")
_TAKING = "taking.json"


class SharedArea(SharedPlace):
    """The shared paths of one repo on this host. Only one process at a time uses it."""

    def __init__(self, repo: Repo, changes: Changes, incoming: Path) -> None:
        super().__init__(repo)
        self._changes = changes
        self._incoming = incoming
        self._taking = repo.paths.area / _TAKING  # ours alone: the place may be the users'

    # -- making -----------------------------------------------------------------------------------------

    def make(
        self, commit: str, contents: Contents, live: Path | None, tell: Progress, *, whole: bool
    ) -> dict[str, Any]:
        """Make what is not there yet; what the live tree has at such a path is left for :meth:`take_over`.

        Args:
            commit: whose files are taken where it has some.
            contents: of its files.
            live: what is live now, whatever it is; None: nothing that anybody could have written into.
            whole: the contents are known to be there.

        Returns:
            Facts: ``shared`` names what was made.

        Raises:
            NotReady: a shared file is nowhere.
            Unsupported: what is there is of another kind, or cannot be moved.
            DiskFull, NoPermission, DeployError: of the operating system. Nothing that was there has changed.
        """
        if not self._paths:
            return {}
        made = []
        try:
            disk.make_directory(self._place)
            self._recover()
            with Below(self._place) as below:
                for path in self._paths:
                    if self._is_there(below, path) or (live and self._is_to_come(live, path)):
                        continue
                    self._make_one(below, path, commit, contents, tell, whole=whole)
                    made.append(os.fsdecode(path))
        except OSError as error:
            raise from_os(error, repo=self._repo.name, path=str(self._place)) from error
        return {"shared": ", ".join(made)} if made else {}

    def _is_there(self, below: Below, path: bytes) -> bool:
        """Whether it is there; a link of the operator's may lead anywhere."""
        seen = below.seen(path)
        if seen is None:
            return False
        if not stat.S_ISLNK(seen.st_mode) and stat.S_ISDIR(seen.st_mode) != (path in self._dirs):
            wanted, there = ("directory", "file") if path in self._dirs else ("file", "directory")
            raise self._unfit(
                path,
                f"the pillar says that it is a shared {wanted}, and a {there} is there",
                "name it under the other key of `shared`",
            )
        return True

    def _is_to_come(self, live: Path, path: bytes) -> bool:
        """Whether the live tree has something there, which will move."""
        with Below(Path(os.path.realpath(live))) as tree:
            seen = tree.seen(path) if live.is_dir() else None
            if seen is None:
                return False
            target, source = self._at(path), os.fsdecode(tree.at(path))
            if stat.S_ISLNK(seen.st_mode):
                real = os.path.realpath(source)
                if real == os.path.realpath(target):
                    return False
                self._make_parents(path)
                with Below(self._place) as place:
                    name, at = place.place(path)
                    os.symlink(real, name, dir_fd=at)  # as the operator has it
                return True
            if stat.S_ISDIR(seen.st_mode) != (path in self._dirs):
                raise self._unfit(
                    path, f"{source} is of another kind", "name it under the other key of `shared`"
                )
            if seen.st_dev != os.stat(self._place).st_dev:
                copy = f"cp -a -- {shlex.quote(source)} {shlex.quote(target)}"
                raise self._unfit(
                    path,
                    f"what is live has it at {source}, on another file system, where it cannot be moved from in one step",
                    f"on the host, while nothing writes there: mkdir -p -- {shlex.quote(os.path.dirname(target))} && {copy}",
                )
        return True

    def _make_one(
        self, below: Below, path: bytes, commit: str, contents: Contents, tell: Progress, *, whole: bool
    ) -> None:
        aside = b".deploy-making-%s" % secrets.token_hex(4).encode()
        owner = of_host(self._repo.contents.owner, self._repo.name)
        below.make_directory(aside)
        try:
            if not self._copy(aside, path, commit, contents, tell, owner, whole=whole):
                if path not in self._dirs:
                    raise NotReady(
                        "this shared file is neither on this host nor in the release",
                        repo=self._repo.name,
                        path=self._at(path),
                        next=f"put it there: install -D -m 640 FILE {shlex.quote(self._at(path))}; then run the same command again",
                    )
                for parent in parents(aside + b"/" + path + b"/x"):
                    if below.seen(parent) is None:
                        below.make_directory(parent)
                if owner is not None:
                    name, at = below.place(aside + b"/" + path)
                    owner.give_directory(path, name, at)
            disk.sync_all(self._place)
            self._make_parents(path)
            self._put(below, aside + b"/" + path, path)
        finally:
            below.remove(aside)

    @staticmethod
    def _put(below: Below, made: bytes, path: bytes) -> None:
        """Let what was made appear, as a whole."""
        name, at = below.place(made)
        source = os.dup(at)
        try:
            new, at = below.place(path)
            os.rename(name, new, src_dir_fd=source, dst_dir_fd=at)
            sync(at)
        finally:
            os.close(source)

    def _copy(self, aside: bytes, path: bytes, commit: str, contents: Contents, tell: Progress,
              owner: TreeOwner | None, *, whole: bool) -> bool:  # fmt: skip
        """Write what the release has at the path; False where it has nothing, or its contents are not here any more."""
        root, scratch = self._place / os.fsdecode(aside), self._incoming / "shared.db"
        disk.remove_tree(scratch)
        with (
            tempfile.TemporaryFile(dir=self._incoming) as changes,
            tempfile.TemporaryFile(dir=self._incoming) as oids,
        ):
            self._changes.list_shared(commit, path, changes)
            with contextlib.closing(WorkTree(root, self._incoming, contents, owner=owner)) as work:
                count = work.oids_to_write(changes, oids)
                if not count:
                    return False
                try:
                    disk.refuse_without_space(self._place, contents.need(oids) or 0, count)
                    with Manifest(scratch) as manifest, manifest.transaction():
                        work.apply(changes, oids, count, manifest, tell)
                except Corrupt:
                    if whole:
                        raise
                    return False
        return True

    # -- taking over ------------------------------------------------------------------------------------

    def take_over(self, live: Path | None) -> dict[str, Any]:
        """Move what the live tree has at shared paths to where it is shared, as it is, and leave links.

        It happens in the switch, and moves names only: what users wrote until then is there, and the tree that is left
        goes on with it.

        Returns:
            Facts: ``taken_over`` names what has moved.
        """
        if not self._paths or live is None or not live.is_dir():
            return {}
        taken = []
        try:
            self._recover()
            with Below(self._place) as place, Below(Path(os.path.realpath(live))) as tree:
                for path in self._paths:
                    seen = tree.seen(path)
                    if place.seen(path) is None and seen is not None and not stat.S_ISLNK(seen.st_mode):
                        self._take_one(tree, place, path)
                        taken.append(os.fsdecode(path))
        except OSError as error:
            raise from_os(error, repo=self._repo.name, path=str(self._place)) from error
        return {"taken_over": ", ".join(taken)} if taken else {}

    def _take_one(self, tree: Below, place: Below, path: bytes) -> None:
        """One step where the kernel can do that: a link that leads to itself, which nobody has read, becomes the tree's."""
        source, target = os.fsdecode(tree.at(path)), os.fsencode(self._at(path))
        self._make_parents(path)
        (name, at), (new, there) = tree.place(path), place.place(path)
        os.symlink(target, new, dir_fd=there)
        if not disk.exchange_at(name, at, new, there):
            os.unlink(new, dir_fd=there)
            disk.write_json(self._taking, {"from": source, "path": os.fsdecode(path)}, mode=0o600)
            os.rename(name, new, src_dir_fd=at, dst_dir_fd=there)
            os.symlink(target, name, dir_fd=at)
        sync(there)
        sync(at)
        (self._taking).unlink(missing_ok=True)
        log.info("%s: %s is shared from now on, at %s", self._repo.name, source, self._at(path))

    def _recover(self) -> None:
        """Finish what a process that was killed has begun, and delete what it was making."""
        if self._place.is_dir():
            self._clear()
        disk.clear_asides(self._taking)
        taking = disk.read_json(self._taking, {})
        if taking:
            source, target = taking["from"], self._at(os.fsencode(taking["path"]))
            is_moved = os.path.lexists(target) and not os.path.lexists(source)
            if is_moved and os.path.isdir(os.path.dirname(source)):
                os.symlink(target, source)
            self._taking.unlink()

    def _clear(self) -> None:
        """Delete what a process that was killed was making."""
        with Below(self._place) as below:
            for name, _ in below.entries(b""):
                if _MAKING.fullmatch(name):
                    below.remove(name)
            for path in self._paths:
                seen = below.seen(path)
                if (
                    seen is not None
                    and stat.S_ISLNK(seen.st_mode)
                    and self._reads(below, path) == os.fsencode(self._at(path))
                ):
                    # it leads to itself, and should have changed places with what is live
                    name, at = below.place(path)
                    os.unlink(name, dir_fd=at)
