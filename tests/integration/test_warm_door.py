"""Deploys that come by the warm door of a real master end as those of salt-run do, and rights are those of who asks."""

from __future__ import annotations

import os
import signal

import pytest
from saltclient import command
from saltdeploy.protocol import events

from tests.integration.door import Door
from tests.integration.fleet import Fleet
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import told
from tests.support.nobody import as_nobody

HELD = {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}}


@pytest.fixture(scope="module")
def door(fleet: Fleet) -> Door:
    found = Door(fleet)
    found.wait()
    return found


@pytest.mark.door("saltdeploy, the warm door")
def test_a_release_goes_out_by_the_door_and_back(door: Door, repo: Repo) -> None:
    for tag in ("v0", "v1"):
        done = converged(door.run("sync", f"repo={repo.name}", f"tag={tag}"))
        assert "minions completed fetch" in done.told
        assert repo.on_disk() == repo.everywhere(tag)
    versions = door.run("versions", f"repo={repo.name}")
    assert [(each["tag"], each["user"]) for each in versions.data["versions"]] == [
        ("v1", "root"),
        ("v0", "root"),
    ]
    converged(door.run("rollback", f"repo={repo.name}"))
    assert repo.on_disk() == repo.everywhere("v0")


def test_what_is_wrong_has_the_error_and_the_status_of_salt_run(door: Door, repo: Repo) -> None:
    for words in (
        ("sync", f"repo={repo.name}"),
        ("sync", f"repo={repo.name}", "tag=1.10"),
        ("report", "repo=no"),
    ):
        by_door = door.run(*words)
        by_command = repo.fleet.salt_run(f"deploy.{words[0]}", *words[1:])
        assert (by_door.status, by_door.data) == (by_command.status, by_command.data)
        assert by_door.status != 0


def test_a_deploy_is_recorded_for_who_is_behind_sudo(door: Door, repo: Repo) -> None:
    converged(door.run("sync", f"repo={repo.name}", "tag=v0", SUDO_USER="alice"))
    assert told(repo, events.STARTED)["user"] == "sudo_alice"


def test_where_the_engine_does_not_run_the_command_becomes_salt_run(door: Door, repo: Repo) -> None:
    done = door.run(
        "sync", f"repo={repo.name}", "tag=v0", salt_run=True, SALTDEPLOY_SOCKET="/nonexistent/socket"
    )
    converged(done)
    assert repo.on_disk() == repo.everywhere("v0")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_user_without_rights_is_refused_and_told_how_to_get_them(door: Door, repo: Repo) -> None:
    directory = door.place
    while (
        directory != directory.parent and directory.parent.stat().st_uid == 0
    ):  # of the tests' own directories
        directory = directory.parent
        if not directory.stat().st_mode & 0o001:
            directory.chmod(0o711)
    words = ["-c", str(door.config), "sync", f"repo={repo.name}", "tag=v0"]
    said = as_nobody(lambda: command.main(words))
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        "saltdeploy: nobody may not use the deploy command of this master; root may. Next: "
    )
    assert repo.run("versions").data["versions"] == []


@pytest.mark.repo(**HELD)
def test_the_engine_is_restarted_in_the_middle_and_the_deploy_loses_nothing(door: Door, repo: Repo) -> None:
    with repo.held("web1"):
        terminal = door.begin("sync", f"repo={repo.name}", "tag=v1")
        repo.wait_until_held("web1")
        before = door.end_engine()
        assert door.wait(other_than=before) != before
    converged(repo.fleet.wait(terminal))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(**HELD)
def test_ctrl_c_at_the_warm_door_stops_the_deploy_and_the_terminal_sees_its_end(
    door: Door, repo: Repo
) -> None:
    with repo.held("web1"):
        terminal = door.begin("sync", f"repo={repo.name}", "tag=v1")
        repo.wait_until_held("web1")
        terminal.send_signal(signal.SIGINT)
        done = repo.fleet.wait(terminal)
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    assert "Stopping. Ctrl-C again leaves it to itself." in done.told


@pytest.mark.repo(**HELD)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_terminal_of_the_warm_door_goes_and_the_deploy_goes_on(
    door: Door, repo: Repo, number: int
) -> None:
    with repo.held("web1"):
        terminal = door.begin("sync", f"repo={repo.name}", "tag=v1")
        repo.wait_until_held("web1")
        terminal.send_signal(number)
        terminal.communicate()
    converged(door.run("watch", f"repo={repo.name}"))
    assert repo.on_disk() == repo.everywhere("v1")
