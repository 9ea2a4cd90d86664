"""A packed file: a line that says what it is, then what zstd compressed, a tar or a bundle; or a tar's difference from another.

The line is JSON. The whole file is named by its sha256, and that came over Salt's channel: what the line says of sizes
and digests is the master's word.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from saltdeploy.content.source import ContentStream
from saltdeploy.content.tar import Archive
from saltdeploy.lib import programs
from saltdeploy.lib.errors import Corrupt

TAR, ZSTD, XDELTA, BUNDLE = "tar.zst", "zstd-patch", "xdelta3", "bundle.zst"
_PROGRAM = {TAR: "zstd", ZSTD: "zstd", XDELTA: "xdelta3", BUNDLE: "zstd"}
_LONGEST_HEAD = 1 << 12
_WINDOW = 26  # log2 of 64 MB: what a target needs of memory to unpack
_LEVEL = "-9"
#: A bundle up to this size is packed as small as zstd can: that takes a third of a second for each MB.
_MOST_FOR_BEST = 4 << 20  # bytes
_BEST = "-19"
#: A patch by zstd takes memory for both archives, on the target as well.
MOST_FOR_ZSTD = 256 << 20  # bytes
_ADVICE = (
    "run the same command again; if it repeats: choose another transport, and look at the master's payloads"
)


@dataclass(frozen=True)
class Head:
    """The line.

    Attributes:
        form: one of the four.
        size: bytes of the tar, or of the bundle that was decompressed (:mod:`saltdeploy.git.recompress`).
        files: how many members the tar has.
        base_sha256, base_size: of the tar that it is a difference from; (bundle) the size of the bundle as git made it.
    """

    form: str
    size: int
    files: int
    base_sha256: str = ""
    base_size: int = 0

    @property
    def program(self) -> str:
        """What unpacks it."""
        return _PROGRAM[self.form]


def write(head: Head, plain: IO[bytes], out: IO[bytes], base: Path | None = None) -> None:
    """Pack a tar, or a bundle that was decompressed.

    Args:
        head: says how.
        plain: what is packed, an open file.
        out: an open file.
        base: the tar that ``head`` speaks of.

    Raises:
        Unsupported: the program is not installed.
        DiskFull: there is no room.
    """
    out.write(json.dumps(asdict(head)).encode() + b"\n")
    out.flush()
    if head.form == XDELTA:
        command = ["xdelta3", "-e", "-9", "-D", "-q", "-c", "-s", str(base)]
    elif head.form == ZSTD:
        command = ["zstd", "-q", "-c", _LEVEL, f"--stream-size={head.size}", f"--long={_window(head)}"]
        command += [f"--patch-from={base}"]
    else:
        level = _BEST if head.form == BUNDLE and head.size <= _MOST_FOR_BEST else _LEVEL
        command = ["zstd", "-q", "-c", level, "-T0", f"--stream-size={head.size}", f"--long={_WINDOW}"]
    plain.seek(0)
    programs.run(command, plain, out)


def head_of(path: Path) -> Head:
    """Read the line.

    Raises:
        Corrupt: it is not one of ours.
    """
    with open(path, "rb") as file:
        return _read_head(file, path)


@contextlib.contextmanager
def unpacked(path: Path, base: Path | None = None) -> Iterator[tuple[Head, programs.Output]]:
    """Unpack a file while it is read as a stream: the line, and what is behind it.

    Args:
        path: the file.
        base: the tar that it is a difference from.

    Raises:
        Corrupt: it is not one of ours.
        Unsupported: the program is not installed.
    """
    with open(path, "rb", buffering=0) as file:
        head = _read_head(file, path)
        with programs.output_of(_command(head, base), file) as output:
            yield head, output


class Packed:
    """A packed archive as a source of contents.

    Args:
        path: the file.
        base: the tar that it is a difference from.
        brings: see :class:`saltdeploy.content.source.Contents`.
    """

    def __init__(self, path: Path, base: Path | None = None, brings: int = 0) -> None:
        self.place = str(path)
        self.advice = _ADVICE
        self.brings = brings
        self._path = path
        self._base = base
        head_of(path)  # what is none of ours is refused before anything else is done

    def need(self, oids: IO[bytes]) -> None:
        """Not known before it is read."""

    @contextlib.contextmanager
    def open(self, changes: IO[bytes], oids: IO[bytes], basis: Path) -> Iterator[ContentStream]:
        """Unpack as a stream; nothing lies on the disk but what is taken."""
        with unpacked(self._path, self._base) as (head, tar):
            yield Archive(tar, head.size, head.files, self.place, self.advice)


def _command(head: Head, base: Path | None) -> list[str]:
    if head.form == XDELTA:
        return ["xdelta3", "-d", "-D", "-q", "-c", "-s", str(base)]
    if head.form == ZSTD:
        return ["zstd", "-d", "-q", "-c", f"--long={_window(head)}", f"--patch-from={base}"]
    return ["zstd", "-d", "-q", "-c", f"--long={_WINDOW}"]


def _window(head: Head) -> int:
    return max(_WINDOW, head.size.bit_length(), head.base_size.bit_length())


def _read_head(file: IO[bytes], path: Path) -> Head:
    """The line; the file stands behind it afterwards."""
    line = file.read(_LONGEST_HEAD).partition(b"\n")[0]
    try:
        head = Head(**json.loads(line))
        if head.form not in _PROGRAM or not all(isinstance(n, int) and n >= 0 for n in _numbers(head)):
            raise ValueError("form or sizes")
    except (ValueError, TypeError) as error:
        raise Corrupt(f"the file is no packed archive: {error}", path=str(path), next=_ADVICE) from error
    os.lseek(file.fileno(), len(line) + 1, os.SEEK_SET)
    return head


def _numbers(head: Head) -> tuple[int, ...]:
    return head.size, head.files, head.base_size
