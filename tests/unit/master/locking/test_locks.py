"""Who may deploy: one process of a master at a time, unless an operator has locked it."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltdeploy.lib import flock
from saltdeploy.lib.errors import BadArguments, Locked, Unavailable
from saltdeploy.master.locking.locks import Locks, is_held
from saltdeploy.master.locking.model import Lock

from tests.support.rounds import rounds
from tests.support.stores import Directory, store
from tests.unit.master.masters import NOON, Clock, Master, deployers, lookers, person

__all__ = ["store"]


@pytest.fixture
def master(tmp_path: Path, store: Directory) -> Master:
    return Master(tmp_path / "root", store, Clock())


@pytest.fixture
def real(tmp_path: Path, store: Directory) -> Locks:
    """The locks of a master whose clock is the machine's."""
    return Locks(tmp_path / "root", store, time.time)


# -- one process at a time ------------------------------------------------------------------------------


def test_of_many_that_begin_at_one_moment_one_holds_and_the_others_see_who(real: Locks) -> None:
    for _ in range(4):
        with deployers(real, count=16) as them:
            assert len(them.holding) == 1
            winner, _ = them.holding[0]
            assert [pid for pid, error in them.refused if f"(pid {winner})" not in error] == []


def test_a_killed_holder_frees_the_repo_and_the_next_epoch_is_higher(real: Locks, tmp_path: Path) -> None:
    with deployers(real) as first:
        (pid, epoch) = first.holding[0]
        assert is_held(tmp_path / "root", "mediawiki")
        first.process(pid).kill()
        first.process(pid).join()
        assert not is_held(tmp_path / "root", "mediawiki")
        assert real.running() == []
        with deployers(real, count=4) as second:
            assert len(second.holding) == 1
            assert second.holding[0][1] > epoch


def test_who_only_looks_makes_nobody_fail(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with flock.taken(path):
        pass
    with lookers(lambda: flock.is_taken(path)):
        for _ in range(2000):
            with flock.taken(path) as mine:
                assert mine


def test_it_is_held_for_as_long_as_the_block_runs(master: Master) -> None:
    assert not is_held(master.root, "mediawiki")
    with master.locks.hold("mediawiki", (), person("alice")):
        assert is_held(master.root, "mediawiki")
        assert not master.can_deploy()
    assert not is_held(master.root, "mediawiki")
    assert master.can_deploy()


def test_a_deploy_that_fails_frees_the_repo(master: Master) -> None:
    with pytest.raises(ZeroDivisionError), master.locks.hold("mediawiki", (), person("alice")):
        raise ZeroDivisionError
    assert master.can_deploy()


def test_repos_are_held_apart_from_each_other(master: Master) -> None:
    names = ("mediawiki", "mediawiki/slot0", "mediawiki.json", "x")
    for name in names:
        with master.locks.hold(name, (), person("alice")):
            assert [other for other in names if not master.can_deploy(other)] == [name]


@pytest.mark.parametrize("written", ["", "{", "[]", '{"pid": 0}'])
def test_of_a_holder_whose_note_is_empty_or_half_written_it_is_said_that_nobody_knows_who_it_is(
    master: Master, written: str
) -> None:
    with master.locks.hold("mediawiki", (), person("alice")):
        master.locks._lock_file("mediawiki").write_text(written)
        with pytest.raises(Locked) as caught, master.locks.hold("mediawiki", (), person("bob")):
            pass
    assert "pid 0" not in caught.value.cause
    assert caught.value.cause.startswith("repo:mediawiki is locked by ")


def test_who_has_not_written_down_its_name_is_told_as_that() -> None:
    assert str(Lock.from_wire({"scope": "repo:mediawiki"})) == (
        "repo:mediawiki is locked by a process that has not said who it is, or whose note is damaged"
    )


def test_the_refused_one_reads_who_why_since_when_from_where_and_what_to_do(master: Master) -> None:
    alice = person("alice", "20261123115900000000", "fixes\x1b[31m T1234")
    with (
        master.locks.hold("mediawiki", (), alice),
        pytest.raises(Locked) as caught,
        master.locks.hold("mediawiki", (), person("bob")),
    ):
        pass
    assert caught.value.cause == (
        f"repo:mediawiki is locked by alice (pid {alice.pid}) on 2026-11-23T12:00:00Z; "
        f'reason is "fixes [31m T1234", on host {alice.host}, deploy 20261123115900000000'
    )
    assert "deploy.watch repo=mediawiki" in caught.value.next
    assert "deploy.abort repo=mediawiki" in caught.value.next


def test_a_store_that_is_away_stops_a_deploy_before_it_begins(master: Master, store: Directory) -> None:
    store.broken = True
    with pytest.raises(Unavailable), master.locks.hold("mediawiki", (), person("alice")):
        pass
    store.broken = False
    assert master.can_deploy()


def test_a_store_that_goes_away_at_the_end_is_no_failure_of_the_deploy(
    master: Master, store: Directory
) -> None:
    with master.locks.hold("mediawiki", (), person("alice")):
        store.broken = True
    store.broken = False
    assert master.can_deploy()


# -- the epoch ------------------------------------------------------------------------------------------


@settings(max_examples=rounds(20))
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["", "root", "store"])), min_size=2, max_size=5)
)
def test_an_epoch_is_greater_than_every_earlier_one(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[float, str]]
) -> None:
    """The clock may be put forward and back, and the root or the store may be lost, as long as one remains."""
    area = tmp_path_factory.mktemp("epoch")
    master = Master(area / "root", Directory(area / "store"), Clock())
    epochs = []
    for step, lost in story:
        master.clock.now += step
        if lost:
            shutil.rmtree(area / lost, ignore_errors=True)
        with master.locks.hold("mediawiki", (), person("alice")) as lease:
            epochs.append(lease.epoch)
    assert epochs == sorted(set(epochs))


