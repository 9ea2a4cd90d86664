"""What a release is made of before it is packed: the keys ``subdirectory`` and ``attributes`` of a repo."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from saltdeploy.config.paths import path_in_tree

#: What ``attributes`` may be: blobs as they are, or what ``git archive`` makes of them.
BLOBS, CHECKOUT = "blobs", "checkout"
_VERSION = 1  # grows when the same commit is to become another release
_MARK = 12  # digits


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
        return hashlib.sha256(told).hexdigest()[:_MARK]

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
