"""Where a release becomes live. Nothing else in the package switches the link at a live path.

Layouts ``slots``, ``releases`` and ``overlay`` have a symbolic link there, and :func:`activate` switches it by one
rename. Layout ``inplace`` has a work tree there: its first release comes by one rename as well
(:func:`activate_first`), and each later one by ``git checkout``, which is many steps. The checkout remembers the previous
release and records the new one as far as git's own refs can, and says so in the same line of the log.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.layouts.symlinked.selection import R, Selection
from saltdeploy.layouts.symlinked.tree import ReleaseTree, TreeState
from saltdeploy.lib import disk
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol.release import Release

log = logging.getLogger(__name__)


def activate(
    selection: Selection[R],
    chosen: R,
    release: Release,
    location: Path,
    *,
    back: bool = False,
    through: Path | None = None,
) -> dict[str, Any]:
    """Point ``location`` at a tree, unless it does so already, and record the generation.

    Args:
        selection: the trees as they are before.
        chosen: the tree of the release.
        location: the live path.
        back: this host is rolled back from what is live, which is bad therefore.
        through: where the tree is seen, if not at its own path.

    Returns:
        Facts: ``moved_aside`` names what was found at ``location`` and kept.

    Raises:
        DiskFull, NoPermission, DeployError: the link could not be switched.
    """
    facts: dict[str, Any] = {}
    generation = selection.last_generation()
    destination = through or chosen.tree
    if chosen != selection.live or os.path.realpath(location) != os.path.realpath(destination):
        generation = _remember_previous(selection, chosen, generation, back=back)
        facts = _switch(location, destination, release)
        log_activation(release, location, _live_tag(selection))
    state = dataclasses.replace(selection.states[chosen], tag=release.tag, bad=False)
    _record_generation(chosen, state, generation)
    return facts


def activate_first(work_tree: Path, location: Path, repo: str) -> dict[str, Any]:
    """Put a work tree at ``location`` in one step; the first release of layout ``inplace``.

    Args:
        repo: its name, for errors.

    Returns:
        Facts: ``moved_aside`` names what was found at ``location`` and kept.

    Raises:
        DiskFull, NoPermission, DeployError: it could not be put there.
    """
    with _explained(repo, location):
        return _facts(disk.install(work_tree, location))


def log_activation(release: Release, location: Path, before: str) -> None:
    """Say in the log that what users read has changed.

    Args:
        before: the release that was live, by its tag or commit; "" when none was.
    """
    log.info(
        "%s: %s is live at %s (%s), before: %s",
        release.repo,
        release.tag,
        location,
        _shown(location),
        before or "nothing",
    )


def _remember_previous(selection: Selection[R], chosen: R, generation: int, *, back: bool) -> int:
    """Record that the live tree was live last; a switch that was killed did not do so. Return its generation."""
    live = selection.live
    if live is None or not selection.states[live].complete:
        return generation
    state = selection.states[live]
    bad = state.bad or (back and chosen != live)
    return _record_generation(live, dataclasses.replace(state, bad=bad), generation)


def _switch(location: Path, destination: Path, release: Release) -> dict[str, Any]:
    """The moment when the release becomes live."""
    with _explained(release.repo, location):
        return _facts(disk.switch_link(location, destination))


@contextlib.contextmanager
def _explained(repo: str, location: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os(error, repo=repo, path=str(location)) from error


def _facts(moved_aside: str) -> dict[str, Any]:
    return {"moved_aside": moved_aside} if moved_aside else {}


def _record_generation(tree: ReleaseTree, state: TreeState, last: int) -> int:
    """Record that a tree was live last, unless that is recorded; return its generation."""
    generation = last if last and state.generation == last else last + 1
    recorded = dataclasses.replace(state, generation=generation)
    if recorded != tree.state():
        tree.note(recorded)
    return generation


def _live_tag(selection: Selection[R]) -> str:
    return selection.states[selection.live].tag if selection.live else ""


def _shown(location: Path) -> str:
    """Where the link leads; a work tree is where it is."""
    return os.readlink(location) if location.is_symlink() else "work tree"
