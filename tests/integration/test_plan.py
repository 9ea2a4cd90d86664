"""A plan is asked for, deployed by its hash, and refused once it is no longer true."""

from __future__ import annotations

import pytest

from tests.integration.repo import Repo, converged


@pytest.mark.repo(
    restart_command=["true"], groups=[{"name": "canary", "targets": "web1", "targets_type": "list"}]
)
def test_a_plan_is_deployed_as_long_as_it_is_true(repo: Repo) -> None:
    repo.has("v0")
    plan = repo.run("plan", tag="v1")
    assert (plan.status, plan.data["previous"], plan.data["restarts"]) == (0, "v0", ["true"])
    assert [(wave["name"], wave["hosts"]) for wave in plan.data["waves"]] == [
        ("canary", ["web1"]),
        ("default", ["web2"]),
    ]
    for host in plan.data["hosts"].values():
        assert (host["from"], host["changed"]) == ("v0", 2)  # a link that turns, and a mode
        assert host["bytes"] < 1.5 * repo.least_bytes("v1", "v0")
    assert repo.run("plan", tag="v1").data["hash"] == plan.data["hash"]
    assert repo.on_disk() == repo.everywhere("v0"), "nothing was done"

    converged(repo.sync("v1", plan=plan.data["hash"]))
    assert repo.on_disk() == repo.everywhere("v1")
    moved = repo.sync("v1", plan=plan.data["hash"])
    assert (moved.status, moved.data["error"]["kind"]) == (1, "plan-moved")
    assert "web1 was at" in moved.data["error"]["cause"]


def test_a_plan_names_what_would_refuse_it_and_what_it_cannot_know(repo: Repo) -> None:
    repo.has("v0")
    assert repo.run("lock", reason="migration").status == 0
    locked = repo.run("plan", tag="v1")
    assert locked.status == 1
    assert "migration" in " ".join(locked.data["guards"])
    assert repo.run("unlock").status == 0
    repo.git_dir.rename(repo.git_dir.with_name("away"))
    repo.make_source_anew(3)  # what the hosts run is not in it
    strange = repo.run("plan", tag="v1")
    for host in strange.data["hosts"].values():
        assert [host[key] for key in ("added", "changed", "removed")] == [None, None, None]
        assert host["bytes"] > 0
