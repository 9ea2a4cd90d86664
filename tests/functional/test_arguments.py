"""Through Salt's own loader: no function of a door takes a value of a wrong kind, whichever argument it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.minion

from tests.functional.test_doors import MODULES, RUNNERS, by_module_dirs
from tests.support.wrong_values import parameters, wrong_calls


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
    assert parameters(function) or name in ("locks", "suspended", "sync_all", "deployment_server_init")
    for key, value, call in wrong_calls(function):
        error = said(kind, function(**call))
        assert error["kind"] == "bad-arguments", (key, value, error)
        assert error["cause"].removeprefix("host web1: ").startswith(f"{key} "), (key, value, error)
        command = "salt-run deploy." if kind == "runners" else "salt web1 "
        assert error["next"].startswith(command), (key, value, error)
        assert f" {key}=" in error["next"] or key == "order" or key == "wanted", (key, value, error)
