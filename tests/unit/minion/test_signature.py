"""What a host takes: a release that is signed, if it asks for that, and the bytes that were sealed."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from saltdeploy.lib.errors import ConfigError, Corrupt, NotReady, Unsigned
from saltdeploy.minion import own_orders, stages
from saltdeploy.protocol import seals
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal

from tests.support.repositories import Source, snapshot
from tests.support.signing import generate, public_pem
from tests.support.targets import Target


@pytest.fixture
def roots(tmp_path: Path, source: Source) -> list[str]:
    """The roots of the releases, as somebody else computes them."""
    other = Target(tmp_path / "other", source)
    return [str(other.deploy(number)[0].facts["root"]) for number in range(3)]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return generate(tmp_path / "key.pem")


@pytest.fixture
def careful(tmp_path: Path, source: Source, key: Path) -> Target:
    """A host that takes signed releases only."""
    host = Target(tmp_path / "careful", source)
    trusted = (seals.public_key(public_pem(key)),)
    host.repo = dataclasses.replace(
        host.repo, trust=dataclasses.replace(host.repo.trust, release_keys=trusted)
    )
    return host


def sealed(order: Order, seal: Seal | None, key: Path | None = None) -> Order:
    signed = seals.signed(order.release, seal, key) if seal and key else seal
    return Order.from_wire(json.loads(json.dumps(dataclasses.replace(order, seal=signed).to_wire())))


def deploy(host: Target, number: int, seal: Seal | None, key: Path | None = None) -> list[Result]:
    orders = [
        host.order(number, stage, deploy=number + 100 * len(host.events)) for stage in (FETCH, CHECKOUT)
    ]
    return [host.run(sealed(order, seal, key)) for order in orders]


def test_a_host_tells_the_root_that_it_computed(host: Target, roots: list[str]) -> None:
    fetched, switched = deploy(host, 0, Seal(roots[0]))
    assert fetched.ok
    assert fetched.facts["root"] == roots[0]
    assert switched.holdings.roots == {host.source.tag(0).commit: roots[0]}
    assert Result.from_wire(json.loads(json.dumps(switched.to_wire()))).holdings == switched.holdings


def test_other_bytes_than_those_that_were_sealed_are_never_switched_to(
    host: Target, roots: list[str]
) -> None:
    deploy(host, 0, Seal(roots[0]))
    fetched, switched = deploy(host, 1, Seal(roots[2]))
    assert isinstance(fetched.error, Corrupt)
    assert not switched.ok
    assert snapshot(host.location) == host.source.checked_out(0)
    assert host.source.tag(1).commit not in switched.holdings.held
    assert all(result.ok for result in deploy(host, 1, Seal(roots[1])))


def test_what_is_on_disk_with_another_root_is_made_anew_or_refused(host: Target, roots: list[str]) -> None:
    deploy(host, 0, Seal(roots[0]))
    deploy(host, 1, Seal(roots[1]))
    late = host.run(sealed(host.order(0, CHECKOUT), Seal(roots[2])))
    assert isinstance(late.error, NotReady)
    fetched = host.run(sealed(host.order(0), Seal(roots[2])))
    assert isinstance(fetched.error, Corrupt)
    assert snapshot(host.location) == host.source.checked_out(1)
    assert all(result.ok for result in deploy(host, 0, Seal(roots[0])))


def test_an_order_without_a_seal_is_that_of_an_older_master(host: Target, roots: list[str]) -> None:
    fetched, switched = deploy(host, 0, None)
    assert fetched.ok
    assert switched.ok
    assert fetched.facts["root"] == roots[0]


def test_a_tree_of_an_older_version_gets_its_root_when_it_is_asked_for(
    host: Target, roots: list[str]
) -> None:
    """Neither the database nor the record of the slot knew of digests."""
    deploy(host, 0, None)
    deploy(host, 1, None)
    _as_of_an_older_version(host)
    assert stages.status(host.repo, host.host).holdings.roots == {}
    assert all(result.ok for result in deploy(host, 0, Seal(roots[0]))), "held already"
    assert stages.status(host.repo, host.host).holdings.roots == {host.source.tag(0).commit: roots[0]}
    assert all(result.ok for result in deploy(host, 2, Seal(roots[2])))
    assert all(result.ok for result in deploy(host, 1, Seal(roots[1])))
    assert stages.verify(host.repo, host.host, full=True).ok


def test_a_damaged_tree_of_an_older_version_is_not_built_upon(host: Target, roots: list[str]) -> None:
    for number in (0, 1, 2):
        deploy(host, number, None)
    _as_of_an_older_version(host)
    for slot in (host.repo.paths.area / "slots").glob("[0-9]"):
        (slot / "lib" / "same").write_text("damaged")
    assert all(result.ok for result in deploy(host, 0, Seal(roots[0])))
    assert snapshot(host.location) == host.source.checked_out(0)


def _as_of_an_older_version(host: Target) -> None:
    for record in (host.repo.paths.area / "slots").glob("*.json"):
        known = json.loads(record.read_text())
        known.pop("root")
        record.write_text(json.dumps(known))
    for file in (host.repo.paths.area / "slots").glob("*.db"):
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("ALTER TABLE files DROP COLUMN digest")
            database.execute("DROP TABLE directories")


def test_a_master_with_another_pillar_is_found_out_before_anything_is_fetched(
    host: Target, roots: list[str]
) -> None:
    fetched = host.run(sealed(host.order(0), Seal(roots[0], "lfs")))
    assert isinstance(fetched.error, ConfigError)
    assert "refresh_pillar" in fetched.error.next
    assert host.carrier.fetched == []


def test_a_signed_release_is_taken(careful: Target, roots: list[str], key: Path) -> None:
    assert all(result.ok for result in deploy(careful, 0, Seal(roots[0]), key))
    assert snapshot(careful.location) == careful.source.checked_out(0)


def test_an_unsigned_release_is_refused_before_anything_is_fetched(
    careful: Target, roots: list[str], tmp_path: Path
) -> None:
    stranger = generate(tmp_path / "stranger.pem")
    for seal, by in [(None, None), (Seal(roots[0]), None), (Seal(roots[0]), stranger)]:
        for result in deploy(careful, 0, seal, by):
            assert isinstance(result.error, Unsigned)
            assert result.error.host == "web1"
    assert careful.carrier.fetched == []
    assert not careful.location.exists()


def test_a_signature_of_another_release_does_not_count(careful: Target, roots: list[str], key: Path) -> None:
    good = seals.signed(careful.source.release(0), Seal(roots[0]), key)
    assert isinstance(careful.run(sealed(careful.order(1), good)).error, Unsigned)


def test_what_was_brought_before_signatures_were_asked_for_is_looked_at_again(
    careful: Target, roots: list[str], key: Path
) -> None:
    trusting = dataclasses.replace(
        careful.repo, trust=dataclasses.replace(careful.repo.trust, release_keys=())
    )
    strict, careful.repo = careful.repo, trusting
    deploy(careful, 0, None)
    _as_of_an_older_version(careful)
    careful.repo = strict
    late = careful.run(sealed(careful.order(0, CHECKOUT), Seal(roots[0]), key))
    assert isinstance(late.error, NotReady)
    assert all(result.ok for result in deploy(careful, 0, Seal(roots[0]), key))


def test_the_way_back_is_open_without_a_signature(careful: Target, roots: list[str], key: Path) -> None:
    for number in (0, 1):
        deploy(careful, number, Seal(roots[number]), key)
    assert careful.run(careful.order(0, ROLLBACK)).ok
    assert snapshot(careful.location) == careful.source.checked_out(0)


def test_a_release_on_disk_can_be_asked_for_by_its_tag_with_the_seal_that_it_came_with(
    careful: Target, roots: list[str], key: Path
) -> None:
    for number in (0, 1):
        deploy(careful, number, Seal(roots[number]), key)
    order = own_orders.order_from_disk("v0", careful.repo, careful.host)
    assert order is not None
    for stage in (FETCH, CHECKOUT):
        assert careful.run(sealed(dataclasses.replace(order, stage=stage), order.seal)).ok
    assert snapshot(careful.location) == careful.source.checked_out(0)
