"""Checks that run a program: ``command``, ``script`` (of the release) and ``nrpe`` (of the host's monitoring)."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from saltdeploy.checks.base import FAIL, INCONCLUSIVE, PASS, CheckContext, Verdict
from saltdeploy.config.rollout import Check
from saltdeploy.lib import process

NRPE_DIR = "/etc/nagios/nrpe.d"
_SCRIPTS = Path("scap", "scripts")
_NRPE_COMMAND = re.compile(
    r"^[ \t]*command\[(?P<name>[^]]+)\][ \t]*=[ \t]*(?P<line>.+?)[ \t]*$", re.MULTILINE
)
_UNKNOWN = 3  # what a plugin of nagios says when it cannot tell


class _Unusable(Exception):
    """What the check names cannot be run."""


def command(check: Check, place: CheckContext) -> Verdict:
    """An argument list, in the release's directory; 0 is a pass."""
    return _run(check.option("command"), check, place)


def command_by_hand(check: Check, place: CheckContext) -> str:
    """The same in a shell."""
    return _typed(check.option("command"), place)


def script(check: Check, place: CheckContext) -> Verdict:
    """A program below ``scap/scripts`` of the release, with arguments; 0 is a pass."""
    name, *arguments = check.option("command")
    try:
        return _run([str(_script(name, place)), *arguments], check, place)
    except _Unusable as error:
        return Verdict(FAIL, str(error))


def script_by_hand(check: Check, place: CheckContext) -> str:
    """The same in a shell."""
    name, *arguments = check.option("command")
    return _typed([f"./{_SCRIPTS / name}", *arguments], place)


def nrpe(check: Check, place: CheckContext) -> Verdict:
    """A command that monitoring knows by a name; UNKNOWN is inconclusive, WARNING and CRITICAL are failures."""
    try:
        return _run(_of_monitoring(check), check, place, unknown=_UNKNOWN)
    except (_Unusable, OSError) as error:
        return Verdict(FAIL, str(error))


def nrpe_by_hand(check: Check, place: CheckContext) -> str:
    """What monitoring would run."""
    try:
        return _typed(_of_monitoring(check), place)
    except (_Unusable, OSError):
        return shlex.join(["grep", "-rF", "--", f"command[{check.option('command')}]", _nrpe_dir(check)])


def _run(arguments: Sequence[str], check: Check, place: CheckContext, unknown: int | None = None) -> Verdict:
    try:
        ended = process.run(
            arguments, check.timeout, directory=place.directory, environment=place.environment
        )
    except OSError as error:
        return Verdict(FAIL, f"{arguments[0]} cannot be run: {error.strerror}")
    if ended.code == 0:
        return Verdict(PASS, ended.output)
    word = INCONCLUSIVE if ended.code == unknown else FAIL
    how = f"exit code {ended.code}" if ended.code > 0 else f"killed by signal {-ended.code}"
    return Verdict(word, f"{ended.output} ({how})" if ended.output else how)


def _typed(arguments: Sequence[str], place: CheckContext) -> str:
    line = shlex.join(arguments)
    return f"cd {shlex.quote(str(place.directory))} && {line}" if place.directory else line


def _script(name: str, place: CheckContext) -> Path:
    """The script's real path. A release is somebody's data: its links must not make root run what is not its own."""
    if place.directory is None:
        raise _Unusable("a script is of a release, and there is none here")
    home = Path(os.path.realpath(place.directory / _SCRIPTS))
    path = Path(os.path.realpath(home / name))
    tree = Path(os.path.realpath(place.directory))
    if tree not in home.parents or home not in path.parents:
        raise _Unusable(f"{name} is not below {_SCRIPTS} of the release")
    if not path.is_file():
        raise _Unusable(f"the release has no {_SCRIPTS / name}")
    return path


def _of_monitoring(check: Check) -> list[str]:
    name, directory = check.option("command"), Path(_nrpe_dir(check))
    for file in sorted(directory.glob("*.cfg")):
        for found in _NRPE_COMMAND.finditer(file.read_text(errors="replace")):
            if found["name"] == name:
                return _split(found["line"], file)
    raise _Unusable(f"no command[{name}] in {directory}/*.cfg")


def _split(line: str, file: Path) -> list[str]:
    if "$" in line:
        raise _Unusable(f"{file}: {line!r} needs arguments or a macro, which only nrpe itself fills in")
    try:
        return shlex.split(line)
    except ValueError as error:
        raise _Unusable(f"{file}: {line!r} cannot be split into arguments: {error}") from None


def _nrpe_dir(check: Check) -> str:
    return str(check.option("nrpe_dir", NRPE_DIR))
