"""Every door of Salt's own that leads into the extension; docs/salts.md has the table that is made of these tests."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import requests

from tests.integration.fleet import PATIENCE, Fleet, wait_for
from tests.integration.repo import Repo, converged
from tests.integration.saltapi import EVERYTHING, SaltApi


def ended(repo: Repo, tag: str) -> bool:
    return repo.on_disk() == repo.everywhere(tag)


@pytest.mark.door("salt-api: runner, runner_async, local, /events")
def test_a_release_goes_out_by_each_client_of_salt_api_and_its_events_tell(repo: Repo, fleet: Fleet) -> None:
    with fleet.api() as url:
        account = SaltApi(url, EVERYTHING)
        done = account.run("deploy.sync", {"repo": repo.name, "tag": "v0"})
        assert done["outcome"] == "CONVERGED", done
        with account.get("/events", stream=True) as told:
            tags = (json.loads(line[6:])["tag"] for line in told.iter_lines() if line.startswith(b"data: "))
            begun = account.run("deploy.sync", {"repo": repo.name, "tag": "v3"}, client="runner_async")
            assert begun["tag"].startswith("salt/run/"), begun
            assert next(tag for tag in tags if tag.startswith("deploy/") and tag.endswith("/finished"))
        wait_for(lambda: ended(repo, "v3"))
        low = {"client": "local", "tgt": "web1", "fun": "deploy.status", "arg": [repo.name]}
        [answer] = account.post([low])
        assert answer["web1"]["status"] == 0, answer


@pytest.mark.door("state.orchestrate")
def test_an_orchestration_deploys_and_asks_a_host(repo: Repo, fleet: Fleet) -> None:
    done = fleet.salt_run("state.orchestrate", "orchestrate_deploy", pillar={"repo": repo.name, "tag": "v0"})
    assert done.status == 0, done
    (states,) = done.data["data"].values()
    assert [state["result"] for state in states.values()] == [True, True], states
    assert ended(repo, "v0")


@pytest.mark.door("reactor")
def test_a_reactor_deploys_when_an_event_comes(repo: Repo, fleet: Fleet) -> None:
    said = fleet.salt("web8", "event.send", "tests/deploy/pushed", {"repo": repo.name, "tag": "v0"})
    assert said.data is True
    wait_for(lambda: ended(repo, "v0"))


@pytest.mark.door("scheduler of a minion")
def test_the_scheduler_of_a_host_brings_it_to_its_pin(repo: Repo, fleet: Fleet) -> None:
    for tag in ("v0", "v3"):
        repo.has(tag)
    assert repo.call("web1", "rollback").status == 0
    assert repo.on_disk()["web1"] == "v0"
    job = {"function": "deploy.sync_all", "seconds": 2, "maxrunning": 1, "run_on_start": False}
    with fleet.client() as client:
        told = client.cmd("web1", "schedule.add", ["converge"], kwarg=job, timeout=PATIENCE)
    assert told["web1"]["result"] is True, told
    try:
        wait_for(lambda: ended(repo, "v3"))
    finally:
        fleet.salt("web1", "schedule.delete", "converge")


@pytest.mark.door("salt-call, and salt-call --local")
def test_a_host_by_hand_goes_to_its_pin_and_without_its_master_back(repo: Repo, fleet: Fleet) -> None:
    for tag in ("v0", "v3"):
        repo.has(tag)
    host = fleet.hosts["web1"]

    def call(*words: str) -> Any:
        command = [*host.salt_call, "--out=json", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done
        return json.loads(done.stdout)["local"]

    assert call("--local", "deploy.rollback", repo.name)["status"] == 0
    assert repo.on_disk()["web1"] == "v0"
    for stage in ("fetch", "checkout"):
        assert call(f"deploy.{stage}", repo.name)["status"] == 0
    assert ended(repo, "v3")


@pytest.mark.door("salt --batch, and a compound target")
def test_hosts_are_asked_by_whatever_target_salt_has(repo: Repo, fleet: Fleet) -> None:
    repo.has("v0")
    with fleet.client() as client:
        for target, kind in (("web1,web2", "list"), ("web[12]", "glob"), ("web1 or E@web2", "compound")):
            told = client.cmd(target, "deploy.status", [repo.name], tgt_type=kind, timeout=PATIENCE)
            assert {host: said["status"] for host, said in told.items()} == {"web1": 0, "web2": 0}
        parts = list(client.cmd_batch("web[12]", "deploy.status", [repo.name], batch="1"))
    assert {host for part in parts for host in part} >= {"web1", "web2"}


def test_who_has_no_right_of_salts_is_refused_at_the_door(repo: Repo, fleet: Fleet) -> None:
    with fleet.api() as url, pytest.raises(requests.HTTPError) as refused:
        low = {"client": "local", "tgt": "web1", "fun": "deploy.status", "arg": [repo.name]}
        SaltApi(url, "deployer").post([low])
    assert refused.value.response.status_code == 401
    converged(repo.sync("v0"))
