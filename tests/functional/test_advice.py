"""F12: whatever command this project tells people to type: the function is there, it takes these arguments, and nothing is
left to be filled in that could have been known."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.minion

from tests.functional.test_doors import by_module_dirs
from tests.support.advice import Command, commands

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = commands(CHECKOUT)

#: What nobody but the reader can know, and why.
OPEN = {
    # nothing was ever deployed: which release is to be the first is for people to say
    ("_modules/deploy.py", "deploy.preseed", "tag=..."),
    ("_modules/deploy.py", "deploy.sync", "tag=..."),
    ("_states/deploy.py", "deploy.sync", "tag=..."),
    ("_utils/saltdeploy/master/reports/changes.py", "deploy.changes", "new=..."),
    ("_utils/saltdeploy/master/planning/resolve.py", "deploy.sync", "tag=..."),
    ("_utils/saltdeploy/watch/console/views/fleet.py", "deploy.sync", "tag=..."),
    ("_utils/saltdeploy/master/planning/promotion.py", "deploy.sync", "tag=..."),
    ("_utils/saltdeploy/master/staging/provenance.py", "deploy.sources", "tag=TAG"),
    # a release that is still to be made
    ("_utils/saltdeploy/master/planning/once.py", "deploy.sync", "tag=..."),
    # where somebody has put what is to be taken over
    ("_utils/saltdeploy/layouts/symlinked/adopt.py", "deploy.adopt", "source=DIRECTORY"),
    # why somebody does it
    ("_runners/deploy.py", "deploy.suspend", "reason=..."),
    ("_utils/saltdeploy/master/fleet/suspended.py", "deploy.suspend", "reason=..."),
    # what was pinned stood in a file that is damaged, and in no journal
    ("_utils/saltdeploy/master/records/pins.py", "deploy.sync", "tag=..."),
    # a file from elsewhere is not what its reader thinks: which deploy it should be, it does not say
    ("_runners/deploy.py", "deploy.export", "id=ID"),
    ("_utils/saltdeploy/protocol/exports.py", "deploy.export", "id=ID"),
    # a table of words for people who come from scap: what they typed there, and what they type here
    ("_utils/saltdeploy/config/scap_pillar.py", "deploy.lock", "reason=WHY"),
    ("_utils/saltdeploy/config/scap_pillar.py", "deploy.lock", "repo=REPO"),
    ("_utils/saltdeploy/config/scap_pillar.py", "deploy.sync", "branch=BRANCH"),
    ("_utils/saltdeploy/config/scap_pillar.py", "deploy.sync", "repo=REPO"),
}


class Salt:
    """The functions that the commands name, as Salt would call them."""

    def __init__(self, file: Path) -> None:
        minion = salt.minion.SMinion(salt.config.minion_config(str(file)))
        runners = salt.loader.runner(salt.config.master_config(str(file)))
        self._doors = {"salt-run": runners, "salt": minion.functions, "salt-call": minion.functions}

    def parameters(self, command: Command) -> dict[str, inspect.Parameter] | None:
        """The parameters of the function; None where there is no such function."""
        kind, _, name = command.function.partition(".")
        door = self._doors[command.program]
        if command.function in door:
            return _of_door(door[command.function])
        if kind == "deploy":
            return None
        rooms = "runners" if command.program == "salt-run" else "modules"
        module: Any = importlib.import_module(f"salt.{rooms}.{'cmdmod' if kind == 'cmd' else kind}")
        found = getattr(module, name, None) or getattr(module, f"{name}_", None)
        return dict(inspect.signature(found).parameters) if found else None


def _of_door(function: Any) -> dict[str, inspect.Parameter]:
    from tests.support.wrong_values import parameters

    return {
        each: inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for each in parameters(function)
    }


@pytest.fixture(scope="module")
def doors(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Salt:
    _, file = by_module_dirs(checkout, tmp_path_factory.mktemp("advice"))
    return Salt(file)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: f"{each.place} {each.function}")
def test_F12_a_command_that_is_told_can_be_typed(doors: Salt, command: Command) -> None:
    parameters = doors.parameters(command)
    assert parameters is not None, "there is no such function"
    any_names = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    any_values = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters.values())
    assert any_names or set(command.named) <= {*parameters}
    assert any_values or len(command.positional) + len(command.named) <= len(parameters)


def test_F12_nothing_is_left_to_be_filled_in_that_could_be_known() -> None:
    found = {(each.file, each.function, word) for each in COMMANDS for word in each.open}
    assert found - set(OPEN) == set()


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) > 100
    assert {"salt-run", "salt", "salt-call"} == {each.program for each in COMMANDS}
