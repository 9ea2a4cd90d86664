"""What a command has to load before it can answer, in modules; and that a daemon of Salt loads nothing late."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.loaders import REPO
from tests.functional.test_doors import configuration

#: Nothing that a command which only reads has any use for.
HEAVY = ("rich", "git", "requests", "libtorrent", "cryptography", "psutil", "tornado")
#: The spine of a deploy, and what packs, is for those that deploy.
SPINE = ("saltdeploy.master.deploy", "saltdeploy.transports", "saltdeploy.layouts", "saltdeploy.content")
#: Of 179, when each command loaded all; each section of a repo is a module.
MOST_AT_THE_DOOR, MOST_IN_ALL = 92, 110
#: What `saltdeploy` loads beside a bare Python, with sockets and JSON of the standard library.
MOST_OF_THE_COMMAND = 50


def loaded_by(directory: Path, checkout: Path, cli: str, *command: str) -> dict[str, list[str]]:
    """The modules that a function of the runner has loaded: with its door, when it returned, and when it was shown."""
    settings = {
        "module_dirs": [str(checkout)],
        "pillar_dirs": [str(checkout / "_pillar")],
        "ext_pillar": [{"deploy_pins": {}}],
        "fileserver_backend": ["roots", "deploy_payloads"],
    }
    program = Path(__file__).with_name("cold_start.py")
    file = configuration(checkout, directory, **settings)
    done = subprocess.run(
        [sys.executable, str(program), str(file), cli, *command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(names: list[str]) -> list[str]:
    return [name for name in names if name.partition(".")[0] in ("saltdeploy", "saltbridge")]


def among(packages: tuple[str, ...], names: list[str]) -> list[str]:
    return [name for name in names if any(f"{name}.".startswith(f"{package}.") for package in packages)]


@pytest.mark.parametrize(
    ("command", "view"),
    [
        (("deploy.versions", REPO), "versions"),
        (("deploy.targets", REPO), "targets"),
        (("deploy.locks",), "locks"),
        (("deploy.lock", REPO, "a reason"), "locks"),
        (("deploy.abort", REPO), "error"),
        (("deploy.sync", REPO), "error"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_command_that_deploys_nothing_loads_half_of_the_package_and_nothing_heavy(
    command: tuple[str, ...], view: str, checkout: Path, tmp_path: Path
) -> None:
    found = loaded_by(tmp_path, checkout, "salt-run", *command)
    assert found["view"] == view
    assert len(ours(found["loaded"])) <= MOST_AT_THE_DOOR
    assert len(ours(found["shown"])) <= MOST_IN_ALL
    assert among((*HEAVY, *SPINE), found["loaded"]) == []
    # the pillar has the certificate of swarms, and looks at its end
    assert [name for name in among((*HEAVY, *SPINE), found["shown"]) if "cryptography" not in name] == []


def test_a_daemon_of_salt_loads_all_with_the_door_and_nothing_later(checkout: Path, tmp_path: Path) -> None:
    found = loaded_by(tmp_path, checkout, "salt-master", "deploy.locks")
    assert {
        "saltdeploy.master.deploy",
        "saltdeploy.master.upkeep.gc",
        "saltdeploy.master.planning.preview",
    } <= {*found["loaded"]}
    assert ours(found["called"]) == ours(found["loaded"])


LOAD = """
import json, sys
from saltdeploy.config import upfront
upfront.load(upfront.{what})
print(json.dumps(sorted(sys.modules)))
"""


def imported_late(path: Path) -> set[str]:
    """The modules of the package that functions of a file import when they are called."""
    found = set()
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for each in ast.walk(function):
            if isinstance(each, ast.Import):
                found |= {alias.name for alias in each.names}
            elif isinstance(each, ast.ImportFrom) and each.module:
                names = {f"{each.module}.{alias.name}" for alias in each.names}
                found |= {each.module, *(name for name in names if is_module(name))}
    return {name for name in found if name.partition(".")[0] == "saltdeploy"}


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # its parent is no package
        return False


@pytest.mark.parametrize("what", ["DEPLOY", "RUNNER", "PILLAR", "MINION"])
def test_what_is_loaded_up_front_leaves_nothing_to_be_loaded_later(what: str, checkout: Path) -> None:
    utils = checkout / "_utils"
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(what=what)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(utils)},
    )
    everything = json.loads(done.stdout)
    loaded = set(ours(everything))
    places = {utils / f"{name.replace('.', '/')}{end}" for name in loaded for end in (".py", "/__init__.py")}
    late = set().union(*(imported_late(place) for place in places if place.is_file()))
    # for terminals, and before anything begins
    live = {"saltdeploy.watch.console.live", "saltdeploy.watch.console.screen"}
    assert late - loaded - live == set()
    assert among(("rich", "git", "libtorrent"), everything) == []


def test_the_command_of_the_warm_door_loads_next_to_nothing(checkout: Path) -> None:
    shown = "import sys; print(*sorted(sys.modules))"

    def loaded(program: str) -> set[str]:
        python = [sys.executable, "-I", "-S", "-c", program]
        return set(subprocess.run(python, capture_output=True, text=True, check=True).stdout.split())

    asking = f"import sys; sys.path.append({str(checkout / '_utils')!r}); import saltclient.command; {shown}"
    found = loaded(asking) - loaded(shown)
    assert len(found) <= MOST_OF_THE_COMMAND
    assert (
        among(("saltdeploy", "salt", "typing", "pathlib", "subprocess", "argparse", "yaml"), sorted(found))
        == []
    )
