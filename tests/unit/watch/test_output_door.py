"""The outputter, loaded as Salt loads it: by its path, without any directory of ours on ``sys.path``."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.watch import views

PROGRAM = """
import importlib.util, sys
before = list(sys.path)
spec = importlib.util.spec_from_file_location("door", sys.argv[1])
door = importlib.util.module_from_spec(spec)
spec.loader.exec_module(door)
assert sys.path == before, sys.path
door.__opts__, door.__salt__ = {}, {}
print(door.output({"view": "versions", "repo": "mediawiki", "versions": []}))
"""


@pytest.fixture
def door(checkout: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("door", checkout / "_output" / "deploy.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__opts__ = {"color": False}  # type: ignore[attr-defined]
    module.__salt__ = {"nested": lambda data, **kwargs: f"nested: {data} {kwargs}"}  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("output", "utils"), [("_output", "_utils"), ("output", "utils")], ids=["checkout", "synced"]
)
def test_the_door_finds_the_package_beside_it(
    checkout: Path, tmp_path: Path, output: str, utils: str
) -> None:
    shutil.copytree(checkout / "_output", tmp_path / output)
    shutil.copytree(checkout / "_utils", tmp_path / utils, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", "-c", PROGRAM, str(tmp_path / output / "deploy.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("mediawiki: never deployed\n", "")


def test_a_result_of_the_runner_is_shown_as_text(door: ModuleType) -> None:
    assert door.output(views.VIEWS["versions-none"], _retcode=0) == "mediawiki: never deployed"


def test_the_age_of_an_answer_is_told(door: ModuleType) -> None:
    assert " d ago)" in door.output(views.report({"web1": views.away(1_700_000_000.0)}))


def test_what_is_not_a_result_of_the_runner_is_shown_by_salts_own_outputter(door: ModuleType) -> None:
    assert door.output({"web1": True}, _retcode=0) == "nested: {'web1': True} {'_retcode': 0}"


def test_the_outcome_is_painted_when_salt_paints(door: ModuleType) -> None:
    door.__opts__["color"] = True  # type: ignore[attr-defined]
    assert "\033[1;32mCONVERGED 3/3\033[0m" in door.output(views.VIEWS["outcome-converged"])


def test_F08_F49_versions_show_what_was_said_for_a_deploy_alone(door: ModuleType) -> None:
    deploy = {"deploy": "20261123101112000000", "tag": "v1", "action": "sync", "outcome": "CONVERGED"}
    said = {**deploy, "reason": "a hotfix", "once": {"batch": 2, "force": "max_removed"}}
    shown = door.output({"view": "versions", "repo": "mediawiki", "versions": [said, deploy]})
    assert "a hotfix; batch=2, force=max_removed" in shown
