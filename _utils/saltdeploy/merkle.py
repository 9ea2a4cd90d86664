"""One sha256 over a whole tree: the encoding of a directory, whose digest stands in the directory above it.

A directory is encoded as the line ``saltdeploy tree 1``, and then, for each entry in the order of the names' bytes::

    <mode> <size> <kind>:<digest> <name> NUL

- a file: mode ``100644`` or ``100755``, its size in bytes, ``sha256:`` and the sha256 of its content
- a symbolic link: ``120000``, the length of its target, ``sha256:`` and the sha256 of the target
- a directory: ``040000``, ``0``, ``tree:`` and the sha256 of its encoding; one that holds nothing is left out
- a submodule that is not checked out: ``160000``, ``0``, ``commit:`` and the commit's id

Digests are in hexadecimal, numbers in decimal. The content of a pointer (git-annex, git-fat) whose own digest is not a
sha256 stands with that one, as ``sha1:`` for example: nobody knows the other before the content is there. The root of a
tree is the sha256 of its top directory's encoding, also where that holds nothing.

The encoding never changes under its name: roots are compared between hosts, and signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

DIRECTORY = "040000"
_SUBMODULE = "160000"
_HEAD = b"saltdeploy tree 1\n"
_ALGORITHMS = {16: b"md5", 20: b"sha1", 28: b"sha224", 32: b"sha256", 48: b"sha384", 64: b"sha512"}
_KINDS = {DIRECTORY: b"tree", _SUBMODULE: b"commit"}
_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
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


def node(entries: Iterable[Entry]) -> bytes:
    """The digest of a directory with these entries, in whatever order they come."""
    return node_of((entry.name, entry.head()) for entry in entries)


def node_of(heads: Iterable[tuple[bytes, bytes]]) -> bytes:
    """As :func:`node`, of pairs of a name and of what stands before it."""
    encoded = b"".join([b"%s%s\0" % (head, name) for name, head in sorted(heads)])
    return hashlib.sha256(_HEAD + encoded).digest()


def is_root(value: object) -> bool:
    """Whether it has the form of a root: 64 hexadecimal digits."""
    return isinstance(value, str) and _ROOT.fullmatch(value) is not None
