"""A release reaches every host, the next one as well, and the way back is as short."""

from __future__ import annotations

from tests.integration.repo import Repo


def test_a_bare_fleet_takes_its_first_release(repo: Repo) -> None:
    done = repo.sync("v0")
    assert (done.status, done.data["outcome"]) == (0, "CONVERGED"), done
    assert (done.data["ok"], done.data["total"]) == (5, 5)
    assert repo.on_disk() == repo.everywhere("v0")
