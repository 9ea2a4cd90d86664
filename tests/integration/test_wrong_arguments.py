"""Whoever calls the runner gets the same answer to an argument of a wrong kind: no traceback, and a command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.loader
import yaml

from tests.functional.test_doors import RUNNERS
from tests.integration.fleet import Fleet
from tests.integration.saltapi import SaltApi
from tests.support.wrong_values import wrong_calls


def a_wrong_call_of_each_argument(fleet: Fleet) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Function, argument, kind of value, and the call's arguments: kinds by turn, so that each is there several times."""
    functions = salt.loader.runner(fleet.opts)
    turn = 0
    for name in sorted(RUNNERS):
        calls: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for key, kind, call in wrong_calls(functions[f"deploy.{name}"]):
            if kind != "bytes":  # no wire carries them
                calls.setdefault(key, []).append((kind, call))
        for key, choices in calls.items():
            turn += 1
            yield f"deploy.{name}", key, *choices[turn % len(choices)]


@pytest.mark.repo()
def test_F01_F02_an_orchestration_with_a_wrong_argument_fails_and_names_the_command(
    repo: Any, fleet: Fleet, tmp_path: Path
) -> None:
    calls = {
        f"{function} {key} is {kind}": {"function": function, "arguments": call}
        for function, key, kind, call in a_wrong_call_of_each_argument(fleet)
    }
    file = tmp_path / "calls.yaml"
    file.write_text(yaml.safe_dump(calls, allow_unicode=True), encoding="utf-8")
    done = fleet.salt_run("state.orchestrate", "wrong_arguments", pillar={"calls": str(file)})
    assert done.status == 1
    (states,) = done.data["data"].values()
    answers = {state["__id__"]: state for state in states.values()}
    assert answers.keys() == calls.keys()
    for name, state in answers.items():
        assert state["result"] is False, name
        error = state["changes"]["return"]["error"]
        assert (error["kind"], error["cause"].partition(" ")[0]) == ("bad-arguments", name.split()[1]), (
            name,
            error,
        )
        assert error["next"].startswith(f"salt-run {name.split()[0]} "), (name, error)


@pytest.mark.repo()
def test_F01_F02_a_wrong_argument_by_salt_api_is_refused_with_the_command(repo: Any, fleet: Fleet) -> None:
    with fleet.api() as url:
        api = SaltApi(url, "deployer")
        for function, key, kind, call in a_wrong_call_of_each_argument(fleet):
            if kind == "a date":  # JSON has none
                continue
            answer = api.run(function, call)
            assert answer["success"] is False, (function, key, kind, answer)
            error = answer["error"]
            assert (error["kind"], error["cause"].partition(" ")[0]) == ("bad-arguments", key), (
                function,
                kind,
                error,
            )
            assert error["next"].startswith(f"salt-run {function} "), (function, key, kind, error)
