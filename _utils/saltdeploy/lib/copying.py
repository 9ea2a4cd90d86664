"""Copies what others own, as it is: they may write to it, and exchange names in it, meanwhile.

Every step goes through descriptors (:mod:`saltdeploy.lib.below`), so no link leads the copy to another place of the disk.
Owner, modes, times and extended attributes come along; sockets, pipes and devices do not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from saltdeploy.lib.below import Below

_CHUNK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.EPERM, errno.ENODATA, errno.EINVAL)
_GONE = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR)


@dataclass
class Copied:
    """What was copied, and what could not be: neither a file, a directory nor a link."""

    files: int = 0
    bytes: int = 0
    left_out: int = 0


def sizes(old: Below, path: bytes) -> tuple[int, int]:
    """Bytes and names at a path and below it."""
    total = names = 0
    for _, seen in _walk(old, path):
        names += 1
        total += seen.st_size if stat.S_ISREG(seen.st_mode) else 0
    return total, names


def copy(old: Below, path: bytes, new: Below, to: bytes) -> Copied:
    """Copy what is at a path, with all that is below it. What is there already with the same size and time stays.

    Args:
        new: where to; the directory above ``to`` is there.

    Raises:
        OSError: it cannot be read or written. What is there may be a part of it then.
    """
    done = Copied()
    directories = []
    for at, seen in _walk(old, path):
        target = to + at[len(path) :]
        if stat.S_ISDIR(seen.st_mode):
            if new.seen(target) is None:
                new.make_directory(target)
            directories.append((at, target, seen))
        elif stat.S_ISLNK(seen.st_mode):
            _link(old, at, new, target, seen)
        elif stat.S_ISREG(seen.st_mode):
            _file(old, at, new, target, done)
        else:
            done.left_out += 1
    for at, target, seen in reversed(directories):  # what is made in a directory gives it a new time
        _dress_directory(old, at, new, target, seen)
    return done


def _walk(old: Below, path: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    todo = [path]
    while todo:
        at = todo.pop()
        seen = old.seen(at)
        if seen is None:
            continue
        yield at, seen
        if stat.S_ISDIR(seen.st_mode):
            todo += sorted(os.path.join(at, name) for name, _ in old.entries(at))


def _file(old: Below, at: bytes, new: Below, target: bytes, done: Copied) -> None:
    try:
        source = old.open(at)
    except OSError as error:
        if error.errno in _GONE:  # its users are at work
            return
        raise
    with open(source, "rb", buffering=0) as file:
        seen = os.fstat(source)
        if not stat.S_ISREG(seen.st_mode) or _is_same(new.seen(target), seen):
            return
        new.remove(target)
        name, directory = new.place(target)
        with open(os.open(name, _NEW, 0o600, dir_fd=directory), "wb") as made:
            shutil.copyfileobj(file, made, _CHUNK)
            made.flush()
            _dress(source, made.fileno(), seen)
    done.files += 1
    done.bytes += seen.st_size


def _is_same(there: os.stat_result | None, seen: os.stat_result) -> bool:
    return there is not None and (there.st_size, there.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)


def _dress(source: int, made: int, seen: os.stat_result) -> None:
    """Owner first: the kernel takes setuid bits away with it."""
    os.fchown(made, seen.st_uid, seen.st_gid)
    os.fchmod(made, stat.S_IMODE(seen.st_mode))
    _attributes(source, made)
    os.utime(made, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _attributes(source: int, made: int) -> None:
    """ACLs, labels and what else there is, as far as the file system can have them."""
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return
        raise
    for name in names:
        try:
            os.setxattr(made, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES:
                raise


def _dress_directory(old: Below, at: bytes, new: Below, target: bytes, seen: os.stat_result) -> None:
    with contextlib.ExitStack() as opened:
        source, made = old.open(at), new.open(target)
        opened.callback(os.close, source)
        opened.callback(os.close, made)
        _dress(source, made, seen)


def _link(old: Below, at: bytes, new: Below, target: bytes, seen: os.stat_result) -> None:
    name, directory = old.place(at)
    try:
        text = os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in (*_GONE, errno.EINVAL):
            return
        raise
    new.remove(target)
    name, directory = new.place(target)
    os.symlink(text, name, dir_fd=directory)
    os.chown(name, seen.st_uid, seen.st_gid, dir_fd=directory, follow_symlinks=False)
    os.utime(name, ns=(seen.st_atime_ns, seen.st_mtime_ns), dir_fd=directory, follow_symlinks=False)
