"""Subcommands that packages of somebody else bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plugins import put
from tests.unit.trebuchet.deployers import Deployer

BARK = """
from saltdeploy.trebuchet.subcommands import Option, Subcommand

def bark(typed):
    '''Make dog sounds.'''
    typed.operator.tell("WOOF" if typed.arguments.big else "woof", typed.staging.repo)

row = Subcommand("bark", bark, (Option(("--big",), False, help="Big ones."),))
start = Subcommand("start", bark)
broken = 7
"""


@pytest.fixture
def packages(tmp_path: Path, alice: Deployer) -> Path:
    place = tmp_path / "packages"
    place.mkdir()
    alice.finds(place)
    return place


def test_a_package_brings_a_subcommand_with_its_options_and_its_help(alice: Deployer, packages: Path) -> None:
    put(packages, "deploy-bark", BARK, {"saltdeploy.git_deploy": {"bark": "row"}})
    done = alice.deploys("bark", "--big")
    assert (done.code, done.told) == (0, "WOOF\ntest/testrepo\n")
    assert "Make dog sounds." in alice.deploys("help", "bark").printed
    assert "Make dog sounds." in alice.deploys().printed


def test_a_package_that_is_broken_stops_nothing_and_replaces_nothing(alice: Deployer, packages: Path) -> None:
    put(packages, "deploy-bark", BARK, {"saltdeploy.git_deploy": {"bark": "broken", "start": "start"}})
    done = alice.deploys("start")
    assert done.code == 0
    assert done.told.splitlines()[-1] == "Deployment started."
    assert "left out: subcommand bark of package deploy-bark 0.1 cannot be used" in done.told
    assert alice.deploys("bark").code == 2
