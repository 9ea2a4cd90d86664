"""The transports: a release arrives whole or not at all, from what the host holds, and nothing is left on the way."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import transports
from saltdeploy.config import transports as config_transports
from saltdeploy.content.payloads import Payloads
from saltdeploy.download.salt import SaltFiles
from saltdeploy.git.repository import Repository, no_progress
from saltdeploy.lib import disk
from saltdeploy.lib.errors import (
    ConfigError,
    Corrupt,
    DeployError,
    DiskFull,
    MovedTag,
    NoBase,
    Unavailable,
)
from saltdeploy.protocol.orders import FETCH, Order, Payload

from tests.support.repositories import FILE, Entry, Source, Tree, configure, git, repo, tree
from tests.support.targets import Copies
from tests.support.travels import Traveller


class Fleet:
    """A master with a source, and one host with an empty store."""

    def __init__(self, place: Path) -> None:
        self.source = Source(place / "source.git", tree(a="1"), tree(a="2"), tree(a="3"))
        self.payloads = Payloads(place / "payloads")
        self.carrier = Copies(self.payloads)
        self.store = Repository(place / "store.git")
        self.store.ensure()
        self.incoming = place / "incoming"
        self.url = f"file://{self.source.git_dir}"

    def order(self, transport: str, number: int, *bases: int | None) -> Order:
        """What the master asks for, with a payload for each base."""
        packed = [payload for base in bases for payload in self.pack(transport, number, base)]
        release = self.source.release(number)
        return Order("2" * 20, 1, FETCH, release, transport, tuple(packed))

    def pack(self, transport: str, number: int, base: int | None) -> tuple[Payload, ...]:
        commit = "" if base is None else self.source.tag(base).commit
        tag = self.source.tag(number)
        return transports.of(transport).pack(self.payloads, self.source.repository, "demo", tag, commit)

    def arrive(self, order: Order) -> dict[str, object]:
        configured = repo(Path("/srv/demo"), url=self.url)
        arrival = transports.Arrival(configured, self.store, self.carrier, self.incoming)
        return transports.of(order.transport).unpack(order, arrival, no_progress).facts

    def left_on_the_way(self) -> list[Path]:
        return [path for path in self.incoming.rglob("*") if path.is_file()]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


both = pytest.mark.parametrize("transport", ["bundle", "git"])


@both
def test_a_bare_host_gets_the_release(fleet: Fleet, transport: str) -> None:
    order = fleet.order(transport, 1, None)
    fleet.arrive(order)
    assert fleet.store.kept() == [order.release.commit]
    assert git(fleet.store.git_dir, "show", f"{order.release.commit}:a") == b"2"
    assert fleet.left_on_the_way() == []


@both
def test_a_release_that_is_here_is_held_and_not_brought_again(fleet: Fleet, transport: str) -> None:
    fleet.arrive(fleet.order(transport, 1, None))
    fleet.store.forget_all_but([])
    fleet.carrier.fetched.clear()
    fleet.url = "file:///nowhere"
    fleet.arrive(fleet.order(transport, 1, None))
    assert fleet.store.kept() == [fleet.source.tag(1).commit]
    assert fleet.carrier.fetched == []


def test_there_is_no_transport_of_another_name() -> None:
    with pytest.raises(ConfigError, match="carrier pigeon"):
        transports.of("carrier pigeon")


# -- bundle ---------------------------------------------------------------------------------------------


def test_a_host_takes_the_smallest_payload_that_fits(fleet: Fleet) -> None:
    fleet.arrive(fleet.order("bundle", 0, None))
    order = fleet.order("bundle", 2, 1, 0, None)
    fits = [payload for payload in order.payloads if payload.base != fleet.source.tag(1).commit]
    smallest = min(fits, key=lambda payload: payload.size)
    facts = fleet.arrive(order)
    assert facts == {"bytes": smallest.size, "base": smallest.base}
    assert fleet.carrier.fetched[-1] == smallest.sha256


def test_a_host_that_none_of_the_payloads_fits_asks_for_another(fleet: Fleet) -> None:
    with pytest.raises(NoBase):
        fleet.arrive(fleet.order("bundle", 2, 1, 0))
    assert fleet.carrier.fetched == []


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"x"), lambda path: path.write_bytes(b"")]
)
def test_what_arrives_damaged_changes_nothing(fleet: Fleet, spoil: Callable[[Path], object]) -> None:
    def damage(path: Path) -> None:
        spoil(path)

    fleet.carrier.spoil = damage  # type: ignore[assignment]
    with pytest.raises((Corrupt, OSError)):
        fleet.arrive(fleet.order("bundle", 1, None))
    assert fleet.store.kept() == []
    assert fleet.left_on_the_way() == []


def test_a_bundle_that_git_would_take_is_refused_when_it_is_not_the_payload(fleet: Fleet) -> None:
    """Whoever carries the bytes could add objects of his own to a release."""
    tag = fleet.source.tag(1)
    order = fleet.order("bundle", 1, None)
    other = dataclasses.replace(tag, name="other")
    fleet.carrier.spoil = lambda path: fleet.source.repository.pack(other, "", path)
    with pytest.raises(Corrupt, match=order.payloads[0].sha256):
        fleet.arrive(order)
    assert not fleet.store.has(tag.commit)


def test_what_was_half_received_when_somebody_killed_us_is_gone(fleet: Fleet) -> None:
    half = fleet.incoming / "demo" / f"{'f' * 64}.bundle"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    other = fleet.incoming / "other%2Frepo" / "file"
    other.parent.mkdir()
    other.write_bytes(b"of a repo that is being fetched right now")
    fleet.arrive(fleet.order("bundle", 1, None))
    assert fleet.left_on_the_way() == [other]


def test_room_for_the_payload_is_looked_for_before_it_is_fetched(fleet: Fleet) -> None:
    order = fleet.order("bundle", 1, None)
    huge = dataclasses.replace(order.payloads[0], size=1 << 50)
    with pytest.raises(DiskFull, match=f"{3 << 50} bytes are needed"):
        fleet.arrive(dataclasses.replace(order, payloads=(huge,)))
    assert fleet.carrier.fetched == []


def test_a_cache_on_another_disk_needs_room_for_what_is_received_only(fleet: Fleet) -> None:
    """/dev/shm is a file system of its own; where it is not, both are asked for room for everything."""
    shared = Path("/dev/shm").stat().st_dev == fleet.store.git_dir.stat().st_dev
    order = fleet.order("bundle", 1, None)
    huge = dataclasses.replace(order.payloads[0], size=1 << 50)
    fleet.incoming = Path("/dev/shm") / f"saltdeploy-{fleet.store.git_dir.parent.name}"
    try:
        with pytest.raises(DiskFull, match=f"{(3 if shared else 2) << 50} bytes are needed"):
            fleet.arrive(dataclasses.replace(order, payloads=(huge,)))
    finally:
        disk.remove_tree(fleet.incoming)


def test_a_carrier_that_brings_nothing_changes_nothing(fleet: Fleet) -> None:
    fleet.carrier = SaltFiles(lambda url, path: "")  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        fleet.arrive(fleet.order("bundle", 1, None))
    assert fleet.store.kept() == []


# -- git ------------------------------------------------------------------------------------------------


def test_the_master_packs_nothing_for_git(fleet: Fleet) -> None:
    assert fleet.pack("git", 1, None) == ()


def test_a_repo_without_a_url_is_told_which_keys_to_set(fleet: Fleet) -> None:
    fleet.url = ""
    arrival = transports.Arrival(repo(Path("/srv/demo")), fleet.store, fleet.carrier, fleet.incoming)
    with pytest.raises(ConfigError) as caught:
        transports.of("git").unpack(fleet.order("git", 1), arrival, no_progress)
    assert caught.value.path == "repo_config:demo:url"


def test_a_tag_that_moved_on_the_server_is_named_with_both_commits(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = fleet.order("git", 1)
    # the server gives nothing by its id
    configure(monkeypatch, tmp_path / "home", "[protocol]\n version = 0\n")
    git(fleet.source.git_dir, "tag", "-f", "v1", fleet.source.tag(0).commit)
    fleet.url = f"file://{fleet.source.git_dir}"
    with pytest.raises(MovedTag) as caught:
        fleet.arrive(order)
    assert order.release.commit in caught.value.cause
    assert fleet.source.repository.tag("v1").commit in caught.value.cause
    assert fleet.store.kept() == []


def test_no_password_is_told_when_the_server_is_away(fleet: Fleet) -> None:
    fleet.url = "https://me:s3cret@nobody.invalid/x"
    with pytest.raises(DeployError) as caught:
        fleet.arrive(fleet.order("git", 1))
    assert "s3cret" not in str(caught.value)


def test_F04_all_that_can_be_chosen_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        transports.of("pigeon")
    named = caught.value.next.removeprefix("choose one of ").split(", ")
    assert named == config_transports.choices()
    assert {"auto", "bundle", "tar+swarm"} <= set(named)
    for name in config_transports.TABLE.names():
        transports.of(name)


@pytest.mark.parametrize("layout", ["slots", "inplace"])
def test_F32_what_git_has_received_is_told_in_bytes(tmp_path: Path, layout: str) -> None:
    noise = [os.urandom(size) for size in (300_000, 100_000)]
    first: Tree = {b"a": Entry(FILE, noise[0])}
    source = Source(tmp_path / "noise.git", first, {**first, b"b": Entry(FILE, noise[1])})
    target = Traveller(tmp_path / "host", source, "git", layout=layout)
    for number, size in enumerate(map(len, noise)):
        told = target.fetch(number).facts["bytes"]
        assert size <= told <= size + 2_000, (number, told)
