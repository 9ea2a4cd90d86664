"""What goes with which layout, besides transports."""

from __future__ import annotations

from saltdeploy.config.repo import Repo
from saltdeploy.lib.errors import Unsupported

_HOLD_MORE_THAN_GIT = ("slots", "releases")


def refuse_contents(repo: Repo) -> None:
    """See to it that the layout can hold contents of pointers and files of submodules, where the repo asks for them.

    Raises:
        Unsupported: it cannot.
    """
    if repo.shape and repo.layout not in _HOLD_MORE_THAN_GIT:
        raise Unsupported(
            f"layout {repo.layout} holds what git checks out and nothing else, and the repo asks for {repo.shape}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:layout",
            next="choose layout slots or releases; or leave out blobs, gitfat_enabled and checkout_submodules",
        )
