"""What everybody who deploys expects to find, on a real fleet: steps that run once, maintenance, hosts that are left out."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.fleet import wait_for
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import detached, journal, kill_deployer, told

#: It writes a line, and as long as its gate is shut it does not end.
SCRIPT = (
    'echo "$DEPLOY_STEP $DEPLOY_TAG" >> "$0"; touch "$0.reached"; while [ -e "$0.shut" ]; do sleep 0.05; done'
)


def step(**more: Any) -> dict[str, Any]:
    return {"name": "migrate", "command": ["sh", "-c", SCRIPT, "DISK/steps"], **more}


BEFORE = step(before="checkout", where="first")


def steps_of(repo: Repo, host: str = "web1") -> Path:
    return repo.fleet.hosts[host].disk / "steps"


def lines(repo: Repo) -> list[str]:
    """What the step has written on the first host; from now on it is empty again."""
    place = steps_of(repo)
    found = place.read_text().splitlines() if place.exists() else []
    for path in place.parent.glob("steps*"):
        path.unlink()
    return found


@contextlib.contextmanager
def shut(repo: Repo) -> Iterator[None]:
    """A step on the first host does not end meanwhile."""
    gate = steps_of(repo).with_name("steps.shut")
    gate.touch()
    try:
        yield
    finally:
        gate.unlink()


def job_of_the_step(repo: Repo) -> int:
    """The process of the minion in which the step runs."""
    wanted = str(steps_of(repo))
    (step,) = [
        each for each in psutil.process_iter(["cmdline"]) if (each.info["cmdline"] or [])[3:4] == [wanted]
    ]
    parent = step.parent()
    assert parent is not None
    return parent.pid


def wait_until_it_runs(repo: Repo) -> None:
    wait_for(steps_of(repo).with_name("steps.reached").exists)


@pytest.mark.repo(once=[BEFORE, step(name="purge", after="checkout", where="master", command=["true"])])
def test_steps_run_once_around_the_switch_of_all_hosts(repo: Repo) -> None:
    lines(repo)
    repo.has("v0")
    assert lines(repo) == ["migrate v0"]
    done = converged(repo.sync("v1"))
    assert "step migrate was done on web1 and cannot be undone" in done.data["reason"]
    events = [(event["event"], event.get("step")) for event in journal(repo)]
    assert events.index(("step_finished", "migrate")) < events.index(("step_started", "purge"))
    assert "Once, before the checkout, on web1 (first): migrate" in repo.fleet.shown(
        "deploy.plan", repo=repo.name, tag="v2"
    )
    assert repo.run("versions").data["versions"][0]["steps"][0]["state"] == "done"
    back = converged(repo.run("rollback"))
    assert "cannot be undone" in journal(repo)[1]["text"]
    assert back.data["outcome"] == "CONVERGED"
    lines(repo)


@pytest.mark.repo(once=[BEFORE])
def test_the_deploy_is_killed_while_a_host_runs_its_step_and_resumed_it_runs_once(repo: Repo) -> None:
    lines(repo)
    with shut(repo):
        detached(repo, "v0")
        wait_until_it_runs(repo)
        kill_deployer(repo)
    converged(repo.run("resume"))
    assert repo.on_disk() == repo.everywhere("v0")
    assert lines(repo) == ["migrate v0"]


@pytest.mark.repo(once=[BEFORE], question_timeout=300)
def test_the_job_of_the_host_is_killed_in_its_step_and_an_operator_says_what_is_true(repo: Repo) -> None:
    lines(repo)
    with shut(repo):
        deploy = detached(repo, "v0")
        wait_until_it_runs(repo)
        os.kill(job_of_the_step(repo), signal.SIGKILL)
    question = told(repo, "question")
    assert "not known whether step migrate was done on web1" in question["text"]
    assert repo.on_disk() == dict.fromkeys(repo.hosts, "")
    assert repo.run("answer", choice="continue", id=deploy).data["counted"]
    converged(repo.run("watch", id=deploy))
    assert repo.on_disk() == repo.everywhere("v0")
    assert lines(repo) == ["migrate v0"]


@pytest.mark.repo(maintenance={"file": "DISK/under-maintenance"})
def test_a_host_is_suspended_and_one_is_under_maintenance_and_everybody_is_told(repo: Repo) -> None:
    repo.has("v0")
    fleet = repo.fleet
    assert fleet.salt_run("deploy.suspend", "web2", reason="new disks", repo=repo.name).status == 0
    done = converged(repo.sync("v1"))
    assert "web2 is suspended" in done.data["reason"]
    assert repo.on_disk() == {"web1": "v1", "web2": "v0"}
    report = repo.shown("report")
    assert "1/1 hosts run what is pinned; 1 suspended" in report or "2/2 hosts" in report
    assert "new disks" in report
    assert fleet.salt_run("deploy.readmit", "web2", repo=repo.name).status == 0
    converged(repo.sync("v1"))
    assert repo.on_disk() == repo.everywhere("v1")
    page = fleet.hosts["web1"].disk / "under-maintenance"
    assert repo.run("maintenance", on=True, reason="the database moves").status == 0
    assert "the database moves" in page.read_text()
    assert "under maintenance since" in repo.shown("report")
    assert repo.run("maintenance", on=False).status == 0
    assert not page.exists()


LOCAL_INI = {"path": "config/local.ini", "template": "salt://local.ini.j2", "vars": {"word": "sesame"}}


@pytest.mark.repo(config_files=[LOCAL_INI])
def test_each_host_renders_its_own_configuration_and_the_plan_shows_what_would_change(repo: Repo) -> None:
    def shown(host: str) -> str:
        return (repo.place(host) / "config" / "local.ini").read_text()

    converged(repo.sync("v0"))
    assert shown("web2") == "host = web2\nrelease = v0\npassword = sesame\n"
    plan = repo.fleet.shown("deploy.plan", repo=repo.name, tag="v1")
    assert "+release = v1" in plan and "-release = v0" in plan
    assert "sesame" not in plan
    converged(repo.sync("v1"))
    assert shown("web1") == "host = web1\nrelease = v1\npassword = sesame\n"
    assert repo.run("verify", full=True).status == 0
    converged(repo.run("rollback"))
    assert shown("web1").splitlines()[1] == "release = v0"
    assert repo.run("verify", full=True).status == 0


@pytest.mark.repo(
    targets=None,
    targets_type=None,
    environments={
        "staging": {"targets": "web1", "targets_type": "list"},
        "production": {"targets": "web2", "targets_type": "list", "failure_limit": 0},
    },
)
def test_production_takes_exactly_what_staging_runs(repo: Repo) -> None:
    def shown() -> list[str]:
        return [repo.releases.shown_at(repo.place(host)) for host in ("web1", "web2")]

    early = repo.run("promote", env="staging", to="production")
    assert early.data["error"]["cause"] == "nothing is pinned there"
    converged(repo.run("sync", env="staging", tag="v1"))
    assert shown() == ["v1", ""]
    done = converged(repo.run("promote", env="staging", to="production"))
    assert (done.data["repo"], done.data["tag"]) == (f"{repo.name}@production", "v1")
    assert shown() == ["v1", "v1"]
    converged(repo.run("sync", env="staging", tag="v2"))
    assert shown() == ["v2", "v1"]
    assert repo.run("report", env="production").data["pinned"]["tag"] == "v1"
    assert [each["tag"] for each in repo.run("versions", env="staging").data["versions"]] == ["v2", "v1"]
