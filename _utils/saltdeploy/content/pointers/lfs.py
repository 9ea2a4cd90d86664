"""git-lfs, docs/spec.md: less than 1,024 bytes, the first line is the version, then keys and values."""

from __future__ import annotations

import re

from saltdeploy.config.pointers import LFS
from saltdeploy.content.pointers.base import NoPointer, Pointer
from saltdeploy.git.objects import SYMLINK

_HEAD = re.compile(rb"version https?://(git-lfs\.github\.com|hawser\.github\.com)/spec/v1\r?\n")
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})\r?$", re.MULTILINE)
_SIZE = re.compile(rb"^size ([0-9]{1,18})\r?$", re.MULTILINE)
_EXTENSION = re.compile(rb"^ext-", re.MULTILINE)
_MOST = 1023


def read(mode: str, data: bytes) -> Pointer | None:
    """See :class:`saltdeploy.config.pointers.PointerKind`."""
    if mode == SYMLINK or not _HEAD.match(data) or len(data) > _MOST:
        return None
    oid, size = _OID.search(data), _SIZE.search(data)
    if _EXTENSION.search(data):
        raise NoPointer("the git-lfs pointer asks for an extension, a program that would change the content")
    if oid is None or size is None:
        raise NoPointer("the git-lfs pointer has no legal oid and size")
    return Pointer(LFS, "sha256", oid[1].decode(), int(size[1]))


def places(pointer: Pointer) -> list[str]:
    """As below ``.git/lfs/objects``."""
    return [f"{pointer.digest[:2]}/{pointer.digest[2:4]}/{pointer.digest}"]
