"""On real hosts: a commit and a branch are deployed, history knows them by a tag, and the way back goes by that tag."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.integration.repo import Repo, converged
from tests.support.repositories import git


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("here", marks=pytest.mark.repo()),
        pytest.param("elsewhere", marks=pytest.mark.repo(source="file://SOURCE", transport="tar")),
    ],
)
def test_a_commit_and_a_branch_are_deployed_and_history_has_their_names(repo: Repo, kind: str) -> None:
    repo.has("v0")
    first, second = repo.releases.commit("v1"), repo.releases.commit("v2")
    by_id = converged(repo.run("sync", commit=first[:9], reason="the new logo"))
    assert repo.on_disk() == repo.everywhere("v1")
    tag = by_id.data["tag"]
    assert tag.startswith("release/")
    assert tag.endswith("/1")

    git(repo.git_dir, "update-ref", "refs/heads/topic", second)
    plan = repo.run("plan", branch="topic")
    assert (plan.status, plan.data["commit"], plan.data["previous"]) == (0, second, tag)
    assert plan.data["tag"].endswith("/2")
    assert repo.on_disk() == repo.everywhere("v1"), "nothing was done"
    by_branch = converged(repo.run("sync", branch="topic", plan=plan.data["hash"]))
    assert by_branch.data["tag"] == plan.data["tag"], "the plan has made no tag, so the name was free"
    assert repo.on_disk() == repo.everywhere("v2")
    assert repo.run("plan", branch="v1").data["error"]["kind"] == "no-such-revision"

    versions = repo.run("versions").data["versions"]
    known = [(version["tag"], version["commit"], version.get("once")) for version in versions[:2]]
    assert known == [
        (by_branch.data["tag"], second, {"branch": "topic"}),
        (tag, first, {"commit": first[:9]}),
    ]
    git(repo.git_dir, "update-ref", "refs/heads/topic", first)
    back = converged(repo.run("rollback"))
    assert (back.data["previous"], back.data["tag"]) == (by_branch.data["tag"], tag)
    assert repo.on_disk() == repo.everywhere("v1")
    assert git(repo.git_dir, "tag").decode().split() == ["v0", "v1", "v2", "v3", "v4"]
    converged(repo.sync(tag))
    assert repo.run("report").status == 0


@pytest.mark.repo(layout="releases", groups=[{"name": "canary", "targets": "web1", "targets_type": "list"}])
def test_each_host_tells_in_two_files_what_is_live_forth_and_back(repo: Repo) -> None:
    def told(host: str) -> tuple[str, dict[str, Any]]:
        area = repo.place(host).with_name(f".{repo.place(host).name}.deploy")
        return (area / "REVISION").read_text().strip(), yaml.safe_load((area / "DEPLOY_HEAD").read_text())

    repo.has("v0")
    done = converged(repo.sync("v1"))
    old, new = repo.releases.commit("v0"), repo.releases.commit("v1")
    for host, group in (("web1", "canary"), ("web2", "default")):
        revision, head = told(host)
        assert (revision, head["commit"], head["tag"], head["host"]) == (new, new, "v1", host)
        assert (head["previous_tag"], head["previous_commit"], head["group"]) == ("v0", old, group)
        assert head["deploy"] == done.data["deploy"]
    converged(repo.run("rollback"))
    for host in repo.hosts:
        assert (told(host)[0], told(host)[1]["tag"], told(host)[1]["previous_tag"]) == (old, "v0", "v1")
