"""What an error of the operating system means to an operator."""

from __future__ import annotations

import errno
import os
import shlex

from saltdeploy.lib import obstacles
from saltdeploy.lib.errors import BadName, DeployError, DiskFull, Immutable, NoPermission, ReadOnly


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
        cause, act = obstacles.advice_on_mount(where or "/")
        return ReadOnly(cause, repo=repo, path=where, next=act)
    named = [name for name in (_file_name(error), where) if name] if error.errno == errno.EPERM else []
    for place, letter in map(obstacles.attribute, named):
        if letter:
            cause, act = obstacles.advice_on_attribute(place, letter)
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
