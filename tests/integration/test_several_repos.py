"""Two repos that are deployed as one, on hosts that take one of them or both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.fleet import Fleet, Run
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged
from tests.integration.rollouts import COUNT, IS_WELL, counted, unwell

LEADS = {"targets": "web1,web2", "checkout_module_calls": COUNT}


@pytest.fixture
def other(repo: Repo, fleet: Fleet, pillar: Pillar, releases: Releases) -> Iterator[Repo]:
    """A second repo, which has hosts of the first one and others."""
    name = f"{repo.name}.also"
    pillar.add(name, {"targets": "web2,web3", "checks": {"well": IS_WELL}})
    for host in ("web2", "web3"):
        fleet.salt(host, "saltutil.refresh_pillar", wait=True)
    yield Repo(name, fleet, pillar, releases)


def sync(repo: Repo, other: Repo, tag: str, other_tag: str, **named: Any) -> Run:
    return repo.fleet.salt_run("deploy.sync", f"{{{repo.name}: {tag}, {other.name}: {other_tag}}}", **named)


@pytest.mark.repo(**LEADS)
def test_they_converge_together_and_go_back_together(repo: Repo, other: Repo) -> None:
    done = converged(sync(repo, other, "v0", "v1"))
    assert done.data["total"] == 3
    assert (repo.on_disk(), other.on_disk()) == (repo.everywhere("v0"), other.everywhere("v1"))
    assert repo.run("report").status == other.run("report").status == 0
    assert [version["deploy"] for version in other.run("versions").data["versions"]] == [done.data["deploy"]]
    counted(repo)

    with unwell(other, "web3"):
        back = sync(repo, other, "v2", "v3")
    assert (back.status, back.data["outcome"]) == (1, "ROLLED BACK")
    assert (repo.on_disk(), other.on_disk()) == (repo.everywhere("v0"), other.everywhere("v1"))
    assert back.data["unwell"] == ["web3"], "the check fails on the way back as well"
    assert all(count in (0, 2) for count in counted(repo).values()), "forth and back, or not at all"

    converged(sync(repo, other, "v2", "v3", force=True))  # what was rolled back is marked as bad
    both = f"{repo.name},{other.name}"
    converged(repo.fleet.salt_run("deploy.rollback", repo=both))
    assert (repo.on_disk(), other.on_disk()) == (repo.everywhere("v0"), other.everywhere("v1"))
    shown = repo.fleet.shown("deploy.watch", repo=other.name)
    assert done.data["deploy"] not in shown
