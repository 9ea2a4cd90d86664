"""Each error says where, why and what to do next, in data; and leaves every disk as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.pillar import WHOLE_FLEET
from tests.integration.repo import Repo
from tests.support.repositories import git

OLD_GIT = "#!/bin/sh\necho git version 2.17.1\n"
NOBODY = {"targets": "web9"}

# name: what the pillar says, function, arguments, kind, what the cause or the path must hold
REFUSED: dict[str, tuple[dict[str, Any], str, dict[str, Any], str, str]] = {
    "unknown repo": ({}, "sync", {"repo": "no/such", "tag": "v1"}, "unknown-repo", "no/such"),
    "no targets": (NOBODY, "sync", {"tag": "v1"}, "no-targets", "web9"),
    "no such tag": ({}, "sync", {"tag": "v9"}, "no-such-tag", "v9"),
    "no legal tag": ({}, "sync", {"tag": "2026-11-23 12:00"}, "bad-name", "12:00"),
    "a commit in place of a tag": ({}, "sync", {"tag": "main"}, "no-such-tag", "there is no tag main"),
    "no such transport": ({}, "sync", {"tag": "v1", "transport": "pigeon"}, "config", "pigeon"),
    "a long name": ({}, "sync", {"tag": "x" * 10_240}, "bad-name", "xxx"),
    "characters": ({}, "sync", {"tag": "\u2028"}, "bad-name", "u2028"),
    "no repository": ({"source": "DISK/no"}, "sync", {"tag": "v1"}, "unavailable", "/no"),
    "no server": ({"source": "http://127.0.0.1:9/r"}, "sync", {"tag": "v1"}, "unavailable", "127.0.0.1:9"),
    "a wrong key": ({"slotz": 3}, "sync", {"tag": "v1"}, "config", ":slotz"),
    "a wrong value": ({"slots": "many"}, "report", {}, "config", ":slots"),
    "nowhere to go back": ({}, "rollback", {}, "nothing-to-roll-back-to", "no earlier release"),
    "a release that never was": ({}, "rollback", {"to": "v1"}, "nothing-to-roll-back-to", "v1"),
    "no such argument": ({}, "sync", {"tag": "v1", "forced": True}, "bad-arguments", "forced"),
    "too few arguments": ({}, "sync", {}, "bad-arguments", "tag"),
    "no such deploy": ({}, "watch", {"deploy": "20200101000000000000"}, "no-such-deploy", "20200101"),
    "never deployed": ({}, "watch", {}, "no-such-deploy", "never"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.repo(**said[0])) for case, said in REFUSED.items()]
)
def test_a_command_is_refused_for(case: str, repo: Repo) -> None:
    _, function, named, kind, hint = REFUSED[case]
    # Salt looks at wrong arguments itself, before the door does
    command = repo.fleet.salt_run if kind == "bad-arguments" else repo.fleet.run_here
    done = command(f"deploy.{function}", **{"repo": repo.name, **named})
    error = done.data["error"]
    assert (done.status, error["kind"]) == (1, kind)
    assert error["repo"] == ("" if case == "no such argument" else named.get("repo", repo.name))
    assert error["next"]
    assert hint in f"{error['cause']} {error['path']}"
    assert set(repo.on_disk().values()) <= {""}


def test_F01_the_tag_that_was_typed_is_deployed_or_none(repo: Repo) -> None:
    git(repo.git_dir, "tag", "1.1", "v1^{commit}")
    git(repo.git_dir, "tag", "1.10", "v2^{commit}")
    typed = repo.fleet.salt_run("deploy.sync", f"repo={repo.name}", "tag=1.10")
    assert (typed.status, typed.data["outcome"]) == (0, "CONVERGED")
    assert repo.on_disk() == repo.everywhere("v2")
    refused = repo.sync(1.1)  # as an API or a reactor gives it
    assert (refused.status, refused.data["error"]["kind"]) == (1, "bad-arguments")
    assert refused.data["error"]["next"] == f"""salt-run deploy.sync repo={repo.name} tag='"1.1"'"""
    assert repo.on_disk() == repo.everywhere("v2")


def test_F02_the_text_False_forces_nothing(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    assert repo.run("rollback").status == 0
    refused = repo.sync("v1", force="False")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "bad-release")
    unclear = repo.sync("v1", force="maybe", wait="abc")
    assert (unclear.status, unclear.data["error"]["kind"]) == (1, "bad-arguments")
    assert unclear.data["error"]["next"] == f"salt-run deploy.sync repo={repo.name} tag=v1 force=False wait=0"
    assert repo.on_disk() == repo.everywhere("v0")


def test_a_tag_that_moved_is_never_deployed(repo: Repo) -> None:
    repo.has("v1")
    git(repo.git_dir, "tag", "--force", "v1", "v2")
    repo.has("v0")
    done = repo.sync("v1")
    assert (done.status, done.data["error"]["kind"]) == (1, "moved-tag")
    cause = done.data["error"]["cause"]
    assert repo.releases.commit("v1") in cause and repo.releases.commit("v2") in cause
    assert repo.on_disk() == repo.everywhere("v0")


@pytest.mark.repo(location="DISK/odd/where", targets="web1,web2,web3,web4")
def test_each_broken_host_says_what_is_wrong_with_it(repo: Repo) -> None:
    hosts = repo.fleet.hosts
    repo.target("web1", "web2", "web3")
    repo.has("v0")
    repo.target("web1", "web2", "web3", "web4")
    (hosts["web4"].disk / "odd").symlink_to("/sys/kernel")  # which is the system's own
    with hosts["web2"].program("git"), hosts["web3"].program("git", OLD_GIT):
        done = repo.sync("v1")
    assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "HELD", 1)
    told = {host: said["error"] for host, said in done.data["hosts"].items() if "error" in said}
    kinds = {host: (error["kind"], error["host"], error["repo"]) for host, error in told.items()}
    assert kinds == {
        "web2": ("git-unusable", "web2", repo.name),
        "web3": ("git-unusable", "web3", repo.name),
        "web4": ("config", "web4", repo.name),
    }
    assert "2.17.1" in told["web3"]["cause"]
    assert f"{repo.place('web4')}, which is /sys/kernel/where on the disk" in told["web4"]["cause"]
    assert all(error["next"] for error in told.values())
    assert repo.on_disk() == {"web1": "v0", "web2": "v0", "web3": "v0", "web4": ""}
    assert repo.run("report").data["pinned"]["tag"] == "v0"


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], None]]:
    """Mounts a disk of four megabytes at a path."""
    mounted: list[Path] = []

    def mount(place: Path) -> None:
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "--", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this machine does not let us mount: {done.stderr}")
        mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", "--", str(place)], check=True)


@pytest.mark.repo(location="DISK/small/where")
def test_a_full_disk_is_found_before_anything_changes(repo: Repo, small_disk: Callable[[Path], None]) -> None:
    small_disk(repo.place("web2").parent)
    repo.has("v0")
    done = repo.sync("v4")
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    error = done.data["hosts"]["web2"]["error"]
    assert (error["kind"], error["host"], error["repo"]) == ("disk-full", "web2", repo.name)
    assert str(repo.place("web2").parent) in error["path"] + error["cause"]
    assert "df" in error["next"]
    assert repo.on_disk() == repo.everywhere("v0")
    repo.has("v1")  # there is room for that


@pytest.mark.repo(transport="git", url="http://127.0.0.1:9/r")
def test_a_repository_that_hosts_cannot_reach_holds_the_deploy(repo: Repo) -> None:
    done = repo.sync("v0")
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    errors = {host: said["error"] for host, said in done.data["hosts"].items()}
    assert {host: error["kind"] for host, error in errors.items()} == dict.fromkeys(repo.hosts, "unavailable")
    assert all("127.0.0.1:9" in error["path"] + error["cause"] for error in errors.values())
    assert repo.on_disk() == repo.everywhere("")


@pytest.mark.repo(**WHOLE_FLEET)
def test_silence_is_a_failure(repo: Repo) -> None:
    repo.has("v0")
    with repo.fleet.hosts["web4"].down(), repo.fleet.hosts["web5"].silent():
        done = repo.sync("v1")
    assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "HELD", 6)
    for host in ("web4", "web5"):
        said = done.data["hosts"][host]
        assert (said["state"], said["error"]["kind"], said["error"]["host"]) == (
            "unreachable",
            "unreachable",
            host,
        )
        assert host in said["error"]["next"]
    assert repo.on_disk() == repo.everywhere("v0")
