"""Hosts converge by states: to a tag, to the pin, and by themselves when they come back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.fleet import wait_for
from tests.integration.pillar import WHOLE_FLEET
from tests.integration.repo import Repo, converged


def pinned(repo: Repo, host: str, **named: Any) -> dict[str, Any]:
    """The result of ``state.single deploy.pinned``."""
    answer = repo.fleet.salt(host, "state.single", "deploy.pinned", repo.name, **named)
    (result,) = answer.data.values()
    return result


def test_a_host_that_drifted_converges_to_the_pin(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    assert repo.call("web1", "rollback").status == 0
    change = {repo.name: {"old": "v0", "new": "v1"}}
    would = pinned(repo, "web1", test=True)
    assert (would["result"], would["changes"]) == (None, change)
    assert repo.on_disk()["web1"] == "v0"
    done = pinned(repo, "web1")
    assert (done["result"], done["changes"]) == (True, change)
    assert repo.on_disk() == repo.everywhere("v1")
    again = pinned(repo, "web1")
    assert (again["result"], again["changes"]) == (True, {})


def test_a_tag_that_is_on_disk_can_be_asked_for(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    done = pinned(repo, "web1", tag="v0")
    assert (done["result"], done["changes"]) == (True, {repo.name: {"old": "v1", "new": "v0"}})
    assert repo.on_disk() == {"web1": "v0", "web2": "v1"}
    unknown = pinned(repo, "web1", tag="v2")
    assert (unknown["result"], unknown["changes"]) == (False, {})
    assert f"salt-run deploy.fetch repo={repo.name} tag=v2" in unknown["comment"]


def test_a_host_without_a_pin_says_what_to_do(repo: Repo) -> None:
    done = pinned(repo, "web1")
    assert (done["result"], done["changes"]) == (False, {})
    assert f"salt-run deploy.sync repo={repo.name}" in done["comment"]


def test_a_release_that_cannot_be_fetched_fails_the_state(repo: Repo) -> None:
    repo.has("v0")
    with repo.fleet.hosts["web2"].program("git"):
        repo.target("web1")
        converged(repo.sync("v1", force=True))
        repo.target("web1", "web2")
        done = pinned(repo, "web2")
    assert (done["result"], done["changes"]) == (False, {})
    assert "git" in done["comment"]
    assert repo.on_disk() == {"web1": "v1", "web2": "v0"}


@pytest.mark.repo("catch_up", **WHOLE_FLEET, failure_limit=2)
def test_hosts_that_were_away_catch_up(repo: Repo) -> None:
    repo.has("v0")
    with repo.fleet.hosts["web4"].down(), repo.fleet.hosts["web5"].silent():
        done = repo.sync("v1")
        assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "MIXED", 6), done
    assert wait_for(lambda: repo.on_disk()["web4"] == "v1"), "by its startup_states"
    highstate = repo.fleet.salt("web5", "state.apply")
    assert highstate.status == 0, highstate
    assert repo.on_disk() == repo.everywhere("v1")
    assert repo.run("report").status == 0


def test_the_pillar_gives_each_host_its_own_secret_only(repo: Repo) -> None:
    pillars = {host: repo.fleet.run_here("pillar.show_pillar", host).data for host in ("web1", "web2")}
    secrets = {host: pillar["deploy"]["secret"] for host, pillar in pillars.items()}
    assert len(set(secrets.values())) == 2 and all(secrets.values())
    assert secrets["web1"] not in str(pillars["web2"])
    assert secrets["web2"] not in str(pillars["web1"])
    master = (repo.fleet.root / "secret").read_bytes()
    assert master.hex() not in str(pillars)
