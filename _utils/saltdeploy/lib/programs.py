"""Runs the programs that pack and unpack: zstd, xdelta3, sqfstar, unsquashfs. What they read and write are files and pipes, never names
that somebody else chose.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from saltdeploy.lib import process as processes
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull, Unsupported
from saltdeploy.lib.text import public

_SAID = 1500  # bytes of what a program says that are told
_AGAIN = "run the same command again"
_PACKAGE = {"sqfstar": "squashfs-tools", "unsquashfs": "squashfs-tools"}
_VERSION = {"sqfstar": " 4.5 or newer"}


class Output:
    """What a program writes, as an open file. At the end it must have ended well."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        self._process = process
        self._errors = errors

    def read(self, size: int) -> bytes:
        """The next bytes, ``size`` of them unless it is the end.

        Raises:
            Corrupt: the program failed: what it was given is not what it can read.
        """
        piece = self._pipe.read(size)
        if len(piece) < size and self._process.wait():
            raise _failed(self._process, self._errors)
        return piece


def is_installed(program: str) -> bool:
    """Whether this host has the program."""
    return shutil.which(program) is not None


def package_of(program: str) -> str:
    """The name of the package that has a program."""
    return _PACKAGE.get(program, program)


@contextlib.contextmanager
def output_of(command: Sequence[str], given: IO[bytes]) -> Iterator[Output]:
    """Run a program while its output is read; what is not read when the block ends is not made.

    Args:
        command: an argument list; no shell sees it.
        given: an open file that it reads from where that stands.

    Raises:
        Unsupported: the program is not installed.
    """
    with tempfile.TemporaryFile() as errors, _start(command, given, subprocess.PIPE, errors) as process:
        try:
            yield Output(process, errors)
        finally:
            processes.kill(process)


def run(
    command: Sequence[str], given: IO[bytes] | int, out: IO[bytes] | int, well: Sequence[int] = (0,)
) -> None:
    """Run a program to its end.

    Args:
        command: an argument list; no shell sees it.
        given: an open file that it reads from where that stands.
        out: an open file that its output goes into.
        well: the codes with which it may end.

    Raises:
        Unsupported: the program is not installed.
        DiskFull: there was no room for its output.
        Corrupt: it failed for another reason, or did not end in hours.
    """
    with tempfile.TemporaryFile() as errors, _start(command, given, out, errors) as process:
        try:
            failed = process.wait(processes.LONGEST) not in well
        except subprocess.TimeoutExpired:
            processes.kill(process)
            failed = process.wait() not in well
        except BaseException:
            processes.kill(process)
            raise
        if failed:
            raise _failed(process, errors)


def _start(
    command: Sequence[str], given: IO[bytes] | int, out: IO[bytes] | int, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return processes.start(
            command,
            stdin=given,
            stdout=out,
            stderr=errors,
            environment={**os.environ, "LC_ALL": "C"},
            locks=True,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise Unsupported(
            f"{command[0]} is not installed, or cannot be run ({error.strerror})",
            next=f"install {package_of(command[0])}{_VERSION.get(command[0], '')} on this host, then {_AGAIN}; or choose another transport",
        ) from None


def _failed(process: subprocess.Popen[bytes], errors: IO[bytes]) -> DeployError:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - _SAID))
    said = public("; ".join(errors.read().decode("utf-8", "replace").split("\n")).strip("; "))
    program = os.path.basename(str(process.args[0]))  # type: ignore[index]
    if "No space left" in said:
        return DiskFull(f"{program}: {said}", next=f"free space (df -h), then {_AGAIN}")
    return Corrupt(f"{program} ended with {process.returncode}: {said}", next=_AGAIN)
