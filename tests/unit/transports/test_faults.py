"""Contents that come apart from the commit: whatever arrives, nothing but the release is ever switched to."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.content import compressed
from saltdeploy.content.source import Stored
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.lib.errors import ConfigError, Corrupt, DeployError, DiskFull, Unavailable, Unsupported
from saltdeploy.minion import stages
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.result import Result
from saltdeploy.transports.tar import write_tar

from tests.support.as_advised import type_it
from tests.support.damage import flip_a_bit, truncate
from tests.support.repositories import FILE, Entry, Source, Tree, git, link, snapshot, tree
from tests.support.travels import APART, Traveller
from tests.unit.conftest import SmallDisk
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("rsync's daemon, and payloads of every kind with their programs")

SMALL: Tree = {
    **tree(a="1", b="same", dir__c="3"),
    b"link": link("a"),
    b"big": Entry(FILE, os.urandom(1 << 20)),
}
MORE: Tree = {**SMALL, b"a": Entry(FILE, b"22"), b"dir/d": Entry(FILE, b"new"), b"link": link("b")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("small") / "source.git", SMALL, MORE)


def refused(target: Traveller, result: Result, kind: type[DeployError]) -> str:
    """The fetch failed for this reason and named it, what is live is as it was, and nothing is left of it."""
    assert isinstance(result.error, kind), result.error
    assert result.error.next
    assert result.error.repo == "demo"
    assert result.error.host == "web1"
    assert snapshot(target.location) == target.source.checked_out(0)
    assert target.source.tag(1).commit not in result.holdings.held
    assert not list(target.cache.rglob("incoming/*"))
    return str(result.error)


def recovers(target: Traveller) -> None:
    """The next try, with nobody in between, brings the release."""
    for result in target.travel(1):
        assert result.ok, result.error
    assert target.shows(1)


@pytest.mark.parametrize(
    ("transport", "spoil"),
    [
        *((transport, flip_a_bit) for transport in APART),
        ("tar", truncate),
        ("tar", lambda path: path.write_bytes(b"")),
    ],
)
def test_what_arrives_damaged_is_refused(
    traveller: Travellers, small: Source, transport: str, spoil: Callable[[Path], object]
) -> None:
    target = traveller(transport, small)
    target.travel(0)
    target.carrier.spoil = spoil  # type: ignore[assignment]
    said = refused(target, target.fetch(1), Corrupt)
    assert "sha256" in said
    target.carrier.spoil = lambda path: None
    recovers(target)


# -- an archive whose digest is right, and that is hostile all the same -----------------------------------


def member(name: str, data: bytes = b"", **fields: object) -> bytes:
    """One member of a tar, as it stands in it."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512)


def honest(source: Source) -> bytes:
    out = io.BytesIO()
    write_tar(source.repository, source.tag(1).commit, Stored(source.repository), source.git_dir, out)
    return out.getvalue()


_END = bytes(1024)
_OTHER = member("a", b"evil")
_ESCAPES = member("../../a", b"22") + member("/a", b"22") + member("a/../a", b"22")
_LINK = member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")
_HARD_LINK = member("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")
_DEVICE = member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=9)
_HUGE = member("a", size=1 << 50)
_LONG = tarfile.TarInfo("././@LongLink")
_LONG.type, _LONG.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
_MINUS = bytearray(member("a", b""))
_MINUS[124:136] = b"\xff" * 12
_MINUS[148:156] = b"%06o\0 " % (sum(_MINUS[:148]) + 8 * 32 + sum(_MINUS[156:512]))

HOSTILE = {
    "other contents": (_OTHER + _END, "other bytes came"),
    "paths that lead out": (_ESCAPES + _END, "not in the archive"),
    "a symbolic link": (_LINK + _END, "of another kind"),
    "a hard link": (_HARD_LINK + _END, "of another kind"),
    "a device": (_DEVICE + _END, "of another kind"),
    "many members": (member("x") * 10_000 + _END, "more members"),
    "a huge member": (_HUGE + _END, "ends in the middle"),
    "a huge name": (_LONG.tobuf(tarfile.GNU_FORMAT) + _END, "senseless length"),
    "a size below nothing": (bytes(_MINUS) + _END, "backwards|cannot be read|more members"),
    "no tar": (b"no tar" * 1000, "cannot be read"),
    "nothing": (b"", "cannot be read"),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, small: Source) -> Traveller:
    """It shows the first release, and gets hostile archives of the second."""
    target = Traveller(tmp_path_factory.mktemp("host") / "tar", small, "tar")
    target.travel(0)
    return target


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused(host: Traveller, kind: str) -> None:
    """Its digest is right: whoever can write on the master has made it."""
    data, wanted = HOSTILE[kind]
    order = replaced(host, packed_as(host, data))
    place = host.cache.parents[1]
    before = snapshot(place)
    said = refused(host, host.run(order), Corrupt)
    assert any(part in said for part in wanted.split("|")), said
    written = {path for path, seen in snapshot(place).items() if seen != before.get(path)}
    assert all(path.startswith((b"tar/srv/.demo.deploy/", b"tar/cache/")) for path in written), written


