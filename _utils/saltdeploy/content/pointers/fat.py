"""git-fat: ``#$# git-fat <sha1> <size, 20 wide>`` and a newline, 74 bytes."""

from __future__ import annotations

import re

from saltdeploy.config.pointers import FAT
from saltdeploy.content.pointers.base import NoPointer, Pointer
from saltdeploy.git.objects import SYMLINK

_HEAD = b"#$# git-fat "
_STUB = re.compile(rb"#\$# git-fat ([0-9a-f]{40}) ( *[0-9]{1,18})\n")
_SIZE = 74


def read(mode: str, data: bytes) -> Pointer | None:
    """See :class:`saltdeploy.config.pointers.PointerKind`."""
    if mode == SYMLINK or not data.startswith(_HEAD) or len(data) > _SIZE:
        return None
    stub = _STUB.fullmatch(data)
    if stub is None:
        raise NoPointer("the git-fat stub has no legal sha1 and size")
    return Pointer(FAT, "sha1", stub[1].decode(), int(stub[2]))


def places(pointer: Pointer) -> list[str]:
    """As in git-fat's rsync remote."""
    return [pointer.digest]
