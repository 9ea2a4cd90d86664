"""A release of a real git-annex repository, whose contents are nowhere but at the URLs that git-annex has noted."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.content.pointers.annex import hash_directories
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.upkeep.ext_pillar import data_for
from saltdeploy.minion import preseed
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import FETCH, PRESEED, Order

from tests.support.annexes import CONTENT, Annex, Host, Master, is_served
from tests.support.blobstores import Server, annexed, key
from tests.support.repositories import Source, git
from tests.support.serving import free_port

pytestmark = pytest.mark.component("git-annex, and web servers over its contents")


@pytest.mark.parametrize("transport", ["bundle", "tar", "git"])
@pytest.mark.parametrize("way", ["here", "mirror", "clone"])
def test_a_content_comes_from_the_url_that_git_annex_noted(
    way: str, transport: str, annex: Annex, tmp_path: Path
) -> None:
    annex.add("a.bin", CONTENT, "v0")
    place = str(annex.place)
    if way == "clone":  # git-annex was never run there: the branch is its origin's
        place = str(tmp_path / "clone")
        annex.git("clone", "--quiet", "--", str(annex.place), place)
    elif way == "mirror":
        place = f"file://{annex.place}"
    host = Host(tmp_path, Master(tmp_path, place), url=f"file://{annex.place}")
    assert (fetched := host.take("v0", transport)).ok, fetched.error
    is_served(host, "a.bin")
    assert host.got_lists() == 1
    assert not Record(host.cache, "demo").incoming.exists()


@pytest.mark.parametrize("way", ["here", "mirror", "clone"])
def test_what_a_sync_has_pushed_is_read_before_anybody_merges_it(
    way: str, annex: Annex, tmp_path: Path
) -> None:
    """``git annex sync`` pushes a branch of another name: its own may have changed there meanwhile."""
    pushed = str(tmp_path / "pushed.git")
    annex.git("init", "--quiet", "--bare", "--", pushed)
    annex.add("old.bin", CONTENT * 2, "v0")
    annex.git("push", "--quiet", "--", pushed, "git-annex")
    annex.add("a.bin", CONTENT, "v1")
    annex.git("push", "--quiet", "--tags", "--", pushed, "git-annex:synced/git-annex", "HEAD:main")
    place = {"here": pushed, "mirror": f"file://{pushed}", "clone": str(tmp_path / "clone")}[way]
    if way == "clone":
        annex.git("clone", "--quiet", "--branch=main", "--", pushed, place)
    host = Host(tmp_path, Master(tmp_path, place))
    assert (fetched := host.take("v1")).ok, fetched.error
    is_served(host, "a.bin")
    is_served(host, "old.bin", CONTENT * 2)


@pytest.mark.parametrize("tuned", ["branchhash1", "objecthash1"])
def test_one_level_of_directories_is_known(tuned: str, server: Server, tmp_path: Path) -> None:
    annex = Annex(tmp_path / "tuned", server, tuned=tuned)
    annex.add("a.bin", CONTENT, "v0")
    store = [] if tuned == "branchhash1" else [str(annex.place / ".git/annex/objects")]
    host = Host(tmp_path, Master(tmp_path, str(annex.place)), blobs={"annex": store})
    assert (fetched := host.take("v0")).ok, fetched.error
    is_served(host, "a.bin")
    assert host.got_lists() == (tuned == "branchhash1")
    annex.let_go()


def test_a_url_that_was_taken_back_is_not_asked(annex: Annex, tmp_path: Path) -> None:
    name = annex.add("a.bin", CONTENT, "v0")
    annex.forget("a.bin", f"{annex.server.files}/a.bin")
    (refused := Host(tmp_path, Master(tmp_path, str(annex.place))).take("v0"))
    assert annex.server.given == []
    error = refused.error
    assert error is not None
    assert (error.kind, error.host, error.path) == ("unavailable", "web1", "a.bin")
    assert f"{name}: git-annex's web remote knows no URL of it" in error.cause
    assert "git annex addurl" in error.next and "repo_config:demo:blobs:annex" in error.next


def test_after_a_url_was_added_the_same_release_can_be_deployed(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0", url="http://127.0.0.1:1/gone")
    master = Master(tmp_path, f"file://{annex.place}")
    host = Host(tmp_path, master)
    refused = host.take("v0")
    assert refused.error is not None and "http://127.0.0.1:1/gone does not answer" in refused.error.cause
    annex.note(CONTENT, f"{annex.server.files}/a.bin")
    assert host.take("v0").ok
    is_served(host, "a.bin")


def test_wrong_bytes_are_refused_and_named_and_the_next_url_is_asked(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0", url=f"{annex.server.files}/other?signature=s3cret")
    (annex.server.root / "other?signature=s3cret").write_bytes(CONTENT[::-1])
    host = Host(tmp_path, Master(tmp_path, str(annex.place)))
    refused = host.take("v0")
    assert refused.error is not None
    assert f"{annex.server.files}/other" in refused.error.cause and "gave other bytes" in refused.error.cause
    assert "s3cret" not in str(refused.to_wire())
    assert not host.location.exists()
    annex.note(CONTENT, f"{annex.server.files}/a.bin")
    assert host.take("v0").ok
    is_served(host, "a.bin")


def test_a_password_in_a_url_is_not_told(annex: Annex, tmp_path: Path) -> None:
    secret = annex.server.files.replace("//", "//user:s3cret@")
    annex.add("a.bin", CONTENT, "v0", url=f"{secret}/missing")
    refused = Host(tmp_path, Master(tmp_path, str(annex.place))).take("v0")
    assert refused.error is not None
    assert "***@" in refused.error.cause and "404" in refused.error.cause
    assert "s3cret" not in str(refused.to_wire())


def test_a_server_that_is_gone_is_not_asked_for_every_content(annex: Annex, tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    for number in range(3):
        annex.add(f"{number}.bin", bytes([number]) * 100, f"v{number}", url=f"{gone}/{number}")
    refused = Host(tmp_path, Master(tmp_path, str(annex.place))).take("v2")
    assert refused.error is not None
    assert "and of 2 more" in refused.error.cause


def test_other_sources_come_first_and_no_list_is_fetched_then(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0")
    store = annex.place / ".git/annex/objects"
    host = Host(tmp_path, Master(tmp_path, str(annex.place)), blobs={"annex": str(store)})
    assert host.take("v0").ok
    is_served(host, "a.bin")
    assert (annex.server.given, host.got_lists()) == ([], 0)


def test_a_list_holds_what_the_release_has_and_the_host_has_not(annex: Annex, tmp_path: Path) -> None:
    first = annex.add("a.bin", CONTENT, "v0")
    annex.add("gone.bin", b"not in v2", "v1")
    annex.git("rm", "--quiet", "gone.bin")
    second = annex.add("b.bin", CONTENT * 2, "v2")
    master = Master(tmp_path, str(annex.place))
    host = Host(tmp_path, master)
    assert host.take("v0").ok
    assert master.listed(master.offers.order) == {"": {first}}
    assert host.take("v2").ok
    old = annex.git("rev-parse", "v0").decode().strip()
    assert master.listed(master.offers.order) == {old: {second}, "": {first, second}}
    is_served(host, "b.bin", CONTENT * 2)
    assert host.got_lists() == 1, "the short one says enough"


def test_a_host_that_has_lost_an_old_content_finds_its_url_too(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0")
    annex.add("b.bin", CONTENT * 2, "v1")
    host = Host(tmp_path, Master(tmp_path, str(annex.place)))
    assert host.take("v0").ok
    for path in host.repo.paths.area.joinpath("blobs").glob("??/*"):
        path.unlink()
    host.location.joinpath("a.bin").unlink()  # or the next slot would have it from the live one
    assert host.take("v1").ok
    is_served(host, "a.bin")
    assert host.got_lists() == 2


def test_a_list_is_made_once_as_long_as_nothing_was_noted(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0")
    master = Master(tmp_path, str(annex.place))
    before = master.lists(master.order("v0"))
    shutil.rmtree(master.root / "manifests")
    assert master.lists(master.order("v0")) == before
    assert not (master.root / "manifests").exists()
    annex.note(CONTENT, "https://example.org/a.bin")
    assert master.lists(master.order("v0")) != before


@pytest.mark.parametrize("blobs", [{}, {"lfs": []}])
def test_who_does_not_ask_for_annexed_contents_is_offered_no_list(
    blobs: dict[str, Any], annex: Annex, tmp_path: Path
) -> None:
    annex.add("a.bin", CONTENT, "v0")
    master = Master(tmp_path, str(annex.place))
    master.keys["blobs"] = blobs
    assert master.lists(master.order("v0")) == []


def test_a_repository_that_has_noted_nothing_offers_no_list(tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"blob": annexed(CONTENT)})
    for place in (str(source.git_dir), f"file://{source.git_dir}"):
        master = Master(tmp_path, place)
        assert [payload.kind for payload in master.order("v0").payloads] == ["bundle"]


@pytest.mark.parametrize("where", ["{mixed}/{key}.log.web", "remote/web/{lower}/{key}.log"])
def test_older_names_of_the_notes_are_known(where: str, server: Server, tmp_path: Path) -> None:
    source = Source(tmp_path / "s.git", {b"blob": annexed(CONTENT)})
    (server.root / "content").write_bytes(CONTENT)
    lower, mixed = hash_directories(key(CONTENT))
    path = where.format(lower=lower, mixed=mixed, key=key(CONTENT))
    note = f"1s 1 {server.files}/content\n"
    stream = (
        "commit refs/heads/git-annex\ncommitter T <t@example.org> 1 +0000\ndata 1\nx"
        f"\nM 100644 inline {path}\ndata {len(note)}\n{note}\n"
    )
    git(source.git_dir, "fast-import", "--quiet", input=stream.encode())
    host = Host(tmp_path, Master(tmp_path, str(source.git_dir)))
    assert host.take("v0").ok
    is_served(host, "blob")


def test_a_host_that_was_never_seen_is_told_the_urls_with_its_pin(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0")
    master = Master(tmp_path, str(annex.place))
    release = master.order("v0").release
    Pins(master.root).put(Pin(Order("pin", 1, FETCH, release), ("web1",)))
    pillar = {"repo_config": {"demo": {**master.keys, "targets": "*"}}}
    told = data_for("web1", master.root, pillar, lambda expression, kind: expression == "*")
    order = Order.from_wire(told["pins"]["demo"]["order"])
    host = Host(tmp_path, master)
    assert (fetched := host.run(order)).ok, fetched.error
    assert annex.server.given == ["/files/a.bin"]


def test_a_list_that_was_brought_ahead_is_found_on_the_hosts_own_shelf(annex: Annex, tmp_path: Path) -> None:
    annex.add("a.bin", CONTENT, "v0")
    master = Master(tmp_path, str(annex.place))
    host = Host(tmp_path, master)
    order = master.order("v0")
    ahead = preseed.preseed(dataclasses.replace(order, stage=PRESEED), host.repo, host.host)
    assert (ahead.ok, ahead.facts["new"]) == (True, 2)
    host.carrier.fetched.clear()
    assert (fetched := host.run(order)).ok, fetched.error
    assert host.carrier.fetched == []
    assert annex.server.given == ["/files/a.bin"]


@pytest.mark.parametrize("spoil", [b"", b"[]\n", b"other"])
def test_a_list_that_was_spoilt_on_its_way_fails_the_fetch_and_says_so(
    spoil: bytes, annex: Annex, tmp_path: Path
) -> None:
    annex.add("a.bin", CONTENT, "v0")
    master = Master(tmp_path, str(annex.place))
    host = Host(tmp_path, master)

    def spoil_lists(path: Path) -> None:
        if path.name in master.lists(master.offers.order):
            path.write_bytes(spoil)

    host.carrier.spoil = spoil_lists  # type: ignore[assignment]
    refused = host.take("v0")
    assert refused.error is not None
    assert "git-annex's web remote cannot be asked: what was received has sha256" in refused.error.cause
    assert annex.server.given == []
