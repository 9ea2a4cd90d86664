"""Hosts without a minion, asked over ssh, take part in one deploy with minions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.lib.errors import HookFailed
from saltdeploy.master.records.secret import master_secret
from saltdeploy.protocol.result import Result, secret_for

from tests.integration.fleet import Fleet
from tests.integration.impostor import Impostor
from tests.integration.mixed import HOLD, HOLD_LATER, MixedFleet
from tests.integration.pillar import Pillar, repo_name
from tests.integration.repo import Releases, Repo, converged
from tests.integration.rollouts import IS_WELL, unwell
from tests.integration.test_trust import job_of
from tests.support.sshhosts import SshHosts, ssh_hosts

APPS = ("app1", "app2", "app3", "app4")
MINIONS = ("web1", "web2", "web3", "web5", "web6", "web7")


@pytest.fixture(scope="module")
def machine(fleet: Fleet, short_directory: Path) -> Iterator[SshHosts]:
    """The machine that the four hosts are: its user may pass through the fleet's directory, and has a disk for each."""
    short_directory.chmod(0o711)
    with ssh_hosts(short_directory / "ssh", APPS) as found:
        (short_directory / "disks").chmod(0o711)
        for name in APPS:
            found.own(short_directory / "disks" / name)
        yield found
    short_directory.chmod(0o700)


@pytest.fixture(scope="module")
def mixed(fleet: Fleet, machine: SshHosts) -> MixedFleet:
    return MixedFleet(fleet, machine)


@pytest.fixture
def repo(mixed: MixedFleet, pillar: Pillar, releases: Releases, request: pytest.FixtureRequest) -> Repo:
    """A repo of both."""
    return Repo(repo_name(request.node), mixed, pillar, releases)


@pytest.mark.repo(targets=",".join((*MINIONS, *APPS)), checks={"well": IS_WELL})
def test_six_minions_and_four_ssh_hosts_are_one_transaction(repo: Repo, mixed: MixedFleet) -> None:
    converged(repo.sync("v1"))
    assert repo.on_disk() == repo.everywhere("v1")
    (mixed.disk("app3") / "unwell").touch()
    failed = repo.sync("v2")
    (mixed.disk("app3") / "unwell").unlink()
    assert mixed.ended(failed) == (1, "ROLLED BACK")
    assert failed.data["unwell"] == ["app3"]
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(
    targets="web1,app1,app2", checks={"held": {"type": "command", "after": "fetch", "command": HOLD}}
)
def test_connections_that_are_cut_in_a_fetch_are_asked_again(repo: Repo, mixed: MixedFleet) -> None:
    with mixed.cut_while_held("app1", "app2"):
        deploy = mixed.begin("deploy.sync", repo=repo.name, tag="v1")
    converged(mixed.wait(deploy))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(targets="web1,app1,app2", restart_command=HOLD)
def test_connections_that_are_cut_in_a_checkout_are_asked_again(repo: Repo, mixed: MixedFleet) -> None:
    with mixed.cut_while_held("app1", "app2"):
        deploy = mixed.begin("deploy.sync", repo=repo.name, tag="v1")
    converged(mixed.wait(deploy))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(targets="web1,app1,app2", restart_command=HOLD_LATER, checks={"well": IS_WELL})
def test_connections_that_are_cut_in_a_rollback_are_asked_again(repo: Repo, mixed: MixedFleet) -> None:
    converged(repo.sync("v1"))
    for host in repo.hosts:
        (mixed.disk(host) / "once").unlink()
    with unwell(repo, "web1"), mixed.cut_while_held("app1", "app2"):
        deploy = mixed.begin("deploy.sync", repo=repo.name, tag="v2")
    assert mixed.ended(mixed.wait(deploy)) == (1, "ROLLED BACK")
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(
    targets="web1,app1", checks={"held": {"type": "command", "after": "fetch", "command": HOLD}}
)
def test_what_an_ssh_host_once_signed_and_somebody_plays_again_changes_nothing(
    repo: Repo, mixed: MixedFleet
) -> None:
    """A refusal of app1, to a job of long ago, comes again as its answer to the job of a deploy."""
    secret, long_ago = secret_for("app1", master_secret(mixed.root)), "20200101000000000000"
    failed = HookFailed("bad")
    old = Result("app1", repo.name, job=long_ago, status=failed.status, error=failed).to_wire(secret)
    with mixed.held("app1"), mixed.bus() as bus:
        process = mixed.begin("deploy.sync", repo=repo.name, tag="v1")
        deploy = bus.until(lambda tag, data: tag.endswith("/started"))[-1][0].split("/")[1]
        jid = job_of(bus, "deploy.fetch")
        mixed.wait_until_held("app1")
        Impostor(mixed, "web5").put_on_the_bus((f"salt/job/{jid}/ret/app1", {"jid": jid, "return": old}))
        warned = bus.until(lambda tag, data: tag == f"deploy/{deploy}/warned")[-1][1]
        assert f"an answer to {long_ago} came as one to {jid}" in warned["text"]
    converged(mixed.wait(process))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(targets="web1,app1", checkout_module_calls={"test.echo": ["x"]})
def test_a_plan_names_who_is_asked_over_ssh_and_refuses_what_needs_salt_there(repo: Repo) -> None:
    plan = repo.run("plan", tag="v1")
    assert plan.status == 1
    assert any("there is no Salt on app1, and the repo wants test.echo by checkout_module_calls" in said
               for said in plan.data["guards"]), plan.data["guards"]  # fmt: skip
    assert any("asked over ssh: app1" in said for said in plan.data["remarks"]), plan.data["remarks"]


@pytest.mark.repo(targets="web1,app1")
def test_a_host_that_shows_another_key_is_told_nothing_and_named(repo: Repo, mixed: MixedFleet) -> None:
    mixed.machine.write_known_hosts("stranger")
    try:
        held = repo.sync("v1")
    finally:
        mixed.machine.write_known_hosts()
    assert mixed.ended(held) == (1, "HELD")
    assert "the host key that it shows is not the one in known_hosts" in str(held.data)
    assert repo.on_disk() == {"web1": "", "app1": ""}
