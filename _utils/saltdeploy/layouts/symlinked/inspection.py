"""Whether a tree is still what its manifest says, by a look at as little of it as will do."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path

from saltdeploy.content.manifest import Manifest
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.content.verify import Findings
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.layouts.symlinked.tree import Slot, TreeState, find_root


def check_commit_and_root(manifest: Manifest, state: TreeState) -> None:
    """See to it that a manifest is that of a tree.

    Raises:
        Unreadable: it is not.
    """
    if manifest.commit() != state.commit or (state.root and manifest.root() != state.root):
        raise wrong_manifest(manifest, state)


def wrong_manifest(manifest: Manifest, state: TreeState) -> Unreadable:
    """The error for a manifest that is another tree's."""
    return Unreadable(
        f"the manifest does not list the files of {state.commit}",
        path=str(manifest.path),
        next="the next fetch rebuilds the tree",
    )


def check_by_stat(
    slot: Slot, state: TreeState, root: str, work: WorkTree, limit: int, *, in_use: Callable[[], bool]
) -> tuple[bool, list[str]]:
    """Compare a complete tree by its stat; and its root, if it has to be a certain one.

    What its users wrote next to the release's files is theirs while the tree is in use, and rubbish afterwards.

    Args:
        work: deletes rubbish.
        limit: see :func:`directories_to_check`.
        in_use: whether users read the tree; asked only where that matters, since all processes are looked at for it.

    Returns:
        Whether it is the release, and the blobs whose files hold something else.
    """
    damaged: list[str] = []
    try:
        with slot.manifest() as manifest:
            check_commit_and_root(manifest, state)
            if not state.root and not find_root(slot, state, manifest):
                return False, damaged
            if root not in ("", manifest.root()):
                return False, damaged
            return _compare(slot, manifest, work, limit, damaged, in_use=in_use).ok, damaged
    except Unreadable:
        return False, damaged


def _compare(
    slot: Slot,
    manifest: Manifest,
    work: WorkTree,
    limit: int,
    damaged: list[str],
    *,
    in_use: Callable[[], bool],
) -> Findings:
    in_use = functools.cache(in_use)

    def stray(path: bytes) -> None:
        if not in_use():
            work.remove_stray(path, manifest)

    among = directories_to_check(slot.tree, manifest, limit)
    findings = manifest.verify(slot.tree, full=False, among=among, stray=stray, damaged=damaged.append)
    work.sync()
    looked = among is None or bool(among)  # else every directory is as it was noted
    is_to_note = findings.ok and looked and manifest.holds_more_than(limit) and not in_use()
    if is_to_note:  # on a full disk nothing is noted, and all is compared again next time
        with contextlib.suppress(sqlite3.Error), manifest.transaction():
            note_directories(slot.tree, manifest, limit, among)
    return findings


def directories_to_check(tree: Path, manifest: Manifest, limit: int) -> set[bytes] | None:
    """The directories to compare, in a tree of more files than ``limit``: the changed ones; else None: all."""
    return manifest.ctimes.changed(tree) if manifest.holds_more_than(limit) else None


def note_directories(tree: Path, manifest: Manifest, limit: int, among: set[bytes] | None) -> None:
    """Note how directories are now, in a tree of more files than ``limit``; where all were compared, all of them."""
    if not manifest.holds_more_than(limit):
        return
    if among is None:
        manifest.ctimes.clear()
    manifest.ctimes.note(tree)
