"""Whole deploys of real hosts, in any order and whatever befalls: clocks of the master and of hosts jump, the master is
restored from an older copy, hosts die within the limit, the pillar changes in the middle of a deploy, releases are not well.
Then somebody rolls back: it leads to what the fleet accepted before, or is refused with a next command."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from saltdeploy.checks import Response
from saltdeploy.lib.errors import DeployError, NothingToRollBackTo
from saltdeploy.master import deploy as master_deploy

from tests.support.repositories import Source, snapshot, tree
from tests.support.rounds import rounds
from tests.unit.protocol.whole_deploys import Fleet

pytestmark = pytest.mark.component("whole deploys of three hosts")

HOSTS = ("web1", "web2", "web3")
TAGS = ("v0", "v1", "v2", "v3")
LIMIT = 1
WELL = {"well": {"type": "http", "after": "restart", "url": "http://localhost/"}}


class Troubled(Fleet):
    """A fleet whose hosts may be silent or not well, whose clocks go wrong, and whose pillar changes in between.

    Attributes:
        silent: hosts that hear nothing.
        is_well: whether the check of every host passes.
        ahead: seconds by which the clock of each host is ahead.
        moves: in the middle of the next deploy the pillar of every host names another location.
    """

    def __init__(self, place: Path, source: Source) -> None:
        self.silent: set[str] = set()
        self.is_well = True
        self.ahead = dict.fromkeys(HOSTS, 0.0)
        self.moves = False
        super().__init__(place, source, hosts=HOSTS, failure_limit=LIMIT, checks=WELL, slots=4)
        for minion in self.minions.values():
            minion.host = minion.host.__class__(
                **{**vars(minion.host), "get": self._answer, "clock": self._clock_of(minion.name)}
            )

    def _clock_of(self, host: str) -> Any:
        return lambda: self.now() + self.ahead[host]

    def _answer(self, *_: Any) -> Response:
        return Response(200 if self.is_well else 500)

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        super().publish([host for host in hosts if host not in self.silent], function, arguments, jid)
        if function == "deploy.fetch" and self.moves:
            for minion in self.minions.values():
                minion.repo = self.config(minion.location.with_name("moved"))

    def end_of_deploy(self) -> None:
        """The pillar is as it was."""
        self.moves, self.is_well = False, True
        for minion in self.minions.values():
            minion.repo = self.config(minion.location)

    def shown(self, host: str) -> str:
        """The release whose every byte a host shows."""
        found = snapshot(self.minions[host].location)
        return next(tag for n, tag in enumerate(TAGS) if found == self.source.checked_out(n))


class WholePasts(RuleBasedStateMachine):
    """See the module. What really was: ``accepted`` as a stack, and which releases are ``bad``."""

    source: Source

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.fleet = Troubled(self.place / "fleet", self.source)
        self.accepted: list[str] = []
        self.bad: set[str] = set()
        self.copy: Path | None = None
        self.is_intact = True

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @initialize()
    def first(self) -> None:
        self.deploy("v0", well=True, moves=False)

    # -- what befalls them ------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([-86_400.0, -3600.0, 3600.0, 86_400.0]))
    def the_masters_clock_jumps(self, seconds: float) -> None:
        self.fleet._clock += seconds

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([-86_400.0, 0.0, 86_400.0]))
    def a_hosts_clock_jumps(self, host: str, seconds: float) -> None:
        self.fleet.ahead[host] = seconds

    @rule(host=st.sampled_from(HOSTS))
    def host_dies(self, host: str) -> None:
        self.fleet.silent = {host}

    @precondition(lambda self: self.fleet.silent)
    @rule()
    def host_is_back(self) -> None:
        self.fleet.silent = set()

    @rule()
    def backup(self) -> None:
        self.copy = self.place / "copy"
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.fleet.root.parent, self.copy)

    @precondition(lambda self: self.copy is not None)
    @rule()
    def restore(self) -> None:
        assert self.copy is not None
        shutil.rmtree(self.fleet.root.parent)
        shutil.copytree(self.copy, self.fleet.root.parent)
        self.is_intact = False

    # -- what operators do ------------------------------------------------------------------------------

    @rule(tag=st.sampled_from(TAGS), well=st.sampled_from([True, True, False]), moves=st.booleans())
    def deploy(self, tag: str, *, well: bool, moves: bool) -> None:
        self.fleet.is_well, self.fleet.moves = well, moves
        report = self.conduct(lambda: self.fleet.sync(tag, force=True))
        if report is None:
            return
        if report.outcome.accepted:
            self.bad.discard(tag)
            if self.accepted[-1:] != [tag]:
                self.accepted.append(tag)
        elif report.outcome.word == "ROLLED BACK" and not report.outcome.blameless:
            self.bad.add(tag)
        if report.outcome.word == "CONVERGED":
            self.hosts_show(tag)

    @precondition(lambda self: len(self.accepted) > 1)
    @rule()
    def roll_back(self) -> None:
        good = [tag for tag in self.accepted[:-1] if tag not in {*self.bad, self.accepted[-1]}]
        report = self.conduct(self.fleet.roll_back, refuses=NothingToRollBackTo)
        if report is None:
            assert not self.is_intact or not good
            return
        tag = report.course.script.lead.release.tag
        assert tag == good[-1], (self.accepted, self.bad)
        if report.outcome.accepted:
            left = self.accepted[-1]
            place = max(at for at, each in enumerate(self.accepted) if each == tag)
            self.accepted = self.accepted[: place + 1]
            self.bad = {*self.bad, left} - {tag}
            self.hosts_show(tag)

    def conduct(self, act: Any, refuses: type[DeployError] = DeployError) -> master_deploy.Report | None:
        try:
            return act()
        except refuses as error:
            assert error.cause
            assert error.to_wire()["next"]
            return None
        finally:
            self.fleet.end_of_deploy()

    def hosts_show(self, tag: str) -> None:
        hears = [host for host in HOSTS if host not in self.fleet.silent]
        assert {self.fleet.shown(host) for host in hears} == {tag}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(
        tmp_path_factory.mktemp("whole") / "source.git", *(tree(a=str(n), b="b") for n in range(len(TAGS)))
    )


def test_F51_F53_F55_F56_whatever_befell_a_roll_back_leads_to_what_was_accepted_before(
    source: Source,
) -> None:
    class Machine(WholePasts):
        pass

    Machine.source = source
    case = Machine.TestCase
    case.settings = settings(max_examples=rounds(6), stateful_step_count=14, deadline=None)
    case("runTest").runTest()
