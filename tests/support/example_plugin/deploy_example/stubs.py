"""Pointers ``stub``: a file of one line, ``stub sha512 DIGEST BYTES``; a release says in ``.stubs`` where contents are."""

from __future__ import annotations

import re
from pathlib import Path

from saltdeploy.blobs.directory import Directory
from saltdeploy.blobs.source import BlobSource, Cap
from saltdeploy.content.pointers import NoPointer, Pointer

_STUB = re.compile(rb"stub sha512 ([0-9a-f]{128}) ([0-9]{1,18})\n")


def read(mode: str, data: bytes) -> Pointer | None:
    """The pointer that a file is."""
    if mode == "120000" or not data.startswith(b"stub sha512 "):
        return None
    found = _STUB.fullmatch(data)
    if found is None:
        raise NoPointer("the stub has no legal digest and size")
    return Pointer("stub", "sha512", found[1].decode(), int(found[2]))


def places(pointer: Pointer) -> list[str]:
    """Where its contents are in a directory of them."""
    return [f"{pointer.digest[:3]}/{pointer.digest[3:]}"]


def upstream(tree: Path, url: str, cap: Cap) -> list[BlobSource]:
    """The directory that the release names."""
    named = tree / ".stubs"
    return [Directory(named.read_text().strip())] if named.is_file() else []
