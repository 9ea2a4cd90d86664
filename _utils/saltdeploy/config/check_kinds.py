"""What is known of each kind of check, in one table; everything else that names kinds reads it here.

A kind is a row here and two functions in a file below ``checks/``; or both in a package of somebody else, with an entry
point in the group :data:`GROUP`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.plugins import Table
from saltdeploy.config.rollout import Check
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

GROUP = "saltdeploy.checks"

Reader = Callable[[Any], Any]
"""Takes what stands under a key and returns it checked, or raises :class:`Wrong`."""


def _anything(check: Check) -> None:
    """What the keys say one by one is all that there is to say."""


@dataclass(frozen=True)
class CheckKind:
    """What is known of a kind of check.

    Attributes:
        name: what an operator writes as ``type``: 1 to 20 small letters.
        run: what runs such a check, as ``package.module:function``; it takes a
            :class:`~saltdeploy.config.rollout.Check` and a :class:`~saltdeploy.checks.base.CheckContext`, and returns a
            :class:`~saltdeploy.checks.base.Verdict`. It keeps to the check's timeout; what it raises is a failure.
        by_hand: what returns the command with which a person on the same host looks at the same thing, likewise.
        keys: its own keys, each with what reads its value.
        required: those of them that it needs.
        refuse: raises :class:`Wrong` where the keys do not fit together.
        asks_processes: it asks the processes which serve, so it may not stand between the switch and the restart.
        of_release: what it runs is a file of the release.
        on_master: it runs on the master, unless its ``where`` says otherwise.
    """

    name: str
    run: str
    by_hand: str
    keys: Mapping[str, Reader] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    refuse: Callable[[Check], None] = _anything
    asks_processes: bool = False
    of_release: bool = False
    on_master: bool = False

    def __post_init__(self) -> None:
        if not all(isinstance(place, str) and ":" in place for place in (self.run, self.by_hand)):
            raise TypeError("run and by_hand must be texts: package.module:function")
        if not isinstance(self.keys, Mapping) or not all(map(callable, (self.refuse, *self.keys.values()))):
            raise TypeError("keys must be a table of readers, and refuse a function")
        if not set(self.required) <= set(self.keys):
            raise TypeError("required must be names of keys")


def kind(name: str) -> CheckKind:
    """What is known of the kind of this name.

    Raises:
        ConfigError: there is none, or the package that brings it is broken.
    """
    found = TABLE.find(name)
    if found is None:
        raise ConfigError(
            f"there is no kind of check {name[:40]!r}", next=f"choose one of {', '.join(TABLE.names())}"
        )
    return found


def name_of_kind(value: Any) -> str:
    """A reader of the key ``type``."""
    try:
        if isinstance(value, str) and TABLE.find(value):
            return value
    except ConfigError as error:  # of a broken package
        raise Wrong(f"{error.cause}; {error.next}") from None
    raise Wrong(f"must be one of {', '.join(TABLE.names())}")


# -- readers of their keys ------------------------------------------------------------------------------


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Wrong("must be a number")
    return float(value)


def _pattern(value: Any) -> str:
    try:
        re.compile(values.text(value))
    except re.error as error:
        raise Wrong(f"is not a regular expression: {error}") from None
    return str(value)


def _no_shell(value: Any) -> bool:
    """scap's ``shell``: only false, since nothing here is run by a shell."""
    if values.flag(value):
        raise Wrong(
            "no shell is used: write command as a list of arguments, [/bin/sh, -c, 'the lines'], or put the lines into "
            "a script of the release (type: script)"
        )
    return False


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong("must be a list")
    return list(value)


def _statuses(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(each) is int and 100 <= each <= 599 for each in numbers):
        raise Wrong("must be a status such as 200, or a list of them")
    return tuple(numbers)


def _url(value: Any) -> str:
    if not values.text(value).startswith(("http://", "https://")):
        raise Wrong("must begin with http:// or https://")
    return str(value)


def _patterns(value: Any) -> dict[str, str]:
    table = values.table_of_any(value)
    return values.table(table, dict.fromkeys(table, _pattern))


def _function(value: Any) -> str:
    if "." not in values.text(value):
        raise Wrong("must be a function of Salt: module.function")
    return str(value)


_LIMITS = ("max", "min", "max_ratio", "max_increase")


def _refuse_metric(check: Check) -> None:
    given = {key for key, _ in check.options}
    if given - set(_LIMITS) not in ({"query", "prometheus"}, {"url", "path"}):
        raise Wrong("needs query and prometheus, or url and path")
    if not given & set(_LIMITS):
        raise Wrong(f"needs a limit: {', '.join(_LIMITS)}")


_COMMAND = {"command": values.command, "shell": _no_shell}

TABLE = Table(
    "check",
    GROUP,
    CheckKind,
    (
        CheckKind(
            "command",
            run="saltdeploy.checks.commands:command",
            by_hand="saltdeploy.checks.commands:command_by_hand",
            keys=_COMMAND,
            required=("command",),
        ),
        CheckKind(
            "script",
            run="saltdeploy.checks.commands:script",
            by_hand="saltdeploy.checks.commands:script_by_hand",
            keys=_COMMAND,
            required=("command",),
            of_release=True,
        ),
        CheckKind(
            "nrpe",
            run="saltdeploy.checks.commands:nrpe",
            by_hand="saltdeploy.checks.commands:nrpe_by_hand",
            keys={"command": values.text, "nrpe_dir": values.absolute, "shell": _no_shell},
            required=("command",),
            asks_processes=True,
        ),
        CheckKind(
            "http",
            run="saltdeploy.checks.http:http",
            by_hand="saltdeploy.checks.http:http_by_hand",
            keys={
                "url": _url,
                "status": _statuses,
                "body": _pattern,
                "headers": _patterns,
                "host": values.text,
            },
            required=("url",),
            asks_processes=True,
        ),
        CheckKind(
            "port",
            run="saltdeploy.checks.http:port",
            by_hand="saltdeploy.checks.http:port_by_hand",
            keys={"port": values.ports, "host": values.text},
            required=("port",),
            asks_processes=True,
        ),
        CheckKind(
            "salt",
            run="saltdeploy.checks.salt:salt",
            by_hand="saltdeploy.checks.salt:salt_by_hand",
            keys={"function": _function, "args": _list, "kwargs": values.table_of_any},
            required=("function",),
        ),
        CheckKind(
            "metric",
            run="saltdeploy.checks.metrics:metric",
            by_hand="saltdeploy.checks.metrics:metric_by_hand",
            keys={
                "query": values.text,
                "prometheus": _url,
                "url": _url,
                "path": values.text,
                **dict.fromkeys(_LIMITS, _number),
            },
            refuse=_refuse_metric,
            asks_processes=True,
            on_master=True,
        ),
    ),
)
