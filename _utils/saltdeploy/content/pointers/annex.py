"""git-annex, internals/key_format and internals/pointer_file.

A pointer is a symbolic link into ``.git/annex/objects``, or a file that begins with ``/annex/objects/KEY``.
"""

from __future__ import annotations

import hashlib
import re

from saltdeploy.config.pointers import ANNEX
from saltdeploy.content.pointers.base import NoPointer, Pointer
from saltdeploy.git.objects import SYMLINK

_HEAD = b"/annex/objects/"
_LINK = re.compile(rb"(?:^|/)\.git/(?:.+/)?annex/objects/")
_KEY = re.compile(r"([A-Z0-9_]+)((?:-[a-zA-Z][0-9]+)*)--([0-9a-f]+)(\.[^/\x00-\x20\x7f]*)?")
_SIZE = re.compile(r"-s([0-9]{1,18})(?![0-9])")
_ALGORITHMS = {"MD5": 32, "SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128}
_LETTERS = "0123456789zqjxkmvwgpfZQJXKMVWGPF"


def read(mode: str, data: bytes) -> Pointer | None:
    """See :class:`saltdeploy.config.pointers.PointerKind`."""
    if mode == SYMLINK:
        return _of_key(data.rsplit(b"/", 1)[-1]) if _LINK.search(data) else None
    if not data.startswith(_HEAD):
        return None
    return _of_key(data.split(b"\n", 1)[0].removeprefix(_HEAD).removesuffix(b"\r"))


def places(pointer: Pointer) -> list[str]:
    """As in a directory or rsync special remote, and as below ``.git/annex/objects``.

    See internals/hashing; also with ``annex.tune.objecthash1``.
    """
    ways = hash_directories(pointer.key)
    tuned = [way.partition("/")[0] for way in ways]
    return [f"{way}/{pointer.key}/{pointer.key}" for way in (*ways, *tuned)]


def hash_directories(key: str) -> tuple[str, str]:
    """The two directories in which git-annex may keep what belongs to a key: hashDirLower, and the older hashDirMixed."""
    digest = hashlib.md5(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    word = int.from_bytes(digest[:4], "little")
    two, one, four, three = (_LETTERS[word >> 6 * n & 31] for n in range(4))
    return f"{digest.hex()[:3]}/{digest.hex()[3:6]}", f"{one}{two}/{three}{four}"


def _of_key(raw: bytes) -> Pointer:
    key = raw.decode("utf-8", "surrogateescape")
    parts = _KEY.fullmatch(key)
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
    size = _SIZE.search(fields)
    if size is None or "-S" in fields:
        raise NoPointer(f"the git-annex key {key[:200]!r} does not tell the size of the whole content")
    return Pointer(ANNEX, algorithm.lower(), digest, int(size[1]), key)
