"""What is known of a content from the pointer that stands in its place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


class NoPointer(ValueError):
    """It begins like a pointer and cannot be read as one, or not by us."""


@dataclass(frozen=True)
class Pointer:
    """What is to be put in the place of a file.

    Attributes:
        kind: the name of a row in :mod:`saltdeploy.config.pointers`.
        algorithm: of the digest, as hashlib names it.
        digest: of the content, in hexadecimal.
        size: of the content in bytes.
        key: the name that its tool gives it, where that is more than the digest: git-annex's; else "".
    """

    kind: str
    algorithm: str
    digest: str
    size: int
    key: str = ""

    @property
    def name(self) -> str:
        """A name that no other content has, whatever its kind."""
        return f"{self.algorithm}-{self.digest}"

    def hasher(self) -> hashlib._Hash:
        """A hash that becomes the digest once the content has been fed to it."""
        return hashlib.new(self.algorithm, usedforsecurity=False)
