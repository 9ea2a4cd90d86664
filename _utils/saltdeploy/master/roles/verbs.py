"""What each function of the runner needs: one table. A function that is not in it may be called by nobody but an admin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config.roles import ADMIN, DEPLOYER, OPERATOR

Needed = tuple[str, ...]
"""Roles, any of which is enough; an admin has them all."""

_BOTH = (DEPLOYER, OPERATOR)


@dataclass(frozen=True)
class Verb:
    """One function.

    Attributes:
        needs: for it as such; () for one that only looks.
        besides: argument to what is needed as well where that is given.
        looks_with: an argument with which it changes nothing.
        finds: whether it is about a deploy that it looks for first: then it asks by itself, about the repo that was found.
    """

    needs: Needed = ()
    besides: Mapping[str, Needed] = field(default_factory=dict)
    looks_with: str = ""
    finds: bool = False


_FORCE = {"force": (OPERATOR,)}  # a guard that everybody goes past guards nothing
_LOOKS = Verb()

VERBS: dict[str, Verb] = {
    **dict.fromkeys(("sync", "fetch", "checkout"), Verb((DEPLOYER,), _FORCE)),
    "promote": Verb((DEPLOYER,), _FORCE, finds=True),
    "preseed": Verb((DEPLOYER,)),
    # what a path of the master names is read with the master's rights, and would leave it in a release
    "stage": Verb((DEPLOYER,), {"directory": (ADMIN,), "archive": (ADMIN,)}),
    **dict.fromkeys(("rollback", "restart"), Verb(_BOTH, _FORCE)),
    **dict.fromkeys(("resume", "abort", "answer"), Verb(_BOTH, finds=True)),
    **dict.fromkeys(("lock", "maintenance", "services", "suspend", "readmit"), Verb(_BOTH)),
    "unlock": Verb(_BOTH, _FORCE),
    "gc": Verb((ADMIN,), looks_with="test"),
    **dict.fromkeys(("init", "import_scap", "forget"), Verb((ADMIN,))),
    **dict.fromkeys(
        (
            "changes",
            "doctor",
            "export",
            "locks",
            "log",
            "next_tag",
            "overview",
            "plan",
            "report",
            "show",
            "sources",
            "status",
            "suspended",
            "story",
            "targets",
            "verify",
            "versions",
        ),
        _LOOKS,
    ),  # fmt: skip
    "watch": Verb((), {"interactive": _BOTH}, finds=True),  # who watches so may answer
}
_UNKNOWN = Verb((ADMIN,))


def of_function(name: str) -> Verb:
    """The row of a function, by its name behind ``deploy.``."""
    return VERBS.get(name, _UNKNOWN)


def needed(name: str, arguments: Mapping[str, Any]) -> list[tuple[str, Needed]]:
    """What a call needs: each of these, by what it is for.

    Args:
        name: of the function, behind ``deploy.``.
        arguments: as they were read.
    """
    verb = of_function(name)
    if verb.looks_with and arguments.get(verb.looks_with):
        return []
    found = [(f"deploy.{name}", verb.needs)] if verb.needs else []
    given = [(key, roles) for key, roles in verb.besides.items() if arguments.get(key)]
    return [*found, *((f"deploy.{name} with {key}=", roles) for key, roles in given)]
