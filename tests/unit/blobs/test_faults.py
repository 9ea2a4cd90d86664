"""Whatever a source does: a content is what its pointer says, or nothing changes and the operator reads why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.blobstores import ENTRIES, Server, annexed, fat, fill, lfs
from tests.support.repositories import FILE, Entry, Source, tree
from tests.support.serving import until
from tests.support.targets import Target

pytestmark = pytest.mark.component("sources in processes that are killed, hang and lie")

CONTENT = bytes(range(256)) * 1000
OTHER = CONTENT[::-1]


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": flipped,
    "half of it": lambda data: data[: len(data) // 2],
    "more than it": lambda data: data + b"!",
    "nothing": lambda data: b"",
}
WAYS = ["directory", "web server", "lfs server"]


def a_host(place: Path, entry: Entry, sources: list[str], kind: str = "lfs") -> Target:
    source = Source(place / "s.git", tree(a="0"), {**tree(a="1"), b"dir/blob": entry})
    host = Target(place, source, blobs={kind: sources})
    assert all(result.ok for result in host.deploy(0))
    return host


def is_untouched(host: Target) -> None:
    assert (host.location / "a").read_text() == "0"
    assert not host.repo.paths.area.joinpath("slots/1/dir/blob").exists()


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("way", WAYS)
def test_a_spoilt_content_is_refused(spoil: str, way: str, server: Server, tmp_path: Path) -> None:
    fill(server.root, lfs(CONTENT), SPOILT[spoil](CONTENT))
    place = {"directory": str(server.root), "web server": server.files, "lfs server": server.api}[way]
    host = a_host(tmp_path, lfs(CONTENT), [place])
    fetched, switched = host.deploy(1)
    assert fetched.error is not None and switched.error is not None
    assert (fetched.error.kind, fetched.error.path) == ("unavailable", "dir/blob")
    assert place.removeprefix("lfs+") in fetched.error.cause
    assert "gave" in fetched.error.cause
    assert "repo_config:demo:blobs:lfs" in fetched.error.next
    is_untouched(host)


@pytest.mark.parametrize("kind", ENTRIES)
def test_the_next_source_is_asked_for_what_the_first_spoils(
    kind: str, server: Server, tmp_path: Path
) -> None:
    entry = ENTRIES[kind](CONTENT)
    fill(server.root, entry, flipped(CONTENT))
    good = tmp_path / "good"
    fill(good, entry, CONTENT)
    gone = "http://127.0.0.1:1/gone"
    host = a_host(tmp_path, entry, [gone, server.files, "/nonexistent", str(good)], kind)
    assert all(result.ok for result in host.deploy(1))
    assert (host.location / "dir/blob").read_bytes() == CONTENT


def test_a_missing_content_names_every_source_that_was_asked(server: Server, tmp_path: Path) -> None:
    host = a_host(tmp_path, lfs(CONTENT), [server.files, server.api, "/nonexistent"])
    (fetched, _) = host.deploy(1)
    assert fetched.error is not None
    for said in (f"{server.files} has it not", "404", "/nonexistent has it not", f"{len(CONTENT)} bytes"):
        assert said in fetched.error.cause
    is_untouched(host)


def test_a_server_that_is_gone_is_asked_once(tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"%d" % n: lfs(b"%d" % n) for n in range(50)})
    host = Target(tmp_path, source, blobs={"lfs": "http://127.0.0.1:1/x"})
    (fetched, _) = host.deploy(0)
    assert fetched.error is not None
    assert "(and of 49 more)" in fetched.error.cause


@pytest.mark.parametrize("downloads", ["http://127.0.0.1:1/x?signature=s3cret&", "file:///etc/passwd?"])
def test_an_offer_that_cannot_be_taken_is_told_without_its_secrets(
    downloads: str, server: Server, tmp_path: Path
) -> None:
    fill(server.root, lfs(CONTENT), CONTENT)
    server.downloads = downloads
    host = a_host(tmp_path, lfs(CONTENT), [server.api])
    (fetched, _) = host.deploy(1)
    assert fetched.error is not None
    assert ("does not answer (Connection refused)" in fetched.error.cause) == downloads.startswith("http")
    assert "s3cret" not in str(fetched.error)
    is_untouched(host)


@pytest.mark.parametrize(
    ("kind", "entry", "why"),
    [
        (
            "lfs",
            Entry(FILE, b"version https://git-lfs.github.com/spec/v1\noid md5:1\nsize 1\n"),
            "no legal oid",
        ),
        ("fat", Entry(FILE, b"#$# git-fat deadbeef\n"), "no legal sha1"),
        ("annex", Entry(FILE, b"/annex/objects/URL--http&c%%example.org\n"), "no checksum"),
    ],
)
def test_a_pointer_that_cannot_be_read_is_never_left_in_a_ready_tree(
    kind: str, entry: Entry, why: str, tmp_path: Path
) -> None:
    host = a_host(tmp_path, entry, [], kind)
    (fetched, _) = host.deploy(1)
    assert fetched.error is not None
    assert (fetched.error.kind, fetched.error.path) == ("corrupt", "dir/blob")
    assert why in fetched.error.cause
    is_untouched(host)


def test_contents_that_do_not_fit_are_not_even_begun(server: Server, tmp_path: Path) -> None:
    huge = Entry(FILE, lfs(CONTENT).data.replace(b"size %d" % len(CONTENT), b"size %d" % (1 << 58)))
    host = a_host(tmp_path, huge, [server.files])
    (fetched, _) = host.deploy(1)
    assert fetched.error is not None
    assert fetched.error.kind == "disk-full"
    assert server.given == []
    is_untouched(host)


def test_a_layout_that_cannot_hold_contents_is_refused(tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"blob": fat(CONTENT)})
    (refused, _) = Target(tmp_path, source, gitfat_enabled=True, layout="inplace").deploy(0)
    assert refused.error is not None
    assert refused.error.kind == "unsupported"


def test_a_content_that_was_spoilt_on_this_disk_is_fetched_again(server: Server, tmp_path: Path) -> None:
    entry = annexed(CONTENT)
    fill(server.root, entry, CONTENT)
    host = a_host(tmp_path, entry, [server.files], "annex")
    host.run(host.order(1))
    (kept,) = host.repo.paths.area.glob("blobs/??/*")
    kept.chmod(0o644)
    kept.write_bytes(flipped(CONTENT))  # where it is a hard link, the slot's file is spoilt with it
    assert all(result.ok for result in host.deploy(1))
    assert (host.location / "dir/blob").read_bytes() == CONTENT


KILLED = """
import sys
from pathlib import Path
from tests.unit.blobs.test_faults import fetch
fetch(Path(sys.argv[1]), sys.argv[2])
"""


def fetch(place: Path, url: str) -> None:
    """What the process does that is killed: fetch release 1 of the host in ``place``."""
    host = Target(place, Source.at(place / "s.git"), blobs={"lfs": url})
    host.run(host.order(1, deploy=77))


def test_a_fetch_that_is_killed_in_the_middle_of_a_content_is_done_again(
    server: Server, tmp_path: Path
) -> None:
    fill(server.root, lfs(CONTENT), CONTENT)
    host = a_host(tmp_path, lfs(CONTENT), [server.files])
    server.stall = True
    command = [sys.executable, "-c", KILLED, str(tmp_path), server.files]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    victim = subprocess.Popen(command, env=environment)
    until(lambda: any(path.stat().st_size for path in host.repo.paths.area.glob("blobs/incoming/*")))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    server.stall = False
    is_untouched(host)
    assert all(result.ok for result in host.deploy(1, deploy=77))
    assert (host.location / "dir/blob").read_bytes() == CONTENT
    assert list(host.repo.paths.area.glob("blobs/incoming/*")) == []
