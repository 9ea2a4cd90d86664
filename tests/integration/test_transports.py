"""Releases travel and lie in each way that an operator can choose."""

from __future__ import annotations

import pytest

from tests.integration.repo import Repo, converged

WAYS = {
    "git from a path": {"transport": "git", "url": "file://SOURCE"},
    "git from a server": {"transport": "git", "url": "SERVER"},
    "bundle of what a server has": {"source": "SERVER"},
    "differences of archives": {"transport": "delta"},
    "in place, by bundle": {"layout": "inplace"},
    "in place, git from a server": {"layout": "inplace", "transport": "git", "url": "SERVER"},
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.repo(**keys)) for way, keys in WAYS.items()]
)
def test_a_release_a_change_and_a_rollback_by(way: str, repo: Repo) -> None:
    for tag in ("v0", "v3"):
        repo.has(tag)
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
    in_place = {(repo.place(host) / ".git").is_dir() for host in repo.hosts}
    assert in_place == {way.startswith("in place")}


@pytest.mark.repo(transport="git", url="SERVER")
def test_a_commit_that_the_server_does_not_have_is_refused(repo: Repo) -> None:
    """The commit comes from the master; a server on which the tag means something else is not believed."""
    repo.has("v0")
    away = repo.git_dir.with_name(f"{repo.git_dir.name}-of-the-master")
    repo.git_dir.rename(away)
    repo.configure(source=str(away))
    repo.make_source_anew(3)
    done = repo.sync("v1")
    assert (done.status, done.data["outcome"]) == (1, "HELD"), done
    assert {host["error"]["kind"] for host in done.data["hosts"].values()} == {"moved-tag"}
    assert repo.on_disk() == repo.everywhere("v0")
