"""How the runner on the master is reached. Each way is a small class, and all speak of the runner's views alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any, Protocol

from saltdeploy.lib import wire_errors
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import legible
from saltdeploy.trebuchet.refusal import CONFIGURATION, Refusal
from saltdeploy.trebuchet.settings import Settings

View = dict[str, Any]
Arguments = Mapping[str, object]

_SHOWN = 500  # characters of an answer that nobody can read


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
            LeftAlone: it may have begun, and its end was not seen.
            DeployError: the runner refused, and asked no host.
        """

    def attach(self, repo: str) -> View:
        """Show the deploy of a repo that is under way, or was last, to its end; the view of that.

        Raises:
            DeployError: there is none, or the runner did not answer.
        """


def bare(key: str, value: object) -> str:
    """An argument as one word of an argument list; YAML leaves it as it is."""
    return shlex.split(argument(key, value))[0]


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
        raise wire_errors.from_wire(said.get("error"))
    return said


class LeftAlone(Unavailable):
    """A deploy may have begun, and nobody here sees its end: nothing may be said of hosts."""


def goes_on(repo: object) -> LeftAlone:
    """The error of who looks on no longer."""
    return LeftAlone(
        "the deploy goes on without this terminal",
        repo=str(repo),
        next=f"git deploy attach; to stop it: salt-run deploy.abort repo={repo}",
    )


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
