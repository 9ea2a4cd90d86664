"""A real sshd, a user without rights, and OpenSSH's client: what the master says and what a host without Salt answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config import ssh_hosts as settings
from saltdeploy.lib.errors import Unavailable
from saltdeploy.master.fleet.ssh.connections import SshConnections
from saltdeploy.master.fleet.ssh.conversation import Conversation, Shelf
from saltdeploy.protocol.result import authentic

from tests.support.sshhosts import SshHosts, ssh_hosts

pytestmark = pytest.mark.component("runs sshd and makes a user")
JOB = "20261129101112000000"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHosts]:
    place = tmp_path_factory.mktemp("ssh")
    for directory in (place, *place.parents):
        if directory.owner() == place.owner() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    with ssh_hosts(place / "m", ["app1"]) as found:
        yield found


def ask(machine: SshHosts, function: str = "deploy.status", **more: Any) -> list[dict[str, Any]]:
    """What app1 says."""
    wanted = settings.settings(machine.setting)
    connections = SshConnections(wanted, Path("/nowhere"))
    talk = Conversation(connections, Shelf(lambda name: None), threading.Semaphore(1), wanted.connect)
    host = settings.of_roster("app1", machine.entry("app1", **more), "")
    section = {"location": str(machine.home / "srv"), "source": "/nowhere"}
    request = {"host": "app1", "job": JOB, "function": function, "arguments": ["site"], "secret": "s"}
    try:
        return list(talk.hold(host, {**request, "pillar": {"repo_config": {"site": section}}}))
    finally:
        connections.close()


def test_a_host_without_salt_answers_for_the_job_that_asked_and_signs_it(machine: SshHosts) -> None:
    (said,) = ask(machine)
    answer = authentic(said["answer"], "app1", "s")
    assert (answer.ok, answer.repo, answer.job) == (True, "site", JOB)


def test_what_no_host_without_a_minion_can_do_is_refused_by_name(machine: SshHosts) -> None:
    (said,) = ask(machine, "deploy.sync_all")
    assert said["answer"]["error"]["cause"] == "deploy.sync_all cannot be asked of a host without a minion"


def test_a_host_with_another_key_is_told_nothing(machine: SshHosts) -> None:
    machine.write_known_hosts("stranger")
    try:
        with pytest.raises(Unavailable, match="the host key that it shows is not the one in known_hosts"):
            ask(machine)
    finally:
        machine.write_known_hosts()


def test_a_user_whom_sshd_does_not_let_in_is_named(machine: SshHosts) -> None:
    with pytest.raises(Unavailable, match="Permission denied"):
        ask(machine, user="nobody-there")
