"""What mounted releases share: a layer of links lies over each, and everything else is as with trees that are written."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.content import release_root
from saltdeploy.content.source import Stored
from saltdeploy.layouts import remains
from saltdeploy.lib import mounts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import NotReady, Unsupported

from tests.support.repositories import EXECUTABLE, Entry, Source, Tree, link, tree
from tests.support.travels import Traveller

pytestmark = [pytest.mark.component("the kernel mounts images and overlays"), pytest.mark.images]

SHARED: dict[str, Any] = {"dirs": ["uploads", "var/cache"], "files": ["config/local.ini"]}
V: list[Tree] = [
    {
        **tree(index=f"v{n}", uploads__README="from git", config__app=f"app {n}"),
        **{b"same%d" % k: Entry("100644", b"%d" % k) for k in range(12)},
        b"config/local.ini": Entry("100644", b"secret = release\n"),
        b"uploads/bin/run": Entry(EXECUTABLE, b"#!/bin/sh\n"),
    }
    for n in range(5)
]


class Host(Traveller):
    """A target of layout ``overlay`` that shares paths."""

    def __init__(self, place: Path, source: Source, transport: str, **keys: Any) -> None:
        super().__init__(place, source, transport, **{"layout": "overlay", "shared": SHARED, **keys})

    def goes_to(self, number: int) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for result in self.travel(number):
            assert result.ok, result.error
            facts |= result.facts
        assert (self.location / "index").read_text() == f"v{number}"
        return facts

    def shares(self, value: dict[str, Any]) -> None:
        """The pillar shares these from now on."""
        other = type(self)(self.cache.parent, self.source, self.transport, shared=value)
        self.repo = other.repo

    @property
    def area(self) -> Path:
        return self.repo.paths.area

    @property
    def layout(self) -> Any:
        return layouts.of(self.repo)

    def layers(self, number: int) -> list[str]:
        held = self.layout._held(self.source.tag(number).commit)
        return [name.partition("-")[0] for name in held.layers()]


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """One that gets images, unless the test says otherwise."""
    return Host(tmp_path / "host", Source(tmp_path / "source", *V), getattr(request, "param", "squashfs"))


both = pytest.mark.parametrize("host", ["squashfs", "bundle"], indirect=True)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@both
def test_they_are_made_from_the_releases_copy_and_linked_before_anything_is_live(host: Host) -> None:
    result = host.fetch(0)
    assert result.ok, result.error
    assert result.facts["shared"] == "config/local.ini, uploads, var/cache"
    place = host.area / "shared"
    assert contents(place) == {
        "config/local.ini": b"secret = release\n",
        "uploads/README": b"from git",
        "uploads/bin/run": b"#!/bin/sh\n",
    }
    assert (place / "uploads/bin/run").stat().st_mode & 0o777 == 0o755
    assert (place / "var/cache").is_dir()
    here = host.layout.tree(host.source.tag(0).commit)
    for path in ("uploads", "var/cache", "config/local.ini"):
        assert not os.path.isabs(os.readlink(here / path)), "it holds wherever the area is seen"
        assert os.path.realpath(here / path) == os.path.realpath(place / path)
    assert (here / "config/app").read_text() == "app 0", "a directory with a link in it still has its files"
    assert not os.path.lexists(host.location), "nothing is live yet"


@both
def test_what_users_write_is_there_in_every_release_forth_and_back(host: Host) -> None:
    host.goes_to(0)
    (host.location / "uploads/cat.png").write_bytes(b"cat")
    (host.location / "config/local.ini").write_text("secret = mine\n")
    for number in (1, 2, 1, 3):
        host.goes_to(number)
        assert (host.location / "uploads/cat.png").read_bytes() == b"cat"
        assert (host.location / "config/local.ini").read_text() == "secret = mine\n"
        assert host.layout.verify(full=False).ok
        assert host.layout.verify(full=True).ok
        (host.location / f"uploads/{number}").write_text("new")
    assert host.go_back(1).ok
    assert (host.location / "index").read_text() == "v1"
    assert (host.location / "uploads/3").exists()
    host.layout.collect(Cleanup(), ())
    assert host.layout.verify(full=True).ok
    assert len(contents(host.area / "shared")) == 4 + 3
    assert len(list((host.area / "layers").glob("links-*"))) == 1, "all releases have the same links"


def test_they_are_no_part_of_the_digest_of_a_host_nor_of_the_masters(host: Host, tmp_path: Path) -> None:
    host.goes_to(0)
    commit, reader = host.source.tag(0).commit, host.source.repository
    wanted = release_root.root_of(tmp_path / "a.db", commit, reader, Stored(reader), (), host.repo.left_out)
    assert wanted != release_root.root_of(tmp_path / "b.db", commit, reader, Stored(reader))
    (host.location / "uploads/more").write_text("x")
    assert host.layout.holdings().roots == {commit: wanted}
    assert not host.layout.holdings().damaged


def test_after_a_reboot_what_is_mounted_again_has_its_links(host: Host) -> None:
    host.goes_to(0)
    (host.location / "uploads/cat.png").write_bytes(b"cat")
    for directory in (host.area / "mounts", host.area / "layers"):
        for name in mounts.mounted(directory):
            subprocess.run(["umount", str(directory / name)], check=True)
    host.goes_to(0)
    assert (host.location / "uploads/cat.png").read_bytes() == b"cat"


def test_with_several_releases_seen_the_links_lie_over_all(host: Host) -> None:
    host.repo = dataclasses.replace(
        host.repo, layout=dataclasses.replace(host.repo.layout, visible_releases=3)
    )
    for number in range(3):
        host.goes_to(number)
        (host.location / f"uploads/{number}").touch()
        assert host.layout.verify(full=True).ok
    assert {path.name for path in (host.location / "uploads").iterdir()} >= {"0", "1", "2"}


# -- taking over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["a plain directory", "slots", "releases"])
def test_what_was_live_before_the_layout_moves_as_it_is(host: Host, before: str) -> None:
    if before == "a plain directory":
        host.location.mkdir(parents=True)
        (host.location / "uploads").mkdir()
    else:
        overlay, host.repo = host.repo, Host(host.cache.parent, host.source, "bundle", layout=before,
                                             shared={}).repo  # fmt: skip
        host.goes_to(0)
        host.repo = overlay
    (host.location / "uploads/cat.png").write_text("cat")
    inode = (host.location / "uploads/cat.png").stat().st_ino
    assert "uploads" in host.goes_to(1)["taken_over"]
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert (host.area / "shared/uploads/cat.png").stat().st_ino == inode
    assert host.layout.verify(full=True).ok


def test_what_an_operator_names_is_adopted(host: Host, tmp_path: Path) -> None:
    host.shares({})
    host.goes_to(0)
    (tmp_path / "old/uploads").mkdir(parents=True)
    (tmp_path / "old/uploads/cat.png").write_text("cat")
    host.shares(SHARED)
    assert host.layout.adopt(["uploads"], str(tmp_path / "old")) == {"uploads": "copied"}
    host.goes_to(1)
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert host.layout.adopt([], "") == dict.fromkeys((*SHARED["dirs"], *SHARED["files"]), "there already")


def test_a_change_to_slots_goes_on_with_what_is_shared_and_gc_leaves_it(host: Host) -> None:
    host.goes_to(0)
    (host.location / "uploads/cat.png").write_text("cat")
    host.repo = Host(host.cache.parent, host.source, "squashfs", layout="slots").repo
    host.goes_to(1)
    assert remains.collect(host.repo, Cleanup()) == []
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert not {"mounts", "layers"} & {path.name for path in host.area.iterdir()}
    assert not list(host.area.glob("catalogue*"))


# -- the pillar changes ---------------------------------------------------------------------------------


@both
def test_a_live_release_gets_its_links_by_the_next_sync_once_the_pillar_shares(host: Host) -> None:
    host.shares({})
    host.goes_to(0)
    assert not (host.location / "uploads").is_symlink()
    host.shares(SHARED)
    assert host.source.tag(0).commit not in host.layout.holdings().held, "the master sends it again"
    assert not host.layout.holdings().damaged
    host.goes_to(0)
    assert (host.location / "uploads").is_symlink()
    assert (host.location / "uploads/README").read_text() == "from git"
    assert host.layout.verify(full=True).ok


def test_going_back_to_a_time_before_goes_on_with_what_is_shared_and_needs_no_network(host: Host) -> None:
    host.shares({})
    host.goes_to(0)
    host.shares(SHARED)
    host.goes_to(1)
    (host.location / "uploads/cat.png").write_text("cat")
    host.carrier.spoil = lambda path: pytest.fail("the network was used")  # type: ignore[assignment]
    assert host.go_back(0).ok
    assert (host.location / "index").read_text() == "v0"
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert host.layout.verify(full=True).ok
    assert not host.layout.holdings().damaged


def test_a_path_that_is_shared_no_more_is_the_releases_again_and_nothing_is_deleted(host: Host) -> None:
    host.goes_to(0)
    (host.location / "uploads/cat.png").write_text("cat")
    host.shares({"dirs": ["uploads"]})
    host.goes_to(1)
    assert not (host.location / "config/local.ini").is_symlink()
    assert (host.location / "config/local.ini").read_text() == "secret = release\n"
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert (host.area / "shared/config/local.ini").exists()
    assert host.layout.verify(full=True).ok
    host.layout.collect(Cleanup(), ())
    assert len(list(host.area.glob("catalogue*.db"))) == 1


# -- what is refused, and what is found -------------------------------------------------------------------


def test_the_pillar_may_say_so(host: Host) -> None:
    refuse_contents(host.repo)


def test_a_file_that_is_nowhere_is_asked_for_before_anything_is_switched(host: Host) -> None:
    host.goes_to(0)
    host.shares({**SHARED, "files": ["LocalSettings.php"]})
    result = host.fetch(1)
    assert isinstance(result.error, NotReady)
    assert result.error.path == str(host.area / "shared/LocalSettings.php")
    assert (host.location / "index").read_text() == "v0"


@pytest.mark.parametrize("entry", [link("/etc"), Entry("100644", b"a file")])
def test_something_else_than_a_directory_above_a_shared_path_is_refused(tmp_path: Path, entry: Entry) -> None:
    source = Source(tmp_path / "source", {**tree(index="v0"), b"var": entry})
    host = Host(tmp_path / "host", source, "squashfs", shared={"dirs": ["var/cache"]})
    result = host.fetch(0)
    assert isinstance(result.error, Unsupported)
    assert "something else than a directory at var" in str(result.error)
    assert not (host.area / "shared").exists()


@both
def test_links_that_somebody_has_changed_are_found_and_made_anew_beside_them(host: Host) -> None:
    host.goes_to(0)
    (host.location / "uploads/cat.png").write_text("cat")
    layer = next((host.area / "layers").glob("links-*"))
    (layer / "uploads").unlink()
    (layer / "uploads").symlink_to("/etc")
    assert host.layout.verify(full=False).missing == ["uploads"]
    host.goes_to(0)
    assert (host.location / "uploads/cat.png").read_text() == "cat"
    assert host.layout.verify(full=True).ok
