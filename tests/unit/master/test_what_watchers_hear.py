"""What a deploy tells while it runs: stages that begin before their first host and end before anything else follows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events
from saltdeploy.watch.state import DeployView

from tests.unit.master.simulated_deploys import (
    DEPLOY,
    Operator,
    SimulatedDeploy,
    habits,
    random_rules,
    random_waves,
)
from tests.unit.master.simulation import REPO, Simulation

SEEDS = range(25)
BETWEEN = (events.QUESTION, events.ANSWERED, events.PAUSED, events.PAUSE_OVER, events.GATE_FINISHED)
OF_HOSTS = (events.HOST_PROGRESS, events.HOST_FINISHED)


def told(seed: int, root: Path, kills: int = 0) -> list[events.Event]:
    """The journal of one deploy to which anything may happen."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    world = Simulation(seed, [f"web{number}" for number in range(dice.randint(2, 15))], habits(dice))
    deploy = SimulatedDeploy(root, world, random_waves(dice, list(world.minions)), random_rules(dice))
    Operator(dice, deploy)
    deploy.run([dice.randint(1, 200) for _ in range(kills)])
    return list(replay(Journals(root).path(REPO, DEPLOY)))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_word_of_a_host_falls_into_a_stage_and_everything_else_between_stages(
    seed: int, tmp_path: Path
) -> None:
    stage, begun, ended = "", 0, 0
    for event in told(seed, tmp_path):
        kind = event["event"]
        if kind == events.STAGE_STARTED:
            assert not stage
            stage, begun = event["stage"], begun + 1
        elif kind == events.STAGE_FINISHED:
            assert stage == event["stage"]
            stage, ended = "", ended + 1
        elif kind in OF_HOSTS or kind == events.ASKED:
            assert stage == event["stage"]
        elif kind in BETWEEN:
            assert not stage
    assert begun == ended > 0


@pytest.mark.parametrize("kills", [0, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_who_counts_the_words_of_the_hosts_comes_to_the_numbers_of_the_master(
    seed: int, kills: int, tmp_path: Path
) -> None:
    state, failures = DeployView(), 0
    for event in told(seed, tmp_path, kills):
        if event["event"] == events.STAGE_PROGRESS:
            continue
        if event["event"] == events.STAGE_FINISHED:
            stage = state.running
            assert stage is not None
            assert (stage.name, stage.group) == (event["stage"], event["group"])
            assert (stage.ok, stage.failed, stage.total) == (event["ok"], event["failed"], event["total"])
        state.hear(event)
        failures += event["event"] == events.HOST_FINISHED and "error" in event
    assert len(state.failures) == failures
