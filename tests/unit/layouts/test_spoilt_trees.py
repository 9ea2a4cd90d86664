"""Whatever others write into trees: what is known to be wrong is not shown as its release, and no tree holds more than that."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.layouts.releases import Releases
from saltdeploy.layouts.slots import Slots
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout
from saltdeploy.lib import reflink

from tests.support.repositories import GITLINK, Entry, Source, deploy, prepare, repo, snapshot, tree

pytestmark = pytest.mark.component("trees that git and others write, deploy upon deploy, in each layout")

RELEASES = [
    {
        **tree(a=str(n), d__same="same", d__deep__one="1", e__two="2", **{f"only{n}__x": "x"}),
        b"sub": Entry(GITLINK, b"1" * 40),
    }
    for n in range(6)
]
LIMITS = {"above the limit": 0, "below the limit": 5000}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", *RELEASES)


@pytest.fixture(autouse=True)
def without_reflinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees share files by hard link, whatever this file system can do."""
    monkeypatch.setattr(reflink, "clone", lambda *_: False)


@pytest.fixture(params=[Slots, Releases], ids=["slots", "releases"])
def layout(request: pytest.FixtureRequest, location: Path, source: Source) -> SymlinkedLayout:
    """Three releases in three trees, which are larger than those of which every file is compared."""
    return with_three_releases(request.param(repo(location, stat_limit=0)), source)


def with_three_releases(layout: SymlinkedLayout, source: Source) -> SymlinkedLayout:
    for number in range(3):
        deploy(layout, source, number)
    return layout


def tree_of(layout: SymlinkedLayout, source: Source, number: int) -> Path:
    found = layout.tree(source.tag(number).commit)
    assert found is not None
    return found


def write_into(path: Path, text: str = "spoilt") -> None:
    """As a program does that opens the file as it is: with all its names it is another one now."""
    with open(path, "r+") as file:
        file.write(text)


def replace(path: Path, text: str = "spoilt") -> None:
    """As an editor does that writes a new file: other names keep the old one."""
    new = path.with_name("new")
    new.write_text(text)
    os.replace(new, path)


# -- what is known to be wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
@pytest.mark.parametrize("number", [2, 3, 1, 0], ids=["same", "new", "before", "before that"])
def test_F45_the_deploy_after_a_verification_that_failed_mends_the_first_time(
    number: int, full: bool, layout: SymlinkedLayout, source: Source, location: Path
) -> None:
    write_into(location / "d/same")
    assert layout.verify(full=full).changed == ["d/same"]
    deploy(layout, source, number)
    assert snapshot(location) == source.checked_out(number)
    assert layout.verify(full=True).ok


SUSPECT: dict[str, tuple[Callable[[Path], object], set[int]]] = {
    "written into a file that all share": (lambda live: write_into(live / "d/same"), set()),
    "mode of a file that all share": (lambda live: (live / "d/same").chmod(0o755), set()),
    "written into a file that none shares": (lambda live: write_into(live / "a"), {0, 1}),
    "replaced a file": (lambda live: replace(live / "d/same"), {0, 1}),
    "deleted a file": (lambda live: (live / "d/same").unlink(), {0, 1}),
    "made a file": (lambda live: (live / "more").touch(), {0, 1}),
}


@pytest.mark.parametrize("name", SUSPECT)
def test_F45_trees_that_share_a_spoilt_file_are_not_trusted_and_others_are(
    name: str,
    location: Path,
    layout: SymlinkedLayout,
    source: Source,
) -> None:
    spoil, trusted = SUSPECT[name]
    spoil(location)
    assert not layout.verify(full=True).ok
    assert set(layout.holdings().held) == {source.tag(number).commit for number in trusted}


def test_F45_what_a_fetch_finds_to_be_spoilt_is_not_trusted_in_the_live_tree_either(
    location: Path, source: Source
) -> None:
    layout = with_three_releases(Slots(repo(location)), source)
    write_into(location / "d/same")
    prepare(layout, source, 3)
    assert layout.holdings().damaged
    layout.activate(source.release(3))
    assert snapshot(location) == source.checked_out(3)


def test_F11_a_tree_that_was_found_to_be_damaged_is_told_until_it_is_mended(
    layout: SymlinkedLayout, source: Source, location: Path
) -> None:
    assert not layout.holdings().damaged
    write_into(location / "d/same")
    assert not layout.holdings().damaged, "nobody has looked yet"
    layout.verify(full=True)
    assert layout.holdings().damaged
    deploy(layout, source, 2)
    assert not layout.holdings().damaged


def test_F11_a_tree_that_was_mended_by_hand_is_not_damaged(layout: SymlinkedLayout, location: Path) -> None:
    write_into(location / "d/same")
    layout.verify(full=True)
    (location / "d/same").write_text("same")
    layout.verify(full=False)
    assert layout.holdings().damaged, "not every byte was read"
    layout.verify(full=True)
    assert not layout.holdings().damaged


