"""Values of every kind, and which of them the readers of arguments take."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from saltdeploy.lib import arguments, forcing, readers

#: for what has to be given
USUAL = {
    "repo": "no/such",
    "tag": "v1",
    "choice": "yes",
    "deploy": "2" * 20,
    "stage": "fetch",
    "name": "no/such",
    "host": "web1",
    "source": "/no/such",
    "verb": "stop",
    "reason": "new disks",
    "env": "staging",
    "to": "production",
    "on": True,
    "order": {},
    "wanted": {},
    "directory": "/no/such",
}
VALUES: dict[str, Any] = {
    "a number": 1.1,
    "a whole number": 2026,
    "a truth value": True,
    "nothing": None,
    "a list": [1.1],
    "a dict": {"a": 1.1},
    "a date": datetime.date(2026, 11, 23),
    "bytes": b"v1",
    "a text": "maybe",
    "False as text": "False",
    "characters": "ü☃\u2028\u202e",
    "10 kB": "x" * 10_240,
}
TEXTS = {"a text", "False as text", "characters", "10 kB"}
#: what a reader takes
FINE = {
    readers.name: TEXTS,
    readers.code: TEXTS,
    readers.several: TEXTS,
    readers.choice: TEXTS | {"a truth value"},
    forcing.guards: {"a truth value", "False as text"},
    readers.flag: {"a truth value", "False as text"},
    readers.term: TEXTS | {"a number", "a whole number"},
    readers.number: {"a number", "a whole number"},
    readers.part: set(),
    readers.count: {"a whole number"},
    readers.wires: {"a list", "a dict", "nothing"},
}


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What a function takes, seen through its door."""
    for cell in inspect.unwrap(function).__closure__ or ():
        if isinstance(cell.cell_contents, arguments.Call):
            return dict(cell.cell_contents.signature.parameters)
    found = inspect.signature(function).parameters.items()
    # Salt tells a module's function about its job by keywords of its own
    return {name: each for name, each in found if each.kind is not inspect.Parameter.VAR_KEYWORD}


def wrong_calls(function: Callable[..., Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call of the function with one argument of a wrong kind.

    Yields:
        The argument, the kind of its value, and all named arguments of the call.
    """
    known = parameters(function)
    usual = {key: USUAL[key] for key, each in known.items() if each.default is inspect.Parameter.empty}
    for key, parameter in known.items():
        reader = arguments.SEVERAL_REPOS[key]
        fine = FINE[reader.func if isinstance(reader, partial) else reader]
        if parameter.default is None:
            fine = fine | {"nothing"}
        for kind in sorted(VALUES.keys() - fine):
            yield key, kind, {**usual, key: VALUES[kind]}
