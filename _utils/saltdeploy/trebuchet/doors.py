"""How the runner on the master is reached. Each way is a small class, and all speak of the runner's views alone."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from saltdeploy.lib import process
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import legible
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.trebuchet.refusal import CONFIGURATION, Refusal
from saltdeploy.trebuchet.settings import Settings

View = dict[str, Any]
Arguments = Mapping[str, object]

_SHOWN = 500  # characters of an answer that nobody can read
_MOST = 1 << 28  # bytes of an answer


class Door(Protocol):
    """One way to the runner ``deploy``."""

    def ask(self, function: str, arguments: Arguments) -> View:
        """What a function of the runner answers that is done at once.

        Args:
            function: its name behind ``deploy.``.
            arguments: of the function, by name.

        Raises:
            DeployError: the runner refused, or did not answer.
        """

    def deploy(self, function: str, arguments: Arguments) -> View:
        """The same for one that deploys: what it tells meanwhile is shown; the view of its end.

        Raises:
            DeployError: the runner refused, and asked no host; or did not answer.
        """

    def attach(self, repo: str) -> View:
        """Show the deploy of a repo that is under way, or was last, to its end; the view of that.

        Raises:
            DeployError: there is none, or the runner did not answer.
        """


class SaltRun:
    """The master is this host: ``salt-run``.

    Args:
        words: the command, as ``("sudo", "-n", "salt-run")``.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [*words, "--out=json", "--no-color"]

    def ask(self, function: str, arguments: Arguments) -> View:
        """See :class:`Door`."""
        return answered(self._called(function, arguments, shows=False), self._words, function)

    def deploy(self, function: str, arguments: Arguments) -> View:
        """See :class:`Door`."""
        return answered(self._called(function, arguments, shows=True), self._words, function)

    def attach(self, repo: str) -> View:
        """See :class:`Door`; questions can be answered at the terminal."""
        arguments = {"repo": repo, "interactive": True}
        return answered(self._called("watch", arguments, shows=True, asks=True), self._words, "watch")

    def _called(self, function: str, arguments: Arguments, *, shows: bool, asks: bool = False) -> bytes:
        words = [*self._words, f"deploy.{function}", *(bare(key, value) for key, value in arguments.items())]
        return output_of(words, shows=shows, asks=asks)


def bare(key: str, value: object) -> str:
    """An argument as one word of an argument list; YAML leaves it as it is."""
    return shlex.split(argument(key, value))[0]


def output_of(words: Sequence[str], *, shows: bool, asks: bool = False) -> bytes:
    """What a program prints. It stays in our group, so that Ctrl-C reaches it: it knows what to do then, and we wait.

    Args:
        shows: whether its stderr is shown as it comes; else it is part of the error when it says nothing else.
        asks: whether it may read what is typed.

    Raises:
        Unavailable: it cannot be started, or printed nothing.
    """
    stdin = sys.stdin.fileno() if asks else subprocess.DEVNULL
    stderr = sys.stderr.fileno() if shows else subprocess.PIPE
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            with process.start(words, stdin=stdin, stderr=stderr, apart=False) as running:
                printed, told = process.talk(running, None, process.LONGEST, _MOST)
        finally:
            signal.signal(signal.SIGINT, before)
    except OSError as error:
        raise Unavailable(
            f"{words[0]} cannot be started: {error.strerror}",
            path=words[0],
            next="see docs/git-deploy.md for the keys deploy.door and deploy.salt-run",
        ) from error
    if not printed.strip():
        said = legible(told.decode("utf-8", "backslashreplace").strip()[-_SHOWN:])
        raise Unavailable(
            f"the master did not answer ({shlex.join(words[:6])} ended with {running.returncode}): {said or 'nothing was said'}",
            next=f"{shlex.join(words)}; see docs/git-deploy.md for the keys of deploy.door",
        )
    return printed


def answered(printed: bytes, words: Sequence[str], function: str) -> View:
    """The view in what Salt printed.

    Raises:
        DeployError: the error that it holds.
        Unavailable: it holds no view.
    """
    try:
        said = json.loads(printed)
    except ValueError:
        said = printed.decode("utf-8", "backslashreplace").strip()
    return view_of(said, f"{shlex.join(words)} deploy.{function}")


def view_of(said: object, command: str) -> View:
    """A view of the runner, where that is what arrived.

    Args:
        command: what was called, for the error.

    Raises:
        DeployError: the error that it holds.
        Unavailable: it is none.
    """
    if not isinstance(said, dict) or "view" not in said:
        raise Unavailable(
            f"the master gave no answer of the runner deploy: {legible(str(said))[:_SHOWN]}",
            next=f"{command}; is this package installed on the master, and synced (salt-run saltutil.sync_all)?",
        )
    if said["view"] == "error":
        raise from_wire(said.get("error"))
    return said


def open_door(settings: Settings) -> Door:
    """The configured way.

    Raises:
        Refusal: there is no such way.
    """
    name = settings.door.get("deploy.door", "salt-run")
    make = _DOORS.get(name)
    if make is None:
        raise Refusal(
            f"deploy.door is {legible(name)}, and none of {', '.join(_DOORS)}",
            CONFIGURATION,
            "the master cannot be reached",
            repo=settings.repo,
            next="git config --global deploy.door salt-run",
        )
    return make(settings)


def _salt_run(settings: Settings) -> Door:
    return SaltRun(configured(settings, "deploy.salt-run", "salt-run"))


def configured(settings: Settings, key: str, program: str) -> list[str]:
    """The words of a configured command; without one the program, by sudo for whoever is not root."""
    said = settings.door.get(key)
    try:
        words = shlex.split(said or "")
    except ValueError as error:
        raise Refusal(
            f"{key} is no command: {error}", CONFIGURATION, "its quotes do not close",
            repo=settings.repo, next=f"git config --global {key} {program}",
        ) from None  # fmt: skip
    return words or ([program] if os.geteuid() == 0 else ["sudo", "-n", program])


_DOORS = {"salt-run": _salt_run}
