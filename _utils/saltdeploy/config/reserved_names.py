"""Names that no repo may have: what is kept of it would lie where this package keeps something else."""

from __future__ import annotations

from saltdeploy.lib.errors import BadName

#: What lies beside the directories of repos in the cache of a minion.
_OF_MINIONS = frozenset({"booked", "booked.lock", "payloads", "swarm"})
#: What the master keeps beside a repo's own mirror, manifests and payloads is called by the repo's name with these behind it.
_ENDS = (".submodules", "+commits", "+submodules")


def refuse_reserved_name(name: str) -> None:
    """See to it that a repo has a name of its own.

    Raises:
        BadName: with one that it could have.
    """
    end = next((each for each in _ENDS if name.endswith(each)), "")
    if name in _OF_MINIONS:
        raise BadName(
            f"{name} is the name of a directory in which every minion keeps something else",
            repo=name,
            next=f"call it otherwise in repo_config: {name}-releases",
        )
    if end:
        own = name.removesuffix(end)
        raise BadName(
            f"{name} is what this master calls things of a repo {own}",
            repo=name,
            next=f"call it otherwise in repo_config: {own}-{end[1:]}",
        )
