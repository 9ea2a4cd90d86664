"""Salt's loaders find every door in each way to install, and what the doors answer has its shape."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader

from tests.functional.loaders import REPO
from tests.support.installed import build_wheel, copy_doors, install_beside
from tests.support.wrong_values import parameters

STAGES = {
    "preseed",
    "fetch",
    "checkout",
    "rollback",
    "restart",
    "once",
    "service",
    "maintenance",
    "config_diff",
}
MODULES = {
    *STAGES,
    "join",
    "status",
    "result",
    "verify",
    "untracked",
    "adopt",
    "doctor",
    "gc",
    "get_config",
    "sync_all",
    "deployment_server_init",
    "pin",
}
DEPLOYS = {"sync", "plan", "preseed", "fetch", "checkout", "rollback", "restart", "resume", "abort", "answer"}
RUNNERS = {
    *DEPLOYS,
    "init",
    "adopt",
    "doctor",
    "changes",
    "export",
    "forget",
    "gc",
    "import_scap",
    "lock",
    "maintenance",
    "promote",
    "readmit",
    "services",
    "suspend",
    "suspended",
    "unlock",
    "locks",
    "log",
    "next_tag",
    "report",
    "versions",
    "targets",
    "watch",
    "overview",
    "show",
    "sources",
    "status",
    "stage",
    "story",
    "verify",
}


def configuration(checkout: Path, directory: Path, **settings: Any) -> Path:
    """A configuration for both a minion and a master that live in one directory, with the example pillar."""
    own = {
        "id": "web1",
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "root_dir": str(directory),
        "cachedir": str(directory / "cache"),
        "pki_dir": str(directory / "pki"),
        "sock_dir": str(directory / "run"),
        "extension_modules": str(directory / "extension_modules"),
        "file_client": "local",
        "pillar_roots": {"base": [str(checkout / "pillar")]},
        "enable_fqdns_grains": False,
    }
    file = directory / "configuration"
    file.write_text(json.dumps({**own, **settings}))  # JSON is YAML
    return file


def by_module_dirs(checkout: Path, directory: Path) -> tuple[str, Path]:
    settings = {"module_dirs": [str(checkout)], "pillar_dirs": [str(checkout / "_pillar")]}
    return sys.executable, configuration(checkout, directory, **settings)


def by_sync(checkout: Path, directory: Path) -> tuple[str, Path]:
    copied = copy_doors(checkout, directory / "extension_modules")
    for place in list(copied.iterdir()):
        place.rename(copied / place.name.removeprefix("_"))
    return sys.executable, configuration(checkout, directory)


def by_pip(checkout: Path, directory: Path) -> tuple[str, Path]:
    wheel = build_wheel(checkout, directory)
    return str(install_beside(wheel, directory / "environment")), configuration(checkout, directory)


@pytest.fixture(scope="module", params=[by_module_dirs, by_sync, by_pip])
def found(
    request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What a fresh process found and was answered."""
    python, file = request.param(checkout, tmp_path_factory.mktemp("installed"))
    script = Path(__file__).with_name("loaders.py")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, str(script), str(file)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_function_is_there(found: dict[str, Any]) -> None:
    assert set(found["modules"]) == {f"deploy.{name}" for name in MODULES}
    assert set(found["runners"]) == {f"deploy.{name}" for name in RUNNERS}
    assert set(found["states"]) == {"deploy.pinned"}


def test_a_minion_answers_in_trebuchets_shape(found: dict[str, Any]) -> None:
    config = found["get_config"]
    assert config["location"] == f"/srv/deployment/{REPO}"
    assert (config["type"], config["sync_script"], config["automated"]) == ("git-http", "shared.py", False)
    fetch = found["fetch"]
    assert (fetch["status"], fetch["repo"], fetch["dependencies"]) == (10, REPO, [])
    assert "tag" not in fetch


def test_F41_an_answer_names_the_job_that_asked_for_it(found: dict[str, Any]) -> None:
    assert found["published"]
    assert found["asked"]["job"] == "20261123120000000000"
    assert "job" not in found["called"], "a salt-call is no job of the master's"
    assert "job" not in found["fetch"], "nor is another function of the minion"


def test_a_state_without_a_pin_fails_in_salts_shape(found: dict[str, Any]) -> None:
    pinned = found["pinned"]
    assert (pinned["name"], pinned["result"], pinned["changes"]) == (REPO, False, {})
    assert REPO in pinned["comment"]


def test_a_refused_command_has_an_exit_status_and_an_outputter(found: dict[str, Any]) -> None:
    refused = found["refused"]
    assert (refused["retcode"], refused["outputter"], "data" in refused) == (1, "deploy", False)
    assert refused["error"]["kind"] == "bad-arguments"
    assert refused["success"] is False  # by which a minion that has run it knows that its job has failed


def test_the_outputter_speaks_of_the_repo(found: dict[str, Any]) -> None:
    assert REPO in found["output"]


def test_the_pillar_holds_a_secret_and_no_pin(found: dict[str, Any]) -> None:
    deploy = found["ext_pillar"]["deploy"]
    assert (len(bytes.fromhex(deploy["secret"])), deploy["pins"]) == (32, {})


def test_the_file_server_finds_and_lists_nothing_unknown(found: dict[str, Any]) -> None:
    assert found["fileserver"] == {"envs": ["base"], "found": {"path": "", "rel": ""}, "listed": []}


# -- arguments ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runners(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    _, file = by_module_dirs(checkout, tmp_path_factory.mktemp("master"))
    return salt.loader.runner(salt.config.master_config(str(file)))


@pytest.mark.parametrize("function", sorted(RUNNERS))
@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), {"no_such": 1}), (("a",) * 99, {})],
    ids=["unknown", "too many"],
)
def test_wrong_arguments_are_refused_with_what_it_takes(
    runners: Any, function: str, arguments: tuple[str, ...], named: dict[str, Any]
) -> None:
    view = runners[f"deploy.{function}"](*arguments, **named)
    assert (view["retcode"], view["error"]["kind"]) == (1, "bad-arguments")
    taken = [*parameters(runners[f"deploy.{function}"])]
    assert view["error"]["cause"].endswith(f"; it takes {', '.join(taken)}" if taken else "")
    assert view["error"]["next"].split()[:2] == ["salt-run", f"deploy.{function}"]
    assert {word.partition("=")[0] for word in view["error"]["next"].split()[2:]} <= {*taken}


def test_what_salt_adds_to_the_arguments_is_no_argument(runners: Any) -> None:
    view = runners["deploy.versions"](repo="no such", __pub_user="root", __current_eauth="x")
    assert view["error"]["kind"] != "bad-arguments"
