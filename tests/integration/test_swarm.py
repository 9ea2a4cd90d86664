"""Releases travel by swarm: hosts give each other pieces, the master seeds, and nobody is left behind afterwards."""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from tests.integration.fleet import Fleet, wait_for
from tests.integration.repo import Repo, converged

WEB = {"targets": "web1,web2,web4,web5"}


def fetched(repo: Repo, tag: str, **named: Any) -> list[dict[str, Any]]:
    """What each host told of its fetch in a deploy that converged."""
    with repo.fleet.bus() as bus:
        converged(repo.sync(tag, **named))
        seen = bus.until(lambda tag, data: tag.endswith("/finished"))
    assert repo.on_disk() == repo.everywhere(tag)
    return [data for _, data in seen if data.get("event") == "host_finished" and data["stage"] == "fetch"]


def seeders(fleet: Fleet) -> list[psutil.Process]:
    """The seeders of the fleet's minions and of its master."""
    root = str(fleet.root.parents[2])
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "saltdeploy.download.swarm.seeder" in command and any(word.startswith(root) for word in command):
            found.append(process)
    return found


def wishes(fleet: Fleet) -> list[str]:
    """What seeders of minions are still to give to others."""
    return [str(path) for host in fleet.hosts.values() for path in host.record.glob("swarm/wishes/*.json")]


@pytest.mark.repo(transport="swarm", **WEB)
def test_a_first_install_and_an_upgrade_come_from_other_hosts_and_the_master(repo: Repo) -> None:
    for tag in ("v0", "v4"):
        told = fetched(repo, tag)
        assert {event["source"] for event in told} == {"swarm"}, told
        assert all(event["why"].endswith("% from the master") for event in told), told
    assert wishes(repo.fleet) == []  # they have switched, and nobody lacks anything any more
    assert not any("owned" in process.cmdline() for process in seeders(repo.fleet))


@pytest.mark.repo(**WEB)
def test_an_operator_may_want_another_payload_by_swarm_once(repo: Repo) -> None:
    repo.has("v0")
    told = fetched(repo, "v4", transport="tar+swarm")
    assert {event["source"] for event in told} == {"swarm"}, told


@pytest.mark.repo(transport="swarm", **WEB)
def test_after_a_fetch_alone_every_host_seeds_until_it_switches(repo: Repo) -> None:
    repo.has("v0")
    assert repo.run("fetch", tag="v4").status == 0
    assert len(wishes(repo.fleet)) == len(repo.hosts)
    converged(repo.sync("v4"))
    assert wishes(repo.fleet) == []


@pytest.mark.repo(transport="swarm", **WEB)
def test_hosts_that_know_another_certificate_fetch_from_the_master_and_the_deploy_goes_on(repo: Repo) -> None:
    repo.has("v0")
    identity = repo.fleet.root / "swarm.json"
    known = identity.read_bytes()
    identity.unlink()  # what hosts have in their pillar is not what the master has now
    try:
        told = fetched(repo, "v4")
    finally:
        identity.write_bytes(known)
    assert {event["source"] for event in told} == {"master"}
    assert all("swarm: the master's certificate is not the one" in event["left"] for event in told), told


@pytest.mark.repo(transport="swarm", **WEB)
def test_seeders_that_nobody_needs_end_by_themselves(repo: Repo) -> None:
    repo.has("v0")
    assert len(seeders(repo.fleet)) == len(repo.hosts)
    wait_for(lambda: seeders(repo.fleet) == [])
