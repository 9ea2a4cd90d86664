"""Durable file verbs: write aside and rename, fsync, flip a link, stay below a root.

Nothing here knows what a release is.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.errors import DiskFull

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
FSYNC_EACH_LIMIT = 256
_libc = ctypes.CDLL(None, use_errno=True)


def fsync_dir(directory: Path) -> None:
    """Make the entries of ``directory`` (creations, renames, deletions) survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_tree(root: Path, written: list[bytes]) -> None:
    """Make files that were just written below ``root`` survive a power cut.

    Args:
        root: the directory; one file system.
        written: paths relative to ``root``.

    A handful is synced one by one; for more, one ``syncfs(2)`` is cheaper than a journal commit each.
    """
    if len(written) > FSYNC_EACH_LIMIT:
        _syncfs(root)
        return
    base = os.fsencode(root)
    parents = {os.path.dirname(path) for path in written}
    for path in [*written, *parents]:
        _fsync_path(os.path.join(base, path))


def _fsync_path(path: bytes) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # a symbolic link has no data of its own; a removed parent nothing to keep
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _syncfs(root: Path) -> None:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(root))
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at ``path``: readers see the old bytes or the new ones, also after a power cut."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    fsync_dir(path.parent)


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    """:func:`write_atomically` for plain data."""
    write_atomically(path, json.dumps(value, sort_keys=True, indent=1).encode(), mode)


def read_json(path: Path, default: Any = None) -> Any:
    """The plain data at ``path``, or ``default`` where there is no file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return default


def flip(link: Path, destination: Path) -> str:
    """Point the symbolic link ``link`` at ``destination`` by one ``rename(2)``, durably.

    A real directory (or file) at ``link`` changes places with the new link in one step where the kernel
    can (``renameat2(RENAME_EXCHANGE)``) and keeps living beside it under a name with the time in it.

    Args:
        link: the path that users read through.
        destination: what it shall resolve to; stored relative, so that the parent may be moved.

    Returns:
        The name that something found at ``link`` was moved to, else "".
    """
    aside = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    os.symlink(os.path.relpath(destination, link.parent), aside)
    try:
        kept = _exchange(aside, link) if _is_real(link) else ""
        if not kept:
            os.rename(aside, link)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    fsync_dir(link.parent)
    return kept


def _is_real(path: Path) -> bool:
    return path.exists() and not path.is_symlink()


def _exchange(aside: Path, link: Path) -> str:
    kept = free_name(link)
    failed = _libc.renameat2(
        _AT_FDCWD, os.fsencode(aside), _AT_FDCWD, os.fsencode(link), _RENAME_EXCHANGE
    )
    if failed:  # a file system without exchange: two renames, the only gap there is, at adoption only
        os.rename(link, kept)
        os.rename(aside, link)
    else:
        os.rename(aside, kept)
    return str(kept)


def free_name(path: Path) -> Path:
    """``path`` with the present time (UTC, ISO 8601 basic) behind it, not in use yet."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    candidates = [f"{path.name}.{now}"] + [f"{path.name}.{now}.{n}" for n in range(1, 100)]
    return next(path.with_name(name) for name in candidates if not os.path.lexists(path.with_name(name)))


def refuse_without_space(directory: Path, need: int, inodes: int = 0) -> None:
    """Raise :class:`DiskFull` unless ``directory``'s file system has room for so many bytes and inodes."""
    room = os.statvfs(directory)
    free = room.f_bavail * room.f_frsize
    if free < need:
        raise DiskFull(
            f"{need} bytes are needed and {free} are free",
            path=str(directory),
            next=f"free {need - free} bytes (df -h {directory}), then run the same command again",
        )
    if room.f_files and room.f_favail < inodes:
        raise DiskFull(
            f"{inodes} inodes are needed and {room.f_favail} are free",
            path=str(directory),
            next=f"remove files (df -i {directory}), then run the same command again",
        )


def remove_tree(path: Path) -> None:
    """Delete a directory tree, or whatever else is there; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_below(path: Path, root: Path) -> bool:
    """Whether ``path`` is strictly below ``root``, both taken literally (no links are followed)."""
    return os.path.normpath(root) in map(str, Path(os.path.normpath(path)).parents)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold ``flock`` on the file ``path`` while the block runs; the kernel frees it if we die.

    Args:
        path: the lock file; created if need be, never deleted.
        wait: whether to wait for it.

    Yields:
        True when the lock is held; False when ``wait`` is false and somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)
