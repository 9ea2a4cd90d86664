"""Masters that share a store: the lease of a deploy, and who is fenced when two meet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import BadArguments, Fenced, Locked
from saltdeploy.master.cache import CLAIMS
from saltdeploy.master.locking.lease import LEASE

from tests.support.stores import Directory, store
from tests.unit.master.masters import NOON, Clock, Master, person

__all__ = ["store"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def east(tmp_path: Path, store: Directory, clock: Clock) -> Master:
    return Master(tmp_path / "east", store, clock)


@pytest.fixture
def west(tmp_path: Path, store: Directory, clock: Clock) -> Master:
    return Master(tmp_path / "west", store, clock)


def test_a_deploy_of_another_master_is_in_the_way(east: Master, west: Master) -> None:
    with east.locks.hold("mediawiki", (), person("alice")):
        with pytest.raises(Locked, match="alice.*last sign of life"):
            west.locks.hold("mediawiki", (), person("bob")).__enter__()
        assert west.can_deploy("parsoid")
        assert [lock.holder.user for lock in west.locks.running()] == ["alice"]
    assert west.can_deploy()
    assert west.locks.running() == []


def test_a_lock_by_hand_holds_on_all_masters(east: Master, west: Master) -> None:
    east.locks.lock("global", "the database moves", person("carol"))
    assert not west.can_deploy()
    west.locks.unlock("global", person("carol"))
    assert east.can_deploy()


def test_signs_of_life_keep_it_however_long_it_takes(east: Master, west: Master, clock: Clock) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        for _ in range(200):
            clock.now += 5
            lease.beat(clock.now)
            assert not west.can_deploy()


def test_a_sign_of_life_costs_the_store_little(east: Master, store: Directory, clock: Clock) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        before = store.asked
        for _ in range(10 * int(LEASE)):
            clock.now += 0.1
            lease.beat(clock.now)
        assert store.asked - before <= 2 * 5  # a look and a sign each: the first, and three a lease


def test_a_master_that_gives_no_sign_is_followed_and_fenced(east: Master, west: Master, clock: Clock) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as old:
        clock.now += LEASE - 1
        assert not west.can_deploy()
        clock.now += 1
        with west.locks.hold("mediawiki", (), person("bob")) as new:
            assert new.epoch > old.epoch
            with pytest.raises(Fenced, match="bob"):
                old.beat(clock.now)
            new.beat(clock.now)


def test_the_one_that_was_fenced_does_not_free_what_the_other_holds(
    east: Master, west: Master, tmp_path: Path, store: Directory, clock: Clock
) -> None:
    north = Master(tmp_path / "north", store, clock)
    old = east.locks.hold("mediawiki", (), person("alice"))
    old.__enter__()
    clock.now += LEASE
    with west.locks.hold("mediawiki", (), person("bob")) as new:
        old.__exit__(None, None, None)
        assert not north.can_deploy()
        clock.now += 1
        new.beat(clock.now)


def test_a_deploy_of_this_master_that_died_needs_no_waiting(
    east: Master, store: Directory, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        claim = store.fetch(CLAIMS, "mediawiki")
    store.store(CLAIMS, "mediawiki", claim)  # as it stands when its process was killed
    with east.locks.hold("mediawiki", (), person("bob")) as next_one:
        assert next_one.epoch > lease.epoch


# -- the store goes away --------------------------------------------------------------------------------


def test_a_store_that_is_away_for_a_while_stops_no_deploy(
    east: Master, west: Master, store: Directory, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        store.broken = True
        while clock.now < NOON + LEASE - 2:
            clock.now += 1
            lease.beat(clock.now)
        store.broken = False
        clock.now += 1.5
        lease.beat(clock.now)
        clock.now += LEASE - 1
        assert not west.can_deploy()


def test_a_deploy_whose_signs_nobody_can_see_for_a_whole_lease_is_fenced(
    east: Master, store: Directory, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        store.broken = True
        clock.now += LEASE - 1
        lease.beat(clock.now)
        clock.now += 2
        with pytest.raises(Fenced, match="ran out"):
            lease.beat(clock.now)


def test_a_store_that_lost_the_record_gets_it_again(
    east: Master, west: Master, store: Directory, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        store.flush(CLAIMS)
        clock.now += 1
        lease.beat(clock.now)
        assert not west.can_deploy()


def test_a_clock_that_is_put_back_does_not_silence_the_signs(
    east: Master, store: Directory, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        clock.now -= 3600
        lease.beat(clock.now)
        assert store.fetch(CLAIMS, "mediawiki")["beat"] == clock.now


# -- by force -------------------------------------------------------------------------------------------


def test_force_frees_a_repo_from_a_master_that_is_dead_and_fences_it_if_it_is_not(
    east: Master, west: Master, clock: Clock
) -> None:
    with east.locks.hold("mediawiki", (), person("alice")) as lease:
        with pytest.raises(Locked, match="alice"):
            west.locks.unlock("repo:mediawiki", person("bob"))
        with pytest.raises(BadArguments, match="reason"):
            west.locks.unlock("repo:mediawiki", person("bob"), force=True)
        assert not west.can_deploy()
        west.locks.unlock("repo:mediawiki", person("bob"), force=True, reason="east burns")
        assert west.can_deploy()
        clock.now += 1
        with pytest.raises(Fenced):
            lease.beat(clock.now)
    (entry,) = west.locks.log()
    assert (entry["act"], entry["by"]["user"], entry["reason"]) == ("freed", "bob", "east burns")


# -- at the same moment ---------------------------------------------------------------------------------


class Slow(Directory):
    """A store on whose way to one master something else happens, once.

    Args:
        after: ``fetch`` or ``store``: right after this question about a deploy's claim.
        meanwhile: what happens then.
    """

    def __init__(self, path: Path, after: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(path)
        self._after = after
        self._meanwhile = meanwhile

    def fetch(self, bank: str, key: str) -> Any:
        found = super().fetch(bank, key)
        self._happen("fetch", bank)
        return found

    def store(self, bank: str, key: str, data: Any) -> None:
        super().store(bank, key, data)
        self._happen("store", bank)

    def _happen(self, question: str, bank: str) -> None:
        if bank == CLAIMS and question == self._after:
            self._after = ""
            self._meanwhile()


def test_of_two_masters_that_saw_nobody_the_one_whose_record_stands_goes_on(
    east: Master, tmp_path: Path, clock: Clock
) -> None:
    """East looks and begins while west, which has looked too, has not written yet."""
    others = east.locks.hold("mediawiki", (), person("alice"))
    taken: list[Any] = []

    def east_begins() -> None:
        taken.append(others.__enter__())
        clock.now += 0.01

    west = Master(tmp_path / "west", Slow(tmp_path / "store", "fetch", east_begins), clock)
    with west.locks.hold("mediawiki", (), person("bob")) as wests:
        easts = taken[0]
        assert easts.epoch != wests.epoch
        clock.now += 0.3
        with pytest.raises(Fenced, match="bob"):
            easts.beat(clock.now)
        wests.beat(clock.now)
        others.__exit__(None, None, None)
        assert not east.can_deploy()


def test_a_master_whose_record_is_gone_when_it_reads_it_back_does_not_begin(
    east: Master, tmp_path: Path, store: Directory, clock: Clock
) -> None:
    """East had looked before west wrote, and writes after it."""
    claim: dict[str, Any] = {}
    with east.locks.hold("mediawiki", (), person("alice")):
        claim.update(store.fetch(CLAIMS, "mediawiki"))
    slow = Slow(tmp_path / "store", "store", lambda: store.store(CLAIMS, "mediawiki", claim))
    west = Master(tmp_path / "west", slow, clock)
    clock.now += LEASE
    with pytest.raises(Locked, match="alice"):
        west.locks.hold("mediawiki", (), person("bob")).__enter__()
    assert store.fetch(CLAIMS, "mediawiki") == claim


def test_of_two_locks_by_hand_at_the_same_moment_one_is_refused(
    east: Master, west: Master, tmp_path: Path, clock: Clock
) -> None:
    slow = Slow(tmp_path / "store", "", lambda: None)

    def store_then_lose(bank: str, key: str, data: Any) -> None:
        Directory.store(slow, bank, key, data)
        west.locks.unlock("global", person("carol"))
        west.locks.lock("global", "west's", person("dave"))

    slow.store = store_then_lose  # type: ignore[method-assign]
    with pytest.raises(Locked, match="dave"):
        Master(east.root, slow, clock).locks.lock("global", "east's", person("carol"))
    assert [lock.holder.user for lock in east.locks.all()] == ["dave"]
