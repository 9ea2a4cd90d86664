"""Images of releases: what the master makes of them, and what travels."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.content import squashfs
from saltdeploy.content.images import Layers
from saltdeploy.content.manifest import Manifest
from saltdeploy.layouts.symlinked.apply import WorkTree
from saltdeploy.lib.errors import Corrupt
from saltdeploy.master.payloads import packing
from saltdeploy.protocol.orders import Order

from tests.support.repositories import FILE, GITLINK, Entry, Source, Tree, link, snapshot, tree
from tests.support.travels import Traveller

pytestmark = pytest.mark.component("images that sqfstar writes")

FIRST: Tree = {
    **tree(a="1", dir__old="gone soon", dir__kept="k", all__x="x", all__y__z="z", was_file="f"),
    b"big": Entry(FILE, os.urandom(1 << 18)),
    b"was_dir/inner": Entry(FILE, b"i"),
    b"mod": Entry(GITLINK, b"1" * 40),
    b"to_mod/file": Entry(FILE, b"f"),
    b"to_mod/deep/file": Entry(FILE, b"f"),
}
SECOND: Tree = {
    **tree(a="2", dir__kept="k", was_file__inner="i", mod__file="f"),
    b"big": FIRST[b"big"],
    b"was_dir": link("a"),
    b"to_mod": Entry(GITLINK, b"2" * 40),
}
OTHER: Tree = {b"other": Entry(FILE, os.urandom(1 << 17))}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("images") / "source.git", FIRST, SECOND, OTHER)


def unpacked(image: Path) -> dict[bytes, tuple[object, ...]]:
    place = image.with_name(f"{image.name}.d")
    command = ["unsquashfs", "-quiet", "-no-progress", "-dest", str(place), str(image)]
    ended = subprocess.run(command, stderr=subprocess.DEVNULL)
    assert ended.returncode in (0, 2)  # 2: without root no device can be made
    return snapshot(place)


def listed(image: Path, kind: str) -> set[str]:
    """The paths of one kind (the first letter of ``ls -l``) in an image."""
    said = subprocess.run(
        ["unsquashfs", "-llnumeric", str(image)], stdout=subprocess.PIPE, text=True, check=True
    )
    return {
        line.split("squashfs-root/")[1]
        for line in said.stdout.splitlines()
        if line.startswith(kind) and "squashfs-root/" in line
    }


def test_a_base_image_is_what_git_would_check_out(source: Source, tmp_path: Path) -> None:
    for number in (0, 1):
        squashfs.write_base(source.repository, source.tag(number).commit, tmp_path / f"{number}")
        assert unpacked(tmp_path / f"{number}") == source.checked_out(number)


def test_the_same_release_makes_the_same_image(source: Source, tmp_path: Path) -> None:
    """Whatever the umask, the clock, and the time zone are."""
    commits = [source.tag(number).commit for number in (0, 1)]
    before = os.umask(0o077)
    try:
        squashfs.write_base(source.repository, commits[0], tmp_path / "base1")
        squashfs.write_overlay(source.repository, *commits, tmp_path / "overlay1")
    finally:
        os.umask(before)
    squashfs.write_base(source.repository, commits[0], tmp_path / "base2")
    squashfs.write_overlay(source.repository, *commits, tmp_path / "overlay2")
    for name in ("base", "overlay"):
        assert (tmp_path / f"{name}1").read_bytes() == (tmp_path / f"{name}2").read_bytes()


def test_an_overlay_image_holds_what_differs_and_marks_what_is_gone(source: Source, tmp_path: Path) -> None:
    """One mark hides a whole directory; what another thing took the place of needs none."""
    image = tmp_path / "overlay"
    squashfs.write_overlay(source.repository, source.tag(0).commit, source.tag(1).commit, image)
    assert listed(image, "-") == {"a", "was_file/inner", "mod/file"}
    assert listed(image, "l") == {"was_dir -> a"}
    assert listed(image, "c") == {"dir/old", "all", "to_mod/file", "to_mod/deep"}
    assert listed(image, "d") == {"dir", "was_file", "mod", "to_mod"}


# -- what travels -------------------------------------------------------------------------------------------


def images(target: Traveller) -> list[str]:
    """The kinds of the images that came with the last order, by their digests."""
    kinds = {payload.sha256: payload.kind for payload in target.last.payloads}
    return [kinds[sha256] for sha256 in target.carrier.fetched if kinds.get(sha256, "trees") != "trees"]


class Images(Traveller):
    """Remembers what it was asked."""

    def travel(self, number: int) -> list:  # type: ignore[type-arg]
        self.carrier.fetched.clear()
        self.last = self.order_for(number)
        return super().travel(number)


@pytest.fixture
def target(tmp_path: Path, source: Source) -> Images:
    return Images(tmp_path / "host", source, "squashfs")


def test_an_upgrade_brings_the_overlay_alone(target: Images) -> None:
    for number, brought in ((0, ["image"]), (1, ["overlay"])):
        for result in target.travel(number):
            assert result.ok, result.error
        assert images(target) == brought
        assert Order.from_wire(target.last.to_wire()) == target.last
        assert target.shows(number)
    assert target.received[0]["bytes"] > 1 << 18
    assert target.received[1]["bytes"] < 1 << 14
    assert target.received[1]["base"] == target.source.tag(0).commit


def test_images_come_ahead_to_every_host(target: Images) -> None:
    """Whatever it holds: what an image builds upon is another image."""
    target.travel(0)
    order = target.order_for(1)
    for base in ("", target.source.tag(0).commit, "9" * 40):
        kinds = [payload.kind for payload in packing.fitting(order.payloads, base)]
        assert sorted(kinds)[:2] == ["image", "overlay"]


def test_a_new_host_gets_the_base_and_the_overlay(target: Images, tmp_path: Path) -> None:
    target.travel(0)
    other = Images(tmp_path / "other", target.source, "squashfs")
    other.payloads = target.payloads
    other.carrier._payloads = target.payloads
    for result in other.travel(1):
        assert result.ok, result.error
    assert sorted(images(other)) == ["image", "overlay"]
    assert other.shows(1)


def test_a_release_that_differs_much_is_a_new_base(target: Images) -> None:
    """More than a quarter of the old one; and a target keeps one base."""
    for number in (0, 2):
        target.travel(number)
        assert images(target) == ["image"]
        assert target.shows(number)
    kept = list((target.repo.paths.area / "images").iterdir())
    assert [path.name for path in kept if path.is_file()] == [
        payload.sha256 for payload in target.last.payloads if payload.kind == "image"
    ]


def test_a_base_that_the_master_has_made_is_used_again(target: Images, tmp_path: Path) -> None:
    for number in (0, 2):
        target.travel(number)
    other = Images(tmp_path / "other", target.source, "squashfs")
    other.payloads = target.payloads
    other.carrier._payloads = target.payloads
    other.travel(0)
    assert images(other) == ["image"]
    assert other.received[0]["bytes"] == target.received[0]["bytes"]
    assert other.shows(0)


def test_a_kept_base_that_was_damaged_is_brought_again(target: Images) -> None:
    target.travel(0)
    [kept] = [path for path in (target.repo.paths.area / "images").iterdir() if path.is_file()]
    kept.chmod(0o600)
    os.truncate(kept, 5000)
    for result in target.travel(1):
        assert result.ok, result.error
    assert sorted(images(target)) == ["image", "overlay"]
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    assert target.shows(1)


def test_a_slot_that_needs_files_of_the_base_takes_them_from_it(target: Images) -> None:
    """The spare slot holds the release before: what came back since is in no overlay."""
    for number in (0, 1, 0, 1, 0):
        for result in target.travel(number):
            assert result.ok, result.error
        assert target.shows(number)


# -- an image that is not what the order's trees say --------------------------------------------------------


@pytest.mark.parametrize(
    ("hostile", "said"),
    [
        (lambda root, victim: (root / "dir").symlink_to(victim), "a link leads to"),
        (lambda root, victim: ((root / "dir").mkdir(), (root / "dir/file").symlink_to(victim / "file")), "not there"),
        (lambda root, victim: ((root / "dir").mkdir(), os.mkfifo(root / "dir/file")), "not a plain file"),
        (lambda root, victim: ((root / "dir").mkdir(), (root / "dir/file").write_text("evil")), "other bytes"),
        (lambda root, victim: None, "not there"),
    ],
)  # fmt: skip
def test_an_image_that_holds_something_else_is_refused(
    tmp_path: Path, hostile: Callable[[Path, Path], object], said: str
) -> None:
    """It gets nothing else read, and nothing else deleted."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("right")
    (tmp_path / "root").mkdir()
    hostile(tmp_path / "root", victim)
    image = tmp_path / "image"
    subprocess.run(["mksquashfs", str(tmp_path / "root"), str(image), "-quiet", "-no-progress"], check=True)
    source = Source(tmp_path / "source.git", tree(dir__file="right"))
    (tmp_path / "tree").mkdir()
    layers = Layers([image], tmp_path / "unpacked")
    work = WorkTree(tmp_path / "tree", tmp_path, layers)
    with (
        open(tmp_path / "changes", "wb+") as changes,
        open(tmp_path / "oids", "wb+") as oids,
        Manifest(tmp_path / "db") as manifest,
        manifest.transaction(),
    ):
        source.repository.diff("", source.tag(0).commit, changes)
        count = work.oids_to_write(changes, oids)
        with pytest.raises(Corrupt, match=said):
            work.apply(changes, oids, count, manifest, lambda *_: None)
    assert (victim / "file").read_text() == "right"
    assert not (tmp_path / "unpacked").exists()
