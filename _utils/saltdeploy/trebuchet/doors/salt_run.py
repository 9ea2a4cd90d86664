"""The door ``salt-run``: the master is this host."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from saltdeploy.lib import process
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.text import legible
from saltdeploy.trebuchet.doors import Arguments, LeftAlone, View, bare, configured, goes_on, view_of
from saltdeploy.trebuchet.settings import Settings

_SHOWN = 500  # characters of what a program says
_MOST = 1 << 28  # bytes of an answer


class SaltRun:
    """See the module. It shows by itself what a deploy tells."""

    def __init__(self, settings: Settings) -> None:
        self._words = [*configured(settings, "deploy.salt-run", "salt-run"), "--out=json", "--no-color"]

    def ask(self, function: str, arguments: Arguments) -> View:
        """See :class:`Door`."""
        return answered(self._called(function, arguments, shows=False), self._words, function)

    def deploy(self, function: str, arguments: Arguments) -> View:
        """See :class:`Door`."""
        view = answered(self._called(function, arguments, shows=True), self._words, function)
        if view["view"] == "detached":  # Ctrl-C twice
            raise goes_on(arguments["repo"])
        return view

    def attach(self, repo: str) -> View:
        """See :class:`Door`; questions can be answered at the terminal."""
        arguments = {"repo": repo, "interactive": True}
        return answered(self._called("watch", arguments, shows=True, asks=True), self._words, "watch")

    def _called(self, function: str, arguments: Arguments, *, shows: bool, asks: bool = False) -> bytes:
        words = [*self._words, f"deploy.{function}", *(bare(key, value) for key, value in arguments.items())]
        return output_of(words, shows=shows, asks=asks)


def output_of(words: Sequence[str], *, shows: bool, asks: bool = False) -> bytes:
    """What a program prints. It stays in our group, so that Ctrl-C reaches it: it knows what to do then, and we wait.

    Args:
        shows: whether its stderr is shown as it comes; else it is part of the error when it says nothing else.
        asks: whether it may read what is typed.

    Raises:
        Unavailable: it cannot be started, or printed nothing.
        KeyboardInterrupt: Ctrl-C ended it.
    """
    stopped: list[int] = []
    stdin = sys.stdin.fileno() if asks else subprocess.DEVNULL
    stderr = sys.stderr.fileno() if shows else subprocess.PIPE
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
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
    if stopped and not printed.strip():
        raise KeyboardInterrupt
    if not printed.strip():
        said = legible(told.decode("utf-8", "backslashreplace").strip()[-_SHOWN:])
        raise (LeftAlone if shows else Unavailable)(
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
