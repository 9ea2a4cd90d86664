"""``transport: auto``: what is packed to choose, what is chosen for whom, and that a choice stays what it was."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.config import transports
from saltdeploy.content.payloads import Payloads
from saltdeploy.lib import programs
from saltdeploy.lib.errors import DiskFull
from saltdeploy.master.context import Master
from saltdeploy.master.payloads import source
from saltdeploy.master.planning.transport_choice import TransportChooser, needed
from saltdeploy.protocol.holdings import YOUNG, Holdings
from saltdeploy.protocol.orders import Payload

from tests.support.repositories import FILE, Entry, Source
from tests.support.stores import Directory

CHANCE = random.Random(7)
#: 200 files of the same contents: git packs each once, and so does zstd.
COMMON = {b"%03d" % n: Entry(FILE, CHANCE.randbytes(2_000)) for n in range(200)}
OLD = {**COMMON, b"index": Entry(FILE, b"old")}
NEW = {**COMMON, b"index": Entry(FILE, b"new")}
SITES = {"codfw": ["far1", "far2"], "moon": ["moon1"]}
LINKS = {"codfw": {"rate": "20KB", "rtt": "40ms"}, "moon": {"rate": 1024, "rtt": 2.5}}


def _nothing(*_: object) -> Any:
    raise AssertionError("nobody is asked")


class World:
    """A master with a repository of two releases, and hosts that hold something."""

    def __init__(self, root: Path) -> None:
        self.source = Source(root / "source", OLD, NEW)
        self.keys: dict[str, Any] = {"location": "/srv/demo", "source": str(self.source.git_dir)}
        self.held: dict[str, Holdings] = {}
        self.links = LINKS
        self.master = Master(
            root=root / "master",
            bus=None,  # type: ignore[arg-type] - nobody uses it
            store=Directory(root / "store"),
            targets=lambda expression, kind: SITES[expression.removeprefix("G@site:")],
            accepted=_nothing,
            secret=_nothing,
            user="amir",
            place=CheckContext(_nothing, _nothing),
        )

    @property
    def repo(self) -> config.Repo:
        pillar = {"deployment_config": {"links": self.links}, "repo_config": {"demo": self.keys}}
        return config.load(pillar, "demo")

    def holds(self, *numbers: int, programs: tuple[str, ...] = transports.programs()) -> Holdings:
        commits = tuple(self.source.tag(number).commit for number in numbers)
        return Holdings(live=commits[0] if commits else "", held=commits, programs=programs, knows=YOUNG)

    def chooser(self) -> TransportChooser:
        repo = self.repo
        there = source.Source(repo, self.master.root)
        return TransportChooser(repo, there, self.source.tag(1), self.held, self.master)

    def packed(self) -> set[str]:
        """The kinds of what is packed for the new release."""
        commit = self.source.tag(1).commit
        notes = (self.master.root / "payloads" / "pairs").glob(f"*/*-{commit}*.json")
        return {note.name.split(".")[1].replace("json", "bundle") for note in notes}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_on_a_fast_network_a_bundle_is_packed_and_nothing_else(world: World) -> None:
    world.held = {"near": world.holds(), "near2": world.holds(0)}
    chooser = world.chooser()
    assert chooser.choose("near")[0] == chooser.choose("near2")[0] == "bundle"
    assert world.packed() == {"bundle"}


def test_a_small_change_over_a_thin_link_is_a_bundle_and_no_archive_is_packed(world: World) -> None:
    world.held = {"moon1": world.holds(0)}
    transport, why = world.chooser().choose("moon1")
    assert (transport, world.packed()) == ("bundle", {"bundle", "trees"})
    assert why.startswith("auto: bundle, ")
    assert " tar at least " in why.replace("(", " ")


def test_a_first_install_over_a_thin_link_is_an_archive_where_that_is_smaller(world: World) -> None:
    """Many small texts of the same words: zstd sees all of them, git one file."""
    words = [bytes(CHANCE.choices(b"abcdefghij", k=9)) for _ in range(500)]
    many = {b"%d" % n: Entry(FILE, b" ".join(CHANCE.choices(words, k=60))) for n in range(900)}
    world.source = Source(world.source.git_dir.with_name("texts"), OLD, many)
    world.keys["source"] = str(world.source.git_dir)
    world.held = {"moon1": world.holds(programs=("zstd",)), "far1": world.holds(programs=())}
    chooser = world.chooser()
    transport, why = chooser.choose("moon1")
    sizes = {kind: _size(world, kind) for kind in ("bundle", "tar", "trees")}
    assert 0 < sizes["tar"] + sizes["trees"] < sizes["bundle"]
    assert transport == "tar", why
    assert chooser.choose("far1")[0] == "bundle"  # it has no zstd
    assert "tar" not in chooser.choose("far1")[1]
    assert why == world.chooser().choose("moon1")[1]  # another process, with everything packed, says the same


def _size(world: World, kind: str) -> int:
    commit = world.source.tag(1).commit
    found = Payloads(world.master.root / "payloads").find("demo", "", commit, kind)
    return found.size if found else 0


def test_who_holds_the_release_needs_no_thought(world: World) -> None:
    world.held = {"moon1": world.holds(1)}
    assert world.chooser().choose("moon1") == ("bundle", "auto: bundle, it holds the release already")
    assert world.packed() == set()


def test_a_layout_that_takes_one_transport_leaves_no_choice(world: World) -> None:
    world.keys |= {"layout": "inplace", "transport": "auto"}
    world.held = {"moon1": world.holds()}
    assert world.chooser().choose("moon1") == ("bundle", "auto: bundle, nothing else fits")


def test_where_nothing_else_can_be_packed_it_is_the_bundle_and_the_line_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFull("no room for archives")

    monkeypatch.setattr(programs, "run", full)
    world.links = {"moon": {"rate": 1024, "rtt": "1ms"}}
    world.held = {"moon1": world.holds()}
    transport, why = world.chooser().choose("moon1")
    assert transport == "bundle", why
    assert "tar cannot be packed: no room for archives" in why


def test_hosts_that_nothing_is_said_of_have_the_link_of_the_default(world: World) -> None:
    world.links = {"default": {"rate": 1024}}
    world.held = {"somewhere": world.holds()}
    assert "(" in world.chooser().choose("somewhere")[1]  # the others were thought about


def test_a_list_of_urls_is_not_taken_for_what_brings_a_release() -> None:
    bundle, few = Payload("", "a" * 64, 5000), Payload("", "b" * 64, 10, "urls")
    assert needed([bundle, few], Holdings()) == (5000, 1)
