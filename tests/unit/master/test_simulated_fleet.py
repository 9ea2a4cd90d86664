"""Asking and hearing a fleet to which anything may happen. Each schedule follows from its seed, which is printed."""

from __future__ import annotations

import os
from typing import Any

import pytest
from saltdeploy.lib.errors import Unreachable
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result

from tests.unit.master.simulation import NEW, OLD, Habits, Simulation

DEPLOY = "20261123120000000000"
#: more of them by hand: DEPLOY_SCHEDULES=2000 pytest ...
SCHEDULES = range(int(os.environ.get("DEPLOY_SCHEDULES", "8")))
TIMEOUT = 600.0

TROUBLES = {
    "well": Habits(),
    "slow": Habits(slow=20.0),
    "lossy": Habits(lose=0.2, double=0.2),
    "late": Habits(lag=0.3, double=0.3),
    "deadly": Habits(die=0.3, slow=4.0),
    "cut off": Habits(cut=0.5, gone=0.1, slow=6.0),
    "failing": Habits(fail_before=0.2, fail_behind=0.2),
    "hostile": Habits(forge=0.5, lose=0.1),
    "all": Habits(0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 5.0, 0.05, 0.2, 0.3),
}


class Talk:
    """A fleet that is asked, and what comes of it.

    Attributes:
        answers: what each host answered to the last stage, in the order in which they came.
        warnings: what was ignored.
    """

    def __init__(self, seed: int, habits: Habits, hosts: int = 12) -> None:
        print(f"seed {seed}, {habits}")
        self.world = Simulation(seed, [f"web{number}" for number in range(hosts)], habits)
        self.warnings: list[str] = []
        self.answers: dict[str, list[Result]] = {}
        self.fleet = Fleet(
            self.world, DEPLOY, Authenticator(self.world.secret), TIMEOUT, self.warnings.append
        )

    def ask(self, stage: str, attempt: int = 1) -> dict[str, list[Result]]:
        """Ask everybody, and listen until everybody has answered or was given up."""
        hosts = list(self.world.minions)
        self.answers = {host: [] for host in hosts}
        release = OLD if stage == ROLLBACK else NEW
        self.fleet.ask(hosts, (Order(DEPLOY, 1, stage, release, attempt=attempt),))
        end = self.world.now() + 2 * TIMEOUT
        while not all(self.answers.values()):
            self.hear()
            assert self.world.now() < end, "it waits for ever"
        return self.answers

    def hear(self) -> None:
        for result in self.fleet.hear(0.25).answers:
            self.answers[result.host].append(result)

    def listen_on(self) -> None:
        """Everything that is still under way arrives."""
        for _ in range(4000):
            self.hear()


def schedules() -> Any:
    cases = [(seed, name) for seed in SCHEDULES for name in TROUBLES]
    return pytest.mark.parametrize(("seed", "trouble"), cases)


@schedules()
def test_every_host_ends_with_one_answer_that_is_its_own_or_is_given_up(seed, trouble):
    talk = Talk(seed, TROUBLES[trouble])
    for stage in (FETCH, CHECKOUT, ROLLBACK):
        talk.ask(stage)
        talk.listen_on()
        for host, answers in talk.answers.items():
            assert len(answers) == 1
            minion = talk.world.minions[host]
            if not isinstance(answers[0].error, Unreachable):
                said = minion.said[DEPLOY, stage, 1]
                assert (answers[0].to_wire() | {"facts": {}}) == (said.to_wire() | {"facts": {}})
            elif trouble not in ("lossy", "late", "hostile", "all"):
                assert minion.unlucky, f"{host} was there all the time"


@schedules()
def test_no_stage_comes_to_an_end_twice_on_a_host(seed, trouble):
    talk = Talk(seed, TROUBLES[trouble])
    for stage in (FETCH, CHECKOUT):
        for attempt in (1, 2):
            talk.ask(stage, attempt)
    talk.world.settle()
    for minion in talk.world.minions.values():
        assert set(minion.finished.values()) <= {1}
