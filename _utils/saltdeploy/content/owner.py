"""Gives what is written its owner and mode, and tells whether it still has them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from dataclasses import dataclass

from saltdeploy.config.owner import Ownership
from saltdeploy.git.objects import EXECUTABLE, GITLINK
from saltdeploy.lib.errors import Unsupported

_GROUP_WRITES = 0o020
_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class TreeOwner:
    """An :class:`saltdeploy.config.owner.Ownership` as this host has it.

    Attributes:
        uid, gid: -1 for ours.
        said: the modes.
    """

    uid: int
    gid: int
    said: Ownership

    def file(self, git_mode: str) -> int:
        """The mode of a file."""
        mode = self.said.file_mode
        return mode | (mode & 0o444) >> 2 if git_mode == EXECUTABLE else mode

    def directory(self, path: bytes) -> int:
        """The mode of a directory."""
        writable = any(path == each or path.startswith(each + b"/") for each in self._writable)
        return self.said.dir_mode | (_GROUP_WRITES if writable else 0)

    @property
    def _writable(self) -> tuple[bytes, ...]:
        return tuple(os.fsencode(each) for each in self.said.writable)

    def give_file(self, fd: int, git_mode: str) -> None:
        """To an open file that is ours."""
        self._give(fd, self.file(git_mode))

    def give_link(self, name: bytes, at: int) -> None:
        """To a link in an open directory."""
        if (self.uid, self.gid) != (-1, -1):
            os.chown(name, self.uid, self.gid, dir_fd=at, follow_symlinks=False)

    def give_directory(self, path: bytes, name: bytes, at: int) -> None:
        """To a directory in an open one.

        Args:
            path: of it in the tree; b"" for the tree itself.
            name: of it in ``at``.
        """
        fd = os.open(name, _STEP | os.O_DIRECTORY, dir_fd=at)
        try:
            self._give(fd, self.directory(path))
        finally:
            os.close(fd)

    def _give(self, fd: int, mode: int) -> None:
        """The owner first: with another owner the kernel takes bits away."""
        seen = os.fstat(fd)
        if not self._owns(seen):
            os.fchown(fd, self.uid, self.gid)
        if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
            os.fchmod(fd, mode)

    def _owns(self, seen: os.stat_result) -> bool:
        return self.uid in (-1, seen.st_uid) and self.gid in (-1, seen.st_gid)

    def fits(self, seen: os.stat_result, git_mode: str) -> bool:
        """Whether a file or a link has its owner and mode."""
        if git_mode == GITLINK or stat.S_ISLNK(seen.st_mode):
            return self._owns(seen)
        return self._owns(seen) and stat.S_IMODE(seen.st_mode) == self.file(git_mode)

    def fits_directory(self, seen: os.stat_result, path: bytes) -> bool:
        """Whether a directory has its owner and mode."""
        return self._owns(seen) and stat.S_IMODE(seen.st_mode) == self.directory(path)


def of_host(said: Ownership, repo: str = "") -> TreeOwner | None:
    """The owner as this host knows it; None where the pillar says nothing.

    Raises:
        Unsupported: there is no such user or group here.
    """
    if not said:
        return None
    return TreeOwner(_uid(said.user, repo), _gid(said.group, repo), said)


def _uid(name: str, repo: str) -> int:
    if not name or name.isdecimal():
        return int(name or -1)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name).pw_uid
    raise _nobody("user", name, repo)


def _gid(name: str, repo: str) -> int:
    if not name or name.isdecimal():
        return int(name or -1)
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name).gr_gid
    raise _nobody("group", name, repo)


def _nobody(kind: str, name: str, repo: str) -> Unsupported:
    return Unsupported(
        f"there is no {kind} {name} on this host",
        repo=repo,
        path=f"repo_config:{repo}:owner:{kind}",
        next=f"getent {'passwd' if kind == 'user' else 'group'} {name}; make the {kind}, or name another one",
    )
