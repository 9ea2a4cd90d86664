"""A deploy with a step that is killed at each use of its bus, and resumed: the step runs once, or nobody is told that it did."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import NoSuchDeploy
from saltdeploy.master import deploy
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.records.journal import Journals

from tests.support.repositories import Source, tree
from tests.unit.master.planning.test_once import Killed, lines, step
from tests.unit.protocol.whole_deploys import REPO, Fleet

pytestmark = pytest.mark.component("a deploy for each point at which it is killed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source") / "source", tree(index="0", VERSION="0"))


class MortalBus:
    """The bus of a fleet, of which one use kills the process: before anything of it is done, or behind it."""

    def __init__(self, fleet: Fleet, left: int, *, behind: bool) -> None:
        self._fleet, self.left, self._behind = fleet, left, behind

    def __getattr__(self, name: str) -> Any:
        use = getattr(self._fleet, name)
        if name not in ("publish", "next", "fire", "new_jid"):
            return use

        def used(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self._behind:
                raise Killed
            answer = use(*arguments)
            if self.left == 0:
                raise Killed
            return answer

        return used


def killed_and_resumed(fleet: Fleet, at: int, *, behind: bool) -> deploy.Report | None:
    """A deploy that is killed at this use of the bus, and resumed, or begun anew where nothing was decided; None where it had
    ended before."""
    bus: Any = MortalBus(fleet, at, behind=behind)
    master = dataclasses.replace(fleet.master, bus=bus)
    with contextlib.suppress(Killed):
        deploy.run(Request(SYNC, REPO, "v0"), fleet.pillar, "", fleet.new_jid(), master)
        return None
    time.sleep(0.05)  # a program that is just being started has all that was open here, for a moment
    which = Journals(fleet.root).latest(REPO)
    try:
        return deploy.resume(which, fleet.pillar, "", fleet.master) if which else fleet.sync("v0")
    except NoSuchDeploy:  # nothing was decided, or it had just ended
        return fleet.sync("v0")


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_a_step_on_a_host_runs_once_wherever_the_deploy_is_killed(
    tmp_path: Path, source: Source, behind: bool
) -> None:
    at = 0
    while True:
        at += 1
        place = tmp_path / str(at)
        place.mkdir()
        notes = place / "notes"
        fleet = Fleet(place, source, hosts=("web1", "web2"), once=[step(notes, where="first")])
        report = killed_and_resumed(fleet, at, behind=behind)
        assert len(lines(notes)) == 1, at
        if report is None:
            break
        assert report.outcome.word == "CONVERGED", (at, report.outcome)
    assert at > 20


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_a_step_on_the_master_never_runs_twice_and_where_nobody_knows_nobody_switches(
    tmp_path: Path, source: Source, behind: bool
) -> None:
    lost = 0
    for at in range(1, 25):
        place = tmp_path / str(at)
        place.mkdir()
        notes = place / "notes"
        fleet = Fleet(place, source, hosts=("web1", "web2"), once=[step(notes)], question_timeout=1)
        report = killed_and_resumed(fleet, at, behind=behind)
        assert len(lines(notes)) <= 1, at
        if report is not None and report.outcome.word == "HELD":
            lost += 1
            assert "not known whether step migrate was done on the master" in report.outcome.reason
            look = "look on the master whether step migrate was done"
            assert report.next == f"{look}, since the next deploy runs it again"
        elif report is not None:
            assert (report.outcome.word, len(lines(notes))) == ("CONVERGED", 1), (at, report.outcome)
    assert lost
