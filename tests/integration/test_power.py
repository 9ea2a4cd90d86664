"""A host whose power goes in the middle of a stage shows a whole release, and takes the next deploy."""

from __future__ import annotations

import pytest

from tests.integration.fleet import PATIENCE
from tests.integration.gitserver import GitServer
from tests.integration.repo import Repo, converged

# how it ends depends on who is faster, the master's patience or the host's start
SHOWN = {"CONVERGED": {"v1"}, "HELD": {"v0"}, "ROLLED BACK": {"v0"}, "MIXED": {"v0", "v1"}}


@pytest.mark.repo(transport="git", url="SERVER")
def test_killed_while_bytes_arrive(repo: Repo, git_server: GitServer) -> None:
    repo.has("v0")
    host = repo.fleet.hosts["web2"]
    with git_server.holding("web2") as asked:
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        assert asked.wait(PATIENCE)
        host.kill()
        assert repo.on_disk() == repo.everywhere("v0")
    host.start()
    done = repo.fleet.wait(deploy)
    assert set(repo.on_disk().values()) == SHOWN[done.data["outcome"]]
    converged(repo.sync("v1"))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(checkout_module_calls={"gate.wait": ["DISK/gate"]})
def test_killed_after_the_switch_and_before_the_answer(repo: Repo) -> None:
    repo.has("v0")
    host = repo.fleet.hosts["web2"]
    with repo.held("web2"):
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web2")
        host.kill()
        assert repo.on_disk()["web2"] == "v1"
    host.start()
    done = repo.fleet.wait(deploy)
    assert set(repo.on_disk().values()) <= SHOWN[done.data["outcome"]]
    converged(repo.sync("v1"))
    assert repo.on_disk() == repo.everywhere("v1")
