"""Whole deploys to a simulated fleet: the real driver, deploy state and journal; operators, and a master that is killed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.checks import CheckContext
from saltdeploy.master.context import Listener, Master
from saltdeploy.master.plan_model import SYNC, Part, Plan
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.rollout.model import ASK, HOLD, ROLL_BACK, Outcome, Rules
from saltdeploy.master.running.driver import Driver
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order

from tests.unit.master.simulation import NEW, NOON, REPO, Habits, Killed, Simulation

DEPLOY = "20261123120000000000"
CONFIG = config.load(
    {
        "deployment_config": {"parent_dir": "/srv/deployment"},
        "repo_config": {REPO: {"upstream": "https://git.example.org/wiki"}},
    },
    REPO,
)


def _nothing(*_: Any) -> Any:
    raise AssertionError("a simulated deploy needs nothing of this")


class Lease:
    """The lock: whoever has it, has it."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def beat(self, now: float) -> None:
        """Nobody wants it from us."""


class SimulatedDeploy:
    """One deploy; its process may be killed and another one goes on.

    Args:
        root: the master's directory.
        world: the fleet.
        waves, rules: as for a rollout.
        part: what is deployed; by default the new release, and nothing is packed for it.
        action: what the operator does.
        watchers: see it while it runs.
        patience: seconds that a question waits for an answer.
    """

    def __init__(
        self,
        root: Path,
        world: Simulation,
        waves: tuple[Wave, ...],
        rules: Rules,
        part: Part | None = None,
        action: str = SYNC,
        watchers: tuple[Listener, ...] = (),
        patience: float = 60.0,
    ) -> None:
        self.root, self.world, self.rules = root, world, rules
        self.watchers = watchers
        self.control = OperatorSignals(root, REPO, DEPLOY)
        self.lives = 0
        self._journals = Journals(root)
        hosts = tuple(host for wave in waves for host in wave.hosts)
        self._script = Plan(
            action,
            "amir",
            "",
            (part or Part(Order(DEPLOY, 1, FETCH, NEW), hosts),),
            waves,
            rules,
            timeout=600.0,
            question_timeout=patience,
        )
        with self._journals.write(REPO, DEPLOY) as journal:
            journal.append(events.planned(DEPLOY, REPO, world.now(), script=self._script.to_wire()))

    def course(self) -> DeployState:
        """As the journal tells it."""
        return DeployState.replayed(replay(self._journals.path(REPO, DEPLOY)))

    def run(self, kills: Iterable[int] = ()) -> Outcome:
        """Drive it to its end.

        Args:
            kills: the first process is killed when it has used the bus so often, the second one then, and so on.
        """
        for self.lives, self.world.kill_after in enumerate([*kills, 0], 1):
            try:
                return self._drive()
            except Killed:
                self.world.forget_messages()
                self._see_that_nobody_was_asked_unrecorded()
        raise AssertionError("the last process is not killed")

    def _see_that_nobody_was_asked_unrecorded(self) -> None:
        recorded = {(f"deploy.{stage}", host) for stage, host in self.course().attempts}
        assert {job for job in self.world.published if job[0] != "deploy.result"} <= recorded

    def master(self) -> Master:
        """What the deploying process has of the world."""
        return Master(
            root=self.root,
            bus=self.world,
            store=None,  # type: ignore[arg-type] - nobody asks it
            targets=_nothing,
            accepted=_nothing,
            secret=self.world.secret,
            user="amir",
            place=CheckContext(_nothing, _nothing),
            watchers=self.watchers,
        )

    def _drive(self) -> Outcome:
        master = self.master()
        with self._journals.write(REPO, DEPLOY) as journal:
            recorder = Recorder(self.course(), journal, master)
            driver = Driver(recorder, [CONFIG], {REPO: Lease(self.lives)}, master, {})
            self.rollout = driver.rollout
            driver.fetch_everywhere()
            driver.switch_wave_by_wave()
            end = driver.roll_back_if_needed()
        self.world.kill_after = 0
        return end


def random_waves(dice: random.Random, hosts: list[str]) -> tuple[Wave, ...]:
    """The hosts in a few groups, some of them split."""
    waves: list[Wave] = []
    left = list(hosts)
    for group in range(dice.randint(1, 3)):
        limit = dice.choice([0, 0, 1, 2, 4])
        hold = dice.choice(["", "", "20", ASK])
        for part in range(dice.randint(1, 2)):
            size = dice.randint(1, max(1, len(left) // 2))
            taken, left = tuple(left[:size]), left[size:]
            if taken:
                waves.append(Wave(f"g{group}.{part}", f"g{group}", taken, dice.randint(1, 6), limit, hold))
    if left:
        waves.append(Wave("rest", "rest", tuple(left), dice.randint(1, 6), dice.choice([0, 1, 3])))
    return tuple(waves)


def random_rules(dice: random.Random) -> Rules:
    """What decides when things go wrong."""
    return Rules(
        on_failure=dice.choice([ROLL_BACK, ROLL_BACK, HOLD, ASK]),
        on_abort=dice.choice([ROLL_BACK, HOLD]),
        confirm=dice.random() < 0.1,
        pinned=dice.random() < 0.2,
    )


class Operator:
    """Somebody who answers most questions after a while, and may stop the deploy."""

    def __init__(self, dice: random.Random, deploy: SimulatedDeploy) -> None:
        self._dice, self._deploy = dice, deploy
        self._seen: set[str] = set()
        if dice.random() < 0.3:
            deploy.world.later(dice.uniform(0, 60), lambda: deploy.control.abort("amir", "enough"))
        self._look_often()

    def _look_often(self) -> None:
        if self._deploy.world.now() < NOON + 3600:
            self._deploy.world.later(self._dice.uniform(1, 20), self._look)

    def _look(self) -> None:
        questions = [event for event in self._deploy.world.fired if event["event"] == events.QUESTION]
        for question in questions:
            if question["key"] not in self._seen and self._dice.random() < 0.7:
                self._deploy.control.answer(question["key"], "amir", self._dice.choice(question["choices"]))
            self._seen.add(question["key"])
        self._look_often()


def habits(dice: random.Random) -> Habits:
    """Some trouble or other, or none."""

    def some(most: float) -> float:
        return dice.choice([0.0, 0.0, dice.uniform(0, most)])

    return Habits(
        lose=some(0.2),
        double=some(0.3),
        lag=some(0.3),
        fail_before=some(0.15),
        fail_behind=some(0.15),
        die=some(0.2),
        slow=dice.choice([0.5, 2.0, 8.0]),
        gone=some(0.1),
        cut=some(0.3),
        forge=some(0.5),
    )