def test_a_master_that_lost_everything_goes_on_above_its_old_epochs(master: Master, tmp_path: Path) -> None:
    with master.locks.hold("mediawiki", (), person("alice")) as lease:
        before = lease.epoch
    for lost in (master.root, tmp_path / "store"):
        shutil.rmtree(lost)
    master.clock.now += 1
    with master.locks.hold("mediawiki", (), person("alice")) as lease:
        assert lease.epoch > before


def test_an_epoch_survives_a_json_reader_with_floats(master: Master) -> None:
    with master.locks.hold("mediawiki", (), person("alice")) as lease:
        assert int(float(lease.epoch)) == lease.epoch


# -- waiting --------------------------------------------------------------------------------------------


def test_who_waits_gets_it_when_it_is_free_and_is_told_meanwhile_who_has_it(master: Master) -> None:
    other = master.locks.hold("mediawiki", (), person("alice"))
    other.__enter__()

    def alice_ends() -> None:
        if master.clock.now > NOON + 5:
            other.__exit__(None, None, None)
            master.clock.meanwhile = lambda: None

    master.clock.meanwhile = alice_ends
    told: list[Locked] = []
    with master.locks.hold("mediawiki", (), person("bob"), wait=60, waiting=told.append):
        assert NOON + 5 < master.clock.now < NOON + 6
    assert ["alice" in error.cause for error in told] == [True]


def test_who_has_waited_long_enough_is_refused(master: Master) -> None:
    with (
        master.locks.hold("mediawiki", (), person("alice")),
        pytest.raises(Locked, match="alice.*waited 30 seconds"),
        master.locks.hold("mediawiki", (), person("bob"), wait=30),
    ):
        pass
    assert NOON + 30 <= master.clock.now < NOON + 31


# -- locks by hand --------------------------------------------------------------------------------------

_SCOPES = ["global", "repo:mediawiki/slot0", "group:mediawiki/slot0/canary"]


@pytest.mark.parametrize(
    ("scope", "repo", "groups", "stops"),
    [
        ("global", "mediawiki/slot0", (), True),
        ("repo:mediawiki/slot0", "mediawiki/slot0", ("canary",), True),
        ("repo:mediawiki/slot0", "mediawiki/slot1", (), False),
        ("repo:mediawiki", "mediawiki/slot0", (), False),
        ("group:mediawiki/slot0/canary", "mediawiki/slot0", ("canary", "rest"), True),
        ("group:mediawiki/slot0/canary", "mediawiki/slot0", ("rest",), False),
        ("group:mediawiki/slot0/canary", "mediawiki", ("canary",), False),
    ],
)
def test_a_lock_by_hand_stops_the_deploys_in_its_scope(
    master: Master, scope: str, repo: str, groups: tuple[str, ...], stops: bool
) -> None:
    master.locks.lock(scope, "the database moves", person("carol"))
    assert master.can_deploy(repo, groups) is not stops


@pytest.mark.parametrize("scope", _SCOPES)
def test_the_stopped_one_reads_who_locked_it_and_why(master: Master, scope: str) -> None:
    master.locks.lock(scope, "the database moves", person("carol"))
    with (
        pytest.raises(Locked, match='locked by carol .*"the database moves"') as caught,
        master.locks.hold("mediawiki/slot0", ("canary",), person("bob")),
    ):
        pass
    assert "salt-run deploy.unlock" in caught.value.next


def test_force_goes_past_a_lock_by_hand_and_that_is_recorded(master: Master) -> None:
    master.locks.lock("global", "the database moves", person("carol"))
    with master.locks.hold("mediawiki", (), person("bob", reason="site is down"), force=True):
        pass
    (entry,) = master.locks.log()
    assert (entry["act"], entry["by"]["user"], entry["reason"]) == ("deployed past", "bob", "site is down")
    assert (entry["lock"]["user"], entry["scope"]) == ("carol", "global")
    assert not master.can_deploy()


def test_force_does_not_go_past_another_deploy(master: Master) -> None:
    with (
        master.locks.hold("mediawiki", (), person("alice")),
        pytest.raises(Locked, match="alice"),
        master.locks.hold("mediawiki", (), person("bob"), force=True),
    ):
        pass


