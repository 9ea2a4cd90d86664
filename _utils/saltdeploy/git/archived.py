"""What git's attributes make of files, by git itself: out of ``git archive`` and into ``git fast-import``.

``git archive`` takes the attributes from the tree that it archives, and does with them all that git does on checkout
(``text``, ``eol``, ``ident``, ``working-tree-encoding``) and ``export-ignore`` and ``export-subst`` besides. Filters are
programs, and are never run. What the configuration of a user, of the host or of a repository says has no part in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from saltdeploy.git.objects import EXECUTABLE, FILE, GITLINK, SYMLINK
from saltdeploy.lib.errors import Corrupt

#: Counts for ``git archive``, whatever is configured; the same commit becomes the same files everywhere.
SETTINGS = tuple(
    word
    for setting in (
        "core.attributesFile=/dev/null",
        "core.eol=lf",
        "core.autocrlf=false",
        "core.bigFileThreshold=512m",
        "core.abbrev=12",
        "i18n.logOutputEncoding=UTF-8",
        "tar.umask=0022",
    )
    for word in ("-c", setting)
)
ENVIRONMENT = {"GIT_ATTR_NOSYSTEM": "1", "TZ": "UTC"}


@dataclass(frozen=True)
class ArchivedFile:
    """A file as ``git archive`` gives it.

    Attributes:
        path: in the tree that was archived.
        mode: git's.
        size: bytes; of a link, of its target. Of a submodule 0.
        data: where its bytes are to be read from, at once; None for a link or a submodule.
        target: of a link.
    """

    path: bytes
    mode: str
    size: int = 0
    data: IO[bytes] | None = None
    target: bytes = b""

    def id(self, like: str) -> str:
        """The id of its blob; its bytes are read for that.

        Args:
            like: an id of the same repository.
        """
        found = _hash(like, self.size)
        found.update(self.target)
        while self.data is not None and (piece := self.data.read(1 << 20)):
            found.update(piece)
        return found.hexdigest()


def blob_id(data: bytes, like: str) -> str:
    """The id of a blob; ``like`` is an id of the same repository."""
    found = _hash(like, len(data))
    found.update(data)
    return found.hexdigest()


def _hash(like: str, size: int) -> Any:
    found = hashlib.sha1(usedforsecurity=False) if len(like) == 40 else hashlib.sha256()
    found.update(b"blob %d\0" % size)
    return found


def files_in(archive: IO[bytes]) -> Iterator[ArchivedFile]:
    """The files of an archive; and its directories as if each were a submodule, since git gives those like this.

    Raises:
        Corrupt: it is none that git has made.
    """
    archive.seek(0)
    try:
        with tarfile.open(
            fileobj=archive, mode="r|", encoding="utf-8", errors="surrogateescape", bufsize=1 << 20
        ) as tar:
            for member in tar:
                path = os.fsencode(member.name.rstrip("/"))
                if member.isreg():
                    mode = EXECUTABLE if member.mode & 0o100 else FILE
                    yield ArchivedFile(path, mode, member.size, tar.extractfile(member))
                elif member.issym():
                    target = os.fsencode(member.linkname)
                    yield ArchivedFile(path, SYMLINK, len(target), target=target)
                elif member.isdir():
                    yield ArchivedFile(path, GITLINK)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Corrupt(f"git archive gave what is no archive: {error}") from error


class Import:
    """Writes what ``git fast-import`` makes a commit of, which ``ref`` names then.

    Args:
        out: an open file.
        base: the commit whose tree it begins with; "" for an empty one.
    """

    def __init__(self, out: IO[bytes], ref: str, base: str = "") -> None:
        self._out = out
        begin = f"from {base}\n" if base else ""
        out.write(f"reset {ref}\n\ncommit {ref}\ncommitter - <-> 0 +0000\ndata 0\n{begin}".encode())

    def remove(self, path: bytes) -> None:
        """Take a file away, or a directory with all that is below it."""
        self._out.write(b"D %s\n" % _quoted(path))

    def put(self, path: bytes, file: ArchivedFile) -> None:
        """Put a file at a path."""
        self._out.write(b"M %s inline %s\ndata %d\n" % (file.mode.encode(), _quoted(path), file.size))
        if file.data is not None:
            shutil.copyfileobj(file.data, self._out, 1 << 20)
        self._out.write(file.target + b"\n")

    def link(self, path: bytes, commit: str) -> None:
        """Put a submodule at a path."""
        self._out.write(b"M %s %s %s\n" % (GITLINK.encode(), commit.encode(), _quoted(path)))


def _quoted(path: bytes) -> bytes:
    """A path as fast-import reads it."""
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped
