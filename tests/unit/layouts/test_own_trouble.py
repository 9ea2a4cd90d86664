"""A host's own trouble: an immutable file in a slot, a file system that is read-only. It is the host's, not the release's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.lib.errors import BadRelease, Immutable, NoPermission, ReadOnly
from saltdeploy.lib.os_errors import from_os
from saltdeploy.minion import gc, stages
from saltdeploy.protocol.orders import FETCH

from tests.support import attributes
from tests.support.as_advised import type_it
from tests.support.repositories import Source, deploy, repo, snapshot, tree
from tests.support.targets import Target
from tests.unit.conftest import SmallDisk
from tests.unit.protocol.whole_deploys import Fleet

needs_attributes = pytest.mark.skipif(
    not attributes.possible(), reason="chattr +i does not work here: not root, or a file system without it"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    releases = [tree(a=str(n), dir__b="b" * (n + 1)) for n in range(6)]
    return Source(tmp_path_factory.mktemp("source") / "source", *releases)


@needs_attributes
@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("path", ["a", "dir/b", "dir"])
def test_F58_an_immutable_file_in_a_tree_keeps_no_release_from_coming(
    layout: str, path: str, location: Path, source: Source
) -> None:
    found = repo(location, layout=layout, slots=2, keep_releases=2)
    deploy(layouts.of(found), source, 0)
    spare = location.resolve()
    deploy(layouts.of(found), source, 1)

    with attributes.immutable(spare / path):
        for number in (2, 3, 4):
            deploy(layouts.of(found), source, number)
            assert snapshot(location) == source.checked_out(number)

    deploy(layouts.of(found), source, 5)
    assert not list(found.paths.area.glob("*/.*.????????")), "what was set aside goes once that can be"


@needs_attributes
def test_F58_gc_does_its_work_in_spite_of_what_somebody_made_immutable(
    tmp_path: Path, source: Source
) -> None:
    host = Target(tmp_path / "host", source, slots=2)
    host.deploy(0)
    spare = host.location.resolve()
    host.deploy(1)
    with attributes.immutable(spare / "a"):
        host.deploy(2)
        answer = gc.collect([host.repo], host.host, whole=True)
        assert answer.ok
        assert "skipped" not in answer.facts
    gc.collect([host.repo], host.host, whole=True)
    assert not list(host.repo.paths.area.glob("*/.*.????????"))


@needs_attributes
def test_F58_the_advice_names_the_attribute(tmp_path: Path, location: Path, source: Source) -> None:
    found = repo(location)
    deploy(layouts.of(found), source, 0)
    with attributes.immutable(location.parent):
        with pytest.raises(Immutable) as caught:
            deploy(layouts.of(found), source, 1)
        assert f"{location.parent} has the attribute i (immutable)" in caught.value.cause
        assert type_it(caught.value, "lsattr").endswith(f" {location.parent}\n")
        type_it(caught.value, "chattr")
        deploy(layouts.of(found), source, 1)
    assert snapshot(location) == source.checked_out(1)


@pytest.mark.component("a disk that is really read-only")
@pytest.mark.small_disk
def test_F58_the_advice_names_the_mount(disk: SmallDisk, tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source)
    host.repo = repo(disk.path / "srv" / "demo")
    host.deploy(0)
    disk.change("ro")
    told = stages.run([stages.Task(host.order(1, FETCH), host.repo)], host.host)
    assert isinstance(told.error, ReadOnly)
    assert told.error.cause == f"the file system at {disk.path} (tmpfs) is mounted read-only on this host"
    assert str(disk.path) in type_it(told.error, "findmnt")
    type_it(told.error, "mount")
    assert all(result.ok for result in host.deploy(1))


@pytest.fixture
def fleet(tmp_path: Path, source: Source) -> Iterator[Fleet]:
    found = Fleet(tmp_path, source)
    assert found.sync("v0").outcome.word == "CONVERGED"
    yield found


@needs_attributes
def test_F58_a_release_that_is_rolled_back_for_a_hosts_own_trouble_is_not_bad(fleet: Fleet) -> None:
    with attributes.immutable(fleet.minions["web2"].location.parent):
        report = fleet.sync("v1")
    assert report.outcome.word == "ROLLED BACK"
    assert "has the attribute i" in report.outcome.reason
    assert fleet.sync("v1").outcome.word == "CONVERGED"


def test_F58_a_release_that_does_not_pass_its_checks_is_bad_as_ever(tmp_path: Path, source: Source) -> None:
    check = {"only-v0": {"type": "command", "command": "grep -q 0 a", "stage": "checkout"}}
    fleet = Fleet(tmp_path, source, checks=check)
    assert fleet.sync("v0").outcome.word == "CONVERGED"
    assert fleet.sync("v1").outcome.word == "ROLLED BACK"
    with pytest.raises(BadRelease):
        fleet.sync("v1")


def test_an_owner_who_may_not_write_is_told_of_owner_and_mode_as_ever(tmp_path: Path) -> None:
    error = from_os(PermissionError(13, "Permission denied", str(tmp_path)))
    assert type(error) is NoPermission
    assert "owner and mode" in error.next
    assert str(tmp_path) in type_it(error, "namei")
