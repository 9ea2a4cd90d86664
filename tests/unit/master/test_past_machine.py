"""Deploys with dead hosts, roll backs, clocks that jump, masters restored from older copies: whatever comes, a roll back
leads to what the fleet accepted before, or is refused with the reason and a next command."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from saltdeploy.lib.errors import NothingToRollBackTo
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.records.history import History
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.records.testimony import forgotten
from saltdeploy.master.rollout.model import CONVERGED, HELD, MIXED, ROLLED_BACK, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import FETCH, Order

from tests.support.rounds import rounds
from tests.unit.master.masters import NOON, person
from tests.unit.master.pasts import HOSTS, REPO, Past, release

LIMIT = 1
TAGS = st.sampled_from([f"v{number}" for number in range(1, 6)])


class Pasts(RuleBasedStateMachine):
    """A fleet, its master, and what really was: ``accepted`` as a stack, and which releases are ``bad``."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.past = Past(self.place / "master")
        self.fleet = self.past.fleet
        self.clock = NOON
        self.accepted: list[str] = []
        self.bad: set[str] = set()
        self.heard: dict[str, int] = {}
        self.copy: Path | None = None
        self.is_intact = True
        self.deploys = 0

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @initialize()
    def first(self) -> None:
        self.deploy("v1", well=True)

    # -- what befalls them ------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([-86_400.0, -3600.0, 60.0, 86_400.0]))
    def clock_jumps(self, seconds: float) -> None:
        self.clock += seconds

    @rule(host=st.sampled_from(HOSTS))
    def host_dies(self, host: str) -> None:
        self.fleet.silent = {host}

    @precondition(lambda self: self.fleet.silent)
    @rule()
    def host_is_back(self) -> None:
        """It comes to its pin by itself, unless that is older than what it has heard of."""
        (host,) = (self.fleet.hosts[name] for name in self.fleet.silent)
        self.fleet.silent = set()
        pin = Pins(self.past.master.root).get(REPO)
        if pin is not None and pin.order.epoch >= host.epoch:
            host.epoch = pin.order.epoch
            host.switch(pin.release.tag)

    @rule()
    def backup(self) -> None:
        self.copy = self.place / f"copy{self.deploys}"
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.past.master.root, self.copy)
        self.deploys += 1

    @precondition(lambda self: self.copy is not None)
    @rule()
    def restore(self) -> None:
        assert self.copy is not None
        shutil.rmtree(self.past.master.root)
        shutil.copytree(self.copy, self.past.master.root)
        self.is_intact = False

    # -- what operators do ------------------------------------------------------------------------------

    @rule(tag=TAGS, well=st.sampled_from([True, True, False]), ahead=st.sampled_from([0.0, 3600.0]))
    def deploy(self, tag: str, *, well: bool, ahead: float = 0.0) -> None:
        """Of a release that is not well, hosts switch and are led back; the clock may be ahead for this one deploy."""
        self.clock += ahead
        accepted = self._conduct(tag, "sync", well=well)
        self.clock -= ahead
        if accepted:
            self.bad.discard(tag)
            if self.accepted[-1:] != [tag]:
                self.accepted.append(tag)

    @rule()
    def roll_back(self) -> None:
        good = [tag for tag in self.accepted[:-1] if tag not in {*self.bad, self.accepted[-1]}]
        try:
            found = self.past.way_back()
        except NothingToRollBackTo as error:
            assert error.cause
            assert error.next
            assert not self.is_intact or not good
            return
        assert found.release.tag == good[-1], (self.accepted, self.bad)
        left = self.accepted[-1]
        if self._conduct(found.release.tag, "rollback", well=True):
            place = max(at for at, tag in enumerate(self.accepted) if tag == found.release.tag)
            self.accepted = self.accepted[: place + 1]
            self.bad = {*self.bad, left} - {found.release.tag}

    # -- a deploy ---------------------------------------------------------------------------------------

    def _conduct(self, tag: str, action: str, *, well: bool) -> bool:
        """What hosts do, and what the master writes down; whether the release was accepted."""
        self.clock += 1
        self.deploys += 1
        store, root = self.past.master.store, self.past.master.root
        with Locks(root, store, lambda: self.clock).hold(REPO, (), person("alice")) as lease:
            epoch = lease.epoch
        hears = [n for n in HOSTS if n not in self.fleet.silent and epoch > self.fleet.hosts[n].epoch]
        course = self._course(tag, epoch, hears)
        ready = len(HOSTS) - len(hears) <= LIMIT
        for name in hears:
            host = self.fleet.hosts[name]
            host.epoch, ran = epoch, host.live
            if ready and host.live != tag:
                host.switch(tag, back=action == "rollback")
            if ready and not well and ran != tag:
                host.switch(ran, back=True)
        is_new = any(before[REPO][1] != tag for before in (course.hosts[name].before for name in hears))
        accepted = ready and (well or not is_new)
        word = (
            (CONVERGED if len(hears) == len(HOSTS) else MIXED) if accepted else ROLLED_BACK if ready else HELD
        )
        if word == ROLLED_BACK:
            self.bad.add(tag)
        left = forgotten(course, course.script.lead, History(store).versions(REPO))
        deploy = f"{int(self.clock * 1e6):020d}"[:-4] + f"{self.deploys:04d}"
        self.past.record(
            tag, action, word, accepted=accepted, deploy=deploy, epoch=epoch, left=left, time=self.clock
        )
        return accepted

    def _course(self, tag: str, epoch: int, hears: list[str]) -> DeployState:
        """What hosts say when they are asked to fetch."""
        part = Part(Order("20261123120000000000", epoch, FETCH, release(tag)), HOSTS)
        script = Plan("sync", "alice", "", (part,), (Wave("all", "all", HOSTS, 9, LIMIT),), Rules())
        course = DeployState.of(script)
        for name in hears:
            host: Any = self.fleet.hosts[name]
            live = (release(host.live).commit, host.live) if host.live else ("", "")
            course.hosts[name].before, course.hosts[name].heard = {REPO: live}, {REPO: host.epoch}
        return course


TestPasts = Pasts.TestCase
TestPasts.settings = settings(max_examples=rounds(60), stateful_step_count=25)
