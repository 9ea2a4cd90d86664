"""Annexed files of submodules: each repository has noted the URLs of its own ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.annexes import CONTENT, Annex, Host, Master, is_served
from tests.support.blobstores import Server
from tests.support.repositories import git

pytestmark = pytest.mark.component("git-annex, and web servers over its contents")

OTHER, MORE = CONTENT * 2, CONTENT * 3


class Family:
    """``site`` with ``lib`` in it, and ``deep`` in that; each has a file of its own, and ``site`` is tagged."""

    def __init__(self, place: Path, server: Server) -> None:
        self.site, self.lib, self.deep = (Annex(place / name, server) for name in ("site", "lib", "deep"))
        self.keys = {self.site.add("a.bin", CONTENT, "own"), self.deep.add("deep.bin", OTHER, "own")}
        self.keys.add(self.lib.add("lib.bin", MORE, "own"))
        self.lib.include(self.deep, "v0")
        self.site.include(self.lib, "v0")


@pytest.fixture
def family(tmp_path: Path, server: Server) -> Iterator[Family]:
    made = Family(tmp_path, server)
    yield made
    for annex in (made.site, made.lib, made.deep):
        annex.let_go()


def master_of(annex: Annex, place: Path, before: str = "") -> Master:
    master = Master(place, f"{before}{annex.place}")
    master.keys["checkout_submodules"] = True
    return master


def host_of(master: Master, place: Path) -> Host:
    return Host(place, master, checkout_submodules=True)


def mirror(master: Master) -> Path:
    return master.root / "mirrors" / "demo.submodules.git"


@pytest.mark.parametrize("transport", ["bundle", "tar"])
@pytest.mark.parametrize("before", ["", "file://"])
def test_contents_of_submodules_come_from_the_urls_noted_there(
    before: str, transport: str, family: Family, tmp_path: Path
) -> None:
    host = host_of(master_of(family.site, tmp_path, before), tmp_path)
    assert (fetched := host.take("v0", transport)).ok, fetched.error
    is_served(host, "a.bin")
    is_served(host, "lib/lib.bin", MORE)
    is_served(host, "lib/deep/deep.bin", OTHER)
    assert host.got_lists() == 1


def test_the_list_for_an_upgrade_holds_what_is_new_in_a_submodule(family: Family, tmp_path: Path) -> None:
    master = master_of(family.site, tmp_path)
    host = host_of(master, tmp_path)
    assert host.take("v0").ok
    new = family.lib.add("new.bin", CONTENT * 4, "v1")
    family.site.include(family.lib, "v1")
    assert (fetched := host.take("v1")).ok, fetched.error
    is_served(host, "lib/new.bin", CONTENT * 4)
    old = family.site.git("rev-parse", "v0").decode().strip()
    assert master.listed(master.offers.order) == {old: {new}, "": {new, *family.keys}}
    assert host.got_lists() == 1


def test_a_url_that_is_noted_in_a_submodule_later_is_found(family: Family, tmp_path: Path) -> None:
    family.deep.forget("deep.bin", f"{family.deep.server.files}/deep.bin")
    host = host_of(master_of(family.site, tmp_path), tmp_path)
    refused = host.take("v0")
    assert refused.error is not None
    assert (refused.error.path, "knows no URL" in refused.error.cause) == ("lib/deep/deep.bin", True)
    family.deep.note(OTHER, f"{family.deep.server.files}/deep.bin")
    assert (fetched := host.take("v0")).ok, fetched.error
    is_served(host, "lib/deep/deep.bin", OTHER)


def test_a_submodule_that_cannot_be_asked_any_more_holds_up_nobody(family: Family, tmp_path: Path) -> None:
    master = master_of(family.site, tmp_path)
    before = master.lists(master.order("v0"))
    family.deep.place.rename(tmp_path / "gone")
    try:
        assert master.lists(master.order("v0")) == before
        assert host_of(master, tmp_path).take("v0").ok
    finally:
        (tmp_path / "gone").rename(family.deep.place)


def test_a_submodule_without_annexed_files_is_not_asked(family: Family, tmp_path: Path) -> None:
    family.lib.git("rm", "--quiet", "lib.bin")
    family.lib.git("commit", "--quiet", "-m", "without")
    family.site.include(family.lib, "v1")
    master = master_of(family.site, tmp_path)
    assert len(master.lists(master.order("v1"))) == 1
    refs = git(mirror(master), "for-each-ref", "--format=%(objectname)", "refs/deploy-annexes").decode()
    assert refs.split() == [family.deep.git("rev-parse", "git-annex").decode().strip()]


def test_a_submodule_says_nothing_of_the_files_of_others(
    family: Family, server: Server, tmp_path: Path
) -> None:
    family.deep.note(CONTENT, f"{server.files}/evil")
    family.site.forget("a.bin", f"{server.files}/a.bin")
    refused = host_of(master_of(family.site, tmp_path), tmp_path).take("v0")
    assert refused.error is not None
    assert (refused.error.path, "knows no URL" in refused.error.cause) == ("a.bin", True)
    assert "/files/evil" not in server.given


def test_with_transport_git_the_master_has_not_the_files_and_offers_no_list(
    family: Family, tmp_path: Path
) -> None:
    master = master_of(family.site, tmp_path)
    assert master.lists(master.order("v0", transport="git")) == []
