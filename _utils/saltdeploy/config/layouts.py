"""The layouts by name, and what is known of each before a host is asked. The master knows no more of them.

A new layout is a row here and a file in :mod:`saltdeploy.layouts`, whose table has a class for each of these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltdeploy.config.values import of_keys
from saltdeploy.lib.errors import Unsupported

if TYPE_CHECKING:  # the repo's keys are read with this table
    from saltdeploy.config.repo import Repo

#: What a transport brings: commits with the contents of their files, into git's store ...
OBJECTS = "objects"
#: ... or commits and trees, and the contents of files apart from them ...
FILES = "files"
#: ... or commits and trees, and images of file systems.
IMAGES = "images"


@dataclass(frozen=True)
class LayoutTraits:
    """What a layout can do.

    Attributes:
        shapes: of what transports bring, those that it supports.
        submodules: it holds the files of submodules.
        blobs: it holds what pointers of git-lfs, git-fat and git-annex point to.
        several: it can show several releases at once.
        atomic: a release becomes live in one step.
        shared: its trees can have links to what they share.
        rendered: and to files that each host renders for each release.
        owned: its trees can have an owner and modes of their own.
        partial: its trees can be without a part of the release.
    """

    shapes: frozenset[str]
    submodules: bool
    blobs: bool
    several: bool = False
    atomic: bool = True
    shared: bool = False
    rendered: bool = False
    owned: bool = False
    partial: bool = False


#: A link leads to one of several trees beside each other.
_SYMLINKED = LayoutTraits(
    frozenset({OBJECTS, FILES, IMAGES}),
    submodules=True,
    blobs=True,
    shared=True,
    rendered=True,
    owned=True,
    partial=True,
)
LAYOUTS = {
    "slots": _SYMLINKED,
    "releases": _SYMLINKED,
    "inplace": LayoutTraits(frozenset({OBJECTS}), submodules=False, blobs=False, atomic=False),
    "overlay": LayoutTraits(
        frozenset({OBJECTS, IMAGES}), submodules=False, blobs=False, several=True, shared=True
    ),
}


@dataclass(frozen=True)
class LayoutChoice:
    """How a repo's releases lie on a target.

    Attributes:
        name: one of :data:`LAYOUTS`.
        slots: how many whole work trees layout ``slots`` keeps.
        keep_releases: how many releases layout ``releases`` keeps.
        visible_releases: how many releases layout ``overlay`` shows at once, the live one over older ones.
        stat_limit: files; up to this many, a fetch compares all unchanged ones with the record as well, above that those in
            directories that others have changed.
    """

    name: str
    slots: int
    keep_releases: int
    visible_releases: int
    stat_limit: int


def layout(keys: dict[str, Any]) -> LayoutChoice:
    """What holds for one repo, by the checked values of its section."""
    return of_keys(LayoutChoice, keys, name=keys["layout"])


def refuse_contents(repo: Repo) -> None:
    """See to it that the layout can hold contents of pointers and files of submodules, where the repo asks for them.

    Raises:
        Unsupported: it cannot.
    """
    traits = LAYOUTS[repo.layout.name]
    found = repo.paths.shared
    if (found.paths and not traits.shared) or (found.rendered and not traits.rendered):
        why = {
            "inplace": "its one tree stays where it is, and so does what git does not track in it: there is nothing to share",
        }.get(repo.layout.name, "its trees are mounted, and nothing of a single release can be put into them")
        key = "shared" if found.paths and not traits.shared else "config_files"
        others = (
            "layout slots or releases"
            if traits.shared or key != "shared"
            else "layout slots, releases or overlay"
        )
        raise Unsupported(
            f"layout {repo.layout.name} has no {key.replace('shared', 'shared paths')}: {why}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:{key}",
            next=f"leave `{key}` out, or choose {others}",
        )
    _refuse_owner(repo, traits)
    _refuse_exclude(repo, traits)
    _refuse_derivation(repo)
    if (repo.contents.blobs and not traits.blobs) or (repo.contents.submodules and not traits.submodules):
        raise Unsupported(
            f"layout {repo.layout.name} holds what git checks out and nothing else, and the repo asks for {repo.shape}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:layout",
            next="choose layout slots or releases; or leave out blobs, gitfat_enabled and checkout_submodules",
        )


def _refuse_owner(repo: Repo, traits: LayoutTraits) -> None:
    if not repo.contents.owner:
        return
    why, act = "", "leave `owner` out, or choose layout slots or releases"
    if not traits.owned:
        why = {"inplace": "git checkout writes its files, as whom the minion runs"}.get(
            repo.layout.name, "its images come as the master packed them"
        )
    elif repo.contents.blobs:
        why = "the contents of pointers have further names in other trees, and so one owner in all of them"
        act = "leave out `owner` or `blobs`"
    if why:
        raise Unsupported(
            f"layout {repo.layout.name} cannot give files an owner: {why}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:owner",
            next=act,
        )


def _refuse_derivation(repo: Repo) -> None:
    if repo.contents.derivation.converts and repo.contents.submodules:
        raise Unsupported(
            "attributes are followed in the repo's own files, and not in those of submodules",
            repo=repo.name,
            path=f"repo_config:{repo.name}:attributes",
            next="leave out `attributes` or checkout_submodules",
        )


def _refuse_exclude(repo: Repo, traits: LayoutTraits) -> None:
    if not repo.contents.exclude or traits.partial:
        return
    why = {"inplace": "git checks out all of a commit"}.get(
        repo.layout.name, "its images come as the master packed them"
    )
    raise Unsupported(
        f"layout {repo.layout.name} cannot leave out a part of a release: {why}",
        repo=repo.name,
        path=f"repo_config:{repo.name}:exclude",
        next="leave `exclude` out, or choose layout slots or releases",
    )
