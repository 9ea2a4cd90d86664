"""What a release will take is known before it is written, however its contents travel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DiskFull

from tests.support.repositories import FILE, Entry, Source, snapshot, tree
from tests.support.travels import TRANSPORTS
from tests.unit.conftest import SmallDisk
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("disks that are full, and payloads of every kind with their programs")

MEGABYTE = 1 << 20
#: files that take much and travel as little
LARGE = {b"large%d" % n: Entry(FILE, b"%d" % n * MEGABYTE) for n in range(6)}
SMALL = {**tree(a="small"), **{b"some%d" % n: Entry(FILE, b"%d" % n * 100_000) for n in range(4)}}
BLOCK = 4096


@pytest.fixture
def growing(tmp_path: Path) -> Source:
    """Two small releases, and one that is large."""
    return Source(
        tmp_path / "growing.git", SMALL, {**SMALL, **tree(a="other")}, {**SMALL, **tree(a="x"), **LARGE}
    )


@pytest.mark.small_disk
@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_change_that_does_not_fit_is_refused_before_anything_is_written(
    transport: str, layout: str, disk: SmallDisk, traveller: Travellers, growing: Source
) -> None:
    disk.change("size=16m")
    _pack_elsewhere(disk.path)
    target = traveller(transport, growing, disk.path.name, layout=layout, slots=2)
    for number in (0, 1):
        for result in target.travel(number):
            assert result.ok, result.error
    _leave(disk.path, 3 * MEGABYTE)
    before = snapshot(target.repo.paths.area / layout)
    refused = target.fetch(2)
    assert isinstance(refused.error, DiskFull), refused.error
    files = 7  # and what they need of their last blocks
    assert f"{6 * MEGABYTE + 1 + files * BLOCK} bytes are needed" in refused.error.cause
    assert snapshot(target.repo.paths.area / layout) == before
    assert target.shows(1)
    disk.change("size=32m")
    for result in target.travel(2):
        assert result.ok, result.error
    assert target.shows(2)


@pytest.mark.small_disk
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_first_release_that_does_not_fit_is_refused(
    transport: str, disk: SmallDisk, traveller: Travellers, growing: Source
) -> None:
    _pack_elsewhere(disk.path)
    target = traveller(transport, growing, disk.path.name)
    disk.change("size=5m")
    refused = target.fetch(2)
    assert isinstance(refused.error, DiskFull), refused.error
    assert f"{6 * MEGABYTE + 400_001 + 11 * BLOCK} bytes are needed" in refused.error.cause
    assert not (target.repo.paths.area / "slots/0").exists()


@pytest.mark.small_disk
@pytest.mark.parametrize("transport", ["tar", "delta", "squashfs"])
@pytest.mark.parametrize("first", [True, False], ids=["a first release", "a change"])
def test_F32_what_will_not_fit_is_refused_before_its_contents_travel(
    transport: str, first: bool, disk: SmallDisk, traveller: Travellers, growing: Source
) -> None:
    _pack_elsewhere(disk.path)
    disk.change("size=16m")
    target = traveller(transport, growing, disk.path.name)
    for number in () if first else (0, 1):
        assert all(result.ok for result in target.travel(number))
    _leave(disk.path, 3 * MEGABYTE)
    target.carrier.fetched.clear()

    refused = target.fetch(2)

    assert isinstance(refused.error, DiskFull), refused.error
    assert "are free" in refused.error.cause
    assert refused.error.path == str(target.repo.paths.area)
    kinds = {payload.sha256: payload.kind for payload in target.order_for(2).payloads}
    assert {kinds[name] for name in target.carrier.fetched} <= {"trees"}


def _pack_elsewhere(place: Path) -> None:
    """The master has a disk of its own."""
    packed = place.with_name("packed")
    packed.mkdir()
    (place / "payloads").symlink_to(packed)


def _leave(place: Path, size: int) -> None:
    """Fill a disk but for so many bytes."""
    room = os.statvfs(place)
    with open(place / "filler", "wb") as file:
        file.write(bytes(room.f_bavail * room.f_frsize - size))
