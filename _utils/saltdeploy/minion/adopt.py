"""Takes over into what is shared what an operator names, without a deploy."""

from __future__ import annotations

from collections.abc import Collection

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.layouts.overlay.base import MountedReleases
from saltdeploy.layouts.symlinked.adopt import facts
from saltdeploy.layouts.symlinked.base import SymlinkedTrees
from saltdeploy.lib import flock
from saltdeploy.lib.errors import Unsupported
from saltdeploy.minion.context import Host
from saltdeploy.minion.record import Record
from saltdeploy.minion.stages import status, with_facts
from saltdeploy.protocol.result import Result


def adopt(repo: Repo, host: Host, paths: Collection[str], source: str) -> Result:
    """Take over paths; it waits for a stage that is under way.

    Args:
        paths: those of the pillar's ``shared`` that are meant; none: all.
        source: a directory that has them, and keeps them; "" for what is live, from where they move.

    Returns:
        The facts ``moved``, ``copied``, ``linked``, ``there_already`` and ``not_found`` name paths.

    Raises:
        Unsupported, NotReady, DiskFull, NoPermission: see :meth:`saltdeploy.layouts.symlinked.adopt.Adoption.adopt`.
    """
    refuse_contents(repo)
    layout = layouts.of(repo)
    if not isinstance(layout, (SymlinkedTrees, MountedReleases)):
        raise Unsupported(
            f"layout {repo.layout.name} has no shared paths",
            repo=repo.name,
            path=f"repo_config:{repo.name}:layout",
            next="choose layout slots, releases or overlay",
        )
    with flock.locked(Record(host.cache, repo.name).lock, wait=True):
        done = layout.adopt(paths, source)
    return with_facts(status(repo, host), **facts(done))
