"""Durable file verbs: write aside and rename, fsync, switch a link, stay below a root.

Nothing here knows what a release is.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import errno
import glob
import json
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import Any

from saltdeploy.lib.below import Below, plain
from saltdeploy.lib.errors import Corrupt, DiskFull

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
FSYNC_EACH_LIMIT = 256
_libc = ctypes.CDLL(None, use_errno=True)


def fsync_file(path: Path) -> None:
    """Make the bytes of a file survive a power cut; not its name, see :func:`fsync_dir`."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_dir(directory: Path) -> None:
    """Make the entries of ``directory`` (creations, renames, deletions) survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Unsynced:
    """What was changed below ``root`` and may not survive a power cut yet.

    A handful of paths is synced one by one; for more, one ``syncfs(2)`` is cheaper than a journal commit each,
    and only their number is remembered.

    Args:
        root: a directory; one file system.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: set[bytes] = set()
        self._many = False

    def written(self, path: bytes) -> None:
        """A file at ``path``, relative to the root, got new bytes or a new name."""
        self._add(path)
        self._add(os.path.dirname(path))

    def entries_of(self, directory: bytes) -> None:
        """Something was made, renamed or deleted in ``directory``, relative to the root."""
        self._add(directory)

    def sync(self) -> None:
        """Make all of it durable."""
        if self._many:
            sync_all(self._root)
        with contextlib.ExitStack() as opened:
            below = opened.enter_context(Below(self._root))
            files = [fd for path in sorted(self._paths) if (fd := _opened(below, path)) is not None]
            for fd in files:
                opened.callback(os.close, fd)
            _fsync_together(files)
        self._paths, self._many = set(), False

    def _add(self, path: bytes) -> None:
        if not self._many:
            self._paths.add(path)
        if len(self._paths) > FSYNC_EACH_LIMIT:
            self._paths, self._many = set(), True


_AT_ONCE = 8  # calls of fsync(2)
_WORTH_THREADS = 4  # files
_NOTHING_TO_SYNC = (errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO)  # a symbolic link; gone again


def _opened(below: Below, path: bytes) -> int | None:
    """A file or directory, open; None where there is nothing to sync."""
    try:
        fd = below.open(path)
    except OSError as error:
        if error.errno in _NOTHING_TO_SYNC:
            return None
        raise
    if stat.S_IFMT(os.fstat(fd).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
        return fd
    os.close(fd)
    return None


def _fsync_together(files: list[int]) -> None:
    """``fsync(2)`` of some open files: those at once share a commit of the file system's journal.

    Raises:
        OSError: of the first one that failed, after all have ended.
    """
    if len(files) < _WORTH_THREADS:
        for fd in files:
            os.fsync(fd)
        return
    from concurrent.futures import ThreadPoolExecutor  # whoever writes little needs none

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(os.fsync, files))


def sync_all(root: Path) -> None:
    """Make all that was written to the file system of ``root`` survive a power cut."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(root))
    finally:
        os.close(fd)


def make_directory(path: Path) -> None:
    """Make the directory ``path`` and its parents, durably and readable by all; a directory there is fine.

    The services that read releases run as other users, whatever the umask of the minion is.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        aside = aside_of(directory)
        aside.mkdir()
        aside.chmod(0o755)
        try:
            os.rename(aside, directory)
        except OSError:
            aside.rmdir()
            if not directory.is_dir():  # another repo's deploy has made it in the meantime
                raise
        fsync_dir(directory.parent)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at ``path``: readers see the old bytes or the new ones, also after a power cut."""
    aside = aside_of(path)
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


def aside_of(path: Path) -> Path:
    """A free name next to a path, for what is not, or not any more, what belongs there; see :func:`asides`."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def asides(path: Path) -> list[Path]:
    """What those left next to ``path`` who were killed while they made it or replaced it."""
    return list(path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}"))


def clear_asides(path: Path) -> None:
    """Delete :func:`asides`. Only for the one who alone writes there."""
    for aside in asides(path):
        remove_tree(aside)


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    """:func:`write_atomically` for plain data."""
    write_atomically(path, json.dumps(value, sort_keys=True, indent=1).encode(), mode)


