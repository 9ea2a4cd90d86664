"""What stands in a git tree for content that lies elsewhere: git-lfs, git-fat and git-annex pointers.

Formats:

- ``lfs``: git-lfs, docs/spec.md: less than 1,024 bytes, the first line is the version, then keys and values.
- ``fat``: git-fat: ``#$# git-fat <sha1> <size, 20 wide>`` and a newline, 74 bytes.
- ``annex``: git-annex, internals/key_format and internals/pointer_file: a symbolic link into
  ``.git/annex/objects``, or a file that begins with ``/annex/objects/KEY``.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from saltdeploy.config.blobs import ANNEX, FAT, KINDS, LFS
from saltdeploy.git.objects import SYMLINK
from saltdeploy.lib.errors import Corrupt

#: No pointer is larger: git-annex reads 32 KiB of a file to see whether it is one.
MOST = 32_768

_LFS_HEAD = re.compile(rb"version https?://(git-lfs\.github\.com|hawser\.github\.com)/spec/v1\r?\n")
_LFS_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})\r?$", re.MULTILINE)
_LFS_SIZE = re.compile(rb"^size ([0-9]{1,18})\r?$", re.MULTILINE)
_LFS_EXTENSION = re.compile(rb"^ext-", re.MULTILINE)
_LFS_MOST = 1023
_FAT_HEAD = b"#$# git-fat "
_FAT = re.compile(rb"#\$# git-fat ([0-9a-f]{40}) ( *[0-9]{1,18})\n")
_FAT_SIZE = 74
_ANNEX_HEAD = b"/annex/objects/"
_ANNEX_LINK = re.compile(rb"(?:^|/)\.git/(?:.+/)?annex/objects/")
_ANNEX_KEY = re.compile(r"([A-Z0-9_]+)((?:-[a-zA-Z][0-9]+)*)--([0-9a-f]+)(\.[^/\x00-\x20\x7f]*)?")
_ANNEX_SIZE = re.compile(r"-s([0-9]{1,18})(?![0-9])")
_ALGORITHMS = {"MD5": 32, "SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128}


class NoPointer(ValueError):
    """It begins like a pointer and cannot be read as one, or not by us."""


@dataclass(frozen=True)
class Pointer:
    """What is to be put in the place of a file.

    Attributes:
        kind: one of :data:`saltdeploy.config.blobs.KINDS`.
        algorithm: of the digest, as hashlib names it.
        digest: of the content, in hexadecimal.
        size: of the content in bytes.
        key: git-annex's name of it; "" for the others.
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


def read(mode: str, data: bytes, kinds: Collection[str] = KINDS) -> Pointer | None:
    """The pointer that a file or a symbolic link is; None when it is none of these kinds.

    Args:
        mode: git's.
        data: the whole content of the file, or the link's target.
        kinds: those that are looked for.

    Raises:
        NoPointer: it looks like one and cannot be read.
    """
    if len(data) > MOST:
        return None
    if mode == SYMLINK:
        return _annex_link(data) if ANNEX in kinds else None
    for kind, reader in _READERS.items():
        if kind in kinds and (pointer := reader(data)) is not None:
            return pointer
    return None


def at(path: bytes, mode: str, data: bytes, kinds: Collection[str]) -> Pointer | None:
    """As :func:`read`, of a file of a release.

    Raises:
        Corrupt: it looks like one and cannot be read.
    """
    try:
        return read(mode, data, kinds)
    except NoPointer as error:
        raise Corrupt(
            str(error),
            path=path.decode("utf-8", "backslashreplace"),
            next="mend the file in a new release; or take its kind out of `blobs`, if it is meant as it is",
        ) from None


def _lfs(data: bytes) -> Pointer | None:
    if not _LFS_HEAD.match(data) or len(data) > _LFS_MOST:
        return None
    oid, size = _LFS_OID.search(data), _LFS_SIZE.search(data)
    if _LFS_EXTENSION.search(data):
        raise NoPointer("the git-lfs pointer asks for an extension, a program that would change the content")
    if oid is None or size is None:
        raise NoPointer("the git-lfs pointer has no legal oid and size")
    return Pointer(LFS, "sha256", oid[1].decode(), int(size[1]))


def _fat(data: bytes) -> Pointer | None:
    if not data.startswith(_FAT_HEAD) or len(data) > _FAT_SIZE:
        return None
    stub = _FAT.fullmatch(data)
    if stub is None:
        raise NoPointer("the git-fat stub has no legal sha1 and size")
    return Pointer(FAT, "sha1", stub[1].decode(), int(stub[2]))


def _annex_file(data: bytes) -> Pointer | None:
    if not data.startswith(_ANNEX_HEAD):
        return None
    return _annex_key(data.split(b"\n", 1)[0].removeprefix(_ANNEX_HEAD).removesuffix(b"\r"))


def _annex_link(target: bytes) -> Pointer | None:
    return _annex_key(target.rsplit(b"/", 1)[-1]) if _ANNEX_LINK.search(target) else None


def _annex_key(raw: bytes) -> Pointer:
    key = raw.decode("utf-8", "surrogateescape")
    parts = _ANNEX_KEY.fullmatch(key)
    if parts is None:
        raise NoPointer(
            f"the git-annex key {key[:200]!r} has no checksum in it, so its content cannot be checked"
        )
    backend, fields, digest, _ = parts.groups()
    algorithm = backend.removesuffix("E")
    if _ALGORITHMS.get(algorithm) != len(digest):
        raise NoPointer(
            f"the git-annex backend {backend[:20]} is none of {', '.join(_ALGORITHMS)}, with or without E"
        )
    size = _ANNEX_SIZE.search(fields)
    if size is None or "-S" in fields:
        raise NoPointer(f"the git-annex key {key[:200]!r} does not tell the size of the whole content")
    return Pointer(ANNEX, algorithm.lower(), digest, int(size[1]), key)


_READERS: dict[str, Callable[[bytes], Pointer | None]] = {LFS: _lfs, FAT: _fat, ANNEX: _annex_file}
