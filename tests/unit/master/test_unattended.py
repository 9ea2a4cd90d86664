"""Deploys that ask, and nobody is there to answer: each question gets its default at once where that was said."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib.errors import BadArguments
from saltdeploy.master.plan_model import SYNC, Plan, Request
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.rollout.model import ASK, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events

from tests.unit.master.simulated_deploys import DEPLOY, SimulatedDeploy
from tests.unit.master.simulation import REPO, Simulation
from tests.unit.master.worlds import World

WAVES = (Wave("canary", "canary", ("web1",), 1, 0, ASK), Wave("rest", "rest", ("web2",), 1, 0))


def asked_and_answered(root: Path, patience: float) -> tuple[float, events.Event]:
    """A deploy holds behind its canary and nobody answers: how long it waited, and what the journal says of the answer."""
    deploy = SimulatedDeploy(root, Simulation(1, ["web1", "web2"]), WAVES, Rules(), patience=patience)
    deploy.run()
    told = {event["event"]: event for event in replay(Journals(root).path(REPO, DEPLOY))}
    return told[events.ANSWERED]["time"] - told[events.QUESTION]["time"], told[events.ANSWERED]


def test_F09_an_unattended_deploy_takes_the_default_at_once_and_its_journal_says_so(tmp_path: Path) -> None:
    waited, answer = asked_and_answered(tmp_path, patience=0.0)
    assert waited < 1
    assert (answer["choice"], answer["user"], answer["unattended"]) == ("no", "", True)


def test_F09_a_question_whose_time_runs_out_was_not_unattended(tmp_path: Path) -> None:
    waited, answer = asked_and_answered(tmp_path, patience=60.0)
    assert waited >= 60
    assert "unattended" not in answer


def test_F09_whoever_asks_for_it_gets_a_plan_in_which_nobody_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path)
    alone, _ = world.pack(Request(SYNC, "demo", "v2", unattended=True))
    attended, _ = world.pack(Request(SYNC, "demo", "v2"))
    assert Plan.from_wire(alone.to_wire()).unattended
    assert not attended.unattended


def test_F09_a_deploy_cannot_ask_and_be_unattended() -> None:
    with pytest.raises(BadArguments) as raised:
        Request(SYNC, "demo", "v2", interactive=True, unattended=True)
    assert raised.value.next == "salt-run deploy.sync repo=demo tag=v2 unattended=True"
