"""Several people at one deploy: one wins, the others watch."""

from __future__ import annotations

import pytest

from tests.integration.fleet import wait_for
from tests.integration.repo import Repo, converged

GATE = {"gate.wait": ["DISK/gate"]}


@pytest.mark.repo(fetch_module_calls=GATE)
def test_of_two_operators_one_wins_and_the_other_sees_who(repo: Repo) -> None:
    with repo.held("web1"):
        both = [repo.fleet.begin("deploy.sync", repo=repo.name, tag=tag) for tag in ("v1", "v2")]
        loser = wait_for(lambda: next((each for each in both if each.poll() is not None), None))
        refused = repo.fleet.wait(loser)
        assert [each.poll() for each in both].count(None) == 1
    both.remove(loser)
    won = converged(repo.fleet.wait(both[0]))
    assert (refused.status, refused.data["error"]["kind"]) == (1, "locked")
    assert f"deploy {won.data['deploy']}" in refused.data["error"]["cause"]
    assert repo.on_disk() == repo.everywhere(won.data["tag"])
    assert len(repo.run("versions").data["versions"]) == 1


@pytest.mark.repo(fetch_module_calls=GATE)
def test_who_joins_in_the_middle_sees_the_beginning_and_the_end(repo: Repo) -> None:
    with repo.held("web1"):
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web1")
        watch = repo.fleet.begin("deploy.watch", repo=repo.name)
        assert watch.stderr
        first = watch.stderr.readline()
        assert deploy.poll() is None
    done = converged(repo.fleet.wait(deploy))
    watched = converged(repo.fleet.wait(watch))
    assert "Started deploy" in first
    assert (watched.data["deploy"], watched.data["tag"]) == (done.data["deploy"], "v1")
    again = converged(repo.run("watch", deploy=done.data["deploy"]))
    assert (again.data["deploy"], again.data["tag"]) == (done.data["deploy"], "v1")
