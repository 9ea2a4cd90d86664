"""One reproducible tar archive of a release: made from git's trees, read as a stream.

The format is GNU tar's (see tar(5)): the files and symbolic links in git's order, owner 0, one fixed time, nothing for
directories and submodules. So the same commit makes the same bytes on every host. (An archive that becomes an image also
has the directories of submodules, and marks of what is gone.)

What an archive says is not trusted. A reader goes through it once and takes what the trees ask for, in their order;
names, links and modes in it have no effect on where anything is written.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from saltdeploy.content.source import ContentStream, Piece
from saltdeploy.git.objects import GITLINK, SYMLINK, Change
from saltdeploy.git.recompress import Stream
from saltdeploy.lib.errors import Corrupt

_BLOCK = 512
TIME = 315_532_800  # 1980-01-01: tar warns of older ones
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 16  # a path has 4096 bytes at the most
_KIND = {SYMLINK: tarfile.SYMTYPE}
_NAMES = ("utf-8", "surrogateescape")


def write(entries: Iterable[Change], supply: ContentStream, out: IO[bytes]) -> int:
    """Write the archive of a release.

    Args:
        entries: its files, as changes from nothing.
        supply: their contents.
        out: an open file.

    Returns:
        How many files and links are in it.
    """
    count = 0
    for entry in entries:
        if entry.mode != GITLINK:
            write_file(entry, supply, out)
            count += 1
    end(out)
    return count


def end(out: IO[bytes]) -> None:
    """Write what stands behind the last member."""
    out.write(bytes(2 * _BLOCK))


def write_empty(path: bytes, kind: bytes, out: IO[bytes]) -> None:
    """Write a member without content: a directory, or a device whose numbers are 0.

    Args:
        kind: ``tarfile.DIRTYPE`` or ``tarfile.CHRTYPE``.
    """
    member = tarfile.TarInfo(path.decode(*_NAMES))
    member.mtime, member.mode, member.type = TIME, 0o755, kind
    out.write(member.tobuf(tarfile.GNU_FORMAT, *_NAMES))


def write_file(entry: Change, supply: ContentStream, out: IO[bytes]) -> None:
    """Write the next file or link of a supply.

    Raises:
        Corrupt: its content is not as long as it was said to be.
    """
    size, pieces = supply.next(entry)
    member = tarfile.TarInfo(entry.path.decode(*_NAMES))
    member.mtime, member.mode = TIME, 0o755 if entry.mode == "100755" else 0o644
    member.type = _KIND.get(entry.mode, tarfile.REGTYPE)
    if entry.mode == SYMLINK:
        member.mode, member.linkname = 0o777, b"".join(pieces).decode(*_NAMES)
        size, pieces = 0, iter(())
    member.size = size
    out.write(member.tobuf(tarfile.GNU_FORMAT, *_NAMES))
    written = 0
    for piece in pieces:
        written += len(piece)
        out.write(piece)
    if written != size:
        raise Corrupt(f"{member.name!r} has {written} bytes and not {size}: somebody writes into it")
    out.write(bytes(-size % _BLOCK))


class Archive:
    """Reads an archive, as a supply of contents.

    Args:
        stream: gives its bytes.
        size: more than so many bytes are not read.
        files: more than so many members are not looked at.
        place, advice: for errors.
    """

    def __init__(self, stream: Stream, size: int, files: int, place: str, advice: str) -> None:
        self._stream = _Forward(stream, size, self._corrupt)
        self._left = files
        self._place, self._advice = place, advice
        self._tar: tarfile.TarFile | None = None

    def next(self, change: Change) -> Piece:
        """The content of the member of this path, which must come behind the last one that was taken."""
        wanted = _KIND.get(change.mode, tarfile.REGTYPE)
        while (member := self._member()) is not None:
            if member.name.encode(*_NAMES) == change.path:
                if member.type != wanted:
                    raise self._corrupt(f"{member.name!r} in the archive is of another kind")
                if member.issym():
                    target = member.linkname.encode(*_NAMES)
                    return len(target), iter([target])
                return member.size, self._pieces(member.size)
        raise self._corrupt(f"{change.path!r} is not in the archive, or not in its place")

    def _member(self) -> tarfile.TarInfo | None:
        try:
            if self._tar is None:
                self._tar = tarfile.TarFile(
                    fileobj=self._stream,  # type: ignore[arg-type]
                    encoding=_NAMES[0],
                    errors=_NAMES[1],
                )
            member = self._tar.next()
        except (tarfile.TarError, ValueError, OverflowError, KeyError) as error:
            raise self._corrupt(f"the archive cannot be read: {error}") from error
        self._tar.members.clear()  # type: ignore[attr-defined]  # it would remember them all
        if member is None:
            return None
        self._left -= 1
        if self._left < 0 or member.size < 0:
            raise self._corrupt("the archive has more members than the release has files")
        return member

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._stream.piece(min(size, _CHUNK))
            size -= len(piece)
            yield piece

    def _corrupt(self, cause: str) -> Corrupt:
        return Corrupt(cause, path=self._place, next=self._advice)


class _Forward:
    """A stream as tarfile wants it: with a position that can only grow, and small reads."""

    def __init__(self, stream: Stream, size: int, corrupt: Callable[[str], Corrupt]) -> None:
        self._stream = stream
        self._size = size
        self._corrupt = corrupt
        self._position = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise self._corrupt("the archive leads backwards")
        while self._position < position:
            self.piece(min(position - self._position, _CHUNK))

    def read(self, size: int) -> bytes:
        """What tarfile reads is headers; those of a hostile archive may be as large as it says."""
        if size > _LONGEST_HEADER:
            raise self._corrupt("the archive has a header of a senseless length")
        return self._take(size)

    def piece(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or at least one of them."""
        piece = self._take(size)
        if not piece:
            raise self._corrupt("the archive ends in the middle of a file")
        return piece

    def _take(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._position += len(piece)
        if self._position > self._size:
            raise self._corrupt(f"the archive is larger than the {self._size} bytes that it should have")
        return piece
