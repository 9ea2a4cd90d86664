"""The guards that look at what a release holds, as a deploy asks them."""

from __future__ import annotations

from saltdeploy.config import Repo
from saltdeploy.git.repository import Tag
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.planning import release_guards, removal


def refuse_dangerous(repo: Repo, source: Source, tag: Tag, before: str, *, force: bool) -> None:
    """Ask about the signature and the trees, and unless the deploy is forced about submodules and about what is gone.

    Args:
        before: the commit that is pinned; "" when none is.
    """
    release_guards.refuse_unsigned(repo, source, tag)
    release_guards.refuse_flawed(repo, source, tag, before)
    if not force:
        release_guards.refuse_forgotten_update(repo, source, tag)
        removal.refuse_empty(repo, source, tag)
        removal.refuse_much_removed(repo, source, tag, before)
