"""Lets git speak by ssh with the deploy key of a repo, and with nothing else that a host may have: no agent, no key of a user,
no configuration, no host that the pillar does not name.

The key is a file for as long as one git runs: ssh takes it in no other way. It lies in a directory of the process that wrote it,
which that process holds locked. So whoever comes next knows what a killed one has left, and deletes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import secrets
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.config.origin import STORED, DeployKey, as_file, secret_at
from saltdeploy.config.values import Wrong
from saltdeploy.lib import process
from saltdeploy.lib.errors import ConfigError, DeployError, GitFailed, NoPermission
from saltdeploy.lib.os_errors import from_os

log = logging.getLogger(__name__)

_OVER_SSH = re.compile(r"(git\+)?ssh(\+git)?://|(?![A-Za-z0-9+.-]+://)[^/:]+:")
_NAME, _KNOWN = "key", "known_hosts"
_LONGEST = 10.0  # seconds for ssh-keygen
_KEYGEN = "ssh-keygen"
_OPTIONS = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "PreferredAuthentications": "publickey",
    "ForwardAgent": "no",
    "LogLevel": "ERROR",
    "ConnectTimeout": "30",
    # a server that falls silent for two minutes is gone, as with http
    "ServerAliveInterval": "30",
    "ServerAliveCountMax": "4",
}


@dataclass(frozen=True)
class SshAccess:
    """How git speaks by ssh for one repo.

    Attributes:
        repo: its name, for errors.
        key: what the pillar says.
        place: the directory for keys, of this host.
    """

    repo: str
    key: DeployKey
    place: Path

    @contextlib.contextmanager
    def to(self, url: str) -> Iterator[dict[str, str]]:
        """git's environment while the block runs; {} where the URL needs no ssh.

        Raises:
            ConfigError: the key cannot be had.
            GitFailed: as git failed in the block, with what is wrong about the key or the host.
            DiskFull, NoPermission: the key cannot be written.
        """
        if not _OVER_SSH.match(url):
            yield {}
            return
        said = self._said()
        with _room(self.place) as room:
            _write(room / _NAME, said)
            _write(room / _KNOWN, self.key.known_hosts)
            try:
                yield {"GIT_SSH_COMMAND": _command(room), "GIT_SSH_VARIANT": "ssh", "SSH_AUTH_SOCK": ""}
            except GitFailed as error:
                self._explain(error, url, room)
                raise

    def _said(self) -> str:
        path = f"repo_config:{self.repo}:deploy_key:key"
        if not self.key.key.startswith(STORED):
            return self.key.key
        try:
            return as_file(secret_at(self.key.key, path))
        except Wrong as error:
            raise ConfigError(f"what lies at {self.key.key} {error}", repo=self.repo, path=path) from None
        except DeployError as error:
            raise error.at(repo=self.repo) from None

    def _explain(self, error: GitFailed, url: str, room: Path) -> None:
        """Say what ssh does not: that the key itself is of no use, or which half of it the server has to know."""
        where = f"repo_config:{self.repo}:deploy_key"
        if "Host key verification failed" in error.cause or "No matching host key" in error.cause:
            error.cause += (
                "; the server has another key than known_hosts of the deploy key says, or none that it names"
            )
            error.next = f"{_keyscan(url)} shows the server's keys; when they are its own, write them to {where}:known_hosts"
        elif "Permission denied" in error.cause or "Load key" in error.cause:
            error.cause, error.next = _about(error.cause, room / _NAME, where)


def sweep(place: Path) -> None:
    """Delete what killed processes have left; what others use stays."""
    with contextlib.suppress(FileNotFoundError), _alone(place):
        _sweep(place)


@contextlib.contextmanager
def _room(place: Path) -> Iterator[Path]:
    """A directory of this process's own for as long as the block runs."""
    try:
        _make_private(place)
        with _alone(place):
            _sweep(place)
            room = place / secrets.token_hex(8)
            room.mkdir(mode=0o700)
            held = _locked(room, wait=True)
    except OSError as error:
        raise from_os(error, path=str(place)) from error
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(held)


def _make_private(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = os.lstat(place)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise NoPermission(
            "deploy keys are written there, and it is no directory of this user's own",
            path=str(place),
            next=f"ls -ld -- {shlex.quote(str(place))}; look at it, then delete it",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.chmod(place, 0o700)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Between the making of a directory and its lock nobody may take it for one that was left."""
    fd = _locked(place, wait=True)
    try:
        yield
    finally:
        os.close(fd)


def _locked(directory: Path, *, wait: bool) -> int:
    """The directory, open and locked.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _sweep(place: Path) -> None:
    for name in os.listdir(place):
        left = place / name
        with contextlib.suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):
            fd = _locked(left, wait=False)
            try:
                shutil.rmtree(left, ignore_errors=True)
                log.warning("%s: a deploy key that a killed process had left is deleted", place)
            finally:
                os.close(fd)


def _write(path: Path, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w") as file:
            file.write(text)
    except OSError as error:
        raise from_os(error, path=str(path)) from error


def _command(room: Path) -> str:
    """ssh as git calls it, by a shell; ssh takes a value apart at spaces and looks for percent signs once more."""
    options = {
        **_OPTIONS,
        "IdentityFile": _value(room / _NAME),
        "UserKnownHostsFile": _value(room / _KNOWN),
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return shlex.join(["ssh", "-F", "none", *words])


def _value(path: Path) -> str:
    plain = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'


def _about(cause: str, key: Path, where: str) -> tuple[str, str]:
    """Why the server did not let the key in, and what to do."""
    said = _keygen(["-y", "-P", "", "-f", str(key)])
    if said is None:
        return cause, f"see that the server lets in the key at {where}:key"
    if said.returncode == 0:
        public = said.stdout.strip()
        return f"{cause}; the server does not let the deploy key in", f"let it in there: {public}"
    if "passphrase" in said.stderr:
        plain = "ssh-keygen -p -N '' -f KEY takes it away"
        return f"{cause}; the deploy key has a passphrase, and nobody is there to type it", (
            f"{plain}; write the key without one to {where}:key, or better a new one: ssh-keygen -t ed25519 -N '' -f KEY"
        )
    return f"{cause}; the deploy key is damaged, or of a kind that ssh here does not read", (
        f"ssh-keygen -y -f KEY, of the file that {where}:key was copied from, shows whether it is whole"
    )


def _keygen(arguments: list[str]) -> subprocess.CompletedProcess[str] | None:
    """What ssh's own program says of a key; None where it is not there."""
    try:
        running = process.start([_KEYGEN, *arguments])
    except OSError:
        return None
    with running:
        try:
            output, errors = process.talk(running, None, _LONGEST, 1 << 16)
        except process.Overran:
            process.kill(running)
            return None
    return subprocess.CompletedProcess(
        arguments, running.returncode, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")
    )


def _keyscan(url: str) -> str:
    """The command that shows the keys of the server."""
    found = re.match(
        r"[a-z+]+://(?:[^/@]*@)?(?P<host>\[[^\]/]*\]|[^/:]+)(?::(?P<port>\d+))?", url
    ) or re.match(r"(?:[^/@]*@)?(?P<host>[^/:]+):", url)
    host = found["host"].strip("[]") if found else "HOST"
    port = found.groupdict().get("port") if found else None
    return shlex.join(["ssh-keyscan", *(["-p", port] if port else []), host])
