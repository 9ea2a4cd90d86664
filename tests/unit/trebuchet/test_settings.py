"""How ``git deploy`` is configured: git's levels, ``.trigger`` between them, and what each of them may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import REPO, Deployer


def test_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    nobody = Deployer("", tmp_path / "home", tmp_path / "staging")
    refused = nobody.deploys("start")
    assert refused.code == 1
    lines = refused.told.splitlines()
    for key in ("deploy.repo-name", "user.name", "user.email"):
        assert f"Missing the following configuration item: {key}" in lines
    assert "Please add the missing configuration items via git config or in the .trigger file" in lines
    assert f"path {tmp_path / 'staging'}" in lines[-1] and "Next: git config deploy.repo-name" in lines[-1]


def test_outside_of_a_repository_the_place_is_named(tmp_path: Path, alice: Deployer) -> None:
    alice.place = tmp_path
    refused = alice.deploys("start")
    assert refused.code == 1
    assert f"path {tmp_path}" in refused.told and "not a git repository" in refused.told


@pytest.mark.parametrize(
    ("trigger", "own", "name"),
    [
        ("deploy.repo-name: of/trigger", "", "of/trigger"),
        ("deploy: {repo-name: of/trigger}", "", "of/trigger"),
        ("deploy.repo-name: of/trigger", "own", "own"),
    ],
    ids=["flat", "nested", "the repository's own wins"],
)
def test_the_file_trigger_stands_between_the_user_and_the_repository(
    tmp_path: Path, trigger: str, own: str, name: str
) -> None:
    alice = Deployer("alice", tmp_path / "alice", tmp_path / "staging", repo_name="of/the/user")
    alice.commits("one")
    (alice.place / ".trigger").write_text(trigger)
    if own:
        alice.git("config", "deploy.repo-name", own)
    assert alice.deploys("start").code == 0
    assert alice.tags()[0].startswith(f"{name}-start-")


def test_a_trigger_file_that_is_no_map_is_named(alice: Deployer) -> None:
    (alice.place / ".trigger").write_text("[")
    refused = alice.deploys("start")
    assert refused.code == 1
    assert refused.first.startswith("Found a .trigger config file, but could not parse it.")
    assert str(alice.place / ".trigger") in refused.told


@pytest.mark.parametrize("said", ["002", "2", "0002"])
def test_another_umask_than_the_required_one_is_refused(alice: Deployer, said: str) -> None:
    alice.git("config", "deploy.required-umask", said)
    refused = alice.deploys("start", umask=0o022)
    assert refused.code == 220
    assert refused.first == "Required umask is 002. Please set your umask and try again."
    assert "Next: umask 002" in refused.told
    assert alice.deploys("start", umask=0o002).code == 0


def test_files_that_a_group_shares_have_the_mode_of_the_umask(alice: Deployer) -> None:
    assert alice.deploys("start", umask=0o002).code == 0
    assert alice.lock.stat().st_mode & 0o777 == 0o664


def test_a_driver_that_is_not_trebuchets_is_refused_by_name(alice: Deployer) -> None:
    alice.git("config", "deploy.sync-driver", "trebuchet.local.SyncDriver")
    assert alice.deploys("start").code == 0
    alice.git("config", "deploy.lock-driver", "ours.redis.LockDriver")
    refused = alice.deploys("finish")
    assert (refused.code, refused.first) == (1, "Failed to import driver: trigger.drivers.ours.redis")
    assert "git config --unset deploy.lock-driver" in refused.told


@pytest.mark.parametrize("where", ["repository", "trigger"])
def test_no_repository_names_a_program_that_who_deploys_would_run(
    alice: Deployer, tmp_path: Path, where: str
) -> None:
    bait = tmp_path / "bait"
    bait.write_text(f"#!/bin/sh\ntouch {tmp_path / 'taken'}\n")
    bait.chmod(0o755)
    if where == "repository":
        alice.git("config", "deploy.salt-run", str(bait))
    else:
        (alice.place / ".trigger").write_text(f"deploy.salt-run: {bait}")
    alice.deploys("start")
    assert alice.deploys("sync").code == 163
    assert not (tmp_path / "taken").exists()


def test_a_door_that_is_none_is_refused_by_name(alice: Deployer) -> None:
    alice.git("config", "--global", "deploy.door", "window")
    alice.deploys("start")
    refused = alice.deploys("sync")
    assert (refused.code, refused.first.startswith("deploy.door is window")) == (1, True)


def test_the_repo_must_have_a_name_that_a_repo_can_have(alice: Deployer) -> None:
    alice.git("config", "deploy.repo-name", "--force")
    refused = alice.deploys("start")
    assert refused.code == 1
    assert f"path {alice.place}" in refused.told
    assert REPO not in refused.told
