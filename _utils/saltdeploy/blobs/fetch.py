"""Sees to it that the contents of a tree's pointers are on the shelf: those that lack are fetched, source by source.

The operator's sources come first, in their order, then the one that the release names itself, then, for git-annex, the
URLs that it has noted. What one source has not, or gives wrongly, is asked of the next. Nothing that is on the shelf
already is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from saltdeploy.blobs import upstream
from saltdeploy.blobs.cache import BlobCache
from saltdeploy.blobs.source import BlobSource, Cap
from saltdeploy.config import Repo, pointers
from saltdeploy.config.pointers import ANNEX
from saltdeploy.content.pointers import Pointer
from saltdeploy.git.command import Progress
from saltdeploy.lib import disk, reflink
from saltdeploy.lib.errors import DeployError, Unavailable

_BLOCK = 4096
_NAMED = 3  # sources and paths in a message

Wanted = dict[str, tuple[bytes, Pointer]]
"""Name of a content to a path that needs it, and the pointer."""


class BlobFetch:
    """The sources of one release.

    Args:
        repo: its configuration.
        tree: of the release.
        noted: the URLs that git-annex has noted; None where nobody has said them.
    """

    def __init__(self, repo: Repo, tree: Path, shelf: BlobCache, noted: BlobSource | None = None) -> None:
        self._repo = repo
        self._tree = tree
        self._shelf = shelf
        self._noted = noted

    def provide(self, stubs: Iterable[tuple[bytes, Pointer]], progress: Progress) -> tuple[int, int]:
        """Put the content of each pointer on the shelf.

        Args:
            stubs: paths and pointers.
            progress: hears of bytes.

        Returns:
            How many contents were received, and how many bytes that is.

        Raises:
            Unavailable: no source gave one of them.
            DiskFull: there is no room for them; nothing was fetched.
        """
        needed: Wanted = {}
        for path, pointer in stubs:
            needed.setdefault(pointer.name, (path, pointer))
        lacking = {name: each for name, each in needed.items() if not self._shelf.holds(each[1])}
        self._refuse_if_full(needed, lacking)
        if lacking:
            self._fetch(lacking, progress)
        return len(lacking), _size(lacking)

    def _refuse_if_full(self, needed: Wanted, lacking: Wanted) -> None:
        room = self._shelf.incoming
        for_tree = {} if reflink.shares(room) else needed
        need = _size(lacking) + _size(for_tree) + _BLOCK * (len(lacking) + len(for_tree))
        disk.refuse_without_space(room, need, len(lacking) + len(for_tree))

    def _fetch(self, lacking: Wanted, progress: Progress) -> None:
        total, done = _size(lacking), 0

        def hear(more: int) -> None:
            nonlocal done
            done += more
            progress("blobs", min(done, total), total, "bytes")

        reasons: dict[str, list[str]] = {}
        for kind in dict.fromkeys(pointer.kind for _, pointer in lacking.values()):
            wanted = {name: each for name, each in lacking.items() if each[1].kind == kind}
            for source in self._sources(kind):
                if not wanted:
                    break
                failed = source.fetch([pointer for _, pointer in wanted.values()], self._shelf, hear)
                for name, reason in failed.items():
                    reasons.setdefault(name, []).append(f"{source} {reason}")
                wanted = {name: each for name, each in wanted.items() if name in failed}
            if wanted:
                raise self._missing(kind, wanted, reasons)

    def _sources(self, kind: str) -> list[BlobSource]:
        cap = Cap(self._repo.delivery.rate, self._repo.delivery.booked)
        said = [upstream.named(place, cap) for place in self._repo.contents.blobs[kind]]
        noted = [self._noted] if self._noted is not None and kind == ANNEX else []
        return [*said, *upstream.of_release(kind, self._tree, self._repo.origin.url, cap), *noted]

    def _missing(self, kind: str, wanted: Wanted, reasons: dict[str, list[str]]) -> DeployError:
        name, (path, pointer) = next(iter(wanted.items()))
        why = "; ".join(reasons.get(name, [])[-_NAMED:]) or "no source is known"
        others = f" (and of {len(wanted) - 1} more)" if len(wanted) > 1 else ""
        advice = pointers.row(kind).advice
        named = f"{pointer.size} bytes {pointer.key or pointer.name}"
        return Unavailable(
            f"the content of this {kind} pointer{others} cannot be had, {named}: {why}",
            path=path.decode("utf-8", "backslashreplace"),
            next=f"put it into one of the sources, or add a source to repo_config:{self._repo.name}:blobs:{kind}"
            f"{f', or {advice}' if advice else ''}; then run the same command again",
        )


def _size(wanted: Wanted) -> int:
    return sum(pointer.size for _, pointer in wanted.values())
