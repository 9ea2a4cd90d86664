"""Takes over what an operator names into what is shared: of the live tree at once, or from another directory.

What is there already is never touched. A move within one file system is one step, as in a switch. A copy appears as a
whole, under a name of our own first; what it was copied from stays.
"""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from saltdeploy.layouts.symlinked.shared import SharedArea
from saltdeploy.layouts.symlinked.shared_place import sync
from saltdeploy.lib import copying, disk
from saltdeploy.lib.below import Below
from saltdeploy.lib.errors import NotReady, Unsupported
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument

log = logging.getLogger(__name__)

MOVED, COPIED, LINKED, THERE, NOWHERE = "moved", "copied", "linked", "there already", "not found"


_FACTS = {what: what.replace(" ", "_") for what in (MOVED, COPIED, LINKED, THERE, NOWHERE)}


class Adoption(SharedArea):
    """As :class:`SharedArea`, for an operator who does not wait for the next switch."""

    def adopt(self, paths: Collection[str], live: Path, source: str) -> dict[str, str]:
        """Take over paths that the pillar shares.

        Args:
            paths: of these; none: all.
            live: what is live, whatever it is.
            source: a directory that has them; "" for what is live.

        Returns:
            Path to what was done: ``moved``, ``copied``, ``linked``, ``there already``, ``not found``.

        Raises:
            Unsupported: a path is not shared by the pillar, of another kind, or cannot be moved.
            NotReady: there is no such directory.
            DiskFull, NoPermission, DeployError: of the operating system. Nothing that was there has changed.
        """
        self._refuse_unshared(paths)
        root = Path(os.path.realpath(source or live))
        if not root.is_dir():
            raise NotReady(
                "there is no such directory here" if source else "nothing is live here yet",
                repo=self._repo.name,
                path=source or str(live),
                next=f"salt-run deploy.adopt {argument('repo', self._repo.name)} source=DIRECTORY, which has the files",
            )
        try:
            disk.make_directory(self._place)
            self._recover()
            with Below(self._place) as place, Below(root) as tree:
                wanted = [path for path in self._paths if not paths or os.fsdecode(path) in paths]
                return {
                    os.fsdecode(path): self._adopt_one(tree, place, path, move=not source) for path in wanted
                }
        except OSError as error:
            raise from_os(error, repo=self._repo.name, path=str(self._place)) from error

    def _refuse_unshared(self, paths: Collection[str]) -> None:
        strange = sorted(set(paths) - set(self._repo.paths.shared.paths))
        if strange or not self._paths:
            named = ", ".join(strange or ["nothing"])
            key = "dirs" if strange and strange[0].endswith("/") else "files"
            raise Unsupported(
                f"the pillar shares {', '.join(self._repo.paths.shared.paths) or 'nothing'}, and {named} is to be taken over"
                if strange
                else "the pillar shares nothing of this repo, so there is no place for it",
                repo=self._repo.name,
                path=f"repo_config:{self._repo.name}:shared",
                next=f"add it to the pillar, such as shared: {{{key}: [{strange[0] if strange else 'PATH'}]}}; then "
                "salt '*' saltutil.refresh_pillar, and the same command again",
            )

    def _adopt_one(self, tree: Below, place: Below, path: bytes, *, move: bool) -> str:
        if self._is_there(place, path):
            return THERE
        seen = tree.seen(path)
        if seen is None:
            return NOWHERE
        if stat.S_ISLNK(seen.st_mode):
            return self._link_as_it_is(tree, place, path)
        if stat.S_ISDIR(seen.st_mode) != (path in self._dirs):
            raise self._unfit(
                path,
                f"{os.fsdecode(tree.at(path))} is of another kind",
                "name it under the other key of `shared`",
            )
        if not move:
            self._copy_over(tree, place, path)
            return COPIED
        if seen.st_dev != os.stat(self._place).st_dev:
            raise self._unfit(
                path,
                f"what is live has it at {os.fsdecode(tree.at(path))}, on another file system, where it cannot be moved "
                "from in one step",
                "while nothing writes there: salt-run deploy.adopt "
                f"{argument('repo', self._repo.name)} {argument('path', os.fsdecode(path))} "
                f"source={shlex.quote(os.fsdecode(tree.at(b'')))}",
            )
        self._take_one(tree, place, path)
        return MOVED

    def _link_as_it_is(self, tree: Below, place: Below, path: bytes) -> str:
        """A link of the operator's leads to where it led."""
        real = os.path.realpath(os.fsdecode(tree.at(path)))
        if not os.path.exists(real):
            return NOWHERE
        self._make_parents(path)
        name, at = place.place(path)
        os.symlink(real, name, dir_fd=at)
        sync(at)
        return LINKED

    def _copy_over(self, tree: Below, place: Below, path: bytes) -> None:
        need, names = copying.sizes(tree, path)
        disk.refuse_without_space(self._place, need, names)
        aside = b".deploy-making-%s" % secrets.token_hex(4).encode()
        place.make_directory(aside)
        try:
            made = aside + b"/new"
            done = copying.copy(tree, path, place, made)
            disk.sync_all(self._place)
            self._make_parents(path)
            self._put(place, made, path)
        finally:
            place.remove(aside)
        if done.left_out:
            log.warning(
                "%s: %s of %s are neither files, directories nor links, and were left out",
                self._repo.name,
                done.left_out,
                os.fsdecode(path),
            )


def facts(done: dict[str, str]) -> dict[str, Any]:
    """The same, as a host tells it: what was done to which paths."""
    told: dict[str, list[str]] = {}
    for path, what in done.items():
        told.setdefault(what, []).append(path)
    return {_FACTS[what]: ", ".join(sorted(paths)) for what, paths in told.items()}
