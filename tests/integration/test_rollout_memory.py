"""The release before, when a host is dead, and when the master was restored from an older copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.repo import Repo, converged


@pytest.mark.repo(targets="web1,web2,web3", failure_limit=1)
def test_F51_F53_a_roll_back_leads_to_what_the_fleet_accepted_before(repo: Repo, tmp_path: Path) -> None:
    root = repo.fleet.root
    for tag in ("v0", "v1"):
        converged(repo.sync(tag))
    shutil.copytree(root, tmp_path / "older")
    for tag in ("v2", "v3"):
        converged(repo.sync(tag))
    shutil.copytree(root, tmp_path / "newer")

    shutil.rmtree(root)
    shutil.copytree(tmp_path / "older", root)
    report = repo.run("report")
    assert (report.status, report.data["unrecorded"]["live"], report.data["unrecorded"]["previous"]) == (
        1,
        "v3",
        "v2",
    )
    done = converged(repo.run("rollback"))
    assert (done.data["previous"], done.data["tag"]) == ("v3", "v2")
    assert repo.on_disk() == repo.everywhere("v2")
    assert repo.run("report").status == 0

    with repo.fleet.hosts["web3"].silent():
        for tag in ("v1", "v4"):
            assert repo.sync(tag).data["outcome"] == "MIXED"
        back = repo.run("rollback")
    assert (back.data["outcome"], back.data["tag"]) == ("MIXED", "v1")
    assert {host: repo.on_disk()[host] for host in ("web1", "web2")} == {"web1": "v1", "web2": "v1"}
    assert {version["tag"] for version in repo.run("versions").data["versions"] if version["bad"]} == {"v4"}
