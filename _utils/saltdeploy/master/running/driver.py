"""Carries out what the state machine of a rollout says, until it has an outcome.

Everything that happens is recorded first (:mod:`saltdeploy.master.records.recorder`). Nothing is asked of a host before what led
to it is on the disk.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError, Fenced, NoBase, NotReady
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.fleet.ssh.advice import SshAdvice
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.rollout.model import Ask, Gate, Outcome, Pause, Question, StepRun
from saltdeploy.master.running.once_runs import OnceRuns
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.running.order_book import OrderBook
from saltdeploy.master.running.stage_reporter import StageReporter
from saltdeploy.master.running.waits import Waits
from saltdeploy.protocol import answers, events
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK
from saltdeploy.protocol.result import Result

_TICK = 0.25  # seconds
log = logging.getLogger(__name__)


class Driver:
    """One process that drives one deploy.

    The state machine decides. It goes from fetch to checkout to rollback and never backwards, so each of the three calls
    drives it out of one of these stages: a deploy that is resumed behind a stage passes that call by.

    Args:
        recorder: knows where the deploy stands, and takes down all that happens.
        repos: the configuration of each repo; the first one leads.
        leases: repo to the lock that this process holds.
        offers: repo to what can be packed for hosts; empty where nothing is to be fetched (``deploy.checkout``).

    Attributes:
        orders: which order which host gets.
        seen: what each host was last heard to hold.
    """

    def __init__(
        self,
        recorder: Recorder,
        repos: Sequence[Repo],
        leases: Mapping[str, Lease],
        master: Master,
        offers: Mapping[str, Packing],
    ) -> None:
        self.rollout = recorder.state.rollout
        self.seen: dict[str, Result] = {}
        self.orders = OrderBook(recorder.state, leases, offers, master.targets)
        self._recorder = recorder
        self._plan = recorder.plan
        self._leases = leases
        self._bus = master.bus
        self._aborted = master.aborted
        self._signals = OperatorSignals(master.root, self._plan.lead.repo, self._plan.deploy)
        self._waits = Waits(recorder, repos, self._signals, master)
        self._stages = StageReporter(recorder, self._bus.elapsed, _TICK)
        self._fleet = Fleet(
            self._bus,
            self._plan.deploy,
            Authenticator.of(master),
            self._plan.timeout,
            recorder.warn,
            SshAdvice(master.over_ssh),
        )
        self._once = OnceRuns(recorder, repos, leases, self._fleet, master)
        self._unheard = list(self.rollout.in_flight())  # asked by a process that has died
        self._asked = 0.0
        self._obeyed = False

    # -- the three stages -------------------------------------------------------------------------------

    def fetch_everywhere(self) -> None:
        """Drive until every host has fetched and the barrier is passed, or the deploy has stopped before it."""
        self._drive(FETCH)

    def switch_wave_by_wave(self) -> None:
        """Drive until every wave has switched, with its holds, questions and checks, or the way back begins."""
        self._drive(CHECKOUT)

    def roll_back_if_needed(self) -> Outcome:
        """Drive the way back, where the state machine has chosen it; return the outcome."""
        self._drive(ROLLBACK)
        self._stages.tell()
        assert self.rollout.outcome is not None
        return self.rollout.outcome

    def forget_signals(self) -> None:
        """The deploy is over: what operators said to it is of no use any more."""
        self._signals.clear()

    # -- the loop ---------------------------------------------------------------------------------------

    def _drive(self, stage: str) -> None:
        try:
            while self.rollout.outcome is None and self.rollout.stage == stage:
                self._ask_unheard()
                for lease in self._leases.values():
                    lease.beat(self._bus.now())
                self._obey()
                self._stages.tell()
                self._carry_out()
                if self.rollout.outcome is None:
                    self._listen()
                self._recorder.tick()
        except Fenced as error:  # another process has taken over: it writes the end, not we
            log.warning("deploy %s: %s", self._plan.deploy, error)
            raise error.at(repo=self._plan.lead.repo) from None
        except Exception as error:  # whatever Salt raises when its master goes away: the end must have a name
            log.exception("deploy %s: the master's side failed", self._plan.deploy)
            self.rollout.broke(f"the master's side failed: {type(error).__name__}: {error}")

    def _ask_unheard(self) -> None:
        """A resumed deploy asks those whose answer the other process had not heard; they answer from their record."""
        hosts, self._unheard = self._unheard, []
        if hosts:
            self._publish(self.rollout.stage, hosts)

    def _obey(self) -> None:
        """Record that somebody has stopped the deploy, once: the state machine starts nobody new."""
        said = self._signals.aborted()
        reason = f"stopped by {said.user}: {said.text}" if said else self._aborted()
        if reason and not self._obeyed:
            self._obeyed = True
            log.info("deploy %s: %s", self._plan.deploy, reason)
            self._recorder.record(events.aborted, user=said.user if said else "", reason=reason)

    def _carry_out(self) -> None:
        """Do all that the state machine says is due, each recorded; return when it waits for hosts or for a while."""
        whole = self._bus.elapsed() - self._asked >= _TICK  # a publish costs every minion a look: few of them
        while (due := self.rollout.due(whole=whole)) is not None:
            if isinstance(due, Ask):
                self._stages.tell()
                self._recorder.record(events.asked, stage=due.stage, wave=due.wave, hosts=list(due.hosts))
                if self._recorder.lost:
                    continue
                self._recorder.sync()
                self._publish(due.stage, list(due.hosts))
                self._asked = self._bus.elapsed()
            elif not self._is_over(due):
                return

    def _is_over(self, due: Gate | Pause | Question | StepRun) -> bool:
        return self._once.is_over(due) if isinstance(due, StepRun) else self._waits.is_over(due)

    def _publish(self, stage: str, hosts: list[str]) -> None:
        for those, orders in self.orders.of(stage, hosts):
            log.debug("deploy %s: asking %s for %s", self._plan.deploy, ", ".join(those), stage)
            self._fleet.ask(those, orders)

    # -- hearing ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        stage = self.rollout.stage
        heard = self._fleet.hear(_TICK)
        for event in heard.progress:
            self._recorder.pass_on(event)
        told = [result for result in heard.answers if not self._once.take(result)]
        needy = [result for result in told if isinstance(result.error, NoBase)]
        for result in told:
            if not isinstance(result.error, NoBase):
                self._record_answer(result, stage)
        if needy:
            self._serve(needy, stage)
        if len(needy) < len(told):
            self._stages.tell_progress()

    def _record_answer(self, result: Result, stage: str) -> None:
        """Record that a host has finished a stage: the state machine counts it."""
        self.seen[result.host] = result
        found = [answers.Look.of(part.release, result) for part in self.orders.parts_of(result.host)]
        lead, *others = [look.told() for look in found]
        self._recorder.record(
            events.host_finished,
            about=lead["repo"],
            host=result.host,
            stage=stage,
            status=result.status,
            error=result.error,
            facts=result.facts,
            live=lead["live"],
            live_tag=lead["live_tag"],
            unchanged=all(look.unchanged for look in found),
            switched=any(look.switched for look in found),
            heard=lead["heard"],
            also=others,
            lines=result.lines,
            lines_cut=result.lines_cut,
        )

    def _serve(self, needy: list[Result], stage: str) -> None:
        """Pack what hosts need that none of the offers fits, and ask them again; fail those it cannot help."""
        again = self.orders.pack_for(needy)
        for result in needy:
            if result.host not in again:
                error = self._not_fetched(result)
                self._record_answer(dataclasses.replace(result, error=error, status=error.status), stage)
        if again:
            self._publish(stage, again)

    def _not_fetched(self, result: Result) -> DeployError:
        repo = answers.lacks(result)
        tag = next((part.release.tag for part in self._plan.parts if part.repo == repo), "...")
        return NotReady(
            f"{tag} is not on this host's disk",
            repo=repo,
            host=result.host,
            next=f"salt-run deploy.fetch repo={repo} {argument('tag', tag)}",
        )
