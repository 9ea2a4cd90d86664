"""A release with pointers gets their contents, from every kind of source."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.rate_limit import Shared
from saltdeploy.minion import stages

from tests.support.blobstores import (
    ENTRIES,
    Server,
    annexed,
    fat,
    fill,
    key,
    lfs,
    pointer,
    rsync_daemon,
    unlocked,
    work_tree,
)
from tests.support.repositories import EXECUTABLE, FILE, Entry, Source, repo, snapshot, tree
from tests.support.targets import Target

pytestmark = pytest.mark.component("rsync's daemon, ssh and git-annex")

CONTENT = b"\0 some content \xff" * 1000
PLAIN = tree(README="text")


def is_served(host: Target, path: str, content: bytes = CONTENT) -> None:
    assert all(result.ok for result in host.deploy(0)), host.deploy(0)[0].error
    assert not (host.location / path).is_symlink()
    assert (host.location / path).read_bytes() == content
    assert stages.verify(host.repo, host.host, full=True).ok
    assert stages.verify(host.repo, host.host, full=False).ok


@pytest.mark.parametrize("kind", ENTRIES)
@pytest.mark.parametrize("way", ["directory", "web server", "rsync daemon", "below a module"])
def test_every_kind_comes_from_every_plain_store(kind: str, way: str, server: Server, tmp_path: Path) -> None:
    entry = ENTRIES[kind](CONTENT)
    fill(server.root, entry, CONTENT)
    source = Source(tmp_path / "s.git", {**PLAIN, b"dir/blob": entry, b"again": entry})
    below = way == "below a module"
    with rsync_daemon(tmp_path, server.root.parent if below else server.root) as daemon:
        plain = {"directory": str(server.root), "web server": server.files, "rsync daemon": daemon}
        place = f"{daemon}/objects" if below else plain[way]
        host = Target(tmp_path, source, blobs={kind: place})
        is_served(host, "dir/blob")
    assert (host.location / "again").read_bytes() == CONTENT
    assert (host.location / "README").read_text() == "text"


def test_an_lfs_server_gives_contents_to_who_knows_the_password(server: Server, tmp_path: Path) -> None:
    entry = lfs(CONTENT)
    fill(server.root, entry, CONTENT)
    server.password = "s3cret"
    source = Source(tmp_path / "s.git", {**PLAIN, b"blob": entry})
    host = Target(tmp_path, source, blobs={"lfs": server.api.replace("127", "user:wrong@127")})
    (refused, _) = host.deploy(0)
    assert refused.error is not None
    assert "401" in refused.error.cause
    assert "wrong" not in str(refused.error)
    host.repo = repo(host.location, blobs={"lfs": server.api.replace("127", "user:s3cret@127")})
    is_served(host, "blob")
    assert server.given[0].startswith("/token/")


def test_lfs_contents_come_from_where_lfsconfig_says(server: Server, tmp_path: Path) -> None:
    fill(server.root, lfs(CONTENT), CONTENT)
    said = Entry(FILE, f"[lfs]\n\turl = http://{server.address}/api\n".encode())
    source = Source(tmp_path / "s.git", {b".lfsconfig": said, b"blob": lfs(CONTENT)})
    is_served(Target(tmp_path, source, blobs={"lfs": None}), "blob")


def test_lfs_contents_come_from_the_server_of_the_repository(server: Server, tmp_path: Path) -> None:
    fill(server.root, lfs(CONTENT), CONTENT)
    source = Source(tmp_path / "s.git", {b"blob": lfs(CONTENT)})
    url = f"http://{server.address}/project"
    is_served(Target(tmp_path, source, blobs={"lfs": None}, url=url), "blob")


def test_trebuchets_key_is_enough_for_git_fat(tmp_path: Path) -> None:
    store = tmp_path / "fat"
    fill(store, fat(CONTENT), CONTENT)
    with rsync_daemon(tmp_path, store) as daemon:
        said = Entry(FILE, f"[rsync]\nremote = {daemon}\n".encode())
        source = Source(tmp_path / "s.git", {b".gitfat": said, b"blob": fat(CONTENT, EXECUTABLE)})
        host = Target(tmp_path, source, gitfat_enabled=True)
        is_served(host, "blob")
    assert (host.location / "blob").stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize(
    "remote", ["-e touch PWNED", "--rsh=touch PWNED", "-oProxyCommand=touch PWNED:/x", "rsync://-x/y"]
)
def test_a_release_cannot_smuggle_options_to_rsync(remote: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    said = Entry(FILE, f'[rsync]\nremote = "{remote}"\nsshport = 22 -x\n'.encode())
    source = Source(tmp_path / "s.git", {b".gitfat": said, b"blob": fat(CONTENT)})
    (refused, _) = Target(tmp_path, source, gitfat_enabled=True).deploy(0)
    assert refused.error is not None
    assert "no source is known" in refused.error.cause
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("backend", ["SHA256E", "SHA256", "SHA512E", "SHA1", "MD5E"])
def test_annexed_files_of_every_checksum(backend: str, tmp_path: Path) -> None:
    entry = annexed(CONTENT, backend)
    store = tmp_path / "annex"
    fill(store, entry, CONTENT)
    source = Source(tmp_path / "s.git", {b"dir/blob": entry})
    host = Target(tmp_path, source, blobs={"annex": str(store)})
    is_served(host, "dir/blob")
    assert (host.location / "dir/blob").stat().st_mode & 0o777 in (0o444, 0o644)


def test_unlocked_annexed_files_keep_their_mode(tmp_path: Path) -> None:
    store = tmp_path / "annex"
    fill(store, unlocked(CONTENT), CONTENT)
    source = Source(tmp_path / "s.git", {b"tool": unlocked(CONTENT, EXECUTABLE), b"data": unlocked(CONTENT)})
    host = Target(tmp_path, source, blobs={"annex": str(store)})
    is_served(host, "tool")
    assert (host.location / "tool").stat().st_mode & 0o111
    assert not (host.location / "data").stat().st_mode & 0o111


# -- the programs themselves -----------------------------------------------------------------------------------


def commits(place: Path) -> Source:
    """What :class:`Target` needs of a work tree with the tag ``v0``."""
    return Source.at(place / ".git")


def test_what_git_lfs_committed_is_served(tmp_path: Path) -> None:
    place = tmp_path / "work"
    git = work_tree(place)
    git("lfs", "install", "--local")
    git("lfs", "track", "*.bin")
    (place / "a.bin").write_bytes(CONTENT)
    (place / "empty.bin").write_bytes(b"")
    git("add", "--all")
    git("commit", "--quiet", "-m", "blobs")
    git("tag", "v0")
    assert pointer(Entry(FILE, git("cat-file", "blob", "v0:a.bin"))).size == len(CONTENT)
    host = Target(tmp_path, commits(place), blobs={"lfs": str(place / ".git/lfs/objects")})
    is_served(host, "a.bin")
    assert (host.location / "empty.bin").read_bytes() == b""


@pytest.mark.parametrize("remote", ["directory", "rsync", "objects"])
def test_what_git_annex_committed_is_served(remote: str, tmp_path: Path) -> None:
    place, store = tmp_path / "work", tmp_path / "store"
    store.mkdir()
    git = work_tree(place)
    git("annex", "init", "test")
    (place / "dir").mkdir()
    (place / "dir/locked.tar.gz").write_bytes(CONTENT)
    (place / "free").write_bytes(CONTENT * 2)
    git("annex", "add", "--quiet", ".")
    git("annex", "unlock", "--quiet", "free")
    if remote != "objects":
        way = [f"directory={store}"] if remote == "directory" else [f"rsyncurl={store}"]
        git("annex", "initremote", "there", f"type={remote}", "encryption=none", *way)
        git("annex", "copy", "--quiet", "--to=there", ".")
    else:
        store = place / ".git/annex/objects"
    git("commit", "--quiet", "--all", "-m", "blobs")
    git("tag", "v0")
    assert key(CONTENT, extension=".tar.gz").encode() in git("cat-file", "blob", "v0:dir/locked.tar.gz")
    host = Target(tmp_path, commits(place), blobs={"annex": str(store)})
    is_served(host, "dir/locked.tar.gz")
    assert (host.location / "free").read_bytes() == CONTENT * 2
    subprocess.run(["chmod", "-R", "u+w", "--", str(place)], check=True)  # or pytest could not delete it


def test_what_no_key_asks_for_stays_as_it_is(tmp_path: Path) -> None:
    source = Source(
        tmp_path / "s.git", {b"lfs": lfs(CONTENT), b"fat": fat(CONTENT), b"annex": annexed(CONTENT)}
    )
    host = Target(tmp_path, source)
    assert all(result.ok for result in host.deploy(0))
    assert snapshot(host.location) == source.checked_out(0)


@pytest.mark.parametrize("way", ["web server", "git-lfs server", "rsync daemon"])
def test_contents_keep_to_the_cap(way: str, server: Server, tmp_path: Path) -> None:
    """However busy the machine is, they never take more than the cap, and a tenth, beyond what may pass at once."""
    content, at_once = os.urandom(1_000_000), 125_000
    fill(server.root, lfs(content), content)
    source = Source(tmp_path / "s.git", {b"blob": lfs(content)})
    with rsync_daemon(tmp_path, server.root) as daemon:
        place = {"web server": server.files, "git-lfs server": server.api, "rsync daemon": daemon}[way]
        host = Target(tmp_path, source, blobs={"lfs": place})
        supply = dataclasses.replace(host.repo.delivery, rate=500_000)
        host.repo = dataclasses.replace(host.repo, delivery=supply)
        begin = time.monotonic()
        is_served(host, "blob", content)
        assert (len(content) - at_once) / (time.monotonic() - begin) < 550_000


def test_contents_share_the_cap_with_what_else_the_host_fetches(server: Server, tmp_path: Path) -> None:
    """Something else has booked two seconds of it: they come after that."""
    content = os.urandom(100_000)
    fill(server.root, lfs(content), content)
    host = Target(tmp_path, Source(tmp_path / "s.git", {b"blob": lfs(content)}), blobs={"lfs": server.files})
    supply = dataclasses.replace(host.repo.delivery, rate=500_000)
    host.repo = dataclasses.replace(host.repo, delivery=supply)
    begin = time.monotonic()
    booked = Shared(host.cache / "booked")
    booked.book(begin, 2.0)
    is_served(host, "blob", content)
    assert time.monotonic() - begin > 1.9  # less what may pass at once
    assert booked.book(begin, 0.0) - begin == pytest.approx(2.0 + 0.2, abs=0.3)
