"""Guards that refuse a deploy before anything is asked of any host; ``force=True`` overrides them, and is recorded."""

from __future__ import annotations

from saltdeploy.config import Repo
from saltdeploy.errors import Frozen
from saltdeploy.freeze import active
from saltdeploy.master.plan import Source
from saltdeploy.repository import Tag


def refuse_frozen(repo: Repo, now: float, *, force: bool) -> None:
    """Refuse to deploy within a freeze window.

    Raises:
        Frozen: with the window's reason and end.
    """
    window = active(repo.freeze, now)
    if window is not None and not force:
        raise Frozen(
            f"deploys are frozen: {window}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:freeze",
            next="wait for its end; or, if it must be now: force=True",
        )


def refuse_dangerous(repo: Repo, source: Source, tag: Tag, before: str, *, force: bool) -> None:
    """Refuse a release that is not signed where it must be, or that lacks too much of the one before.

    Args:
        before: the commit that is pinned; "" when none is.
    """
