"""The head of a git bundle, see gitformat-bundle(5): v2, and v3 for repositories whose object ids are sha256."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from saltdeploy.lib.errors import BadName, Corrupt
from saltdeploy.protocol.release import check_commit

_V2, _V3 = "# v2 git bundle", "# v3 git bundle"
_LONGEST_LINE = 1 << 12


def head(name: str, oid: str, bases: Iterable[str]) -> bytes:
    """What stands before the pack.

    Args:
        name: the tag that the bundle brings.
        oid: what the tag names.
        bases: commits that the receiver must hold.
    """
    lines = [_V3, "@object-format=sha256"] if len(oid) == 64 else [_V2]
    lines += [f"-{base} " for base in bases]
    return "\n".join([*lines, f"{oid} refs/tags/{name}", "", ""]).encode()


def bytes_of_id(head: bytes) -> int:
    """How long the ids of objects are in a bundle with this head."""
    return 32 if b"\n@object-format=sha256\n" in head else 20


def prerequisites(bundle: Path) -> list[str]:
    """The commits that the file builds upon.

    Raises:
        Corrupt: it is no bundle.
    """
    try:
        return [check_commit(line[1:].split()[0]) for line in _head_lines(bundle) if line.startswith("-")]
    except (BadName, UnicodeDecodeError, IndexError) as error:
        raise _no_bundle(bundle) from error


def _head_lines(bundle: Path) -> Iterator[str]:
    with open(bundle, "rb") as file:
        line = file.readline(_LONGEST_LINE).decode().rstrip("\n")
        if line not in (_V2, _V3):
            raise _no_bundle(bundle)
        while line:
            line = file.readline(_LONGEST_LINE).decode().rstrip("\n")
            yield line


def _no_bundle(bundle: Path) -> Corrupt:
    return Corrupt("the file is no git bundle", path=str(bundle), next="run the same command again")
