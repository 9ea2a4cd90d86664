"""Where that comes from which a release names and its repository does not hold, as the pillar says it.

The kinds of blobs, and submodules. Each function takes what stands under one key and returns checked data; see :mod:`saltdeploy.config.values`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import pointers
from saltdeploy.config.exclude import NOTHING_DERIVED, NOTHING_LEFT_OUT, Derivation, LeftOut
from saltdeploy.config.owner import NOBODYS, Ownership, of_trebuchet
from saltdeploy.config.values import Wrong, text

#: What rsync takes for a place that is not on this host, what a web server is, and what a git-lfs server.
RSYNC = re.compile(r"rsync://|(?![A-Za-z0-9+.-]+://)[^/:]+::?[^:]")
WEB = re.compile(r"https?://")
LFS_SERVER = re.compile(r"lfs\+(?=https?://)")
_DASH = re.compile(r"-|[a-z+]+://([^/]*@)?-|[^/:]*@-", re.IGNORECASE)
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")


@dataclass(frozen=True)
class TreeContents:
    """What a repo's trees hold beside the files that git has.

    Attributes:
        blobs: kind of pointers (git-lfs, git-fat, git-annex) to the sources of their contents; {}: pointers are
            files like any other.
        submodules: whether submodules are part of a release.
        submodule_urls: (begin of a submodule's URL, what stands there instead).
        owner: whose the files of a tree are, and their modes.
        exclude: what of a release is no part of its trees.
        derivation: what the master makes of a commit before it is packed.
    """

    blobs: dict[str, tuple[str, ...]]
    submodules: bool
    submodule_urls: tuple[tuple[str, str], ...]
    owner: Ownership = NOBODYS
    exclude: LeftOut = NOTHING_LEFT_OUT
    derivation: Derivation = NOTHING_DERIVED


def contents(keys: dict[str, Any]) -> TreeContents:
    """What holds for one repo, by the checked values of its section."""
    return TreeContents(
        blobs={**({pointers.FAT: ()} if keys["gitfat_enabled"] else {}), **keys["blobs"]},
        submodules=keys["checkout_submodules"],
        submodule_urls=keys["submodule_urls"],
        owner=of_trebuchet(keys["owner"], keys["deployment_repo_group"] or ""),
        exclude=keys["exclude"],
        derivation=Derivation(keys["subdirectory"], keys["attributes"]),
    )


def blobs(value: Any) -> dict[str, tuple[str, ...]]:
    """Kind of pointers to the sources of their contents, the first choice first."""
    if not isinstance(value, dict):
        raise Wrong(f"must be a table of kinds ({', '.join(pointers.TABLE.names())}) with sources")
    found = {}
    for kind, sources in value.items():
        known = pointers.of_pillar(kind)
        listed = [] if sources is None else [sources] if isinstance(sources, str) else sources
        if not isinstance(listed, list):
            raise Wrong("must be a source or a list of them", kind)
        try:
            found[kind] = tuple(source(known, each) for each in listed)
        except ValueError as error:
            raise Wrong(str(error), kind) from None
    return found


def source(kind: pointers.PointerKind, value: Any) -> str:
    """One source: see :mod:`saltdeploy.blobs.source`."""
    place = text(value)
    if _DASH.match(place):
        raise ValueError("neither a source nor its host may begin with a dash")
    if LFS_SERVER.match(place):
        if not kind.servers:
            held = " and ".join(each.name for each in pointers.TABLE.rows() if each.servers)
            raise ValueError(
                f"lfs+http(s)://... is a git-lfs server, which holds contents of kind {held} only"
            )
    elif not (place.startswith("/") or WEB.match(place) or RSYNC.match(place)):
        raise ValueError(
            "must be a directory, http(s)://..., rsync://..., host:path, or for lfs lfs+http(s)://..."
        )
    return place


def rewrites(value: Any) -> tuple[tuple[str, str], ...]:
    """Begins of submodules' URLs to what is to stand there instead."""
    if not isinstance(value, dict):
        raise Wrong("must be a table: begin of a URL to what stands there instead")
    for begin, instead in value.items():
        if not isinstance(begin, str) or not begin:
            raise Wrong("must be the begin of a URL", begin)
        if not isinstance(instead, str) or not instead or _DASH.match(instead) or _HELPER.match(instead):
            raise Wrong("must be the begin of a URL or a path that git may fetch from", begin)
    return tuple(value.items())
