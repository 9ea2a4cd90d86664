"""Runs git: its environment, its progress, its errors, its version. What to ask it is for repository.py."""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import IO, Any

from saltdeploy.lib import process as processes
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull, GitFailed, GitUnusable
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.text import public

MIN_GIT = (2, 25)
#: Options for commands that read or take in big files: those are streamed, not held in memory.
STREAM = ("-c", "core.bigFileThreshold=16m")
#: Environment of the one command that may talk to another repository.
ONLINE = {"GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}

Progress = Callable[[str, int, int, str], None]
"""Called as ``progress(phase, done, total, unit)``; total is 0 when not known."""

_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_PROXY_SSL_CAINFO")
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    # the owner of a repository could let git fetch a missing object by a program of his own, with our rights
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    # what travels is what the objects say, and not what somebody lets git take for them on one host
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_SETTINGS = {
    # the repositories belong to whoever deploys; git would refuse those of another user
    "safe.directory": "*",
    "core.hooksPath": "/dev/null",
    # who compares a tree with what it should be looks for himself
    "core.fsmonitor": "false",
    # in a submodule's directory git would follow the configuration there
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "core.autocrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # objects come as packs: a pack is there as a whole or not at all
    "fetch.unpackLimit": "1",
    "advice.detachedHead": "false",
    # a server that falls silent for two minutes is gone; without these git waits for ever
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "120",
    # a minion is a guest on its host: git's defaults take 350 MB to read 300,000 blobs, and are no faster
    "core.deltaBaseCacheLimit": "16m",
    "core.packedGitWindowSize": "8m",
    "core.packedGitLimit": "32m",
}
_OPTIONS = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
_READ_ONLY = "Read-only file system"
_FULL = re.compile(
    r"^(?!remote:).*(No space left on device|Out of diskspace|Disk quota exceeded)", re.MULTILINE
)
_COUNTED = re.compile(rb"(?:remote: )?[A-Z][a-z ]+: +\d+(?:%|,|$)")
#: Seconds that git works before its progress is told. What ends sooner is not worth the import of GitPython, which
#: costs as much as all the rest of the package.
_WORTH_TELLING = 0.5
_BUFFER = 1 << 18  # bytes that are read at once, of thousands of small blobs
_MOST_OUTPUT = 1 << 28  # bytes; whoever reads more reads it as it comes
_MOST_LINES, _LONGEST_LINE = 40, 1 << 16


def no_progress(phase: str, done: int, total: int, unit: str, step: str = "") -> None:
    """Tell nobody."""


def run(
    arguments: list[str],
    *,
    path: str = "",
    check: bool = True,
    input: bytes | None = None,  # noqa: A002 - subprocess's own word
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end.

    Args:
        arguments: behind ``git``.
        path: what it is about, for errors.
        check: whether an exit code other than 0 is an error.
        input, stdin: what it reads, as bytes or as an open file.
        stdout: a file for its output, which is else in the result.
        progress: hears of the progress lines on its stderr; its output is thrown away then.
        environment: more variables.

    Raises:
        GitFailed: it ended with another code than 0, which is the error's ``status``.
        DiskFull: and the reason was a full disk.
        GitUnusable: git is not installed.
    """
    given = subprocess.PIPE if input is not None else stdin or subprocess.DEVNULL
    with start(arguments, given, stdout if progress is None else subprocess.DEVNULL, environment) as process:
        try:
            if progress is None:
                output, errors = processes.talk(process, input, processes.LONGEST, _MOST_OUTPUT)
            else:
                output, errors = b"", _hear(process, progress)
        except processes.Overran as error:
            processes.kill(process)
            raise GitFailed(
                f"git was stopped, as it did not end: {public(error.output[-500:])}", path=path
            ) from None
        except BaseException:
            processes.kill(process)
            raise
    if check and process.returncode:
        raise _failure(process.returncode, errors.decode("utf-8", "replace"), path)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def run_as(account: processes.Account | None, arguments: list[str], directory: Path, umask: int) -> None:
    """Run git in a directory of somebody, with their rights and their configuration; it may talk to other repositories.

    Args:
        account: who; None: we ourselves.
        umask: for what it makes.

    Raises:
        GitFailed: it ended with another code than 0, or did not end.
        GitUnusable: git is not installed.
    """
    home = {"HOME": account.home} if account else {}
    command = ["git", *_OPTIONS, *arguments]
    place = str(directory)
    with _started(command, directory=place, environment={**_environment(), **ONLINE, **home}, account=account,
                  umask=umask) as process:  # fmt: skip
        try:
            _, errors = processes.talk(process, None, processes.LONGEST, _MOST_OUTPUT)
        except processes.Overran as error:
            processes.kill(process)
            raise GitFailed(
                f"git was stopped, as it did not end: {public(error.output[-500:])}", path=place
            ) from None
    if process.returncode:
        raise _failure(process.returncode, errors.decode("utf-8", "replace"), place)


def _started(command: list[str], **more: Any) -> subprocess.Popen[bytes]:
    try:
        return processes.start(command, **more)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise GitUnusable(
            f"git is not installed, or cannot be run ({error.strerror})",
            next="install git, then run the same command again",
        ) from None


def start(
    arguments: list[str],
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
    *,
    locks: bool = True,
) -> subprocess.Popen[bytes]:
    """Start git and return its process.

    Args:
        locks: see :func:`saltdeploy.lib.process.start`.

    Raises:
        GitUnusable: git is not installed, or this user may not run it.
    """
    return _started(
        ["git", *_OPTIONS, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        environment={**_environment(), **(environment or {})},
        locks=locks,
        buffer=_BUFFER,
    )


@functools.cache
def git_version() -> tuple[int, ...]:
    """The version of the git that is installed.

    Raises:
        GitUnusable: there is none, or it is older than :data:`MIN_GIT`.
    """
    found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", run(["version"]).stdout)
    version = tuple(int(part) for part in found.groups(b"0")) if found else (0,)
    if version < MIN_GIT:
        raise GitUnusable(
            f"git {'.'.join(map(str, version))} is too old; {'.'.join(map(str, MIN_GIT))} is needed",
            next="install a newer git, then run the same command again",
        )
    return version


def settings(data: bytes) -> dict[str, str]:
    """What a file in the form of git's configuration says: ``section.name.key`` to its last value.

    Args:
        data: the file. It includes no other.

    Raises:
        Corrupt: it is no such file.
    """
    command = ["config", "--file", "-", "--no-includes", "--null", "--list"]
    nowhere = {"GIT_DIR": os.devnull}  # or else a repository that this process happens to be in has a say
    try:
        listed = run(command, input=data, environment=nowhere).stdout
    except GitFailed as error:
        raise Corrupt(error.cause) from error
    said = (each.decode("utf-8", "replace").partition("\n") for each in listed.split(b"\0") if each)
    return {key: value for key, _, value in said}


def _failure(code: int, errors: str, path: str) -> DeployError:
    said = public("; ".join(filter(None, map(str.strip, errors[-1500:].splitlines()))))
    if _FULL.search(errors):
        where = path or tempfile.gettempdir()
        return DiskFull(said, path=path, next=f"free space (df -h {where}), then run the same command again")
    if _READ_ONLY in errors:
        return from_os(OSError(errno.EROFS, os.strerror(errno.EROFS)), path=path or tempfile.gettempdir())
    if code < 0:  # a number of ours must not come out of a signal's
        killed = f"git was killed by signal {-code} ({signal.strsignal(-code)})"
        return GitFailed(f"{killed}: {said}" if said else killed, path=path)
    return GitFailed(said or f"git ended with {code}", path=path, status=code)


def _environment() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in _KEPT}
    return {
        **inherited,
        "HOME": inherited.get("HOME", "/nonexistent"),
        **_ENVIRONMENT,
    }


def _hear(process: subprocess.Popen[bytes], progress: Progress) -> bytes:
    """Read git's stderr to its end, telling of the progress lines in it; return the other lines."""
    assert process.stderr is not None
    others: deque[bytes] = deque(maxlen=_MOST_LINES)  # a hostile server may talk for ever
    handler: Callable[[str], None] | None = None
    begin = time.monotonic()
    for line in _lines(process.stderr, begin + processes.LONGEST):
        if not _COUNTED.match(line):
            others.append(line)
        elif time.monotonic() - begin >= _WORTH_TELLING:
            handler = handler or _progress_handler(progress)
            handler(line.decode("utf-8", "replace"))
    process.wait()
    return b"\n".join(others)


def _lines(stream: IO[bytes], deadline: float) -> Iterator[bytes]:
    rest = b""
    while piece := _read(stream, deadline):
        *whole, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        rest = rest[-_LONGEST_LINE:]
        yield from whole
    if rest:
        yield rest


def _read(stream: IO[bytes], deadline: float) -> bytes:
    if not connection.wait([stream.fileno()], max(0.0, deadline - time.monotonic())):
        raise processes.Overran
    return os.read(stream.fileno(), 65536)


def _progress_handler(progress: Progress) -> Callable[[str], None]:
    """What takes git's lines of progress. Without GitPython, which a minion may lack, they are passed over."""
    try:
        from git import RemoteProgress
    except ImportError:  # pragma: no cover - depends on the installation
        return lambda line: None

    phases = {RemoteProgress.RECEIVING: "receive", RemoteProgress.RESOLVING: "unpack"}

    class Told(RemoteProgress):
        def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
            phase = phases.get(op_code & RemoteProgress.OP_MASK)
            if phase:  # the others are about the server's work
                progress(phase, int(cur_count or 0), int(max_count or 0), "objects")

        def line_dropped(self, line: str) -> None:
            """GitPython does not know the line that git writes while it takes in a bundle."""
            found = self.re_op_relative.match(line)
            if found and found[2] == "Unbundling objects":
                progress("unpack", int(found[4]), int(found[5]), "objects")

    return Told().new_message_handler()
