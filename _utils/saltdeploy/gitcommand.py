"""Runs git: its environment, its progress, its errors, its version. What to ask it is for repository.py."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from saltdeploy.errors import DeployError, DiskFull, GitFailed, GitUnusable

try:  # progress lines are a comfort: a minion without GitPython deploys as well, with fewer of them
    from git import RemoteProgress
except ImportError:  # pragma: no cover - depends on the installation
    RemoteProgress = None

MIN_GIT = (2, 25)
#: Options for commands that read or take in big files: those are streamed, not held in memory.
STREAM = ("-c", "core.bigFileThreshold=16m")

Progress = Callable[[str, int, int, str], None]
"""Called as ``progress(phase, done, total, unit)``; total is 0 when not known."""

_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_PROXY_SSL_CAINFO")
_SETTINGS = {
    # the repositories belong to whoever deploys; git would refuse those of another user
    "safe.directory": "*",
    "core.hooksPath": "/dev/null",
    "core.autocrlf": "false",
    "gc.auto": "0",
    # objects come as packs: a pack is there as a whole or not at all
    "fetch.unpackLimit": "1",
    "protocol.ext.allow": "never",
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
_FULL = re.compile(r"^(?!remote:).*(No space left on device|Disk quota exceeded)", re.MULTILINE)


def no_progress(phase: str, done: int, total: int, unit: str) -> None:
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
        progress: hears of the progress lines on its stderr.
        environment: more variables.

    Raises:
        GitFailed: it ended with another code than 0, which is the error's ``status``.
        DiskFull: and the reason was a full disk.
        GitUnusable: git is not installed.
    """
    with tempfile.TemporaryFile() as given:
        if input is not None:
            given.write(input)
            given.seek(0)
        process = start(
            arguments, stdin if stdin is not None else given, stdout, subprocess.PIPE, environment
        )
        with process:
            try:
                if progress is None:
                    output, errors = process.communicate()
                else:
                    output, errors = b"", _hear(process, progress)
            except BaseException:
                process.kill()
                raise
    if check and process.returncode:
        raise _failure(process.returncode, errors.decode("utf-8", "replace"), path)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def start(
    arguments: list[str],
    stdin: IO[bytes],
    stdout: IO[bytes] | int,
    stderr: int,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start git and return its process.

    Raises:
        GitUnusable: git is not installed.
    """
    try:
        return subprocess.Popen(
            ["git", *_OPTIONS, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**_environment(), **(environment or {})},
        )
    except FileNotFoundError:
        raise GitUnusable(
            "git is not installed", next="install git, then run the same command again"
        ) from None


def git_version() -> tuple[int, ...]:
    """The version of the git that is installed.

    Raises:
        GitUnusable: there is none, or it is older than :data:`MIN_GIT`.
    """
    global _version
    if _version is None:
        found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", run(["version"]).stdout)
        version = tuple(int(part) for part in found.groups(b"0")) if found else (0,)
        if version < MIN_GIT:
            raise GitUnusable(
                f"git {'.'.join(map(str, version))} is too old; {'.'.join(map(str, MIN_GIT))} is needed",
                next="install a newer git, then run the same command again",
            )
        _version = version
    return _version


_version: tuple[int, ...] | None = None


def public(url: str) -> str:
    """The URL without a password in it."""
    return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "***@", url)


def _failure(code: int, errors: str, path: str) -> DeployError:
    text = "; ".join(filter(None, errors[-1500:].splitlines())) or f"git ended with {code}"
    if _FULL.search(errors):
        where = path or tempfile.gettempdir()
        return DiskFull(text, path=path, next=f"free space (df -h {where}), then run the same command again")
    return GitFailed(text, path=path, status=code)


def _environment() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in _KEPT}
    return {
        **inherited,
        "HOME": inherited.get("HOME", "/nonexistent"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _hear(process: subprocess.Popen[bytes], progress: Progress) -> bytes:
    """Read git's stderr to its end, telling of the progress lines in it; return the other lines."""
    assert process.stderr is not None and process.stdout is not None
    handler = _progress_handler(progress)
    others: list[bytes] = []
    for line in _lines(process.stderr):
        if b"%" not in line:
            others.append(line)
        elif handler is not None:
            handler(line.decode("utf-8", "replace"))
    process.stdout.read()
    process.wait()
    return b"\n".join(others[-40:])


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while piece := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        yield from whole
    if rest:
        yield rest


def _progress_handler(progress: Progress) -> Callable[[str], None] | None:
    if RemoteProgress is None:
        return None

    class Told(RemoteProgress):
        def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
            phase = "receive" if op_code & RemoteProgress.OP_MASK & RemoteProgress.RECEIVING else "unpack"
            progress(phase, int(cur_count or 0), int(max_count or 0), "objects")

    return Told().new_message_handler()
