"""The contents of a repo's pointers on this host: each once, named by its digest, shared with the trees that use it.

Beside the slots lie ``blobs/<aa>/<algorithm>-<digest>``, read-only, and ``blobs/incoming`` for what is on its way.
Nothing here is believed for having been written once: a content is read and compared with its digest whenever a
tree is about to get it. So nothing is fsynced here either; the tree that gets it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from saltdeploy.content.pointers import Pointer
from saltdeploy.lib import disk, reflink
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt

_CHUNK = 1 << 20
_EXECUTABLE = ".x"


class BlobCache:
    """The contents in one directory. Only one process at a time uses it.

    Attributes:
        incoming: a directory for files that are on their way; empty after :meth:`open`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.incoming = directory / "incoming"

    def open(self) -> None:
        """Make the directories, and delete what was on its way when somebody was killed."""
        disk.make_directory(self._directory)
        disk.remove_tree(self.incoming)
        self.incoming.mkdir(mode=0o700)

    def holds(self, pointer: Pointer) -> bool:
        """Whether the content is here and is what its digest says; one that is not is thrown away."""
        path = self._path(pointer)
        if _is_sound(path, pointer):
            return True
        path.unlink(missing_ok=True)
        return False

    @contextlib.contextmanager
    def receive(self, pointer: Pointer) -> Iterator[Receiver]:
        """Take in a content piece by piece; it is here once the block has ended well.

        Raises:
            Corrupt: at its end or, when it is too long, in the middle: it was another content.
        """
        aside = self.incoming / pointer.name
        try:
            with open(aside, "xb") as file:
                receiver = Receiver(file, pointer)
                yield receiver
                receiver.check()
                os.fchmod(file.fileno(), 0o444)
            self._put(aside, pointer)
        finally:
            aside.unlink(missing_ok=True)

    def take(self, file: IO[bytes], pointer: Pointer) -> None:
        """As :meth:`receive`, from an open file."""
        with self.receive(pointer) as receiver:
            while piece := file.read(_CHUNK):
                receiver.write(piece)

    def adopt(self, path: Path, pointer: Pointer) -> None:
        """Take in a file of :attr:`incoming`, by moving it.

        Raises:
            Corrupt: it is another content; the file is deleted.
        """
        if not _is_sound(path, pointer):
            path.unlink()
            raise Corrupt(f"gave other bytes than {pointer.name}")
        os.chmod(path, 0o444)
        self._put(path, pointer)

    def place(self, pointer: Pointer, destination: bytes, *, executable: bool) -> None:
        """Make a file with the content, which is here, at a path where nothing is.

        A mode belongs to an inode: who must share one for lack of better ways gets it from a second copy, of
        executables.
        """
        path = self._path(pointer)
        if reflink.clone(path, destination, 0o755 if executable else 0o644):
            return
        if executable:
            path = self._executable(pointer)
        if not reflink.link(path, destination):
            reflink.copy(path, destination, 0o755 if executable else 0o644)

    def collect(self, names: Collection[str], sweep: Cleanup) -> None:
        """Delete the contents that have none of these names."""
        for path in self._directory.glob("[0-9a-f][0-9a-f]/*"):
            if path.name.removesuffix(_EXECUTABLE) not in names:
                sweep.drop("contents", path)

    def _executable(self, pointer: Pointer) -> Path:
        plain = self._path(pointer)
        path = plain.with_name(f"{plain.name}{_EXECUTABLE}")
        if not _is_sound(path, pointer):
            aside = self.incoming / path.name
            reflink.copy(plain, os.fsencode(aside), 0o555)
            os.rename(aside, path)
        return path

    def _put(self, aside: Path, pointer: Pointer) -> None:
        path = self._path(pointer)
        disk.make_directory(path.parent)
        os.rename(aside, path)

    def _path(self, pointer: Pointer) -> Path:
        return self._directory / pointer.digest[:2] / pointer.name


class Receiver:
    """A content on its way."""

    def __init__(self, file: IO[bytes], pointer: Pointer) -> None:
        self._file = file
        self._pointer = pointer
        self._digest = pointer.hasher()
        self._size = 0

    def write(self, piece: bytes) -> None:
        """The next bytes.

        Raises:
            Corrupt: they are more than there should be.
        """
        self._size += len(piece)
        if self._size > self._pointer.size:
            raise Corrupt(f"gave more than the {self._pointer.size} bytes of {self._pointer.name}")
        self._digest.update(piece)
        self._file.write(piece)

    def check(self) -> None:
        """The content is complete.

        Raises:
            Corrupt: it is not what the pointer says.
        """
        self._file.flush()
        if self._size < self._pointer.size:
            raise Corrupt(f"gave {self._size} of the {self._pointer.size} bytes of {self._pointer.name}")
        if self._digest.hexdigest() != self._pointer.digest:
            raise Corrupt(f"gave other bytes than {self._pointer.name}: {self._digest.hexdigest()}")


def _is_sound(path: Path, pointer: Pointer) -> bool:
    digest = pointer.hasher()
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != pointer.size:
                return False
            while piece := file.read(_CHUNK):
                digest.update(piece)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == pointer.digest
