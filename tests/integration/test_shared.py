"""On real hosts that take signed releases only: what users own is taken over, shared by all releases, and never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.repo import Repo, converged


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            "slots", marks=pytest.mark.repo(shared={"dirs": ["uploads", "lib"], "files": ["index"]})
        ),
        pytest.param(
            "releases",
            marks=pytest.mark.repo(
                layout="releases", transport="tar", shared={"dirs": ["uploads", "lib"], "files": ["index"]}
            ),
        ),
    ],
)
def test_what_users_own_is_taken_over_and_there_in_each_release(repo: Repo, way: str) -> None:
    def lib(host: str) -> Path:
        return repo.place(host) / "lib"

    for host in repo.hosts:  # as it was before anybody deployed
        (repo.place(host) / "uploads").mkdir(parents=True)
        (repo.place(host) / "uploads/cat").write_text(f"cat of {host}")
        (repo.place(host) / "stray").write_text("not shared")
    plan = repo.run("plan", tag="v0")
    assert plan.data["untracked"] == dict.fromkeys(repo.hosts, "stray")
    assert any("index, lib, uploads" in remark for remark in plan.data["remarks"])
    done = converged(repo.sync("v0"))
    assert {host["taken_over"] for host in done.data["hosts"].values()} == {"uploads"}
    assert {host["untracked"] for host in done.data["hosts"].values()} == {"stray"}
    for host in repo.hosts:
        assert (repo.place(host) / "uploads/cat").read_text() == f"cat of {host}"
        assert sorted(os.listdir(lib(host))) == ["a", "b"], "the release's own copy, where nobody had one"
        (lib(host) / "mine").write_text("x")
        (repo.place(host) / "index").write_text(f"of {host}")
    for act in (lambda: repo.sync("v1"), lambda: repo.sync("v2"), lambda: repo.run("rollback")):
        converged(act())
        for host in repo.hosts:
            assert (repo.place(host) / "uploads/cat").read_text() == f"cat of {host}"
            assert (repo.place(host) / "index").read_text() == f"of {host}"
            assert (lib(host) / "mine").read_text() == "x"
            found = repo.call(host, "verify", full=True)
            assert (found.status, found.data["status"]) == (0, 0), found
    assert repo.run("report").status == 0
    assert repo.run("gc").status == 0
    for host in repo.hosts:
        assert (repo.place(host) / "uploads/cat").read_text() == f"cat of {host}"
        (repo.place(host) / "uploads").unlink()
        assert "uploads" in repo.call(host, "verify").data["facts"]["missing"]
    converged(repo.sync("v2", force="bad_release"))  # it was gone back from
    for host in repo.hosts:
        assert (repo.place(host) / "uploads/cat").read_text() == f"cat of {host}"


@pytest.mark.repo(untracked="refuse")
def test_F28_what_an_application_wrote_is_named_before_it_goes_and_taken_over_on_request(repo: Repo) -> None:
    converged(repo.sync("v0"))
    for host in repo.hosts:
        assert "untracked" not in repo.call(host, "untracked").data["facts"]
        (repo.place(host) / "cache").mkdir()
        (repo.place(host) / "lib/debug.log").write_text(f"of {host}")
    assert repo.run("plan", tag="v1").data["untracked"] == dict.fromkeys(repo.hosts, "cache/, lib/debug.log")
    refused = repo.sync("v1")
    assert refused.data["outcome"] == "HELD"
    assert {host["error"]["kind"] for host in refused.data["hosts"].values()} == {"untracked"}
    unshared = repo.run("adopt", path="cache")
    assert unshared.status == 1
    assert {answer["error"]["kind"] for answer in unshared.data["hosts"].values()} == {"unsupported"}
    repo.configure(untracked="warn", shared={"dirs": ["cache"]})
    for host in repo.hosts:
        repo.fleet.salt(host, "saltutil.refresh_pillar", wait=True)
    taken = repo.run("adopt")
    assert taken.status == 0, taken
    assert {answer["facts"]["moved"] for answer in taken.data["hosts"].values()} == {"cache"}
    done = converged(repo.sync("v1"))
    assert {host["untracked"] for host in done.data["hosts"].values()} == {"lib/debug.log"}
    for host in repo.hosts:
        assert (repo.place(host) / "cache").is_symlink()


@pytest.mark.repo(layout="inplace", shared={"dirs": ["uploads"]})
def test_a_layout_that_has_none_refuses_before_any_host_is_asked(repo: Repo) -> None:
    refused = repo.sync("v0")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "unsupported")
    assert "layout inplace has no shared paths" in refused.data["error"]["cause"]
    assert repo.run("plan", tag="v0").data["guards"] == [refused.data["error"]["cause"]]
