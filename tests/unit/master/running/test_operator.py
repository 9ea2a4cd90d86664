"""What operators tell a running deploy reaches it whole, once, and from any process."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.running.operator import OperatorSignals

DEPLOY = "20261123101112000000"


@pytest.fixture
def control(tmp_path: Path) -> OperatorSignals:
    return OperatorSignals(tmp_path, "mediawiki/slot0", DEPLOY)


def test_nothing_was_said(control: OperatorSignals) -> None:
    assert control.aborted() is None
    assert control.answered("q1") is None


def test_the_wish_to_stop_names_who_and_why(control: OperatorSignals) -> None:
    assert control.abort("alice", "the canary burns")
    said = control.aborted()
    assert said is not None
    assert (said.user, said.text) == ("alice", "the canary burns")


def test_of_two_answers_the_first_one_counts(control: OperatorSignals) -> None:
    assert control.answer("q1", "alice", "yes")
    assert not control.answer("q1", "bob", "no")
    said = control.answered("q1")
    assert said is not None
    assert (said.user, said.text) == ("alice", "yes")


def test_each_question_has_its_own_answer(control: OperatorSignals) -> None:
    assert control.answer("q1", "alice", "yes")
    assert control.answer("q2", "bob", "no")
    assert control.answered("q1") != control.answered("q2")


def _race(root: Path, start: multiprocessing.synchronize.Event, won: multiprocessing.Queue, who: str) -> None:
    start.wait()
    if OperatorSignals(root, "r", DEPLOY).answer("q1", who, "yes"):
        won.put(who)


def test_of_many_who_answer_at_once_exactly_one_wins_and_all_see_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, won = context.Event(), context.Queue()
    racers = [context.Process(target=_race, args=(tmp_path, start, won, f"user{n}")) for n in range(8)]
    for racer in racers:
        racer.start()
    start.set()
    for racer in racers:
        racer.join(60)
        assert racer.exitcode == 0
    winner = won.get(timeout=60)
    assert won.empty()
    said = OperatorSignals(tmp_path, "r", DEPLOY).answered("q1")
    assert said is not None
    assert said.user == winner


def test_what_was_said_of_one_deploy_is_not_said_of_the_next(
    control: OperatorSignals, tmp_path: Path
) -> None:
    control.abort("alice", "stop")
    assert OperatorSignals(tmp_path, "mediawiki/slot0", "20261123101112000001").aborted() is None
    assert OperatorSignals(tmp_path, "other", DEPLOY).aborted() is None


def test_when_a_deploy_has_ended_nothing_is_left(control: OperatorSignals, tmp_path: Path) -> None:
    control.abort("alice", "stop")
    control.answer("q1", "alice", "yes")
    control.clear()
    assert control.aborted() is None
    assert list((tmp_path / "control").iterdir()) == []


def test_a_file_that_is_not_ours_is_an_error_that_names_it(control: OperatorSignals, tmp_path: Path) -> None:
    control.abort("alice", "stop")
    (place,) = (tmp_path / "control").glob("*/abort")
    place.write_bytes(b"\0\0\0")
    with pytest.raises(DeployError) as raised:
        control.aborted()
    assert str(place) in raised.value.path
