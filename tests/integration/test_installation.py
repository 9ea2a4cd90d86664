"""Each way to install gives the same deploy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet, Run
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged
from tests.integration.rollouts import detached, kill_deployer, told
from tests.support.installed import build_wheel, copy_doors, install_beside

NAME = "site"


@pytest.fixture
def own_pillar(short_directory: Path, request: pytest.FixtureRequest) -> Pillar:
    directory = short_directory / request.node.originalname.removeprefix("test_")
    directory.mkdir()
    pillar = Pillar(directory / "pillar", directory / "disks", server="")
    pillar.add(NAME, {"targets": "web6"})
    return pillar


def fleet_of(
    factories: Factories,
    pillar: Pillar,
    master: dict[str, Any],
    minion: dict[str, Any],
    python: str = sys.executable,
) -> Fleet:
    """A master and one minion, configured as docs/installation.md says."""
    roots = {"pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]}}
    place = pillar.directory.parent
    own = Factories.like(factories, root_dir=place, python_executable=python)
    engine = {"engines": [{"deploy": {"every": 1}}]}
    return Fleet(own, place, ["web6"], master={**roots, **engine, **master}, minion=minion)


def small_deploy(repo: Repo) -> None:
    """A first release, a change and the way back; each kind of door takes part."""

    def command(function: str, **named: Any) -> Run:
        return repo.fleet.salt_run(f"deploy.{function}", repo=repo.name, **named)

    for tag in ("v0", "v1"):
        converged(command("sync", tag=tag))
        assert repo.on_disk() == repo.everywhere(tag)
    converged(command("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
    assert command("report").status == 0
    (state,) = repo.fleet.salt(repo.hosts[0], "state.single", "deploy.pinned", repo.name).data.values()
    assert (state["result"], state["changes"]) == (True, {})  # it has the pin
    assert "ignored an answer" not in command("watch").told  # it has the secret
    assert f"{len(repo.hosts)}/{len(repo.hosts)} hosts run what is pinned" in repo.shown("report")


def the_engine_goes_on(repo: Repo) -> None:
    """The process that deploys is killed; nobody types anything about it, and the deploy ends as it should."""
    deploy = detached(repo, "v2", interactive=True)
    question = told(repo, "question")
    kill_deployer(repo)
    told(repo, "resumed", user="engine")
    answered = repo.fleet.salt_run("deploy.answer", choice="yes", id=deploy, key=question["key"])
    assert answered.data["counted"], answered
    assert told(repo, "finished")["outcome"] == "CONVERGED"
    assert repo.on_disk() == repo.everywhere("v2")


def test_pip(
    factories: Factories, own_pillar: Pillar, releases: Releases, checkout: Path, tmp_path: Path
) -> None:
    python = install_beside(build_wheel(checkout, tmp_path), tmp_path / "environment")
    fleet = fleet_of(factories, own_pillar, {}, {}, str(python))
    with fleet.running():
        repo = Repo(NAME, fleet, own_pillar, releases)
        small_deploy(repo)
        the_engine_goes_on(repo)


def test_module_dirs(repo: Repo) -> None:
    """The fleet of all other tests has the checkout that way."""
    small_deploy(repo)


def test_sync_all(
    factories: Factories, own_pillar: Pillar, releases: Releases, checkout: Path, tmp_path: Path
) -> None:
    roots = {"file_roots": {"base": [str(copy_doors(checkout, tmp_path / "doors"))]}}
    fleet = fleet_of(factories, own_pillar, roots, {})
    with fleet.running():
        assert "runners.deploy" in fleet.salt_run("saltutil.sync_all").data["runners"]
        fleet.restart_master()
        fleet.all_connected()
        assert "modules.deploy" in fleet.salt("web6", "saltutil.sync_all").data["modules"]
        fleet.salt("web6", "saltutil.refresh_pillar", wait=True)
        repo = Repo(NAME, fleet, own_pillar, releases)
        small_deploy(repo)
        the_engine_goes_on(repo)
