"""One way in for the arguments of every function that Salt can call.

Salt reads what is typed as YAML before a function sees it: ``1.10`` arrives as the number 1.1, ``yes`` as a truth value.
Over an API everything may be text: ``False`` is one then. So each parameter has a reader in one of the tables below. The
text that was typed counts wherever it is known (:func:`typed`); a name that lost its text is refused, never guessed.
"""

from __future__ import annotations

import difflib
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.forcing import guards
from saltdeploy.lib.readers import (
    Given,
    Lost,
    NotValid,
    Reader,
    choice,
    code,
    count,
    flag,
    name,
    number,
    part,
    several,
    term,
    wires,
)
from saltdeploy.lib.spelling import argument

Readers = Mapping[str, Reader]

_WHY_LOST = (
    "Salt reads arguments as YAML, and what was typed is lost: give it in double quotes within single ones, "
    "as it was meant"
)

_LONGEST = 300  # characters of a value that is told again
_deploy_id = partial(code, digits=20)

#: The reader of each parameter: one name means one thing in every function of modules, runners and states.
ONE_REPO: Readers = {
    **dict.fromkeys(
        (
            "repo",
            "name",
            "tag",
            "commit",
            "branch",
            "to",
            "limit",
            "reason",
            "group",
            "key",
            "stage",
            "transport",
            "source",
            "location",
            "config_file",
            "pillar_file",
            "top_file",
            "host",
            "scheme",
            "next",
            "file",
            "filter",
            "old",
            "new",
            "directory",
            "archive",
            "until",
            "env",
            "verb",
            "coming",
            "path",
            "environment",
        ),
        name,
    ),
    "force": guards,
    **dict.fromkeys(
        (
            "interactive",
            "unattended",
            "detach",
            "targets",
            "full",
            "reset",
            "follow",
            "json",
            "screen",
            "write",
            "on",
        ),
        flag,
    ),
    "test": partial(flag, careful=True),
    **dict.fromkeys(("wait", "hours"), number),
    **dict.fromkeys(("attempt", "after"), count),
    **dict.fromkeys(("failure_limit", "batch", "on_failure", "on_inconclusive", "hold"), term),
    **dict.fromkeys(("id", "deploy"), _deploy_id),
    "part": part,
    "plan": partial(code, digits=64),
    "choice": choice,
    **dict.fromkeys(("order", "wanted"), wires),
}
#: The same, where ``repo`` may name several.
SEVERAL_REPOS: Readers = {**ONE_REPO, "repo": several}


def typed(opts: Mapping[str, Any], function: str, parse: Callable[..., Any]) -> dict[int | str, Given]:
    """What was typed, where this process is the very command that calls the function: its options hold that.

    Args:
        opts: Salt's; a command line's own have ``fun`` and ``arg``.
        function: the one that is called: ``deploy.sync``.
        parse: Salt's ``parse_input``.

    Returns:
        Position or name of each argument to its value and its text.
    """
    found: dict[int | str, Given] = {}
    positions = 0
    for text in opts.get("arg") or () if opts.get("fun") == function else ():
        positional, named = parse([text], condition=False)
        for value in positional:
            found[positions] = Given(value, str(text))
            positions += 1
        for key, value in named.items():
            found[key] = Given(value, str(text).partition("=")[2])
    return found


def taken_out(key: str, named: dict[str, Any], known: dict[int | str, Given], call: Call) -> str:
    """An argument that every function with a repo takes beside its own: ``env``. It is taken out of what the function gets.

    Raises:
        BadArguments: it is no text.
    """
    if key not in named or "repo" not in call.signature.parameters:
        return ""
    given = known.pop(key, None) or Given(named[key], None)
    del named[key]
    try:
        return name(given)
    except (NotValid, Lost) as error:
        raise BadArguments(f"{key} {error}", next=f"{call.command} repo=... {key}=staging") from None


