"""A commit or a branch is deployed: looked up once, known by a tag of the master's mirror, refused where it is not clear."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import BadArguments, NoSuchRevision, PlanMoved, Unsigned
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.plan_model import Request
from saltdeploy.master.planning import naming
from saltdeploy.master.planning import plan as plans
from saltdeploy.master.records.history import History

from tests.support.repositories import git
from tests.unit.master.worlds import World

DEPLOY = "20261123120000000000"
TODAY = "release/2026-11-23"


@pytest.fixture(params=["here", "elsewhere"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    world = World(tmp_path)
    if request.param == "elsewhere":
        world.section["source"] = f"file://{world.source.git_dir}"
    return world


def decided(world: World, **wish: Any) -> plans.Draft:
    """What a deploy has decided when it begins to pack."""
    request = Request("sync", "demo", **wish)
    repos = plans.configured(request, world.pillar, "")
    leases: dict[str, Any] = {"demo": None}
    return naming.named(plans.make_plan(request, repos, leases, world.master), DEPLOY)


def deployed(world: World, **wish: Any) -> tuple[str, str]:
    release = decided(world, **wish).lead.release
    return release.tag, release.commit


def opened(world: World) -> Source:
    (repo,) = plans.configured(Request("sync", "demo", "v1"), world.pillar, "")
    return Source(repo, world.master.root)


def branch(world: World, name: str, number: int) -> str:
    commit = world.source.tag(number).commit
    git(world.source.git_dir, "update-ref", f"refs/heads/{name}", commit)
    return commit


def refused(world: World, **wish: Any) -> NoSuchRevision:
    with pytest.raises(NoSuchRevision) as caught:
        world.plan("", **wish)
    with pytest.raises(NoSuchRevision) as again:
        decided(world, **wish)
    assert again.value.to_wire() == caught.value.to_wire(), "plan and deploy say the same"
    assert caught.value.repo == "demo"
    assert caught.value.path == world.section["source"]
    return caught.value


# -- what is deployed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [40, 12, 7])
def test_a_commit_is_deployed_by_its_full_or_short_id(world: World, digits: int) -> None:
    commit = world.source.tag(1).commit
    assert deployed(world, commit=commit[:digits].upper()) == (f"{TODAY}/1", commit)


def test_a_branch_is_deployed_as_the_commit_that_it_names_now(world: World) -> None:
    first = branch(world, "topic/a", 1)
    assert deployed(world, branch="topic/a") == (f"{TODAY}/1", first)
    second = branch(world, "topic/a", 2)
    assert deployed(world, branch="topic/a") == (f"{TODAY}/2", second)


def test_the_tag_is_on_the_masters_mirror_alone_and_tells_who_why_and_whence(world: World) -> None:
    before = git(world.source.git_dir, "for-each-ref")
    tag, commit = deployed(world, branch="main", reason="the new logo")
    assert git(world.source.git_dir, "for-each-ref") == before, "nothing is written into the source"
    mirror = world.master.root / "mirrors/demo.git"
    said = git(mirror, "cat-file", "tag", tag).decode()
    assert f"object {commit}\n" in said
    assert "tagger alice <alice@" in said
    for line in (
        "repo: demo",
        f"from: branch main of {world.section['source']}",
        "by: alice",
        "reason: the new logo",
        f"previous: v0 ({world.source.tag(0).commit})",
        f"deploy: {DEPLOY}",
    ):
        assert f"\n{line}\n" in said
    git(mirror, "fsck", "--strict")


def test_the_tag_is_a_tag_like_others_from_then_on(world: World) -> None:
    tag, commit = deployed(world, branch="main")
    assert opened(world).tag(tag).commit == commit
    assert tag in opened(world).tags()
    assert deployed(world, tag=tag) == (tag, commit)
    assert world.plan(tag)["tag"] == tag


def test_what_was_tagged_before_keeps_its_name(world: World) -> None:
    first = deployed(world, branch="main")
    assert deployed(world, branch="main") == first
    assert deployed(world, commit=first[1][:10]) == first
    other = world.source.tag(1).commit
    assert deployed(world, commit=other) == (f"{TODAY}/2", other)


def test_a_tag_of_the_source_stands_for_itself(world: World) -> None:
    """It has a tag that was not made here: a name that everybody moves, as `latest`, would be a bad one for history."""
    commit = branch(world, "topic", 1)
    git(world.source.git_dir, "tag", f"{TODAY}/7", "v0")
    assert deployed(world, branch="topic") == (f"{TODAY}/8", commit)


def test_a_name_that_history_knows_is_not_given_again(world: World) -> None:
    began = {
        "deploy": DEPLOY,
        "repo": "demo",
        "tag": f"{TODAY}/1",
        "commit": "1" * 40,
        "time": 1.0,
        "epoch": 1,
    }
    History(world.master.store).started(
        {**began, "event": "started", "user": "", "action": "sync", "reason": ""}
    )
    assert deployed(world, branch="main")[0] == f"{TODAY}/2"


def test_the_scheme_of_the_pillar_counts(world: World) -> None:
    world.section["tag_scheme"] = "semver"
    git(world.source.git_dir, "tag", "v1.9.0", "v0")
    assert deployed(world, branch="main")[0] == "v1.9.1"


def test_a_release_can_be_packed_when_the_source_has_lost_its_commit(world: World) -> None:
    branch(world, "topic", 0)
    tree = git(world.source.git_dir, "rev-parse", "v1^{tree}").decode().strip()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    commit = git(world.source.git_dir, *identity, "commit-tree", "-m", "x", tree).decode().strip()
    git(world.source.git_dir, "update-ref", "refs/heads/topic", commit)
    tag, _ = deployed(world, branch="topic")
    git(world.source.git_dir, "update-ref", "-d", "refs/heads/topic")
    git(world.source.git_dir, "prune", "--expire=now")
    source = opened(world)
    found = source.made_tags()[f"refs/tags/{tag}"]
    assert found == commit
    known = source.tag(tag)
    source.repository.pack(known, "", world.master.root / "bundle")
    with source.packer(commit, "bundle") as packer:
        packer.pack(
            known, world.source.tag(0).commit if not source.is_remote else "", world.master.root / "bundle"
        )


# -- the plan -------------------------------------------------------------------------------------------


def test_a_plan_shows_the_name_and_makes_no_tag(world: World) -> None:
    plan = world.plan("", branch="main")
    commit = world.source.tag(3).commit
    assert (plan["tag"], plan["commit"], plan["revision"]) == (f"{TODAY}/1", commit, "branch main")
    assert plan["untagged"] is True
    assert any(f"{TODAY}/1" in remark and commit in remark for remark in plan["remarks"])
    assert opened(world).made_tags() == {}
    assert deployed(world, branch="main", plan=plan["hash"]) == (f"{TODAY}/1", commit)


def test_a_plan_is_refused_once_the_branch_has_moved(world: World) -> None:
    branch(world, "topic", 1)
    known = world.plan("", branch="topic")["hash"]
    branch(world, "topic", 2)
    with pytest.raises(PlanMoved, match="the commit was") as caught:
        decided(world, branch="topic", plan=known)
    assert caught.value.next == "salt-run deploy.plan repo=demo branch=topic"


@pytest.mark.parametrize("scheme", ["timestamp", "release"])
def test_a_plan_of_a_branch_holds_whatever_the_next_tag_is(world: World, scheme: str) -> None:
    world.section["tag_scheme"] = scheme
    known = world.plan("", branch="main")["hash"]
    world.fleet.clock += 90_000
    assert deployed(world, branch="main", plan=known)[1] == world.source.tag(3).commit


def test_the_guards_look_at_the_commit(world: World) -> None:
    world.section["require_signed"] = True
    plan = world.plan("", branch="main")
    assert plan["retcode"] == 1
    assert "branch main has no tag" in plan["guards"][0]
    with pytest.raises(Unsigned):
        decided(world, branch="main")
    assert opened(world).made_tags() == {}, "what a guard refuses gets no tag"


# -- what is refused ------------------------------------------------------------------------------------


def test_a_branch_and_a_tag_of_the_same_name_are_told_apart(world: World) -> None:
    commit = branch(world, "v1", 2)
    error = refused(world, branch="v1")
    assert commit in error.cause
    assert world.source.tag(1).commit in error.cause
    assert error.next == (
        f"salt-run deploy.sync repo=demo tag=v1; or the branch: salt-run deploy.sync repo=demo commit={commit}"
    )


def test_a_branch_that_is_not_there_leads_to_one_that_is_near(world: World) -> None:
    error = refused(world, branch="mian")
    assert error.cause == "there is no branch mian"
    assert error.next == "did you mean main? salt-run deploy.sync repo=demo branch=main"


def test_a_tag_is_no_branch(world: World) -> None:
    error = refused(world, branch="v1")
    assert error.cause == "there is no branch v1: it is a tag"
    assert error.next == "salt-run deploy.sync repo=demo tag=v1"


def named(commit: bytes) -> str:
    """The id that git gives a commit."""
    return hashlib.sha1(b"commit %d\0%b" % (len(commit), commit)).hexdigest()


def alike(tree: str, parent: str) -> tuple[bytes, bytes]:
    """Two commits whose ids begin with the same four digits."""
    made: dict[str, bytes] = {}
    who = "a <a@b> 1795428672 +0000"
    for number in itertools.count():
        text = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{number}\n".encode()
        if (begin := named(text)[:4]) in made:
            return made[begin], text
        made[begin] = text
    raise AssertionError


def test_a_short_id_that_two_commits_have_is_ambiguous(world: World) -> None:
    tree = git(world.source.git_dir, "rev-parse", "v1^{tree}").decode().strip()
    pair = alike(tree, world.source.tag(3).commit)
    for text in pair:
        written = git(world.source.git_dir, "hash-object", "-w", "-t", "commit", "--stdin", input=text)
        git(world.source.git_dir, "update-ref", f"refs/heads/b/{named(text)}", written.decode().strip())
    one, commit = map(named, pair)
    error = refused(world, commit=commit[:4])
    assert error.cause.startswith(f"commit {commit[:4]} is ambiguous: it can be ")
    assert commit in error.cause
    assert one in error.cause
    assert "deploy.sync repo=demo commit=" in error.next


@pytest.mark.parametrize("digits", [40, 10])
def test_a_commit_that_nothing_of_the_source_reaches_is_refused(world: World, digits: int) -> None:
    tree = git(world.source.git_dir, "rev-parse", "v1^{tree}").decode().strip()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    commit = git(world.source.git_dir, *identity, "commit-tree", "-m", "x", tree).decode().strip()
    error = refused(world, commit=commit[:digits])
    named = commit[:digits] if "://" in world.section["source"] else commit
    assert error.cause == f"no branch and no tag of the source reaches a commit {named}"
    assert "branch" in error.next


@pytest.mark.parametrize("name", ["zzz", "abc", "v1", "--help", "HEAD", "0" * 40, "0" * 64, "f" * 65])
def test_what_is_no_commit_is_refused(world: World, name: str) -> None:
    error = refused(world, commit=name)
    assert "commit" in error.cause
    assert error.next


def test_a_release_is_named_once_and_of_one_repo(world: World) -> None:
    with pytest.raises(BadArguments, match="named 2 times") as caught:
        Request("sync", "demo", "v1", branch="main")
    assert caught.value.next == "salt-run deploy.sync repo=demo tag=v1"
    with pytest.raises(BadArguments, match="one repo at a time"):
        Request("sync", "demo", branch="main", also=(("other", ""),))
