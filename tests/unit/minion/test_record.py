"""What a host remembers of the orders that it got."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib.errors import Fenced
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path, "group/demo")
    record.lock.parent.mkdir()  # whoever uses a record holds its lock
    return record


def order(epoch: int, deploy: str = "1" * 20) -> Order:
    return Order(deploy, epoch, FETCH, Release("group/demo", "v1", "1" * 40))


def result(deploy: int) -> Result:
    return Result("web1", "group/demo", deploy=f"{deploy:020d}", stage=FETCH, facts={"n": deploy})


def test_a_new_host_knows_nothing(record: Record) -> None:
    assert record.epoch() == 0
    assert record.recall("1" * 20, FETCH) is None


def test_answers_are_recalled_by_deploy_and_stage(record: Record) -> None:
    record.remember(result(1))
    record.remember(result(2))
    assert record.recall(f"{1:020d}", FETCH) == result(1)
    assert record.recall(f"{1:020d}", "checkout") is None


def test_the_oldest_answers_are_dropped(record: Record) -> None:
    for number in range(30):
        record.remember(result(number))
    kept = [number for number in range(30) if record.recall(f"{number:020d}", FETCH)]
    assert kept == list(range(10, 30))


def test_F53_it_tells_what_it_had_heard_of_before_the_newest_deploy(record: Record) -> None:
    assert record.heard() == 0
    record.admit(order(5))
    record.admit(order(7, "2" * 20))
    record.admit(order(7, "2" * 20))
    record.admit(order(9, "2" * 20))  # the same deploy, gone on with by another process
    assert (record.heard(), record.epoch()) == (5, 9)


def test_epochs_only_grow(record: Record) -> None:
    for epoch in (3, 3, 5):
        record.admit(order(epoch))
    with pytest.raises(Fenced):
        record.admit(order(4))
    assert record.epoch() == 5


def test_repos_do_not_share_a_record(record: Record, tmp_path: Path) -> None:
    record.admit(order(3))
    assert Record(tmp_path, "group/other").epoch() == 0


@pytest.mark.parametrize("name", ["record", "switch"])
def test_what_a_killed_writer_left_is_cleared(name: str, record: Record) -> None:
    aside = record.lock.with_name(f".{name}.json.0123abcd")
    aside.write_text("half")
    record.admit(order(2))
    record.begin_switch("1" * 40)
    assert not aside.exists()


def test_nobody_else_may_read_it(record: Record) -> None:
    record.admit(order(1))
    assert record.lock.with_name("record.json").stat().st_mode & 0o077 == 0