def test_a_deploy_that_runs_goes_on_when_its_repo_is_locked_and_the_next_is_stopped(master: Master) -> None:
    with master.locks.hold("mediawiki", (), person("alice")) as lease:
        master.locks.lock("repo:mediawiki", "enough for today", person("carol"))
        assert [lock.holder.user for lock in master.locks.running("repo:mediawiki")] == ["alice"]
        master.clock.now += 1000
        lease.beat(master.clock.now)
    assert not master.can_deploy()


@pytest.mark.parametrize("scope", _SCOPES)
def test_a_scope_is_locked_once(master: Master, scope: str) -> None:
    master.locks.lock(scope, "mine", person("carol"))
    with pytest.raises(Locked, match="carol"):
        master.locks.lock(scope, "mine too", person("dave"))
    assert [lock.holder.user for lock in master.locks.all()] == ["carol"]


def test_of_many_that_lock_by_hand_at_one_moment_one_has_it(real: Locks) -> None:
    count = 8
    for number in range(10):
        scope, gate = f"repo:r{number}", threading.Barrier(count)

        def lock(name: str, scope: str = scope, gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                return real.lock(scope, "mine", person(name)).holder.user
            except Locked as error:
                return str(error)

        with ThreadPoolExecutor(count) as pool:
            said = list(pool.map(lock, [f"user{n}" for n in range(count)]))
        winners = [each for each in said if each.startswith("user")]
        assert len(winners) == 1
        assert all(f"locked by {winners[0]} " in each for each in said if each not in winners)


@pytest.mark.parametrize("scope", _SCOPES)
def test_its_holder_unlocks_it_from_anywhere(master: Master, scope: str) -> None:
    master.locks.lock(scope, "mine", person("carol"))
    removed = master.locks.unlock(scope, person("carol"))
    assert (removed.scope, removed.holder.user) == (scope, "carol")
    assert master.can_deploy("mediawiki/slot0", ("canary",))
    assert master.locks.log() == []


def test_others_need_force_and_a_reason_and_that_is_recorded(master: Master) -> None:
    master.locks.lock("repo:mediawiki", "mine", person("carol"))
    with pytest.raises(Locked, match="carol"):
        master.locks.unlock("repo:mediawiki", person("dave"))
    with pytest.raises(BadArguments, match="reason"):
        master.locks.unlock("repo:mediawiki", person("dave"), force=True, reason="  ")
    assert not master.can_deploy()
    master.locks.unlock("repo:mediawiki", person("dave"), force=True, reason="carol is on holiday")
    assert master.can_deploy()
    (entry,) = master.locks.log()
    assert (entry["act"], entry["by"]["user"], entry["reason"]) == ("unlocked", "dave", "carol is on holiday")
    assert entry["lock"]["user"] == "carol"


def test_what_is_not_locked_is_not_unlocked(master: Master) -> None:
    for scope in _SCOPES:
        with pytest.raises(BadArguments, match="not locked"):
            master.locks.unlock(scope, person("carol"), force=True, reason="to be sure")


def test_the_lock_of_a_deploy_that_runs_is_not_unlocked(master: Master) -> None:
    with master.locks.hold("mediawiki", (), person("alice")):
        with pytest.raises(Locked, match="alice") as caught:
            master.locks.unlock("repo:mediawiki", person("alice"), force=True, reason="it hangs")
        assert not master.can_deploy()
    assert "deploy.abort repo=mediawiki" in caught.value.next


def test_a_lock_with_an_end_ends_by_itself(master: Master) -> None:
    master.locks.lock("repo:mediawiki", "lunch", person("carol"), until=NOON + 3600)
    master.clock.now = NOON + 3599
    assert not master.can_deploy()
    master.clock.now = NOON + 3600
    assert master.can_deploy()
    assert master.locks.all() == []
    master.locks.lock("repo:mediawiki", "tea", person("dave"))
    assert not master.can_deploy()


@pytest.mark.parametrize(
    ("scope", "reason", "until"),
    [
        ("repo:mediawiki", "", None),
        ("repo:mediawiki", "too late", NOON),
        ("all", "no such scope", None),
        ("repo:", "no name", None),
        ("group:mediawiki", "no group", None),
        ("global:", "more than global", None),
    ],
)
def test_a_lock_that_cannot_be_meant_is_refused(
    master: Master, scope: str, reason: str, until: float | None
) -> None:
    with pytest.raises(BadArguments):
        master.locks.lock(scope, reason, person("carol"), until)
    assert master.locks.all() == []


def test_all_shows_locks_by_hand_and_deploys_that_run(master: Master) -> None:
    master.locks.lock("repo:parsoid", "mine", person("carol"))
    with master.locks.hold("mediawiki", (), person("alice")):
        shown = {lock.scope: (lock.holder.user, bool(lock.holder.deploy)) for lock in master.locks.all()}
    assert shown == {"repo:parsoid": ("carol", False), "repo:mediawiki": ("alice", True)}
    assert [lock.scope for lock in master.locks.all()] == ["repo:parsoid"]
