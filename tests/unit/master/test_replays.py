"""Everybody on the bus sees every answer, and can play it again, under any job: no decision changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.checks import CheckContext
from saltdeploy.lib.errors import DeployError, Forged
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.authenticity import Authenticator, BoundHosts
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.fleet.survey import survey
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result

from tests.unit.master.simulated_deploys import SimulatedDeploy
from tests.unit.master.simulation import FAILS_BEFORE, JOB, NEW, OLD, REFUSES, REPO, RETURN, Simulation

HOSTS = ("web1", "web2", "web3")
FIRST, SECOND = "20261123120000000000", "20261123130000000000"
WAVES = (Wave("", "", HOSTS, len(HOSTS), 0),)
Said = Sequence[tuple[str, Any]]


class Overheard(Simulation):
    """A fleet of which somebody hears every answer, and plays all of them before each new one.

    Args:
        heard: ``(host, answer)`` of an earlier time; None: nothing is played.
    """

    def __init__(self, heard: Said | None = None, day: int = 0) -> None:
        super().__init__(1, HOSTS)
        self._order = itertools.count(day * 1_000_000)  # no job has the id of another day's
        self.said: list[tuple[str, Any]] = list(heard or ())
        self._plays = heard is not None

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        super().publish(hosts, function, arguments, jid)
        for host, answer in self.said if self._plays else ():
            self.put(f"salt/job/{jid}/ret/{host}", {"id": host, "return": answer})

    def returned(self, host: str, jid: str, answer: Any) -> None:
        self.said.append((host, answer))
        super().returned(host, jid, answer)


def refusals(world: Simulation) -> Said:
    """What a host once answered to somebody who asked for a repo that its pillar does not know."""
    error = DeployError("it knows no such repo")
    said = Result("web2", "other/repo", status=error.status, error=error, job="20261101120000000000")
    return [("web2", said.to_wire(world.secret("web2")))]


def whole_story(root: Path, *, plays: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Two deploys with all that can befall, and a report after each stage: what was decided upon, and the warnings."""
    world = Overheard(refusals(Simulation(1, HOSTS)) if plays else None)
    master = Master(root, world, None, _no, _no, world.secret, "amir", CheckContext(_no, _no))  # type: ignore[arg-type]
    web1, web2, web3 = world.minions.values()
    web1.mishaps[RETURN], web2.mishaps[JOB], web3.mishaps[FAILS_BEFORE, CHECKOUT] = 1, 1, 1
    web1.mishaps[REFUSES, CHECKOUT] = 1
    found: list[dict[str, Any]] = []
    warnings: list[str] = []
    for deploy in (FIRST, SECOND):
        fleet = Fleet(world, deploy, Authenticator.of(master), 600.0, warnings.append)
        for stage in (FETCH, CHECKOUT, ROLLBACK):
            release = OLD if stage == ROLLBACK else NEW
            fleet.ask(list(HOSTS), (Order(deploy, 1, stage, release),))
            answers: dict[str, Any] = {}
            while len(answers) < len(HOSTS):
                answers |= {each.host: each.to_wire() for each in fleet.hear(0.25).answers}
            found += [
                answers,
                {host: each.to_wire() for host, each in survey(master, list(HOSTS), REPO, 5.0).items()},
            ]
    return found, warnings


def _no(*_: Any) -> Any:
    raise AssertionError("nobody asks for it")


def test_F41_no_answer_of_a_deploy_changes_what_comes_of_a_later_question(tmp_path):
    quiet, _ = whole_story(tmp_path / "quiet", plays=False)
    attacked, warnings = whole_story(tmp_path / "attacked", plays=True)
    assert [sorted(each) for each in quiet] == [list(HOSTS)] * len(quiet)
    assert attacked == quiet
    assert {"web1", "web2", "web3"} == {text.split(":")[0] for text in warnings}, "it is named"


@pytest.mark.parametrize("mishap", [REFUSES, FAILS_BEFORE])
def test_F41_a_deploy_ends_as_it_would_when_a_failed_one_of_the_same_id_is_played_into_it(tmp_path, mishap):
    failed = Overheard()
    failed.minions["web2"].mishaps[mishap, CHECKOUT] = 1
    assert str(SimulatedDeploy(tmp_path / "before", failed, WAVES, Rules()).run()).startswith("ROLLED BACK")
    attacked = Overheard(failed.said, day=1)
    assert str(SimulatedDeploy(tmp_path / "now", attacked, WAVES, Rules()).run()).startswith("CONVERGED")


@pytest.fixture
def reader(tmp_path: Path) -> Authenticator:
    return Authenticator(lambda host: f"secret of {host}", BoundHosts(tmp_path / "bound"))


def said(job: str, **more: Any) -> dict[str, Any]:
    return Result("web1", REPO, job=job, **more).to_wire("secret of web1")


def test_F41_an_answer_counts_for_the_job_that_it_names(reader):
    assert reader.read(said("7"), "web1", "7").ok
    with pytest.raises(Forged, match="an answer to 6 came as one to 7"):
        reader.read(said("6"), "web1", "7")


def test_F41_a_host_before_0_2_0_names_no_job_and_is_heard(reader):
    assert reader.read(said("", holdings=Holdings(live=OLD.commit)), "web1", "7").ok


def test_F41_who_has_named_a_job_once_is_not_heard_without_one_whichever_process_listens(reader, tmp_path):
    reader.read(said("7"), "web1", "7")
    later = Authenticator(reader.secret, BoundHosts(tmp_path / "bound"))
    with pytest.raises(Forged, match="an answer to an unnamed job came as one to 8"):
        later.read(said(""), "web1", "8")
    assert later.read(Result("web2", REPO).to_wire("secret of web2"), "web2", "8").ok, (
        "another host's is heard"
    )


def test_F41_without_secrets_nobody_is_remembered_by_what_anybody_can_say(tmp_path):
    unsigned = Authenticator(lambda host: "", BoundHosts(tmp_path / "bound"))
    unsigned.read(Result("web1", REPO, job="7").to_wire(), "web1", "7")
    assert unsigned.read(Result("web1", REPO).to_wire(), "web1", "8").ok
