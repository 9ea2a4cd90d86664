"""What a deploy writes down is bounded, whatever comes over the bus."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.recorder import MOST_PROGRESS, Recorder
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events

from tests.unit.master.simulated_deploys import DEPLOY, SimulatedDeploy
from tests.unit.master.simulation import REPO, Habits, Simulation


class Counted:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.heard = 0

    def hear(self, event: events.Event) -> None:
        self.heard += 1

    def tick(self, now: float) -> None:
        """It has no clock."""


def progress(host: str, stage: str, done: int) -> events.Event:
    about = {"phase": "write", "done": done, "total": 0, "unit": "files"}
    return events.host_progress(DEPLOY, REPO, 1000.0 + done, host=host, stage=stage, **about)


def test_F38_a_host_adds_to_the_journal_no_more_progress_than_its_share(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watcher, forged = Counted(), 3 * MOST_PROGRESS
    world = Simulation(1, ["web1", "web2"], Habits())
    deploy = SimulatedDeploy(
        tmp_path, world, (Wave("all", "all", ("web1", "web2"), 2, 0),), Rules(), watchers=(watcher,)
    )
    with Journals(tmp_path).write(REPO, DEPLOY) as journal:
        recorder = Recorder(deploy.course(), journal, deploy.master())
        for number in range(forged):
            recorder.pass_on(progress("web1", "fetch", number))
        recorder.pass_on(progress("web1", "checkout", 0))
        recorder.pass_on(progress("web2", "fetch", 0))
    kept = [event for event in replay(Journals(tmp_path).path(REPO, DEPLOY)) if "host" in event]
    assert [event["done"] for event in kept] == [*range(MOST_PROGRESS), 0, 0]
    assert [event["host"] for event in kept[-2:]] == ["web1", "web2"]
    assert watcher.heard == forged + 2
    assert caplog.text.count("no more progress of web1 in fetch is written down") == 1
