"""A host does its stage and its answer is lost on the way: it is asked what became of it, and does nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil
import pytest
from saltdeploy.minion.record import Record

from tests.integration.fleet import wait_for
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import COUNT, counted, journal

HOSTS = {"targets": "web2,web3"}
GATE = {"gate.wait": ["DISK/gate"]}


@contextlib.contextmanager
def answer_lost(repo: Repo, host: str, stage: str) -> Iterator[None]:
    """A stage that waits at the gate of this host ends and is recorded; what it would say never arrives."""
    minion = repo.fleet.hosts[host]
    before = {job.pid for job in minion.jobs()}
    with repo.held(host):
        yield
        repo.wait_until_held(host)
        jobs = [job for job in minion.jobs() if job.pid not in before]
        deploy = journal(repo)[0]["deploy"]
        with repo.fleet.wires[host].cut():
            repo.open(host)
            wait_for(lambda: Record(minion.record, repo.name).recall(deploy, stage))
            for job in jobs:  # else it would try until the wire is whole again
                with contextlib.suppress(psutil.NoSuchProcess):
                    job.kill()


@pytest.mark.repo(**HOSTS, fetch_module_calls={**GATE, **COUNT})
def test_the_answer_to_a_fetch_is_lost(repo: Repo) -> None:
    with answer_lost(repo, "web3", "fetch"):
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
    converged(repo.fleet.wait(deploy))
    assert repo.on_disk() == repo.everywhere("v1")
    assert counted(repo) == {"web2": 1, "web3": 1}


@pytest.mark.repo(**HOSTS, checkout_module_calls={**GATE, **COUNT})
def test_the_answer_to_a_checkout_is_lost(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    with answer_lost(repo, "web3", "checkout"):
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
    converged(repo.fleet.wait(deploy))
    assert repo.on_disk() == repo.everywhere("v1")
    assert counted(repo) == {"web2": 1, "web3": 1}
