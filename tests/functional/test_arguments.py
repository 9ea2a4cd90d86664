"""Through Salt's own loader: no function of a door takes a value of a wrong kind, whichever argument it is for."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.minion
from saltdeploy.lib import arguments, forcing, readers

from tests.functional.test_doors import MODULES, RUNNERS, by_module_dirs

#: for what has to be given
USUAL = {
    "repo": "no/such",
    "tag": "v1",
    "choice": "yes",
    "deploy": "2" * 20,
    "stage": "fetch",
    "name": "no/such",
    "host": "web1",
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
    readers.count: {"a whole number"},
    readers.wires: {"a list", "a dict", "nothing"},
}


class Doors:
    """All functions of all doors, as Salt has loaded them."""

    def __init__(self, file: Path) -> None:
        minion = salt.minion.SMinion(salt.config.minion_config(str(file)))
        runners = salt.loader.runner(salt.config.master_config(str(file)))
        self.functions: dict[str, dict[str, Callable[..., dict[str, Any]]]] = {
            "runners": {name: runners[f"deploy.{name}"] for name in RUNNERS},
            "modules": {name: minion.functions[f"deploy.{name}"] for name in MODULES},
            "states": {"pinned": minion.states["deploy.pinned"]},
        }


@pytest.fixture(scope="module")
def doors(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Doors:
    _, file = by_module_dirs(checkout, tmp_path_factory.mktemp("both"))
    return Doors(file)


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What the function takes, seen through its door."""
    for cell in inspect.unwrap(function).__closure__ or ():
        if isinstance(cell.cell_contents, arguments.Call):
            return dict(cell.cell_contents.signature.parameters)
    found = inspect.signature(function).parameters.items()
    # Salt tells a module's function about its job by keywords of its own
    return {name: each for name, each in found if each.kind is not inspect.Parameter.VAR_KEYWORD}


def said(kind: str, answer: dict[str, Any]) -> dict[str, str]:
    """The error of an answer."""
    if kind == "states":
        assert (answer["result"], answer["changes"]) == (False, {})
        cause, _, following = answer["comment"].partition(". Next: ")
        return {"kind": "bad-arguments", "cause": cause, "next": following}
    assert answer["status" if kind == "modules" else "retcode"] != 0
    error: dict[str, str] = answer["error"]
    return error


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("runners", name) for name in sorted(RUNNERS)),
        *(("modules", name) for name in sorted(MODULES)),
        ("states", "pinned"),
    ],
)
def test_F01_F02_what_is_not_valid_is_refused_with_a_command(doors: Doors, kind: str, name: str) -> None:
    function = doors.functions[kind][name]
    known = parameters(function)
    assert known or name in ("locks", "sync_all")
    usual = {key: USUAL[key] for key, each in known.items() if each.default is inspect.Parameter.empty}
    for key, parameter in known.items():
        reader = arguments.SEVERAL_REPOS[key]
        fine = FINE[reader.func if isinstance(reader, partial) else reader]
        if parameter.default is None:
            fine = fine | {"nothing"}
        for value in VALUES.keys() - fine:
            error = said(kind, function(**{**usual, key: VALUES[value]}))
            assert error["kind"] == "bad-arguments", (key, value, error)
            assert error["cause"].removeprefix("host web1: ").startswith(f"{key} "), (key, value, error)
            command = "salt-run deploy." if kind == "runners" else "salt web1 "
            assert error["next"].startswith(command), (key, value, error)
            assert f" {key}=" in error["next"] or key == "order" or key == "wanted", (key, value, error)