def test_an_archive_that_is_longer_than_it_says_is_not_read_to_its_end(host: Traveller) -> None:
    bomb = member("x", bytes(64 << 20)) + honest(host.source)
    result = host.run(replaced(host, packed_as(host, bomb, said=1 << 20)))
    assert "larger than the 1048576 bytes" in refused(host, result, Corrupt)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"form": "evil", "size": 1, "files": 1}',
        b'{"form": "xdelta3", "size": -1, "files": 1}',
    ],
)
def test_a_file_that_is_no_packed_archive_is_refused(host: Traveller, line: bytes) -> None:
    assert "no packed archive" in refused(host, host.run(replaced(host, line + b"\nrest")), Corrupt)


def test_a_slot_that_hostile_archives_left_half_written_takes_the_release(
    small: Source, tmp_path: Path
) -> None:
    target = Traveller(tmp_path / "tar", small, "tar")
    target.travel(0)
    target.run(replaced(target, packed_as(target, HOSTILE["a symbolic link"][0])))
    recovers(target)


def packed_as(target: Traveller, tar: bytes, said: int = 0) -> bytes:
    """A packed archive of these bytes, which says that it has ``said`` of them."""
    place = target.cache.parent / "packed"
    with open(place, "wb") as out, open(place.with_suffix(".tar"), "wb+") as raw:
        raw.write(tar)
        raw.flush()
        compressed.write(compressed.Head(compressed.TAR, len(tar), 9), raw, out)
    _, _, body = place.read_bytes().partition(b"\n")
    head = dataclasses.asdict(compressed.Head(compressed.TAR, said or len(tar) + 10, 9))
    return json.dumps(head).encode() + b"\n" + body


def replaced(target: Traveller, data: bytes) -> Order:
    """An order in which the archive is another file, with its own digest."""
    honest_one = target.order_for(1)
    sha256 = hashlib.sha256(data).hexdigest()
    target.payloads.path(honest_one.payloads[0].sha256).parent.joinpath(sha256).write_bytes(data)  # type: ignore[union-attr]
    trees = [payload for payload in honest_one.payloads if payload.kind == "trees"]
    return dataclasses.replace(honest_one, payloads=(*trees, Payload("", sha256, len(data), "tar")))


def _lose_packs(store: Path) -> None:
    for path in (store / "objects/pack").iterdir():
        path.unlink()


def _lose_some_trees(store: Path) -> None:
    """A pack of the commit alone: its trees are missing."""
    commit = next((store / "refs/deploy").iterdir()).read_text()
    alone = git(store, "pack-objects", "--stdout", "-q", input=commit.encode())
    _lose_packs(store)
    git(store, "index-pack", "--stdin", input=alone)


@pytest.mark.parametrize(
    "harm", [_lose_packs, _lose_some_trees, lambda store: (store / "HEAD").write_bytes(b"no")]
)
def test_trees_that_are_lost_come_again(
    traveller: Travellers, small: Source, harm: Callable[[Path], object]
) -> None:
    target = traveller("tar", small)
    target.travel(0)
    harm(target.location.parent / ".demo.deploy/trees.git")
    recovers(target)
    assert stages.verify(target.repo, target.host, full=True).ok


# -- delta --------------------------------------------------------------------------------------------------


def test_a_difference_is_what_travels(traveller: Travellers, small: Source) -> None:
    target = traveller("delta", small)
    target.travel(0)
    target.travel(1)
    assert target.received[1]["base"] == small.tag(0).commit
    assert target.received[1]["bytes"] < target.received[0]["bytes"] / 100


def test_a_base_that_somebody_changed_is_not_built_upon(traveller: Travellers, small: Source) -> None:
    target = traveller("delta", small)
    target.travel(0)
    (target.location / "b").write_text("SAME")
    assert target.fetch(1).ok
    assert target.received[-1]["base"] == ""
    target.travel(1)
    assert target.shows(1)


def test_a_difference_from_another_archive_is_not_applied(traveller: Travellers, small: Source) -> None:
    """The master made its archive by other rules, as another version of this project may."""
    target = traveller("delta", small)
    target.travel(0)
    order = target.order_for(1)
    [difference] = [payload for payload in order.payloads if payload.kind == "delta"]
    path = target.payloads.path(difference.sha256)
    assert path is not None
    head, _, body = path.read_bytes().partition(b"\n")
    wrong = head.replace(compressed.head_of(path).base_sha256.encode(), b"0" * 64) + b"\n" + body
    name = hashlib.sha256(wrong).hexdigest()
    path.with_name(name).write_bytes(wrong)
    others = [payload for payload in order.payloads if payload.kind == "trees"]
    replaced = Payload(difference.base, name, len(wrong), "delta")
    result = target.run(dataclasses.replace(order, payloads=(*others, replaced)))
    assert result.error is not None
    assert result.error.kind == "no-base"
    recovers(target)


