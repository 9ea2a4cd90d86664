"""What lies at a location before the first release of ours comes there."""

from __future__ import annotations

from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.content.untracked import NOTHING_UNTRACKED, Known, KnownPaths, Untracked, in_foreign


def of_foreign(repo: Repo, coming: Known | None) -> Untracked:
    """What is at a repo's location and not in the release that comes there first.

    Args:
        coming: that release; None: nothing is known of it, so all that is there counts.
    """
    there = Path(repo.paths.location).resolve()
    if not there.is_dir():
        return NOTHING_UNTRACKED
    return in_foreign(there, coming or KnownPaths(()), repo.paths.shared)
