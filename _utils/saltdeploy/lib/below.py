"""Reaches what is below a directory by descriptors, one step after the other, and follows no link on the way.

A tree is ours, but directories in it may have been given to others: an application owns its uploads. Whoever may rename in a
directory can exchange what is in it at any moment (``renameat2(2)``), so a path that was looked at may be another one when it
is opened. A descriptor stays with its directory. What is made, read or deleted by these functions is below the root that was
opened, whatever happens to names meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: How a file is opened whose name somebody may have given to something else: not to hang in his pipe.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: Of directories, for services that run as other users.
READABLE = 0o755
_DEEPEST = 64  # directories below each other that are open at once while a tree is deleted
_MOST_TRIES = 8  # somebody may exchange what is deleted, each time
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Below:
    """What is below one directory. Descriptors are closed when nobody uses the object any more.

    Args:
        root: a real directory, by a path that nobody but us can change. It is opened when it is needed first.
    """

    def __init__(self, root: Path | bytes) -> None:
        self._root = os.fsencode(root)
        self._top = -1
        self._path, self._fd = b"", -1  # the directory that was used last

    @classmethod
    def around(cls, path: Path | bytes) -> tuple[Below, bytes]:
        """The directory in which a path of our own is, and the path's name there. An operator's link may lead to it."""
        above, name = os.path.split(os.fsencode(path))
        return cls(os.path.realpath(above)), name

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> Below:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory; it is opened again when it is needed."""
        self._forget()
        if self._top >= 0:
            os.close(self._top)
            self._top = -1

    def at(self, path: bytes) -> bytes:
        """The path on the disk, for people."""
        return os.path.join(self._root, path) if path else self._root

    def directory(self, path: bytes) -> int:
        """A descriptor (``O_PATH``) for a directory, good until the next call for another one.

        Raises:
            FileNotFoundError, NotADirectoryError: there is none, or one above it is a link.
        """
        if self._top < 0:
            with self._naming(b""):
                self._top = os.open(self._root, _STEP)
        if not path:
            return self._top
        if path != self._path:
            fd = self._walk(path)
            self._forget()
            self._path, self._fd = path, fd
        return self._fd

    def find(self, path: bytes) -> int | None:
        """As :meth:`directory`; None where there is none."""
        try:
            return self.directory(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def place(self, path: bytes) -> tuple[bytes, int]:
        """The last part of a path, and a descriptor for its directory; see :meth:`directory`."""
        above, name = os.path.split(path)
        return name, self.directory(above)

    def seen(self, path: bytes) -> os.stat_result | None:
        """What ``lstat(2)`` tells; None where nothing is."""
        try:
            if not path:
                return os.stat(self.directory(path))
            name, at = self.place(path)
            return os.lstat(name, dir_fd=at)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, path: bytes) -> int:
        """Open a plain file or a directory for reading.

        Raises:
            OSError: it is something else; a link is not followed.
        """
        name, at = self.place(path) if path else (b".", self.directory(path))
        with self._naming(path):
            return os.open(name, READ, dir_fd=at)

    def entries(self, path: bytes) -> list[tuple[bytes, bool]]:
        """The names in a directory, and whether each is a directory itself; none where there is no directory."""
        at = self.find(path)
        return [] if at is None else listed(at)

    def make_directory(self, path: bytes) -> None:
        """Make a directory that all may read, whatever the umask."""
        name, at = self.place(path)
        with self._naming(path):
            make_directory_at(name, at)

    def let_read(self, path: bytes) -> None:
        """Let all read a directory."""
        name, at = self.place(path)
        with self._naming(path):
            _let_read(name, at)

    def remove(self, path: bytes) -> None:
        """Delete what is at a path, with all that is below it; nothing there is fine."""
        try:
            name, at = self.place(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        with self._naming(path):
            remove_at(name, at)
        if self._path == path or self._path.startswith(path + b"/"):
            self._forget()

    def remove_empty(self, path: bytes) -> bool:
        """Delete a directory, if it is one and nothing is in it; whether that was so."""
        try:
            name, at = self.place(path)
            os.rmdir(name, dir_fd=at)
        except OSError:
            return False
        if self._path == path:
            self._forget()
        return True

    def _walk(self, path: bytes) -> int:
        fd = self._top
        for part in path.split(b"/"):
            try:
                if part in (b"", b".", b".."):
                    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
                below = os.open(part, _STEP, dir_fd=fd)
            except OSError as error:
                number = errno.ENOTDIR if error.errno == errno.ELOOP else error.errno or errno.EIO
                raise OSError(number, os.strerror(number), self.at(path)) from None
            finally:
                if fd != self._top:
                    os.close(fd)
            fd = below
        return fd

    def _forget(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._path, self._fd = b"", -1

    @contextlib.contextmanager
    def _naming(self, path: bytes) -> Iterator[None]:
        """An error names the whole path."""
        try:
            yield
        except OSError as error:
            named = _named(error)
            error.filename = os.path.join(self.at(os.path.dirname(path)), named) if named else self.at(path)
            raise


def _named(error: OSError) -> bytes:
    return error.filename if isinstance(error.filename, bytes) else b""


def make_directory_at(name: bytes, directory: int) -> None:
    """Make a directory in an open one, that all may read, whatever the umask."""
    os.mkdir(name, dir_fd=directory)
    _let_read(name, directory)


def _let_read(name: bytes, directory: int) -> None:
    fd = os.open(name, _STEP, dir_fd=directory)
    try:
        os.chmod(".", READABLE, dir_fd=fd)
    finally:
        os.close(fd)


def listed(directory: int) -> list[tuple[bytes, bool]]:
    """The names in an open directory, and whether each is a directory itself."""
    fd = os.open(".", _LIST, dir_fd=directory)
    try:
        with os.scandir(fd) as entries:
            return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    finally:
        os.close(fd)


def remove_at(name: bytes, directory: int) -> None:
    """Delete what has this name in an open directory, with all that is below it; nothing there is fine.

    Raises:
        OSError: something cannot be deleted; its ``filename`` begins with the name.
    """
    for _ in range(_MOST_TRIES):
        try:
            if not _is_directory(name, directory):
                os.unlink(name, dir_fd=directory)
                return
            _remove_directory(name, directory)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
                raise
            last = error
    raise last


def _is_directory(name: bytes, directory: int) -> bool:
    return stat.S_ISDIR(os.lstat(name, dir_fd=directory).st_mode)


def _remove_directory(name: bytes, directory: int) -> None:
    top = os.open(name, _STEP, dir_fd=directory)
    try:
        while _empty(top, top, 1):
            continue
    except OSError as error:
        error.filename = os.path.join(name, _named(error))
        raise
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=directory)


def _empty(directory: int, top: int, depth: int) -> bool:
    """Delete what is in a directory; whether something is left, in ``top``: what lay too deep was moved there."""
    moved = False
    for name, is_directory in listed(directory):
        if not is_directory:
            remove_at(name, directory)
        elif depth < _DEEPEST:
            moved |= _empty_below(name, directory, top, depth)
        else:
            os.rename(name, secrets.token_hex(16), src_dir_fd=directory, dst_dir_fd=top)
            moved = True
    return moved


def _empty_below(name: bytes, directory: int, top: int, depth: int) -> bool:
    try:
        fd = os.open(name, _STEP, dir_fd=directory)
    except OSError as error:
        if error.errno in _GONE:  # exchanged in the meantime
            remove_at(name, directory)
            return False
        raise
    try:
        moved = _empty(fd, top, depth + 1)
    except OSError as error:
        error.filename = os.path.join(name, _named(error))
        raise
    finally:
        os.close(fd)
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ENOENT):
            raise
        remove_at(name, directory)
    return moved


def plain(fd: int) -> os.stat_result | None:
    """What an open file is; None where it is not a plain one: then it is closed."""
    seen = os.fstat(fd)
    if stat.S_ISREG(seen.st_mode):
        return seen
    os.close(fd)
    return None
