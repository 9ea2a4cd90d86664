"""No room, or no permission: found early where it can be, survived where it cannot."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.errors import DiskFull, NoPermission

from tests.support.repositories import FILE, Entry, Source, bring, deploy, git, prepare, repo, snapshot, tree
from tests.unit.conftest import SmallDisk

pytestmark = pytest.mark.component("disks that are really full")

MEGABYTE = 1 << 20


def test_a_release_that_is_larger_than_the_disk_is_refused_before_anything_is_written(
    tmp_path: Path, location: Path
) -> None:
    blob = 32 * MEGABYTE
    room = os.statvfs(tmp_path)
    copies = room.f_blocks * room.f_frsize // blob + 1
    zeros = Entry(FILE, bytes(blob))
    source = Source(tmp_path / "source", tree(a="0"), {b"a": zeros})
    add_copies(source, 2, b"a", copies)
    layout = Slots(repo(location))
    deploy(layout, source, 0)
    before = snapshot(tmp_path / ".live.deploy/slots")
    with pytest.raises(DiskFull) as caught:
        prepare(layout, source, 2)
    assert f"{copies * blob + copies * 4096} bytes are needed" in caught.value.cause
    assert snapshot(tmp_path / ".live.deploy/slots") == before
    assert snapshot(location) == source.checked_out(0)


def add_copies(source: Source, number: int, name: bytes, copies: int) -> None:
    """A release with many names for the same big file."""
    blob = git(source.git_dir, "rev-parse", f"v1:{os.fsdecode(name)}").decode().strip()
    rows = b"".join(b"100644 blob %s\tf%d\n" % (blob.encode(), n) for n in range(copies))
    made = git(source.git_dir, "mktree", input=rows).decode().strip()
    commit = git(source.git_dir, "commit-tree", "-m", "v", made).decode().strip()
    git(source.git_dir, "update-ref", f"refs/tags/v{number}", commit)


@pytest.fixture
def big_and_small(tmp_path: Path) -> Source:
    """Each release has six files of a megabyte; the last release has none."""
    releases = [{b"f%d" % n: Entry(FILE, os.urandom(MEGABYTE)) for n in range(6)} for _ in range(2)]
    return Source(tmp_path / "source", *releases, tree(a="small"))


@pytest.mark.small_disk
def test_room_is_looked_for_before_a_slot_is_touched(disk: SmallDisk, big_and_small: Source) -> None:
    disk.change("size=16m")
    layout = Slots(repo(disk.path / "live", slots=2))
    for number in (2, 0):
        deploy(layout, big_and_small, number)
    disk.change("size=10m")
    slots = disk.path / ".live.deploy/slots"
    before = snapshot(slots)
    with pytest.raises(DiskFull) as caught:
        prepare(layout, big_and_small, 1)
    assert caught.value.path == str(disk.path / ".live.deploy/incoming")
    assert "bytes are needed" in caught.value.cause
    assert snapshot(slots) == before
    assert layout.verify(full=True).ok


@pytest.mark.small_disk
def test_inodes_are_looked_for_as_well(disk: SmallDisk, tmp_path: Path) -> None:
    source = Source(tmp_path / "source", tree(a="0"), {b"f%d" % n: Entry(FILE, b"") for n in range(300)})
    disk.change("nr_inodes=200")
    layout = Slots(repo(disk.path / "live"))
    deploy(layout, source, 0)
    with pytest.raises(DiskFull, match="inodes are needed"):
        prepare(layout, source, 1)


@pytest.mark.small_disk
@pytest.mark.parametrize("built_on", ["nothing", "an older release"])
def test_a_disk_that_fills_up_in_the_middle_leaves_what_is_live_and_the_next_fetch_repairs(
    built_on: str, disk: SmallDisk, tmp_path: Path
) -> None:
    many = {b"d/f%03d" % n: Entry(FILE, os.urandom(20_000)) for n in range(200)}
    source = Source(tmp_path / "source", tree(a="0"), tree(a="1"), many)
    layout = Slots(repo(disk.path / "live", slots=2 if built_on == "an older release" else 3))
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    bring(layout, source, 2)
    rubbish = disk.path / "rubbish"

    def fill_up(phase: str, done: int, total: int, unit: str) -> None:
        """Somebody else writes, while we do."""
        if phase == "write" and not rubbish.exists():
            rubbish.write_bytes(bytes(free(disk.path) - 100_000))

    with pytest.raises(DiskFull):
        layout.prepare(source.release(2), fill_up)
    assert snapshot(disk.path / "live") == source.checked_out(1)
    assert layout.holdings().live == source.tag(1).commit
    assert source.tag(2).commit not in layout.holdings().held
    assert not list((disk.path / ".live.deploy/incoming").iterdir())
    if built_on == "nothing":
        assert free(disk.path) > MEGABYTE
    rubbish.unlink()
    deploy(layout, source, 2)
    assert snapshot(disk.path / "live") == source.checked_out(2)
    assert layout.verify(full=True).ok


def free(path: Path) -> int:
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize


@pytest.mark.small_disk
def test_a_disk_that_may_not_be_written_is_named(disk: SmallDisk, tmp_path: Path) -> None:
    source = Source(tmp_path / "source", tree(a="0"), tree(a="1"))
    layout = Slots(repo(disk.path / "live"))
    deploy(layout, source, 0)
    prepare(layout, source, 1)
    bring(layout, source, 1)
    disk.change("ro")
    for act in (layout.activate, layout.prepare):
        with pytest.raises(NoPermission) as caught:
            act(source.release(1))
        assert caught.value.path.startswith(str(disk.path))
        assert caught.value.next
    assert snapshot(disk.path / "live") == source.checked_out(0)
    disk.change("rw")
    deploy(layout, source, 1)
    assert snapshot(disk.path / "live") == source.checked_out(1)


@pytest.fixture
def sharing(tmp_path: Path) -> Source:
    """The second release has 6 MB at the path that trees share."""
    big = {**tree(a="1"), **{b"uploads/f%d" % n: Entry(FILE, os.urandom(MEGABYTE)) for n in range(6)}}
    return Source(tmp_path / "source", {**tree(a="0"), b"uploads/README": Entry(FILE, b"x")}, big)


@pytest.mark.small_disk
def test_what_is_shared_is_made_as_a_whole_or_not_at_all(disk: SmallDisk, sharing: Source) -> None:
    disk.change("size=16m")
    layout = Slots(repo(disk.path / "live", slots=2, shared={"dirs": ["uploads"]}))
    bring(layout, sharing, 1)
    filler = disk.path / "filler"
    fill(filler, left=1 << 20)
    with pytest.raises(DiskFull) as caught:
        prepare(layout, sharing, 1)
    shared = disk.path / ".live.deploy/shared"
    assert caught.value.path == str(shared)
    assert list(shared.iterdir()) == []
    filler.unlink()
    deploy(layout, sharing, 1)
    assert len(list((disk.path / "live/uploads").iterdir())) == 6


@pytest.mark.small_disk
def test_a_disk_that_is_full_in_the_switch_costs_nothing_of_the_users(
    disk: SmallDisk, sharing: Source
) -> None:
    disk.change("size=16m")
    layout = Slots(repo(disk.path / "live", slots=2, shared={"dirs": ["uploads"]}))
    deploy(Slots(repo(disk.path / "live", slots=2)), sharing, 0)
    (disk.path / "live/uploads/cat").write_text("theirs")
    prepare(layout, sharing, 1)
    filler = disk.path / "filler"
    fill(filler, left=0)
    with contextlib.suppress(DiskFull, OSError):  # of a note; names can be exchanged on a full disk
        layout.activate(sharing.release(1))
    assert (disk.path / "live/uploads/cat").read_text() == "theirs"
    filler.unlink()
    layout.activate(sharing.release(1))
    assert (disk.path / "live/uploads/cat").read_text() == "theirs"
    assert (disk.path / "live/a").read_text() == "1"


def fill(filler: Path, left: int) -> None:
    """Write a file that takes all room but so many bytes."""
    room = os.statvfs(filler.parent)
    with open(filler, "wb") as file:
        file.write(bytes(room.f_bavail * room.f_frsize - left))