# -- what does not belong there ---------------------------------------------------------------------------------


def put_time_back(directory: Path, act: Callable[[], object]) -> None:
    before = directory.stat()
    act()
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def move_aside(directory: Path) -> None:
    aside = directory.parents[2] / "aside"
    os.rename(directory, aside)
    directory.symlink_to(aside)


WRITES: dict[str, Callable[[Path], object]] = {
    "a file": lambda at: (at / "evil").touch(),
    "a file deep down": lambda at: (at / "d/deep/evil").touch(),
    "a file, and the time put back": lambda at: put_time_back(at / "d", (at / "d/evil").touch),
    "a file in a directory that goes": lambda at: (at / "only0/evil").touch(),
    "a file in the submodule": lambda at: (at / "sub/evil").touch(),
    "a file where a directory comes": lambda at: (at / "only3").touch(),
    "a link": lambda at: (at / "e/evil").symlink_to("/"),
    "directories": lambda at: (at / "d/evil/evil").mkdir(parents=True),
    "a directory with files": lambda at: shutil.copytree(at / "d", at / "evil"),
    "a directory where one comes": lambda at: shutil.copytree(at / "d", at / "only3"),
    "another file in the place of one": lambda at: replace(at / "d/same"),
    "a directory in the place of a file": lambda at: ((at / "e/two").unlink(), (at / "e/two").mkdir()),
    "a file less": lambda at: (at / "e/two").unlink(),
    "a directory less": lambda at: shutil.rmtree(at / "d"),
    "a deep directory less": lambda at: shutil.rmtree(at / "d/deep"),
    "the submodule less": lambda at: (at / "sub").rmdir(),
    "a file in the place of a directory": lambda at: (shutil.rmtree(at / "d"), (at / "d").touch()),
    "a link to its twin in the place of a directory": lambda at: move_aside(at / "d"),
    "another directory of the same files": lambda at: (
        shutil.copytree(at / "d", at / "n"),
        shutil.rmtree(at / "d"),
        os.rename(at / "n", at / "d"),
    ),
    "nothing": lambda at: None,
}


@pytest.mark.parametrize("number", [3, 0], ids=["new", "as it was"])
@pytest.mark.parametrize("name", WRITES)
def test_F46_a_slot_that_is_used_again_holds_the_release_and_nothing_else(
    name: str, number: int, location: Path, source: Source
) -> None:
    layout = with_three_releases(Slots(repo(location, stat_limit=0)), source)
    WRITES[name](tree_of(layout, source, 0))
    deploy(layout, source, number)
    assert snapshot(location) == source.checked_out(number)
    assert layout.verify(full=True).ok


@pytest.mark.parametrize("name", WRITES)
def test_F46_a_release_directory_that_goes_live_again_holds_the_release_and_nothing_else(
    name: str, location: Path, source: Source
) -> None:
    layout = with_three_releases(Releases(repo(location, stat_limit=0)), source)
    WRITES[name](tree_of(layout, source, 0))
    deploy(layout, source, 0)
    assert snapshot(location) == source.checked_out(0)


@pytest.mark.parametrize("limit", LIMITS)
def test_F47_a_check_that_makes_a_link_passes_whenever_a_slot_is_used_again(
    limit: str, location: Path, source: Source
) -> None:
    layout = Slots(repo(location, stat_limit=LIMITS[limit]))
    for number in [0, 1, 2, 3, 4, 5, 0, 1, 2]:
        prepare(layout, source, number)
        (tree_of(layout, source, number) / "d/current").symlink_to("same")
        layout.activate(source.release(number))


def test_F46_only_directories_are_read_in_which_somebody_has_been(location: Path, source: Source) -> None:
    layout = with_three_releases(Slots(repo(location, stat_limit=0)), source)
    (tree_of(layout, source, 0) / "d/evil").touch()
    in_d_and_nothing_deeper = 1
    assert deploy(layout, source, 3)["compared"] == in_d_and_nothing_deeper
    assert deploy(layout, source, 4)["compared"] == 0
    assert deploy(layout, source, 5)["compared"] == 0
    assert deploy(layout, source, 0)["compared"] == 0, "what was looked at is known again"


def test_F46_a_slot_of_an_older_version_is_compared_as_a_whole(location: Path, source: Source) -> None:
    layout = with_three_releases(Slots(repo(location, stat_limit=0)), source)
    spare = tree_of(layout, source, 0)
    with sqlite3.connect(spare.with_name(f"{spare.name}.db")) as database:
        database.execute("DROP TABLE looks")
    database.close()
    (spare / "d/deep/evil").touch()
    assert deploy(layout, source, 3)["compared"] == len(RELEASES[3])
    assert snapshot(location) == source.checked_out(3)


def test_F46_what_users_of_the_live_tree_wrote_stays_while_it_is_live(
    layout: SymlinkedLayout, source: Source, location: Path
) -> None:
    (location / "d/cache").touch()
    deploy(layout, source, 2)
    assert (location / "d/cache").exists()
