"""A watcher is told a deploy by whoever has its events: the deploy itself while it runs, or its journal at any time."""

from __future__ import annotations

import queue
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events, journal
from saltdeploy.watch import follow

from tests.unit.master.simulated_deploys import (
    DEPLOY,
    Operator,
    SimulatedDeploy,
    habits,
    random_rules,
    random_waves,
)
from tests.unit.master.simulation import REPO, Simulation

SEEDS = range(10)


class Table:
    """A watcher of a third kind: it keeps what it heard, and of each host the latest word, as a store of keys would."""

    def __init__(self) -> None:
        self.heard: list[events.Event] = []
        self.hosts: dict[str, str] = {}
        self.ticks: list[float] = []

    def hear(self, event: events.Event) -> None:
        self.heard.append(event)
        if "host" in event:
            self.hosts[event["host"]] = event["event"]

    def tick(self, now: float) -> None:
        self.ticks.append(now)

    def close(self) -> None:
        """It holds nothing open."""


class BrokenTable(Table):
    """Its store goes away with the second event."""

    def hear(self, event: events.Event) -> None:
        super().hear(event)
        if len(self.heard) == 2:
            raise ConnectionError("the store is gone")


def warning(number: int) -> events.Event:
    return events.warned(DEPLOY, REPO, 1000.0 + number, f"event {number}")


def seen_live(seed: int, root: Path) -> Table:
    """A watcher of a deploy to which anything may happen, while it runs."""
    print(f"seed {seed}")
    dice, table = random.Random(seed), Table()
    world = Simulation(seed, [f"web{number}" for number in range(dice.randint(2, 15))], habits(dice))
    waves, rules = random_waves(dice, list(world.minions)), random_rules(dice)
    deploy = SimulatedDeploy(root, world, waves, rules, watchers=(table,))
    Operator(dice, deploy)
    deploy.run()
    return table


@pytest.mark.parametrize("seed", SEEDS)
def test_a_watcher_that_is_filled_from_the_journal_sees_what_it_would_have_seen_live(
    seed: int, tmp_path: Path
) -> None:
    live, later = seen_live(seed, tmp_path), Table()
    last = follow(journal.replay(Journals(tmp_path).path(REPO, DEPLOY)), [later])
    assert later.heard == live.heard
    assert later.hosts == live.hosts != {}
    assert last == live.heard[-1]


@pytest.mark.parametrize("seed", [3])
def test_a_watcher_that_reads_along_in_the_journal_sees_the_same(seed: int, tmp_path: Path) -> None:
    live, later = seen_live(seed, tmp_path), Table()
    path = Journals(tmp_path).path(REPO, DEPLOY)
    follow(journal.follow(path, lambda: False, lambda _: None, repo=REPO), [later])
    assert later.heard == live.heard


def test_watchers_are_told_by_a_queue_and_hear_the_clock_where_nothing_is_new() -> None:
    told: queue.Queue[events.Event | None] = queue.Queue()
    for each in (warning(1), None, warning(2)):
        told.put(each)

    def until_empty() -> Iterator[events.Event | None]:
        while not told.empty():
            yield told.get()

    tables = [Table(), Table()]
    assert follow(until_empty(), tables, clock=lambda: 7.0) == warning(2)
    assert [table.heard for table in tables] == [[warning(1), warning(2)]] * 2
    assert [table.ticks for table in tables] == [[7.0]] * 2


def test_who_has_seen_enough_is_told_no_more() -> None:
    table = Table()
    last = follow(map(warning, range(5)), [table], enough=lambda event: event == warning(2))
    assert table.heard == [warning(0), warning(1), warning(2)]
    assert last == warning(2)


def test_a_watcher_that_fails_is_left_out_and_the_others_see_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, fine = BrokenTable(), Table()
    follow(map(warning, range(4)), [broken, fine])
    assert len(broken.heard) == 2
    assert fine.heard == [warning(number) for number in range(4)]
    assert "BrokenTable" in caplog.text and "the store is gone" in caplog.text


def test_a_deploy_of_which_nothing_is_told_has_no_last_event() -> None:
    assert follow([], [Table()]) == {}
