"""One sha256 over a whole tree: the encoding of a directory, whose digest stands in the directory above it.

The entries of a directory stand in the order of their names' bytes, where a directory's name has a slash behind it. Each is::

    <mode> <size> <kind>:<digest> <name> NUL

- a file: mode ``100644`` or ``100755``, its size in bytes, ``sha256:`` and the sha256 of its content
- a symbolic link: ``120000``, the length of its target, ``sha256:`` and the sha256 of the target
- a directory: ``040000``, ``0``, ``tree:`` and its digest; one that holds nothing is left out
- a submodule that is not checked out: ``160000``, ``0``, ``commit:`` and the commit's id

So that a change in a directory of ten thousand files does not cost all of them, entries stand on pages. A page ends
behind each name (with its slash) whose CRC-32 can be divided by 256, and behind the last one. Its digest is the sha256 of the
line ``saltdeploy page 1`` and its entries; that of a directory is the sha256 of the line ``saltdeploy tree 1`` and the
digests of its pages, 32 bytes each.

Digests are in hexadecimal, numbers in decimal. The content of a pointer (git-annex, git-fat) whose own digest is not a
sha256 stands with that one, as ``sha1:`` for example: nobody knows the other before the content is there. The root of a
tree is the digest of its top directory, also where that holds nothing.

The encoding never changes under its name: roots are compared between hosts, and signed.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

DIRECTORY = "040000"
_SUBMODULE = "160000"
SEVERAL = 256  # entries of a page, about
_HEAD = b"saltdeploy tree 1\n"
_PAGE_HEAD = b"saltdeploy page 1\n"
_ALGORITHMS = {16: b"md5", 20: b"sha1", 28: b"sha224", 32: b"sha256", 48: b"sha384", 64: b"sha512"}
_KINDS = {DIRECTORY: b"tree", _SUBMODULE: b"commit"}
_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class DirectoryEntry:
    """One entry of a directory.

    Attributes:
        name: the last part of its path.
        mode: six octal digits, as git writes them.
        size: bytes; 0 of a directory and of a submodule.
        digest: of its content, in bytes; how many there are says by which algorithm.
    """

    name: bytes
    mode: str
    size: int
    digest: bytes

    def head(self) -> bytes:
        """What stands before the name in the encoding."""
        kind = _KINDS.get(self.mode) or _ALGORITHMS[len(self.digest)]
        return b"%s %d %s:%s " % (self.mode.encode(), self.size, kind, self.digest.hex().encode())

    def key(self) -> bytes:
        """What the entries of a directory are ordered by."""
        return self.name + b"/" if self.mode == DIRECTORY else self.name

    def encoded(self) -> bytes:
        """The entry as it stands on its page."""
        return b"%s%s\0" % (self.head(), self.name)


def ends_page(key: bytes) -> bool:
    """Whether a page ends behind this entry."""
    return zlib.crc32(key) % SEVERAL == 0


def page(encoded: Iterable[bytes]) -> bytes:
    """The digest of a page with these entries."""
    return hashlib.sha256(_PAGE_HEAD + b"".join(encoded)).digest()


def node(pages: Iterable[bytes]) -> bytes:
    """The digest of a directory with these pages."""
    return hashlib.sha256(_HEAD + b"".join(pages)).digest()


def is_root(value: object) -> bool:
    """Whether it has the form of a root: 64 hexadecimal digits."""
    return isinstance(value, str) and _ROOT.fullmatch(value) is not None
