"""The process that deploys dies, or the master does: another goes on, and nothing is done twice."""

from __future__ import annotations

import pytest

from tests.integration.repo import Repo, converged
from tests.integration.rollouts import (
    ALL,
    CANARY,
    COUNT,
    GATE,
    REST,
    WORDS,
    asking,
    counted,
    detached,
    ended,
    journal,
    kill_deployer,
    told,
)


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"], **COUNT})
def test_killed_while_hosts_fetch(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    with repo.held("web1"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web1")
        told(repo, "host_finished", host="web2")
        kill_deployer(repo)
    converged(repo.run("resume"))
    assert repo.on_disk() == repo.everywhere("v1")
    assert counted(repo) == {"web1": 1, "web2": 1}
    assert [e["event"] for e in journal(repo, deploy)].count("resumed") == 1


@pytest.mark.repo(
    **ALL, groups=[CANARY, REST], checks={"wait": {**GATE, "after": "checkout"}}, checkout_module_calls=COUNT
)
def test_killed_while_hosts_switch(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    with repo.held("web3"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web3")
        kill_deployer(repo)
        assert repo.run("abort").data["error"]["kind"] == "no-such-deploy"
    converged(repo.run("resume", id=deploy))
    assert repo.on_disk() == repo.everywhere("v1")
    assert set(counted(repo).values()) == {1}
    assert repo.run("resume").data["error"]["kind"] == "no-such-deploy"
    assert repo.run("versions").data["versions"][0]["outcome"] == "CONVERGED"


@pytest.mark.repo(**ALL)
def test_killed_at_a_question_which_is_answered_meanwhile(repo: Repo) -> None:
    asking(repo)
    detached(repo, "v1")
    told(repo, "question")
    kill_deployer(repo)
    assert repo.run("answer", choice="yes").data["counted"]
    converged(repo.run("resume"))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(**ALL)
def test_F12_report_and_versions_say_first_that_a_deploy_waits_or_has_died_and_end_with_what_to_type(
    repo: Repo,
) -> None:
    asking(repo)
    deploy = detached(repo, "v1")
    choices = told(repo, "question")["choices"]
    waits = repo.shown("report").splitlines()
    assert f"deploy {deploy} (sync of v1" in waits[0]
    assert "waits for an answer" in waits[0]
    assert not [line for line in waits if "drift" in line]
    assert waits[-1] == "Next: " + "; or ".join(
        f"salt-run deploy.answer {choice} repo={repo.name}" for choice in choices
    )
    kill_deployer(repo)
    for function in ("report", "versions", "watch"):
        died = repo.shown(function).splitlines()
        assert "has died" in died[0]
        assert died[-1] == f"Next: salt-run deploy.resume repo={repo.name}"
    assert repo.run("report").status == 1
    assert repo.run("answer", choice="yes").data["counted"]
    converged(repo.run("resume"))


@pytest.mark.repo(**ALL)
def test_a_new_deploy_over_a_dead_one_fences_what_is_left_of_it(repo: Repo) -> None:
    asking(repo)
    dead = detached(repo, "v1")
    told(repo, "question")
    kill_deployer(repo)
    repo.configure(groups=[])
    converged(repo.sync("v2"))
    assert repo.on_disk() == repo.everywhere("v2")
    late = repo.run("resume", id=dead)
    assert late.status == 1
    assert repo.on_disk() == repo.everywhere("v2"), "the newest deploy has the last word"


@pytest.mark.repo(**ALL)
def test_the_master_is_restarted_between_two_groups(repo: Repo) -> None:
    asking(repo)
    deploy = detached(repo, "v1")
    told(repo, "question")
    repo.fleet.restart_master()
    repo.run("answer", choice="yes")
    done = ended(repo, deploy)
    assert done.data["outcome"] in WORDS
    if done.data["outcome"] == "CONVERGED":
        assert repo.on_disk() == repo.everywhere("v1")
    repo.configure(groups=[])
    converged(repo.sync("v1", force=True))
    assert repo.on_disk() == repo.everywhere("v1")