def test_a_host_without_the_program_takes_the_whole_archive(
    traveller: Travellers, small: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = traveller("delta", small)
    target.travel(0)
    monkeypatch.setattr("saltdeploy.transports.delta.is_installed", lambda program: False)
    recovers(target)
    assert target.received[-1]["base"] == ""


# -- rsync --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"xx"),
        Path.unlink,
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_server_that_shows_other_files_is_not_believed(
    traveller: Travellers, small: Source, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    target = traveller("rsync", small)
    target.travel(0)
    order = target.order_for(1)
    harm(tmp_path / "exports/demo" / small.tag(1).commit / "a")
    refused(target, target.run(order), DeployError)


def test_a_directory_on_the_way_that_is_a_link_over_there_leads_nowhere(
    traveller: Travellers, small: Source, tmp_path: Path
) -> None:
    target = traveller("rsync", small)
    target.travel(0)
    order = target.order_for(1)
    directory = tmp_path / "exports/demo" / small.tag(1).commit / "dir"
    directory.rename(tmp_path / "exports/elsewhere")
    (tmp_path / "victim").mkdir()
    directory.symlink_to(tmp_path / "victim")
    refused(target, target.run(order), DeployError)
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_server_that_is_away_is_named(traveller: Travellers, small: Source) -> None:
    target = traveller("rsync", small)
    target.travel(0)
    target.repo = dataclasses.replace(
        target.repo, origin=dataclasses.replace(target.repo.origin, rsync_url="rsync://127.0.0.1:1/exports")
    )
    said = refused(target, target.fetch(1), Unavailable)
    assert "rsync --list-only -- rsync://127.0.0.1:1/exports/demo/" in said


def test_a_repo_without_a_place_to_fetch_from_is_told_which_key_to_set(
    traveller: Travellers, small: Source
) -> None:
    target = traveller("rsync", small)
    target.travel(0)
    target.repo = dataclasses.replace(
        target.repo, origin=dataclasses.replace(target.repo.origin, rsync_url="")
    )
    assert "repo_config:demo:rsync_url" in refused(target, target.fetch(1), ConfigError)


def test_what_a_slot_holds_does_not_travel_again(traveller: Travellers, tmp_path: Path) -> None:
    big = os.urandom(4 << 20)
    changed = [big[: 1 << 20] + b"x" * number + big[1 << 20 :] for number in range(3)]
    source = Source(tmp_path / "big.git", *({b"big": Entry(FILE, data)} for data in changed))
    target = traveller("rsync", source, slots=2)
    for number in range(3):
        target.travel(number)
    assert target.shows(2)
    first, shared, recycled = (facts["bytes"] for facts in target.received)
    assert first > len(big)
    assert max(shared, recycled) < len(big) / 50


# -- everywhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", APART)
def test_a_layout_that_needs_the_contents_in_git_refuses(
    traveller: Travellers, small: Source, transport: str
) -> None:
    target = traveller(transport, small, layout="inplace")
    result = target.fetch(0)
    assert isinstance(result.error, ConfigError)
    assert "layout inplace" in str(result.error)


@pytest.mark.parametrize("transport", APART)
def test_a_missing_program_is_named(
    traveller: Travellers, small: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: str
) -> None:
    target = traveller(transport, small)
    target.travel(0)
    order = target.order_for(1)
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(only_git))
    result = target.run(order)
    if transport == "delta":
        assert result.error is not None
        assert result.error.kind == "no-base"  # and it is asked again, with the archive
    else:
        assert "is not installed" in refused(target, result, Unsupported)


@pytest.mark.parametrize("transport", APART)
def test_killed_in_the_middle_and_run_again(traveller: Travellers, small: Source, transport: str) -> None:
    target = traveller(transport, small)
    target.travel(0)
    order = target.order_for(1)
    child = os.fork()
    if child == 0:  # it dies as soon as it has the contents and writes
        try:
            WorkTree._check_digest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
            target.run(order)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert snapshot(target.location) == small.checked_out(0)
    recovers(target)
    assert not list(target.cache.rglob("incoming/*"))


@pytest.mark.small_disk
def test_a_full_disk_is_named_and_the_next_fetch_goes_on(
    disk: SmallDisk, traveller: Travellers, tmp_path: Path
) -> None:
    large = {b"f%d" % n: Entry(FILE, os.urandom(1 << 20)) for n in range(5)}
    source = Source(tmp_path / "large.git", tree(a="1"), large)
    for transport in APART:
        disk.change("size=64m")
        location = disk.path / transport / "demo"
        target = traveller(transport, source)
        target.location, target.repo = (
            location,
            dataclasses.replace(target.repo, paths=dataclasses.replace(target.repo.paths, location=location)),
        )
        target.travel(0)
        filled = disk.path / "filled"
        filled.write_bytes(bytes(free(disk.path) - (3 << 20)))
        told = target.fetch(1)
        refused(target, told, DiskFull)
        assert str(disk.path) in type_it(told.error, "df")
        filled.unlink()
        recovers(target)


def free(path: Path) -> int:
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize
