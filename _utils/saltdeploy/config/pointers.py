"""What is known of each kind of pointers, in one table; everything else that names kinds reads it here.

A kind is a row here and a file below ``content/pointers/``; or both in a package of somebody else, with an entry point in
the group :data:`GROUP`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config.plugins import Table
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

GROUP = "saltdeploy.pointers"
LFS, FAT, ANNEX = "lfs", "fat", "annex"


@dataclass(frozen=True)
class PointerKind:
    """What is known of a kind of pointers. Functions are written as ``package.module:function``.

    Attributes:
        name: what an operator writes below ``blobs``: 1 to 20 small letters.
        read: takes git's mode and the whole content of a file, or the target of a symbolic link, and returns the
            :class:`~saltdeploy.content.pointers.Pointer` that it is; None where it is none of this kind. It raises
            :class:`~saltdeploy.content.pointers.NoPointer` where it begins like one and cannot be read.
        places: takes a pointer and returns the paths at which a directory of contents may hold its content, the likelier
            one first.
        upstream: takes the directory of a release's tree, the URL of its repository and a
            :class:`~saltdeploy.blobs.source.Cap`, and returns the :class:`~saltdeploy.blobs.source.BlobSource` list that
            the release names itself; "": a release names none.
        servers: git-lfs servers hold its contents.
        advice: what else helps where no source has a content, for an error.
    """

    name: str
    read: str
    places: str
    upstream: str = ""
    servers: bool = False
    advice: str = ""

    def __post_init__(self) -> None:
        functions = (self.read, self.places, self.upstream or ":")
        if not all(isinstance(place, str) and ":" in place for place in functions):
            raise TypeError("read, places and upstream must be texts: package.module:function")
        if not isinstance(self.advice, str):
            raise TypeError("advice must be a text")


TABLE = Table(
    "kind of pointers",
    GROUP,
    PointerKind,
    (
        PointerKind(
            LFS,
            read="saltdeploy.content.pointers.lfs:read",
            places="saltdeploy.content.pointers.lfs:places",
            upstream="saltdeploy.blobs.upstream:lfs",
            servers=True,
        ),
        PointerKind(
            FAT,
            read="saltdeploy.content.pointers.fat:read",
            places="saltdeploy.content.pointers.fat:places",
            upstream="saltdeploy.blobs.upstream:fat",
        ),
        PointerKind(
            ANNEX,
            read="saltdeploy.content.pointers.annex:read",
            places="saltdeploy.content.pointers.annex:places",
            advice="give it a URL (git annex addurl --file PATH URL, then git push origin git-annex)",
        ),
    ),
)


def row(name: str) -> PointerKind:
    """What is known of the kind of this name.

    Raises:
        ConfigError: there is none, or the package that brings it is broken.
    """
    found = TABLE.find(name)
    if found is None:
        raise ConfigError(
            f"there is no kind of pointers {name[:40]!r}", next=f"choose one of {', '.join(TABLE.names())}"
        )
    return found


def of_pillar(name: Any) -> PointerKind:
    """The kind that stands as a key below ``blobs``.

    Raises:
        Wrong: there is none, or the package that brings it is broken.
    """
    try:
        found = TABLE.find(name) if isinstance(name, str) else None
    except ConfigError as error:  # of a broken package
        raise Wrong(f"{error.cause}; {error.next}", name) from None
    if found is None:
        raise Wrong(f"the kinds of blobs are {', '.join(TABLE.names())}", name)
    return found
