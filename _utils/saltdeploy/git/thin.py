"""Divides what git is to pack, so that it finds of each object the older version that the receiver holds; joins the packs.

git knows paths by a hash of their last sixteen characters, and of all paths with one hash it takes the older version of the
first only (``pack_name_hash`` and ``check_pbase_path`` in git's builtin/pack-objects.c). What lies at the others travels as a whole:
of ``icons/dist/esm`` and ``more-icons/dist/esm``, each a directory of thousands of files of which one has changed, the second.
So objects whose paths have the same hash go in different packs. How packs are built: gitformat-pack(5).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

_MOST = 8  # packs; each is another run of git, and the rest of many alike is small
_SEEN = 32  # characters at the end of a path, to reckon the hash from; those before count for nothing
_SPACES = frozenset(b" \t\n\r\v\f")  # which git leaves out
_HEAD = 12  # bytes: "PACK", the version, how many objects
_COPIED = 1 << 20


def divide(listed: Iterable[bytes]) -> list[list[bytes]]:
    """Divide objects into those that are to be packed together; hardly any two of one part have paths with one hash.

    Args:
        listed: lines of ``git rev-list --objects``: an id, and behind a space the path.

    Returns:
        The lines of each part, in their order.
    """
    parts: list[list[bytes]] = []
    met: Counter[int] = Counter()
    for line in listed:
        _, _, path = line.rstrip(b"\n").partition(b" ")
        number = 0
        if path:
            hashed = name_hash(path)
            number = min(met[hashed], _MOST - 1)
            met[hashed] += 1
        if number == len(parts):
            parts.append([])
        parts[number].append(line)
    return parts


def name_hash(path: bytes) -> int:
    """git's hash of a path: ``pack_name_hash`` in git's pack-objects.h."""
    found = 0
    for character in path[-_SEEN:]:
        if character not in _SPACES:
            found = ((found >> 2) + (character << 24)) & 0xFFFFFFFF
    return found


def join(packs: Sequence[IO[bytes]], out: IO[bytes], bytes_of_id: int) -> None:
    """Write the objects of several packs as one. What counts bytes back to another object stays right.

    Args:
        packs: open files, each a whole pack, of which none holds an object of another.
        out: an open file.
        bytes_of_id: 20 or 32, the length of an object's id in bytes.
    """
    heads = [_head(pack) for pack in packs]
    count = sum(int.from_bytes(head[8:], "big") for head in heads)
    digest = hashlib.sha256() if bytes_of_id == 32 else hashlib.sha1(usedforsecurity=False)
    pieces = itertools.chain.from_iterable(_objects(pack, bytes_of_id) for pack in packs)
    for piece in itertools.chain([heads[0][:8] + count.to_bytes(4, "big")], pieces):
        digest.update(piece)
        out.write(piece)
    out.write(digest.digest())


def _head(pack: IO[bytes]) -> bytes:
    pack.seek(0)
    return pack.read(_HEAD)


def _objects(pack: IO[bytes], bytes_of_id: int) -> Iterator[bytes]:
    """What stands between the head and the checksum."""
    left = pack.seek(0, os.SEEK_END) - _HEAD - bytes_of_id
    pack.seek(_HEAD)
    while left:
        piece = pack.read(min(left, _COPIED))
        left -= len(piece)
        yield piece
