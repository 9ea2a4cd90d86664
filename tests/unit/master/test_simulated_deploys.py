"""Whole deploys to a fleet to which anything may happen, and a master that may be killed at any moment.

Each schedule follows from its seed, which is printed. More of them by hand: DEPLOY_SCHEDULES=2000 pytest ...
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.rollout.model import (
    ASK,
    CONVERGED,
    HELD,
    HOLD,
    MIXED,
    RETRY,
    ROLLED_BACK,
    Outcome,
    Rules,
)
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

from tests.unit.master.simulated_deploys import Operator, SimulatedDeploy, habits, random_rules, random_waves
from tests.unit.master.simulation import FAILS_BEFORE, FAILS_BEHIND, NEW, OLD, REFUSES, Habits, Simulation
from tests.unit.master.story import standing

SCHEDULES = range(int(os.environ.get("DEPLOY_SCHEDULES", "60")))
RUNS_NEW = Holdings(live=NEW.commit, held=(NEW.commit,), tags={NEW.commit: NEW.tag})


class Fleet:
    """What a fleet really is, before and after."""

    def __init__(self, world: Simulation) -> None:
        self.minions = world.minions
        self.before = self.live()

    def live(self) -> dict[str, str]:
        return {host: minion.holdings.live for host, minion in self.minions.items()}

    def switched(self) -> set[str]:
        """Who came to the end of a switch, or began one."""
        return {host for host, live in self.live().items() if live != self.before[host]}


def look(fleet: Fleet, deploy: SimulatedDeploy, end: Outcome, rules: Rules) -> None:
    """Compare what the deploy said in the end with what is."""
    live = fleet.live()
    asked = {host for function, host in deploy.world.published if function == f"deploy.{CHECKOUT}"}
    wanted = NEW if end.accepted or rules.pinned else OLD
    wrong = {host for host in live if live[host] != wanted.commit}
    assert wrong <= set(end.astray)
    if end.word == CONVERGED:
        assert not wrong and not any(minion.holdings.unsettled for minion in fleet.minions.values())
    if end.word == HELD:
        assert not asked
    if end.word == ROLLED_BACK:
        assert asked and not fleet.switched()
    if len(set(live.values())) > 1 and len(set(fleet.before.values())) == 1:
        assert end.word == MIXED
    assert end.word in (CONVERGED, HELD, ROLLED_BACK, MIXED)


def small_deploy(root: Path, world: Simulation, **rules: Any) -> SimulatedDeploy:
    """A canary, then two more hosts."""
    waves = (Wave("canary", "canary", ("web0",), 1, 0), Wave("rest", "rest", ("web1", "web2"), 1, 0))
    return SimulatedDeploy(root, world, waves, Rules(**rules))


@pytest.fixture
def world() -> Simulation:
    return Simulation(1, ["web0", "web1", "web2"])


@pytest.mark.parametrize(
    "stage_fails", [(FAILS_BEFORE, FETCH), (FAILS_BEFORE, CHECKOUT), (FAILS_BEHIND, CHECKOUT)]
)
def test_a_host_that_failed_once_is_tried_again_when_an_operator_says_so(
    stage_fails: tuple[str, str], tmp_path: Path, world: Simulation
) -> None:
    deploy = small_deploy(tmp_path, world, on_failure=ASK)
    world.minions["web1"].mishaps[stage_fails] = 1
    deploy.control.answer("q1", "amir", RETRY)
    assert str(deploy.run()) == "CONVERGED 3/3"


def test_a_question_that_nobody_answers_gets_its_default(tmp_path: Path, world: Simulation) -> None:
    world.minions["web0"].mishaps[FAILS_BEFORE, FETCH] = 1
    assert str(small_deploy(tmp_path, world, on_failure=ASK).run()) == "HELD 2/3"


def test_a_host_is_told_its_group_at_every_stage_since_some_checks_are_for_one_group(
    tmp_path: Path, world: Simulation
) -> None:
    told = set()
    publish = world.publish

    def note(hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        told.update((function, host, arguments[1]["order"]["group"]) for host in hosts)
        publish(hosts, function, arguments, jid)

    world.publish = note  # type: ignore[method-assign]
    world.minions["web2"].mishaps[FAILS_BEHIND, CHECKOUT] = 1
    assert small_deploy(tmp_path, world).run().word == ROLLED_BACK
    groups = {"web0": "canary", "web1": "rest", "web2": "rest"}
    stages = ("fetch", "checkout", "rollback")
    assert told == {(f"deploy.{stage}", host, groups[host]) for stage in stages for host in groups}


def test_a_host_that_refuses_to_say_where_it_is_is_in_doubt(tmp_path: Path, world: Simulation) -> None:
    deploy = small_deploy(tmp_path, world, on_failure=ASK, on_abort=HOLD)
    web0 = world.minions["web0"]
    web0.mishaps[FAILS_BEHIND, CHECKOUT] = 1

    def try_again() -> None:
        web0.mishaps[REFUSES, CHECKOUT] = 1
        deploy.control.answer("q1", "amir", RETRY)

    world.later(40, try_again)
    deploy.control.answer("q2", "amir", HOLD)
    end = deploy.run()
    assert web0.holdings.live == NEW.commit
    assert (end.word, end.astray) == (MIXED, ("web0",))


@pytest.mark.parametrize("after", range(1, 40, 3))
def test_a_deploy_whose_bus_is_gone_ends_in_a_word_and_names_who_may_have_switched(
    after: int, tmp_path: Path, world: Simulation
) -> None:
    world.gone_after = after
    deploy = small_deploy(tmp_path, world)
    end = deploy.run()
    asked = {host for stage, host in deploy.course().attempts if stage == CHECKOUT}
    assert end.word == (MIXED if asked else HELD)
    assert asked <= set(end.astray)
    assert "no master" in end.reason


def test_a_deploy_comes_to_the_same_end_wherever_its_master_is_killed(tmp_path: Path) -> None:
    """Twice at each number of its dealings with the bus, until it ends before it has had so many."""
    used = 1
    while True:
        world = Simulation(1, ["web0", "web1", "web2"])
        deploy = small_deploy(tmp_path / str(used), world)
        assert str(deploy.run([used, used])) == "CONVERGED 3/3"
        for minion in world.minions.values():
            assert minion.finished.total() == 2
        if deploy.lives == 1:
            return
        used += 1


@pytest.mark.parametrize("seed", SCHEDULES)
def test_what_a_deploy_says_in_the_end_is_what_the_fleet_runs(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    world = Simulation(seed, [f"web{number}" for number in range(dice.randint(1, 25))], habits(dice))
    for minion in world.minions.values() if dice.random() < 0.2 else ():
        minion.holdings = RUNS_NEW if dice.random() < 0.5 else minion.holdings
    fleet = Fleet(world)
    deploy = SimulatedDeploy(tmp_path, world, random_waves(dice, list(world.minions)), random_rules(dice))
    Operator(dice, deploy)
    kills = dice.choice([0, 0, 1, 3])
    end = deploy.run([dice.randint(1, 400) for _ in range(kills)])
    look(fleet, deploy, end, deploy.rules)
    assert standing(deploy.course().rollout) == standing(deploy.rollout)
    world.settle()  # jobs that were lost on their way and come after the end
    look(fleet, deploy, end, deploy.rules)
    for minion in world.minions.values():
        assert set(minion.finished.values()) <= {1}, "a stage was made twice"


@pytest.mark.parametrize(("limit", "stage"), [(1000, CHECKOUT), (70, ROLLBACK)])
def test_a_thousand_hosts_of_which_some_are_in_trouble(limit: int, stage: str, tmp_path: Path) -> None:
    trouble = Habits(
        lose=0.02, double=0.02, lag=0.01, fail_behind=0.05, die=0.02, slow=4.0, cut=0.01, forge=0.02
    )
    world = Simulation(7, [f"web{number:03}" for number in range(1000)], trouble)
    fleet, hosts = Fleet(world), tuple(world.minions)
    waves = (Wave("canary", "canary", hosts[:10], 10, 10), Wave("rest", "rest", hosts[10:], 100, limit))
    deploy = SimulatedDeploy(tmp_path, world, waves, Rules())
    end = deploy.run([3000])
    assert deploy.rollout.stage == stage, "with the smaller limit it turns back somewhere in the second wave"
    assert len(deploy.rollout.tally(CHECKOUT, 1).failed) <= limit + 100
    look(fleet, deploy, end, deploy.rules)
