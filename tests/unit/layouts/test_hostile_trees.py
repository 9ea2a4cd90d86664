"""A release that was made to hurt: it is refused, and nothing outside of its slot is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.errors import DeployError

from tests.support.repositories import (
    Entry,
    RawTree,
    Source,
    add_raw,
    deploy,
    link,
    prepare,
    repo,
    snapshot,
    tree,
)

FILE, LINK, DIRECTORY = "100644", "120000", "40000"

Make = Callable[[Path], RawTree]

TREES: dict[str, Make] = {
    "above": lambda outside: [(DIRECTORY, b"..", [(FILE, b"escaped", b"x")])],
    "above, deeper": lambda outside: [(DIRECTORY, b"d", [(DIRECTORY, b"..", [(FILE, b"escaped", b"x")])])],
    "above, by one name": lambda outside: [(FILE, b"../escaped", b"x")],
    "a whole path": lambda outside: [(FILE, bytes(outside / "escaped"), b"x")],
    "here": lambda outside: [(DIRECTORY, b".", [(FILE, b"escaped", b"x")])],
    "no name": lambda outside: [(DIRECTORY, b"", [(FILE, b"escaped", b"x")])],
    "git's own": lambda outside: [(DIRECTORY, b".git", [(FILE, b"config", b"x")])],
    "git's own, loudly": lambda outside: [
        (DIRECTORY, b"d", [(DIRECTORY, b".GIT", [(FILE, b"config", b"x")])])
    ],
    "git's own as a file": lambda outside: [(FILE, b".git", b"gitdir: /")],
    "a link, then a path through it": lambda outside: [
        (LINK, b"d", bytes(outside)),
        (DIRECTORY, b"d", [(FILE, b"escaped", b"x")]),
    ],
    "a path, then a link instead of its directory": lambda outside: [
        (DIRECTORY, b"d", [(FILE, b"escaped", b"x")]),
        (LINK, b"d", bytes(outside)),
        (DIRECTORY, b"d", [(FILE, b"escaped2", b"x")]),
    ],
    "a submodule, then a link, then a path": lambda outside: [
        ("160000", b"d", b"x"),
        (LINK, b"d", bytes(outside)),
        (DIRECTORY, b"d", [(FILE, b"escaped", b"x")]),
    ],
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that no release has any business in."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "theirs").write_text("theirs")
    return place


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("first", [True, False], ids=["bare host", "in a slot"])
def test_it_is_refused(name: str, first: bool, tmp_path: Path, location: Path, outside: Path) -> None:
    source = Source(tmp_path / "source", tree(a="0"), tree(a="1"))
    add_raw(source, 2, TREES[name](outside))
    layout = Slots(repo(location, slots=2))
    if not first:
        deploy(layout, source, 0)
        deploy(layout, source, 1)
    before = snapshot(location) if not first else None
    around = surroundings(tmp_path)
    with pytest.raises(DeployError):
        deploy(layout, source, 2)
    assert surroundings(tmp_path) == around
    assert snapshot(outside).keys() == {b"theirs"}
    if first:
        assert not location.exists()
    else:
        assert snapshot(location) == before
        deploy(layout, source, 0)
        assert snapshot(location) == source.checked_out(0)


def surroundings(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()} - {".live.deploy"}


def test_a_directory_replaces_a_link_of_the_release_before(
    tmp_path: Path, location: Path, outside: Path
) -> None:
    before = {b"d": link(str(outside)), b"a": Entry(FILE, b"a")}
    after = {b"d/theirs": Entry(FILE, b"ours"), b"d/new": Entry(FILE, b"n")}
    layout = Slots(repo(location, slots=2))
    source = Source(tmp_path / "source", before, tree(a="1"), after)
    for number in (0, 1, 2):
        deploy(layout, source, number)
    assert snapshot(location) == source.checked_out(2)
    assert (outside / "theirs").read_text() == "theirs"
    assert snapshot(outside).keys() == {b"theirs"}


@pytest.mark.parametrize("edit", ["a file there changes", "a file there goes", "all there goes"])
def test_a_link_that_somebody_put_in_place_of_a_directory_is_not_followed(
    edit: str, tmp_path: Path, location: Path, outside: Path
) -> None:
    before = tree(d__theirs="theirs", d__b="b", a="0")
    after = {
        "a file there changes": tree(d__theirs="ours", d__b="b", a="0"),
        "a file there goes": tree(d__b="b", a="0"),
        "all there goes": tree(a="0"),
    }[edit]
    source = Source(tmp_path / "source", before, tree(a="1"), after)
    layout = Slots(repo(location, slots=2))
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    spare = tmp_path / ".live.deploy/slots/0"
    shutil.rmtree(spare / "d")
    (spare / "d").symlink_to(outside)
    deploy(layout, source, 2)
    assert snapshot(location) == source.checked_out(2)
    assert (outside / "theirs").read_text() == "theirs"
    assert snapshot(outside).keys() == {b"theirs"}


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("layout", ["slots", "releases", "inplace"])
def test_F44_it_is_refused_at_the_fetch_whatever_the_layout(
    name: str, layout: str, tmp_path: Path, location: Path, outside: Path
) -> None:
    """Behind the barrier it would be too late: other hosts would have switched."""
    source = Source(tmp_path / "source", tree(a="0"))
    add_raw(source, 1, TREES[name](outside))
    made = layouts.of(repo(location, layout=layout))
    deploy(made, source, 0)
    with pytest.raises(DeployError):
        prepare(made, source, 1)
    shown = {path: entry for path, entry in snapshot(location).items() if not path.startswith(b".git")}
    assert shown == source.checked_out(0)
    assert snapshot(outside).keys() == {b"theirs"}
