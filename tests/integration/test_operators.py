"""Operators and a running deploy: stop it, answer it, leave it, join it; and nobody else meanwhile."""

from __future__ import annotations

import signal
import subprocess

import pytest
from saltbridge.master import store
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder

from tests.integration.fleet import wait_for
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import ALL, COUNT, GATE, asking, counted, detached, ended, told
from tests.integration.terminal import terminal


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"]})
def test_stopped_while_it_fetches_nothing_has_changed(repo: Repo) -> None:
    repo.has("v0")
    with repo.held("web1"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web1")
        assert repo.run("abort", reason="wrong day").data["counted"]
        done = ended(repo, deploy)
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    assert "wrong day" in done.data["reason"]
    assert repo.on_disk() == repo.everywhere("v0")
    converged(repo.sync("v1"))


@pytest.mark.repo(
    **ALL, batch="1", checks={"wait": {**GATE, "after": "checkout"}}, checkout_module_calls=COUNT
)
def test_stopped_while_it_switches_whoever_has_switched_goes_back(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    with repo.held("web2"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web2")
        repo.run("abort")
        told(repo, "aborted")
    done = ended(repo, deploy)
    assert (done.data["outcome"], done.data["ok"]) == ("ROLLED BACK", 2)
    assert repo.on_disk() == repo.everywhere("v0")
    assert counted(repo) == {**dict.fromkeys(repo.hosts, 0), "web1": 2, "web2": 2}


@pytest.mark.repo(**ALL, on_abort="hold")
def test_stopped_at_a_question_it_stays_as_it_is_if_the_pillar_says_so(repo: Repo) -> None:
    asking(repo)
    deploy = detached(repo, "v1")
    told(repo, "question")
    repo.run("abort")
    done = ended(repo, deploy)
    assert (done.status, done.data["outcome"]) == (1, "MIXED")
    assert repo.on_disk() == {**repo.everywhere("v0"), "web1": "v1"}
    assert repo.run("abort").data["error"]["kind"] == "no-such-deploy"


@pytest.mark.repo(**ALL)
def test_a_question_is_answered_once_from_anywhere(repo: Repo) -> None:
    asking(repo)
    deploy = detached(repo, "v1")
    asked = told(repo, "question")
    assert repo.on_disk() == {**repo.everywhere("v0"), "web1": "v1"}
    assert repo.run("answer", choice="perhaps").data["error"]["kind"] == "nothing-asked"
    first = repo.run("answer", choice="yes", key=asked["key"])
    assert (first.status, first.data["counted"]) == (0, True)
    converged(ended(repo, deploy))
    assert told(repo, "answered")["choice"] == "yes"
    assert repo.on_disk() == repo.everywhere("v1")
    assert repo.run("answer", choice="no").data["error"]["kind"] == "nothing-asked"


@pytest.mark.repo(**ALL, question_timeout=1)
def test_a_question_that_nobody_answers_gets_its_default(repo: Repo) -> None:
    asking(repo)
    done = repo.sync("v1")
    assert (done.status, done.data["outcome"]) == (1, "MIXED")
    assert (told(repo, "answered")["choice"], told(repo, "answered")["user"]) == ("no", "")
    assert repo.on_disk() == {**repo.everywhere("v0"), "web1": "v1"}


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"]})
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_terminal_goes_and_the_deploy_goes_on(repo: Repo, number: int) -> None:
    with repo.held("web1"):
        terminal = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web1")
        terminal.send_signal(number)
        terminal.communicate()
    converged(repo.run("watch"))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"]})
def test_ctrl_c_stops_the_deploy_and_the_terminal_sees_its_end(repo: Repo) -> None:
    repo.has("v0")
    with repo.held("web1"):
        terminal = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web1")
        terminal.send_signal(signal.SIGINT)
        done = repo.fleet.wait(terminal)
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    assert repo.on_disk() == repo.everywhere("v0")


@pytest.mark.repo(checks={"wait": {**GATE, "after": "checkout"}})
def test_a_second_ctrl_c_leaves_the_deploy_to_itself(repo: Repo) -> None:
    repo.has("v0")
    with repo.held("web1"):
        terminal = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web1")
        terminal.send_signal(signal.SIGINT)
        told(repo, "aborted")
        terminal.send_signal(signal.SIGINT)
        left = repo.fleet.wait(terminal)
    assert (left.status, left.data["view"]) == (1, "detached")
    assert repo.run("watch").data["outcome"] == "ROLLED BACK"
    assert repo.on_disk() == repo.everywhere("v0")


def first_line_with(text: str, process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return next(line for line in process.stderr if text in line)


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"]})
def test_F19_ctrl_c_ends_a_watch_with_one_sentence_and_not_the_deploy(repo: Repo) -> None:
    with repo.held("web1"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web1")
        watching = repo.fleet.begin("deploy.watch", repo=repo.name)
        first_line_with("fetch stage started", watching)
        watching.send_signal(signal.SIGINT)
        done = repo.fleet.wait(watching)
    assert (done.data["view"], done.data["deploy"]) == ("detached", deploy)
    assert "Traceback" not in done.told
    assert "unclosed" not in done.told
    converged(repo.run("watch"))


def test_F14_F19_who_waits_for_a_lock_says_for_whom_and_sigterm_leaves_it_waiting(repo: Repo) -> None:
    holder = Holder.here("carol", deploy="20261123101112000000", reason="a hotfix")
    with Locks(repo.fleet.root, store(repo.fleet.opts)).hold(repo.name, (), holder):
        terminal = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1", wait=100)
        assert "waits: " in (line := first_line_with("waits: ", terminal))
        assert "locked by carol" in line
        assert "a hotfix" in line
        terminal.send_signal(signal.SIGTERM)
        done = repo.fleet.wait(terminal)
        assert (done.status, done.data["view"]) == (1, "detached")
        assert "Traceback" not in done.told
    wait_for(lambda: repo.on_disk() == repo.everywhere("v1"))
    converged(repo.run("watch"))


def test_F19_ctrl_c_before_any_host_is_asked_is_not_lost(repo: Repo) -> None:
    repo.has("v0")
    holder = Holder.here("carol", deploy="20261123101112000000", reason="a hotfix")
    with Locks(repo.fleet.root, store(repo.fleet.opts)).hold(repo.name, (), holder):
        terminal = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1", wait=100)
        first_line_with("waits: ", terminal)
        terminal.send_signal(signal.SIGINT)
        first_line_with("Stopping.", terminal)
    done = repo.fleet.wait(terminal)
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    assert repo.on_disk() == repo.everywhere("v0")


PROMPT = "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): "


def test_an_operator_at_a_terminal_is_asked_as_trebuchet_asked(repo: Repo) -> None:
    repo.has("v0")
    command = repo.fleet.command("deploy.sync", repo=repo.name, tag="v1", interactive=True)
    with terminal(command) as person:
        assert "2/2 minions completed fetch" in person.until(PROMPT)
        person.type("d")
        assert "Tag: v1\n\n2/2 minions completed fetch\n\nDetails:" in person.until(PROMPT)
        person.type("C")
        concise = person.until(PROMPT)
        assert "2/2 minions completed fetch" in concise and "Details:" not in concise
        assert repo.on_disk() == repo.everywhere("v0"), "nobody has switched yet"
        person.type("r")
        person.until(PROMPT)
        person.type("y")
        assert person.end() == 0, person.seen
    assert "CONVERGED" in person.seen
    assert repo.on_disk() == repo.everywhere("v1")


def test_a_lock_stops_deploys_until_its_holder_takes_it_away(repo: Repo) -> None:
    repo.has("v0")
    assert repo.run("lock", reason="migration").status == 0
    refused = repo.sync("v1")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "locked")
    assert "migration" in refused.data["error"]["cause"]
    assert repo.run("lock", reason="mine").data["error"]["kind"] == "locked"
    assert [lock["scope"] for lock in repo.fleet.run_here("deploy.locks").data["locks"]] == [
        f"repo:{repo.name}"
    ]
    assert repo.run("unlock").status == 0
    converged(repo.sync("v1"))


@pytest.mark.repo(freeze=[{"from": "2020-01-01", "until": "2099-01-01", "reason": "holidays"}])
def test_a_freeze_stops_deploys_and_not_the_way_back(repo: Repo) -> None:
    refused = repo.sync("v0")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "frozen")
    assert "holidays" in refused.data["error"]["cause"]
    converged(repo.sync("v0", force=True))
    converged(repo.sync("v1", force=True))
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
