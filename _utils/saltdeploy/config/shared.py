"""What is of a host's own and not of a release: directories and files that all trees of a repo share."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from saltdeploy.config.values import Wrong, text
from saltdeploy.lib.disk import is_below, literal

_KEYS = ("dirs", "files", "place")
_MOST = 100  # paths
_LONGEST = 200  # bytes of a path
_MARK = 8  # digits
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a shape has letters only


@dataclass(frozen=True)
class SharedPaths:
    """See the module.

    Attributes:
        dirs, files: paths in a tree, relative to its top.
        place: where they are; "" for ``shared`` beside the releases.
    """

    dirs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    place: str = ""

    def __bool__(self) -> bool:
        return bool(self.paths)

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(sorted((*self.dirs, *self.files)))

    @property
    def shape(self) -> str:
        """A mark of which paths are no part of a tree; "" for none."""
        if not self.paths:
            return ""
        named = "\0".join(self.paths).encode()
        mark = hashlib.sha256(named).hexdigest()[:_MARK].translate(_LETTERS)
        return f"shared{mark}"

    def holds(self, path: bytes) -> bool:
        """Whether a path of a release is one of these, or below one."""
        return any(path == each or path.startswith(each + b"/") for each in self._encoded)

    @property
    def _encoded(self) -> tuple[bytes, ...]:
        return tuple(each.encode() for each in self.paths)


NOTHING_SHARED = SharedPaths()


def shared(value: Any) -> SharedPaths:
    """A reader of ``shared`` in the pillar: ``{dirs: [uploads], files: [config/local.ini]}``, and perhaps ``place``."""
    if not isinstance(value, dict):
        raise Wrong("must be a table with dirs, files, or both")
    for key in value:
        if key not in _KEYS:
            raise Wrong(f"the keys are {', '.join(_KEYS)}", str(key))
    found = {key: tuple(_paths(value.get(key), key)) for key in ("dirs", "files")}
    _refuse_nested((*found["dirs"], *found["files"]))
    return SharedPaths(**found, place=_place(value.get("place")))


def _paths(value: Any, key: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST:
        raise Wrong(f"must be a list of at most {_MOST} paths", key)
    found = []
    for number, each in enumerate(value):
        try:
            found.append(_path(each))
        except ValueError as error:
            raise Wrong(f"{error}; it is {each!r}"[:200], key, number) from None
    return found


def _path(value: Any) -> str:
    """A path inside a tree. A slash at its end does no harm."""
    path = text(value).removesuffix("/")
    parts = path.split("/")
    if path.startswith("/") or not path.isprintable() or len(path.encode()) > _LONGEST:
        raise ValueError(
            f"must be a path within the tree, without a slash at its begin, of at most {_LONGEST} bytes"
        )
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ValueError("no part of it may be empty, a dot, two dots or .git")
    return path


def _refuse_nested(paths: Collection[str]) -> None:
    for one, other in itertools.permutations(paths, 2):
        if one == other:
            raise Wrong(f"{one} is named twice")
        if other.startswith(f"{one}/"):
            raise Wrong(f"{other} is within {one}, which is shared")


def _place(value: Any) -> str:
    if value is None:
        return ""
    path = text(value)
    if not path.startswith("/") or literal(path) == "/" or ".." in path.split("/") or not path.isprintable():
        raise Wrong("must be an absolute path without .., and not /", "place")
    return literal(path)


def refuse_place(shared_paths: SharedPaths, location: str, area: str) -> None:
    """See to it that what is shared lies in no tree: trees are deleted.

    Args:
        location, area: of the repo.

    Raises:
        Wrong: it does, or would be in the way of what lies beside the trees.
    """
    place = shared_paths.place
    if place and any(
        place == each or is_below(place, each) or is_below(each, place) for each in (location, area)
    ):
        raise Wrong(f"{place} lies in {location} or in what is kept beside it, or around them", "place")
