"""Payloads by way of a server, and ahead of a deploy, which then has nothing left to fetch."""

from __future__ import annotations

import pytest

from tests.integration.repo import Repo, converged

# nobody listens at the first one
FANOUTS = [{"url": "http://127.0.0.1:9"}, {"url": "PAYLOADS", "site": "here"}]


@pytest.mark.repo(fanouts=FANOUTS)
def test_hosts_fetch_from_a_server_and_leave_one_that_is_dead(repo: Repo) -> None:
    repo.has("v0")
    with repo.fleet.bus() as bus:
        converged(repo.sync("v1"))
        seen = bus.until(lambda tag, data: tag.endswith("/finished"))
    fetched = [data for _, data in seen if data.get("event") == "host_finished" and data["stage"] == "fetch"]
    assert len(fetched) == len(repo.hosts)
    for event in fetched:
        assert event["source"].startswith("http://127.0.0.1:"), event
        assert event["left"] == "http://127.0.0.1:9: took no connection"
    assert repo.on_disk() == repo.everywhere("v1")


def test_what_was_brought_ahead_does_not_travel_again(repo: Repo) -> None:
    repo.has("v0")
    brought = repo.run("preseed", tag="v1", targets=True)
    assert (brought.status, brought.data["view"]) == (0, "preseed"), brought
    assert {host["state"] for host in brought.data["hosts"].values()} == {"fetched"}
    assert set(brought.data["hosts"]) == set(repo.hosts)
    assert repo.on_disk() == repo.everywhere("v0")
    with repo.fleet.bus() as bus:
        done = converged(repo.sync("v1"))
        seen = bus.until(lambda tag, data: tag.endswith("/finished"))
    fetched = [data for _, data in seen if data.get("event") == "host_finished" and data["stage"] == "fetch"]
    assert {(event["source"], event["why"], event["bytes"]) for event in fetched} == {
        ("here", "preseeded", 0)
    }
    assert {host["bytes"] for host in done.data["hosts"].values()} == {0}
    assert repo.on_disk() == repo.everywhere("v1")


def test_nobody_to_bring_it_to_is_an_error_with_the_key_to_set(repo: Repo) -> None:
    refused = repo.fleet.run_here("deploy.preseed", repo=repo.name, tag="v1")
    assert (refused.status, refused.data["error"]["path"]) == (1, "deployment_config:fanouts")