def read_json(path: Path, default: Any = None) -> Any:
    """The plain data at ``path``, or ``default`` where there is no file.

    Raises:
        Corrupt: the file holds something else.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return default
    except (ValueError, RecursionError) as error:
        raise Corrupt(
            f"the file cannot be read: {error}",
            path=str(path),
            next=f"look at it, move it away (mv -- {path} {path}.bad), then run the same command again",
        ) from error


def read_below(root: Path, path: str, most: int) -> bytes | None:
    """The bytes of the file ``path`` below ``root``; None where there is none.

    Whoever wrote the tree must not make us read anything else: links are refused, and so is a file that is too big.

    Raises:
        Corrupt: it is not a plain file of at most ``most`` bytes.
    """
    file = root / path
    if not os.path.lexists(file):
        return None
    try:
        fd = Below(root).open(os.fsencode(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise
        raise Corrupt(
            "is not a plain file of the tree, or stands below a symbolic link", path=str(file)
        ) from None
    if plain(fd) is None:
        raise Corrupt("is not a plain file of the tree", path=str(file))
    with os.fdopen(fd, "rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise Corrupt(f"is larger than {most} bytes", path=str(file))
    return data


def switch_link(link: Path, destination: Path) -> str:
    """Point the symbolic link ``link`` at ``destination`` by one ``rename(2)``, durably.

    What else is found at ``link`` (a directory, a file, a link to something that is not next to
    ``destination``) is kept next to it under a name with the time in it.

    Args:
        link: the path that users read through.
        destination: what it shall resolve to; stored relative, so that the parent may be moved.

    Returns:
        The name that something found at ``link`` was moved to, else "".
    """
    aside = link.with_name(f".{link.name}.deploy-next")
    kept = _clear(aside, link)
    os.symlink(os.path.relpath(destination, link.parent), aside)
    if os.path.lexists(link) and not link.is_symlink():
        return install(aside, link)
    if link.is_symlink() and _points_to(link).parent != destination.parent:
        kept = free_name(link)
        os.symlink(os.readlink(link), kept)  # a link is its text: a copy leaves no moment without one
    os.rename(aside, link)
    fsync_dir(link.parent)
    return str(kept or "")


def _points_to(link: Path) -> Path:
    return Path(os.path.normpath(link.parent / os.readlink(link)))


def _clear(aside: Path, path: Path) -> Path | None:
    """Clear the place of a new link; what an interrupted exchange left there was found at ``path`` and is kept."""
    if aside.is_symlink():
        aside.unlink()
    elif os.path.lexists(aside):
        kept = free_name(path)
        os.rename(aside, kept)
        return kept
    return None


def install(new: Path, path: Path) -> str:
    """Put ``new`` at ``path``, durably; the two change places in one step where the kernel can do that.

    Args:
        new: a link or a directory, on the same file system.
        path: where it shall be.

    Returns:
        The name next to ``path`` under which what was there is kept; "" when nothing was.
    """
    kept: Path | None = None
    if not os.path.lexists(path):
        os.rename(new, path)
    else:
        kept = free_name(path)
        if _exchange(new, path):
            os.rename(new, kept)
        else:  # a file system without exchange: two renames, the only gap there is, at adoption only
            os.rename(path, kept)
            os.rename(new, path)
    fsync_dir(path.parent)
    fsync_dir(new.parent)
    return str(kept or "")


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places; False where that cannot be done."""
    return exchange_at(os.fsencode(one), _AT_FDCWD, os.fsencode(other), _AT_FDCWD)


def exchange_at(one: bytes, directory: int, other: bytes, other_directory: int) -> bool:
    """Let two names in open directories change places by ``renameat2(RENAME_EXCHANGE)``; False where that cannot be done."""
    try:
        renameat2 = _libc.renameat2
    except AttributeError:  # an old C library
        return False
    if renameat2(directory, one, other_directory, other, _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), os.fsdecode(one), None, os.fsdecode(other))


def free_name(path: Path) -> Path:
    """``path`` with the present time (UTC, ISO 8601 basic) behind it, not in use yet."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    candidates = [f"{path.name}.{now}"] + [f"{path.name}.{now}.{n}" for n in range(1, 100)]
    return next(path.with_name(name) for name in candidates if not os.path.lexists(path.with_name(name)))


def refuse_without_space(directory: Path, need: int, inodes: int = 0) -> None:
    """Raise :class:`DiskFull` unless ``directory``'s file system has so many bytes and inodes free."""
    space = os.statvfs(directory)
    free = space.f_bavail * space.f_frsize
    if free < need:
        raise DiskFull(
            f"{need} bytes are needed and {free} are free",
            path=str(directory),
            next=f"free {need - free} bytes (df -h {directory}), then run the same command again",
        )
    if space.f_files and space.f_favail < inodes:
        raise DiskFull(
            f"{inodes} inodes are needed and {space.f_favail} are free",
            path=str(directory),
            next=f"remove files (df -i {directory}), then run the same command again",
        )


def link_or_copy(path: Path, destination: Path) -> None:
    """The same file under another name as well, or a copy of it where links cannot be.

    Raises:
        FileNotFoundError: it has just gone.
    """
    destination.unlink(missing_ok=True)
    try:
        os.link(path, destination)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, destination)


def remove_tree(path: Path) -> None:
    """Delete a directory tree, or whatever else is there; nothing there is fine. Follows no link in it."""
    below, name = Below.around(path)
    with below:
        below.remove(name)


def literal(path: str | Path) -> str:
    """The one spelling of a path: no dots, no doubled slashes (POSIX lets two begin a path); follows no link."""
    return re.sub("^/+", "/", os.path.normpath(path))


def is_below(path: str | Path, root: str | Path) -> bool:
    """Whether ``path`` is strictly below ``root``, both taken literally (no links are followed)."""
    below, above = literal(path), literal(root)
    return below != above and below.startswith(f"{above.rstrip('/')}/")
