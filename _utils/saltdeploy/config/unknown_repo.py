"""A repo that is not in the pillar: whose pillar that is, and what is missing in top.sls."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from saltdeploy.lib.errors import UnknownRepo


def unknown_in_pillar(error: UnknownRepo, minion: str, whose: str, known: Sequence[str]) -> UnknownRepo:
    """The same, with the minion id whose pillar was compiled, and what top.sls does not give it.

    Args:
        whose: what that id is: ``this minion``, or ``this master``.
        known: the repos in that pillar.
    """
    shown = shlex.join(["salt-run", "pillar.show_pillar", minion])
    if known:
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        has = f"it has {', '.join(known[:5])}{more}"
        lead = f"{error.next}; else add" if error.next.startswith("did you mean") else "add"
        act = f"{lead} repo_config:{error.repo} to an sls that top.sls gives {minion}"
    else:
        has = "it has no repo_config at all: no entry in top.sls that matches this id names an sls with one"
        act = f"let an entry of top.sls that matches {minion} name the sls with repo_config"
    cause = f"{error.cause} of {minion}, the id of {whose}; {has}"
    return UnknownRepo(cause, repo=error.repo, next=f"{act}; {shown} shows what it has")
