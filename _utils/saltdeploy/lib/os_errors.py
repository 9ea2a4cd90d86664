"""What an error of the operating system means to an operator, and what on this host is behind it.

A read-only mount or an attribute of chattr(1) keeps us from writing to a path, whoever owns it.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import re
import shlex
import stat

from saltdeploy.lib.errors import BadName, DeployError, DiskFull, Immutable, NoPermission, ReadOnly

_GET_FLAGS = 0x80086601
_LETTERS = {"i": 0x10, "a": 0x20}  # immutable, append only
_OCTAL = re.compile(rb"\\([0-7]{3})")


def from_os(error: OSError, *, repo: str = "", path: str = "") -> DeployError:
    """Turn an operating system's error into ours: full disk, permission, or unexpected."""
    where = path or _file_name(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"no space left while writing ({error.strerror})",
            repo=repo,
            path=where,
            next=f"free space (df -h {where or '/'}; df -i {where or '/'}), then run the same command again",
        )
    if error.errno == errno.EROFS:
        cause, act = _advice_on_mount(where or "/")
        return ReadOnly(cause, repo=repo, path=where, next=act)
    named = [name for name in (_file_name(error), where) if name] if error.errno == errno.EPERM else []
    for place, letter in map(_attribute, named):
        if letter:
            cause, act = _advice_on_attribute(place, letter)
            return Immutable(cause, repo=repo, path=where, next=act)
    if error.errno in (errno.EACCES, errno.EPERM):
        return NoPermission(
            f"not permitted ({error.strerror})",
            repo=repo,
            path=where,
            next=f"check the owner and mode of this path (namei -l {shlex.quote(where or '/')}), and the user that Salt runs as",
        )
    if error.errno == errno.ENAMETOOLONG:
        return BadName(
            f"{error.strerror}: the file system allows 255 bytes for a name, and 4,095 for a whole path",
            repo=repo,
            path=where,
            next="let the release have a shorter name there, or give the repo a shorter location",
        )
    if error.errno in (errno.EISDIR, errno.ENOTDIR):  # somebody has put the one in the place of the other
        odd = _directory(error) or where
        return DeployError(
            f"{error.strerror}: something else than this project keeps there",
            repo=repo,
            path=odd,
            next=f"look at it, move it away (mv -- {odd} {odd}.bad), then run the same command again",
        )
    return DeployError(f"{type(error).__name__}: {error.strerror or error}", repo=repo, path=where)


def _directory(error: OSError) -> str:
    """Of the two names that a rename has the one that is a directory; "" where neither is."""
    names = [
        os.fsdecode(name) for name in (error.filename2, error.filename) if isinstance(name, (str, bytes))
    ]
    return next(filter(os.path.isdir, names), "")


def _file_name(error: OSError) -> str:
    name = error.filename
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""


def _attribute(path: str) -> tuple[str, str]:
    """The path, or the directory above it, that nobody may change, and the letter of its attribute; ("", "") for none."""
    for place in (path, os.path.dirname(path)):
        flags = _flags(place)
        for letter, flag in _LETTERS.items():
            if flags & flag:
                return place, letter
    return "", ""


def _flags(path: str) -> int:
    found = array.array("L", [0])
    with contextlib.suppress(OSError):
        if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            return 0
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _GET_FLAGS, found)
        finally:
            os.close(fd)
    return found[0]


def _mount_of(path: str) -> tuple[str, str]:
    """Where the file system is mounted that a path is on, and its kind, by ``/proc/self/mountinfo``."""
    real = os.path.realpath(os.fsencode(path))
    best = (b"/", b"")
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            before, _, behind = line.partition(b" - ")
            place = _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), before.split(b" ")[4])
            above = place.rstrip(b"/") + b"/"
            if (real + b"/").startswith(above) and len(place) >= len(best[0]):
                best = (place, behind.split(b" ")[0])
    return os.fsdecode(best[0]), best[1].decode("ascii", "replace")


def _advice_on_mount(path: str) -> tuple[str, str]:
    """For a read-only file system: what it is, and what to do."""
    place, kind = _mount_of(path)
    again = "then run the same command again"
    act = f"see why (dmesg; findmnt {shlex.quote(place)}), {shlex.join(['mount', '-o', 'remount,rw', place])}, {again}"
    return f"the file system at {place} ({kind}) is mounted read-only on this host", act


def _advice_on_attribute(place: str, letter: str) -> tuple[str, str]:
    """For a path that has an attribute: what it is, and what to do."""
    word = {"i": "immutable", "a": "append-only"}[letter]
    again = "then run the same command again"
    act = f"see who needs that ({shlex.join(['lsattr', '-d', place])}), {shlex.join(['chattr', f'-{letter}', place])}, {again}"
    return f"{place} has the attribute {letter} ({word}), so that nobody may change it", act
