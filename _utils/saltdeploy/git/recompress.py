"""Rewrites a git bundle: the same objects and differences with nothing compressed, and back.

git compresses each object by itself. A program that sees all of them at once does it better, once they are decompressed
before it. Decompressed are: the bundle's head and the pack's, as they are; then for each object what stands before it in a
pack (see gitformat-pack(5)), and its bytes. Where a pack counts bytes back to the object that another one is a difference
from, objects are counted here. The pack's checksum is left out: it is rebuilt. What comes back is a bundle like any
other, which git checks.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterator
from typing import IO, Protocol

from saltdeploy.git import bundle as git_bundle
from saltdeploy.lib.errors import Corrupt

_CHUNK = 1 << 14
_PACK_HEAD = 12  # bytes: "PACK", the version, how many objects
_FROM_PLACE, _FROM_ID = 6, 7  # types of objects: a difference from what lies further ahead, or bears an id
_LONGEST_HEAD = 1 << 22  # each submodule takes a line
_LONGEST_NUMBER = 10


class Stream(Protocol):
    """Something that can only be read on."""

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer at the end."""


def decompress(bundle: IO[bytes], out: IO[bytes]) -> None:
    """Write what is in a bundle, uncompressed.

    Args:
        bundle: an open file.
        out: an open file.

    Raises:
        Corrupt: it is no bundle.
    """
    source = _Source(bundle)
    head = _head(source)
    begin = source.position
    pack_head, count = _pack_head(source)
    out.write(head + pack_head)
    numbers: dict[int, int] = {}  # where an object begins -> which one it is
    for number in range(count):
        here = source.position - begin
        numbers[here] = number
        start = source.number()
        kind, size = _kind_and_size(start)
        out.write(start)
        if kind == _FROM_PLACE:
            base = numbers.get(here - _read_distance(source.number()))
            if base is None:
                raise _corrupt("an object is the difference from one that is not there")
            out.write(_written(number - base))
        elif kind == _FROM_ID:
            out.write(source.take(git_bundle.bytes_of_id(head)))
        out.writelines(source.inflated(size))


def close(stream: Stream, most: int, out: IO[bytes]) -> None:
    """Write the bundle again that was decompressed. Whatever the stream says, it takes little memory.

    Args:
        stream: what :func:`decompress` wrote.
        most: more than so many bytes are not read.
        out: an open file.

    Raises:
        Corrupt: it is something else, or longer.
    """
    source = _Source(stream, most)
    head = _head(source)
    pack_head, count = _pack_head(source)
    out.write(head)
    pack = _Pack(out, git_bundle.bytes_of_id(head))
    pack.write(pack_head)
    places = array("Q")  # where each object begins
    for number in range(count):
        places.append(pack.size)
        start = source.number()
        kind, size = _kind_and_size(start)
        pack.write(start)
        if kind == _FROM_PLACE:
            back = _read(source.number())
            if not 0 < back <= number:
                raise _corrupt("an object is the difference from one that is not there")
            pack.write(_written_distance(places[number] - places[number - back]))
        elif kind == _FROM_ID:
            pack.write(source.take(git_bundle.bytes_of_id(head)))
        pack.deflate(source.pieces(size))
    if source.more():
        raise _corrupt("something comes behind the last object")
    pack.end()


class _Source:
    """Reads a stream in small parts."""

    def __init__(self, stream: Stream, most: int | None = None) -> None:
        self._stream = stream
        self._most = most
        self._data = b""
        self._at = 0
        self._came = 0

    @property
    def position(self) -> int:
        return self._came - len(self._data) + self._at

    def more(self) -> bool:
        """Whether there is another byte."""
        if self._at == len(self._data):
            self._data, self._at = self._stream.read(_CHUNK), 0
            self._came += len(self._data)
            if self._most is not None and self._came > self._most:
                raise _corrupt(f"it is larger than the {self._most} bytes that it should have")
        return self._at < len(self._data)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes, as they come."""
        while size:
            self._must_go_on()
            piece = self._data[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, which are few."""
        return b"".join(self.pieces(size))

    def line(self, most: int) -> bytes:
        """What comes up to the end of the line, with it; or a little over ``most`` bytes of a longer one."""
        found = bytearray()
        while len(found) <= most and not found.endswith(b"\n"):
            self._must_go_on()
            end = self._data.find(b"\n", self._at) + 1 or len(self._data)
            found += self._data[self._at : end]
            self._at = end
        return bytes(found)

    def number(self) -> bytes:
        """The bytes of a number: each but the last has the highest bit set."""
        found = b""
        while len(found) < _LONGEST_NUMBER:
            found += self.take(1)
            if found[-1] < 0x80:
                return found
        raise _corrupt("a number of a senseless length")

    def inflated(self, size: int) -> Iterator[bytes]:
        """The content of an object that is compressed."""
        inflater = zlib.decompressobj()
        while not inflater.eof:
            self._must_go_on()
            try:
                piece = inflater.decompress(self._data[self._at :], _CHUNK)
            except zlib.error as error:
                raise _corrupt(str(error)) from error
            self._at = len(self._data) - len(inflater.unconsumed_tail or inflater.unused_data)
            size -= len(piece)
            yield piece
        if size:
            raise _corrupt("an object is not as long as it was said to be")

    def _must_go_on(self) -> None:
        if not self.more():
            raise _corrupt("it ends in the middle")


class _Pack:
    """A pack that is being written."""

    def __init__(self, out: IO[bytes], bytes_of_id: int) -> None:
        self._out = out
        self._digest = hashlib.sha1() if bytes_of_id == 20 else hashlib.sha256()  # noqa: S324 - git's own
        self.size = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self.size += len(data)

    def deflate(self, pieces: Iterator[bytes]) -> None:
        """Write the content of an object."""
        deflater = zlib.compressobj()
        for piece in pieces:
            self.write(deflater.compress(piece))
        self.write(deflater.flush())

    def end(self) -> None:
        self._out.write(self._digest.digest())


def _head(source: _Source) -> bytes:
    """The head of a bundle, which ends with an empty line."""
    head = bytearray()
    while not head.endswith(b"\n\n"):
        head += source.line(_LONGEST_HEAD)
        if len(head) > _LONGEST_HEAD:
            raise _corrupt("its head is of a senseless length")
    return bytes(head)


def _pack_head(source: _Source) -> tuple[bytes, int]:
    """The head of a pack, and how many objects are in it."""
    head = source.take(_PACK_HEAD)
    if head[:4] != b"PACK":
        raise _corrupt("there is no pack in it")
    return head, int.from_bytes(head[8:], "big")


def _kind_and_size(start: bytes) -> tuple[int, int]:
    """The type of an object and the length of its content."""
    return start[0] >> 4 & 7, start[0] & 15 | _read(start[1:]) << 4


def _read(number: bytes) -> int:
    """A number whose lowest seven bits come first."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(number))


def _written(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*found, number])


def _read_distance(number: bytes) -> int:
    """A distance in bytes, whose highest seven bits come first; nothing is written in two ways."""
    distance = number[0] & 0x7F
    for byte in number[1:]:
        distance = distance + 1 << 7 | byte & 0x7F
    return distance


def _written_distance(distance: int) -> bytes:
    found = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        found.append(0x80 | distance & 0x7F)
    return bytes(reversed(found))


def _corrupt(cause: str) -> Corrupt:
    return Corrupt(f"the bundle cannot be read: {cause}", next="run the same command again")
