"""What git says of trees and blobs, read piece by piece: changed paths, and the contents of files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from saltdeploy.git.inquiry import NoAnswer
from saltdeploy.lib.errors import Corrupt

FILE, EXECUTABLE, SYMLINK, GITLINK = "100644", "100755", "120000", "160000"
NOTHING = "000000"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits.

    Attributes:
        path: as git gives it: bytes, parts divided by ``/``, relative to the tree's root.
        mode: git's mode on the new side, six octal digits; ``000000`` when the path is gone.
        oid: the blob on the new side.
        old_mode, old_oid: the same of the old side, which makes no other change of it; ``-`` where several old sides
            were joined.
    """

    path: bytes
    mode: str
    oid: str
    old_mode: str = field(default="-", compare=False)
    old_oid: str = field(default="-", compare=False)


@dataclass(frozen=True)
class Difference:
    """What one commit has and another has not.

    Attributes:
        added, changed, removed: paths; submodules count as one each.
        lost: bytes by which all files together shrank; negative when they grew.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    lost: int = 0

    @property
    def fewer(self) -> int:
        """By how many files there are less; a file that was moved is one that was removed and one that was added."""
        return max(0, self.removed - self.added)


def kind_of(change: Change) -> str:
    """``added``, ``changed`` or ``removed``."""
    if change.old_mode == NOTHING:
        return "added"
    return "removed" if change.mode == NOTHING else "changed"


class Blobs:
    """The output of ``git cat-file --batch``, one blob after the other."""

    def __init__(self, stream: IO[bytes], git_dir: Path, advice: str) -> None:
        self._stream = stream
        self._git_dir = git_dir
        self._advice = advice

    def next(self, oid: str, kind: str = "blob") -> tuple[int, Iterator[bytes]]:
        """The size of the next blob, which must be ``oid``, and its content in pieces; read them all.

        Args:
            kind: ``tree`` where trees were asked for.

        Raises:
            Corrupt: when the store has not this blob.
        """
        head = self._stream.readline().split()
        if len(head) != 3 or head[0].decode() != oid or head[1] != kind.encode():
            raise self._corrupt(f"the object store cannot give {kind} {oid}")
        size = int(head[2])
        return size, self._pieces(size)

    def _pieces(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:
                raise self._corrupt("git ended in the middle of a blob")
            left -= len(piece)
            yield piece
        self._stream.read(1)

    def _corrupt(self, cause: str) -> Corrupt:
        return Corrupt(cause, path=str(self._git_dir), next=self._advice)


def read_object(answers: IO[bytes], kind: str, most: int) -> bytes | None:
    """The next object out of ``git cat-file --batch``; None where it is not there, or of another kind.

    Args:
        most: bytes of it that are wanted; negative for all.

    Raises:
        NoAnswer: there is no answer.
    """
    head = answers.readline()
    words = head.split()
    if not head.endswith(b"\n"):
        raise NoAnswer
    if len(words) != 3 or not words[2].isdigit():
        return None
    size = int(words[2])
    wanted = size if most < 0 else min(size, most)
    content = answers.read(wanted)
    left = size - wanted + 1  # and the end of the line
    while left and (piece := answers.read(min(left, _CHUNK))):
        left -= len(piece)
    if left or len(content) != wanted:
        raise NoAnswer
    return content if words[1] == kind.encode() else None


def entries(tree: bytes, oid_bytes: int) -> Iterator[tuple[bytes, bytes, str]]:
    """Mode, name and object id of each entry of a tree, as git stores it: ``mode SPACE name NUL id``.

    Args:
        tree: the whole object; git has checked its form when it took it in.
        oid_bytes: of an id.
    """
    at = 0
    while (end := tree.find(b"\0", at)) >= 0:
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + oid_bytes
        yield mode, name, tree[end + 1 : at].hex()


def ways_to(paths: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """Each directory that leads to these paths, ``""`` or with a slash at its end, to the names that are wanted in it."""
    found: dict[bytes, set[bytes]] = {b"": set()}
    for path in paths:
        at = b""
        for part in path.split(b"/"):
            found.setdefault(at, set()).add(part)
            at += part + b"/"
    return found


def list_blobs(changes: Iterable[Change], oids: IO[bytes]) -> int:
    """Write the blobs that changes need into the file ``oids``, one id a line, in their order; return how many."""
    count = 0
    for change in changes:
        if change.mode not in (NOTHING, GITLINK):
            oids.write(change.oid.encode() + b"\n")
            count += 1
    oids.flush()
    return count


def read_changes(spool: IO[bytes]) -> Iterator[Change]:
    """The changes that :meth:`Repository.diff` wrote, read anew from the file's begin.

    The format is ``git diff-tree --raw -z``: ``:oldmode newmode oldoid newoid status NUL path NUL``.
    """
    spool.seek(0)
    told = fields(spool)
    for head in told:
        parts = head.decode().split(" ")
        yield Change(next(told), mode=parts[1], oid=parts[3], old_mode=parts[0][1:], old_oid=parts[2])


def drop_changes(spool: IO[bytes], is_dropped: Callable[[bytes], bool]) -> None:
    """Take out of what :meth:`Repository.diff` wrote the changes of some paths."""
    with tempfile.TemporaryFile() as kept:
        spool.seek(0)
        told = fields(spool)
        for head in told:
            path = next(told)
            if not is_dropped(path):
                kept.write(b"%s\0%s\0" % (head, path))
        kept.seek(0)
        spool.seek(0)
        spool.truncate()
        shutil.copyfileobj(kept, spool)
    spool.flush()


def fields(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands before each NUL."""
    rest = b""
    while piece := stream.read(_CHUNK):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
