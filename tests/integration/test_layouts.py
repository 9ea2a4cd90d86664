"""Releases that are mounted images, and releases that have directories of their own, on a fleet."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.rig.volumes import mounts_below
from tests.integration.repo import TAGS, Repo, converged


@pytest.fixture
def mounting(repo: Repo) -> Iterator[Repo]:
    """The repo, where minions may mount; nothing stays mounted."""
    if os.geteuid() != 0 or not _can_mount():
        pytest.skip(
            "NOT TESTED: layout overlay on a fleet; run this as root, where loop devices can be mounted"
        )
    yield repo
    for host in repo.hosts:
        unmount_all(repo, host)


def _can_mount() -> bool:
    possible = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    loop = ["losetup", "--find"]
    return all(
        subprocess.run(each, capture_output=True, check=False).returncode == 0 for each in (possible, loop)
    )


def area(repo: Repo, host: str) -> Path:
    place = repo.place(host)
    return place.with_name(f".{place.name}.deploy")


def mounts_of(repo: Repo, host: str) -> list[str]:
    """The places below the repo's area where something is mounted, the last one first."""
    return mounts_below(area(repo, host))


def unmount_all(repo: Repo, host: str) -> None:
    """As a reboot does."""
    for place in mounts_of(repo, host):
        subprocess.run(["umount", "--", place], check=True)


WAYS = {"images": {"transport": "squashfs"}, "directories": {"transport": "bundle"}}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.repo(layout="overlay", **keys)) for way, keys in WAYS.items()]
)
def test_layers_are_mounted_and_switched_and_mounted_again_after_a_reboot(way: str, mounting: Repo) -> None:
    repo = mounting
    repo.has("v0")
    repo.has("v3")
    images = {"images": 2, "directories": 0}[way]
    assert {len(mounts_of(repo, host)) for host in repo.hosts} == {2 + images}
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
    for host in repo.hosts:
        unmount_all(repo, host)
    assert "v0" not in repo.on_disk().values()
    for host in repo.hosts:  # what the state deploy.pinned does at a minion's start
        repo.fleet.salt(host, "saltutil.refresh_pillar", wait=True)
        for stage in ("fetch", "checkout"):
            done = repo.call(host, stage)
            assert done.status == 0, done
    assert repo.on_disk() == repo.everywhere("v0")
    done = repo.run("report")
    assert done.status == 0, done
    repo.has("v4")


@pytest.mark.repo(layout="releases", keep_releases=2)
def test_a_directory_for_each_release_as_many_as_the_pillar_says(repo: Repo) -> None:
    for tag in TAGS:
        repo.has(tag)
    for host in repo.hosts:
        assert {path.name for path in (area(repo, host) / "releases").iterdir()} == {"v2", "v3", "v4"}
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v3")


@pytest.mark.repo(layout="releases", keep_releases=2)
def test_garbage_is_told_and_then_collected_on_every_host(repo: Repo) -> None:
    for tag in ("v0", "v1", "v2"):
        repo.has(tag)
    told = repo.run("gc", test=True)
    assert (told.status, set(told.data["hosts"])) == (0, set(repo.hosts)), told
    done = repo.run("gc")
    assert done.status == 0, done
    trees = {host: each.get("trees") for host, each in done.data["hosts"].items()}
    assert trees == {host: each.get("trees") for host, each in told.data["hosts"].items()}
    assert repo.on_disk() == repo.everywhere("v2")
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v1")


def test_the_whole_fleet_is_collected_and_a_deploy_works_afterwards(repo: Repo) -> None:
    repo.has("v0")
    done = repo.fleet.run_here("deploy.gc")
    # the repos of other tests may be such as nobody can read
    assert done.status == bool(done.data.get("skipped")), done
    assert set(repo.hosts) <= set(done.data["hosts"])
    assert {host["state"] for host in done.data["hosts"].values()} == {"collected"}
    repo.has("v3")
