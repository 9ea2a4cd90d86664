"""A content is fetched once, kept once, shared by the trees that use it, and gone when none does."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from saltdeploy.lib import reflink
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt
from saltdeploy.minion import stages
from saltdeploy.protocol.orders import FETCH, ROLLBACK

from tests.support.blobstores import Server, fat, fill, lfs
from tests.support.repositories import EXECUTABLE, Source, Tree, repo, tree
from tests.support.targets import Target

BIG, SMALL, NEW = b"big" * 100_000, b"small", b"new" * 1000


def release(number: int, *contents: bytes) -> Tree:
    return {**tree(a=str(number)), **{b"blob%d" % n: lfs(each) for n, each in enumerate(contents)}}


@pytest.fixture
def host(server: Server, tmp_path: Path) -> Target:
    """Six releases; NEW comes in release 2 and goes in release 3."""
    for content in (BIG, SMALL, NEW):
        fill(server.root, lfs(content), content)
    kept = [release(n, BIG, NEW) if n == 2 else release(n, BIG, SMALL) for n in range(6)]
    return Target(tmp_path, Source(tmp_path / "s.git", *kept), blobs={"lfs": server.files})


def contents(host: Target) -> set[bytes]:
    return {path.read_bytes() for path in host.repo.paths.area.glob("blobs/??/*")}


def test_the_same_content_of_two_releases_is_fetched_once(host: Target, server: Server) -> None:
    first, _ = host.deploy(0)
    again, _ = host.deploy(1)
    assert len(server.given) == 2
    assert (first.facts["blobs"], first.facts["blob_bytes"]) == (2, len(BIG) + len(SMALL))
    assert first.facts["bytes"] == host.payload(0).size + len(BIG) + len(SMALL)
    assert "blobs" not in again.facts  # the second slot has them from the first one
    assert contents(host) == {BIG, SMALL}


def test_slots_share_the_bytes_of_a_content(host: Target, tmp_path: Path) -> None:
    host.deploy(0)
    host.deploy(1)
    one, other = (host.repo.paths.area / "slots" / slot / "blob0" for slot in "01")
    if not reflink.clone(
        one, os.fsencode(host.repo.paths.area / "probe"), 0o644
    ):  # else each has an inode of its own
        assert one.stat().st_ino == other.stat().st_ino
        assert not one.stat().st_mode & 0o222


def test_a_content_is_gone_when_no_release_needs_it(host: Target) -> None:
    for number in (0, 1, 2):
        host.deploy(number)
    assert contents(host) == {BIG, SMALL, NEW}
    host.deploy(3)
    host.deploy(4)
    assert NEW in contents(host)  # release 2 is held still
    host.deploy(5)
    assert contents(host) == {BIG, SMALL}


def test_the_way_back_needs_no_network(host: Target, server: Server) -> None:
    host.deploy(2)
    host.deploy(3)
    (server.root / "gone").mkdir()
    server.root.rename(server.root.with_name("away"))
    back = host.run(host.order(2, ROLLBACK))
    assert back.ok
    assert (host.location / "blob1").read_bytes() == NEW
    assert stages.verify(host.repo, host.host, full=True).ok


@pytest.mark.parametrize("full", [True, False])
def test_verify_finds_a_content_that_was_changed(full: bool, host: Target) -> None:
    host.deploy(0)
    blob = host.location / "blob0"
    blob.chmod(0o644)
    blob.write_bytes(b"x" * len(BIG))
    assert stages.verify(host.repo, host.host, full=full).changed == ["blob0"]


def test_F45_a_content_that_was_written_into_is_suspected_at_the_other_paths_that_have_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflink, "clone", lambda *_: False)  # by hard link, whatever this file system can do
    fill(server.root, lfs(BIG), BIG)
    source = Source(tmp_path / "s.git", {b"here": lfs(BIG)}, {b"there": lfs(BIG)})
    host = Target(tmp_path, source, blobs={"lfs": server.files}, stat_limit=0)
    host.deploy(0)
    host.deploy(1)
    (host.location / "there").chmod(0o644)
    with open(host.location / "there", "r+b") as file:
        file.write(b"spoilt")
    assert not stages.verify(host.repo, host.host, full=True).ok
    assert stages.status(host.repo, host.host).holdings.held == ()
    assert all(result.ok for result in host.deploy(0))
    assert (host.location / "here").read_bytes() == BIG


def test_a_stat_is_enough_though_the_file_has_names_in_other_trees(host: Target) -> None:
    host.deploy(0)
    host.deploy(1)  # changes the ctime of a hard link
    blob = host.location / "blob0"
    seen = blob.stat()
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.write(b"X")
    os.utime(blob, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert stages.verify(host.repo, host.host, full=False).ok  # nothing was read
    assert stages.verify(host.repo, host.host, full=True).changed == ["blob0"]


def test_verify_finds_a_pointer_in_the_place_of_its_content(host: Target) -> None:
    host.deploy(0)
    blob = host.location / "blob0"
    blob.unlink()
    blob.write_bytes(lfs(BIG).data)
    assert stages.verify(host.repo, host.host, full=True).changed == ["blob0"]
    assert stages.verify(host.repo, host.host, full=False).changed == ["blob0"]


def test_a_record_that_names_another_content_is_found(host: Target) -> None:
    host.deploy(0)
    (database,) = host.repo.paths.area.glob("slots/0.db")
    forged = stages.layouts.of(host.repo)._slots[0].manifest()  # type: ignore[attr-defined]
    with forged as manifest:
        manifest._db.execute("UPDATE pointers SET data=? WHERE path=?", (lfs(SMALL).data, b"blob0"))
    blob = host.location / "blob0"
    blob.unlink()
    blob.write_bytes(SMALL)
    assert database.exists()
    assert stages.verify(host.repo, host.host, full=True).changed == ["blob0"]


def test_executables_and_others_may_have_the_same_content(server: Server, tmp_path: Path) -> None:
    fill(server.root, lfs(BIG), BIG)
    trees = [{**tree(a=str(n)), b"tool": lfs(BIG, EXECUTABLE), b"data": lfs(BIG)} for n in range(2)]
    host = Target(tmp_path, Source(tmp_path / "s.git", *trees), blobs={"lfs": server.files})
    for number in (0, 1, 0):
        assert all(result.ok for result in host.deploy(number))
        assert (host.location / "tool").read_bytes() == (host.location / "data").read_bytes() == BIG
        assert (host.location / "tool").stat().st_mode & 0o111 == 0o111
        assert not (host.location / "data").stat().st_mode & 0o111
        assert stages.verify(host.repo, host.host, full=True).ok


def test_a_blob_may_become_a_file_and_a_file_a_blob(server: Server, tmp_path: Path) -> None:
    fill(server.root, lfs(BIG), BIG)
    trees: list[Tree] = [{b"x": lfs(BIG)}, tree(x="text"), tree(x__y="deeper"), {b"x": lfs(BIG)}]
    host = Target(tmp_path, Source(tmp_path / "s.git", *trees), blobs={"lfs": server.files}, slots=2)
    for number, path, content in [
        (0, "x", BIG),
        (1, "x", b"text"),
        (2, "x/y", b"deeper"),
        (3, "x", BIG),
        (1, "x", b"text"),
    ]:
        assert all(result.ok for result in host.deploy(number))
        assert (host.location / path).read_bytes() == content
        assert stages.verify(host.repo, host.host, full=True).ok


def test_trees_of_before_a_kind_was_asked_for_are_made_anew(server: Server, tmp_path: Path) -> None:
    fill(server.root, fat(BIG), BIG)
    source = Source(
        tmp_path / "s.git", {**tree(a="0"), b"blob": fat(BIG)}, {**tree(a="1"), b"blob": fat(BIG)}
    )
    host = Target(tmp_path, source)
    host.deploy(0)
    host.deploy(1)
    assert (host.location / "blob").read_bytes() == fat(BIG).data
    host.repo = repo(host.location, blobs={"fat": server.files})
    for number in (1, 0):
        assert all(result.ok for result in host.deploy(number))
        assert (host.location / "blob").read_bytes() == BIG


def test_progress_tells_of_bytes(host: Target) -> None:
    clock = itertools.count(1_000_000.0)
    object.__setattr__(host.host, "clock", lambda: next(clock))
    host.run(host.order(0, FETCH))
    told = [event for _, event in host.events if event.get("phase") == "blobs"]
    assert told
    assert told[-1]["unit"] == "bytes"
    assert told[-1]["done"] == told[-1]["total"] == len(BIG) + len(SMALL)


def test_a_lost_manifest_keeps_contents_from_being_collected(host: Target) -> None:
    host.deploy(2)
    host.deploy(0)
    (host.repo.paths.area / "slots/0.db").write_bytes(b"SQLite format 3\0 and then rubbish")
    layout = stages.layouts.of(host.repo)
    with pytest.raises(Corrupt):
        layout._slots[0].contents()  # type: ignore[attr-defined]
    layout._filling.collect(layout._look().states, Cleanup())  # type: ignore[attr-defined]
    assert NEW in contents(host)
