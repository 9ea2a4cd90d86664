"""What of a repository is deployed: the keys ``subdirectory``, ``attributes`` and ``exclude`` of a repo."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from saltdeploy.config.paths import path_in_tree
from saltdeploy.config.values import Wrong

_MOST = 100  # paths
_MARK = 8  # digits
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a shape has letters only


@dataclass(frozen=True)
class LeftOut:
    """Paths of a release that are no part of its trees, with all that is below them.

    Attributes:
        paths: relative to the release's top.
    """

    paths: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths)

    @property
    def shape(self) -> str:
        """A mark of what is left out; "" for nothing."""
        if not self.paths:
            return ""
        named = "\0".join(sorted(self.paths)).encode()
        return f"without{hashlib.sha256(named).hexdigest()[:_MARK].translate(_LETTERS)}"

    def holds(self, path: bytes) -> bool:
        """Whether a path of a release is one of these, or below one."""
        return any(path == each or path.startswith(each + b"/") for each in self._encoded)

    @property
    def _encoded(self) -> tuple[bytes, ...]:
        return tuple(each.encode() for each in self.paths)


NOTHING_LEFT_OUT = LeftOut()


def exclude(value: Any) -> LeftOut:
    """Read the list ``exclude``.

    Raises:
        Wrong: with the path of what is wrong.
    """
    if not isinstance(value, list) or len(value) > _MOST:
        raise Wrong(f"must be a list of at most {_MOST} paths")
    found: list[str] = []
    for number, each in enumerate(value):
        try:
            found.append(path_in_tree(each))
        except ValueError as error:
            raise Wrong(f"{error}; it is {each!r}"[:200], number) from None
        if found[-1] in found[:-1]:
            raise Wrong(f"{found[-1]} is named twice", number)
    return LeftOut(tuple(found))


#: What ``attributes`` may be: blobs as they are, or what ``git archive`` makes of them.
BLOBS, CHECKOUT = "blobs", "checkout"
_VERSION = 1  # grows when the same commit is to become another release
_WAY = 12  # digits


@dataclass(frozen=True)
class Derivation:
    """What the master makes of the commit of a tag. False where that is the commit itself.

    Attributes:
        subdirectory: the path of the repository that is deployed; "" for all of it.
        attributes: :data:`BLOBS` or :data:`CHECKOUT`.
    """

    subdirectory: str = ""
    attributes: str = BLOBS

    def __bool__(self) -> bool:
        return bool(self.subdirectory) or self.attributes != BLOBS

    @property
    def converts(self) -> bool:
        """Whether git's attributes are followed."""
        return self.attributes == CHECKOUT

    @property
    def mark(self) -> str:
        """A name for this way of making releases, of letters and digits."""
        told = f"{_VERSION}\0{self.subdirectory}\0{self.attributes}".encode()
        return hashlib.sha256(told).hexdigest()[:_WAY]

    def __str__(self) -> str:
        told = [f"subdirectory {self.subdirectory}"] if self.subdirectory else []
        return ", ".join([*told, *(["attributes as git follows them"] if self.converts else [])])


NOTHING_DERIVED = Derivation()


def subdirectory(value: Any) -> str:
    """Read ``subdirectory``.

    Raises:
        ValueError: it is no path within a tree.
    """
    try:
        return path_in_tree(value) if value != "" else ""
    except ValueError as error:
        raise ValueError(f"{error}; it is {value!r}"[:300]) from None
