"""Releases travel and lie in each way that an operator can choose."""

from __future__ import annotations

import pytest

from tests.integration.repo import Repo, converged
from tests.integration.rollouts import detached, journal, kill_deployer, told

WAYS = {
    "git from a path": {"transport": "git", "url": "file://SOURCE"},
    "git from a server": {"transport": "git", "url": "SERVER"},
    "bundle of what a server has": {"source": "SERVER"},
    "differences of archives": {"transport": "delta"},
    "a directory for each release": {"layout": "releases"},
    "a directory for each release, differences of archives": {"layout": "releases", "transport": "delta"},
    "in place, by bundle": {"layout": "inplace"},
    "in place, git from a server": {"layout": "inplace", "transport": "git", "url": "SERVER"},
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.repo(**keys)) for way, keys in WAYS.items()]
)
@pytest.mark.door("salt-run")
def test_a_release_a_change_and_a_rollback_by(way: str, repo: Repo) -> None:
    for tag in ("v0", "v3"):
        repo.has(tag)
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
    in_place = {(repo.place(host) / ".git").is_dir() for host in repo.hosts}
    assert in_place == {way.startswith("in place")}


@pytest.mark.repo(transport="git", url="SERVER")
def test_a_commit_that_the_server_does_not_have_is_refused(repo: Repo) -> None:
    """The commit comes from the master; a server on which the tag means something else is not believed."""
    repo.has("v0")
    away = repo.git_dir.with_name(f"{repo.git_dir.name}-of-the-master")
    repo.git_dir.rename(away)
    repo.configure(source=str(away))
    repo.make_source_anew(3)
    done = repo.sync("v1")
    assert (done.status, done.data["outcome"]) == (1, "HELD"), done
    assert {host["error"]["kind"] for host in done.data["hosts"].values()} == {"moved-tag"}
    assert repo.on_disk() == repo.everywhere("v0")


EDGE = {"name": "edge", "targets": "web1", "targets_type": "list", "transport": "tar"}


@pytest.mark.repo(groups=[EDGE, {"name": "rest"}])
def test_a_group_takes_a_transport_of_its_own(repo: Repo) -> None:
    repo.has("v0")
    done = converged(repo.sync("v3"))
    assert repo.on_disk() == repo.everywhere("v3")
    assert {way["transport"]: way["hosts"] for way in done.data["ways"]} == {
        "tar": ["web1"],
        "bundle": ["web2"],
    }
    received = {host: shown["bytes"] for host, shown in done.data["hosts"].items()}
    assert received["web1"] > 3 * received["web2"]  # an archive is the whole release, whatever a host holds


@pytest.mark.repo(groups=[EDGE, {"name": "rest"}], fetch_module_calls={"gate.wait": ["DISK/gate"]})
def test_whoever_goes_on_with_a_deploy_takes_the_same_transports(repo: Repo) -> None:
    repo.has("v0")
    with repo.held("web1"):
        deploy = detached(repo, "v3")
        repo.wait_until_held("web1")
        told(repo, "host_finished", host="web2")
        kill_deployer(repo)
        repo.configure(groups=[], transport="delta")  # what was decided holds
    done = converged(repo.run("resume", id=deploy))
    assert repo.on_disk() == repo.everywhere("v3")
    assert {way["transport"]: way["hosts"] for way in done.data["ways"]} == {
        "tar": ["web1"],
        "bundle": ["web2"],
    }
    assert done.data["hosts"]["web1"]["bytes"] > 3 * done.data["hosts"]["web2"]["bytes"]


@pytest.mark.repo(transport="auto")
def test_the_cheapest_transport_is_chosen_and_the_reason_is_told(repo: Repo) -> None:
    repo.has("v0")
    plan = repo.run("plan", tag="v3")
    [way] = plan.data["ways"]
    assert (way["transport"], way["why"].split(",")[0]) == ("bundle", "auto: bundle")
    done = converged(repo.sync("v3", plan=plan.data["hash"]))
    assert done.data["ways"] == [way]
    [chosen] = [event for event in journal(repo) if event["event"] == "chosen"]
    assert (chosen["why"], chosen["hosts"]) == (way["why"], len(repo.hosts))