def set_environment(bound: inspect.BoundArguments, env: str) -> None:
    """Let a call be about this environment of its repo, or of each of its repos; "" leaves it as it is."""
    if not env:
        return
    repo = bound.arguments.get("repo") or ""
    if isinstance(repo, tuple):
        bound.arguments["repo"] = tuple((f"{each}@{env}", tag) for each, tag in repo)
    elif repo:
        bound.arguments["repo"] = f"{repo}@{env}"


@dataclass(frozen=True)
class Call:
    """A function as it can be called.

    Attributes:
        command: how it is called from a command line: ``salt-run deploy.sync``.
        signature: its parameters; each has one of the readers.
        readers: :data:`ONE_REPO` or :data:`SEVERAL_REPOS`.
    """

    command: str
    signature: inspect.Signature
    readers: Readers

    def read(
        self, positional: Sequence[object], named: Mapping[str, object], known: Mapping[int | str, Given]
    ) -> inspect.BoundArguments:
        """The arguments as they are meant.

        Args:
            positional, named: as they arrived.
            known: what was typed; a text counts only where Salt makes of it what arrived.

        Raises:
            BadArguments: with the whole command as it could be meant.
        """
        try:
            bound = self.signature.bind(
                *(_given(known, place, value) for place, value in enumerate(positional)),
                **{key: _given(known, key, value) for key, value in named.items()},
            )
        except TypeError as error:
            takes = f"; it takes {', '.join(self.signature.parameters)}" if self.signature.parameters else ""
            raise BadArguments(f"{error}{takes}", next=self._fitting(positional, named)) from None
        given: dict[str, Given] = dict(bound.arguments)
        wrong: dict[str, NotValid] = {}
        for key, each in given.items():
            try:
                bound.arguments[key] = self._read(key, each)
            except NotValid as error:
                wrong[key] = error
        if wrong:
            causes = [f"{key} {error}" for key, error in wrong.items()]
            if any(isinstance(error, Lost) for error in wrong.values()):
                causes.append(_WHY_LOST)
            repo = "" if "repo" in wrong else repos(bound.arguments.get("repo"))
            raise BadArguments("; ".join(causes), repo=repo, next=self._again(given, wrong, bound.arguments))
        return bound

    def _fitting(self, positional: Sequence[object], named: Mapping[str, object]) -> str:
        """The command with what fits of what was given: names that are near another's are meant as that."""
        parameters = self.signature.parameters
        places = [key for key, each in parameters.items() if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        given = dict(zip(places, positional, strict=False))
        for key, value in named.items():
            near = [key] if key in parameters else difflib.get_close_matches(key, parameters, n=1)
            if near and near[0] not in given:
                given[near[0]] = value
        missing = [key for key, each in parameters.items() if each.default is each.empty and key not in given]
        words = [argument(key, value) for key, value in given.items() if len(str(value)) < _LONGEST]
        return " ".join([self.command, *words, *(f"{key}=..." for key in missing)])

    def _read(self, key: str, given: Given) -> Any:
        left_out = given == Given(None) and self.signature.parameters[key].default is None
        return None if left_out else self.readers[key](given)

    def _again(
        self, given: Mapping[str, Given], wrong: Mapping[str, NotValid], meant: Mapping[str, Any]
    ) -> str:
        """The command, with guesses in place of what is wrong."""
        words = [self.command]
        for key, each in given.items():
            value = wrong[key].guess if key in wrong else each.value
            if key not in wrong and isinstance(meant[key], str):
                words.append(argument(key, meant[key]))
            elif key not in wrong and each.typed is not None:
                words.append(f"{key}={shlex.quote(each.typed)}")
            elif value is not None:
                words.append(argument(key, value))
        return " ".join(words)


def repos(repo: object) -> str:
    """The names of what a reader of ``repo`` has returned, as one text."""
    return ",".join(each for each, _ in repo) if isinstance(repo, tuple) else str(repo or "")


def _given(known: Mapping[int | str, Given], place: int | str, value: object) -> Given:
    """What arrived, with its text if that is what Salt makes of it: 1, 1.0 and True are equal, and not the same."""
    each = known.get(place)
    return each if each is not None and repr(each.value) == repr(value) else Given(value)
