"""Carries out what the state machine of a rollout says, until it has an outcome.

Everything that happens becomes an event first: it is written into the journal, the course takes it in, the bus and the
watchers hear of it. Nothing is asked of a host before what led to it is on the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from saltdeploy import events
from saltdeploy.config import Repo
from saltdeploy.errors import DeployError, Fenced, NoBase, NotReady
from saltdeploy.master import gates
from saltdeploy.master.control import Control
from saltdeploy.master.course import Course
from saltdeploy.master.fleet import Fleet
from saltdeploy.master.instructions import Ask, Gate, Instruction, Outcome, Pause, Question
from saltdeploy.master.journal import Journal
from saltdeploy.master.lease import Lease
from saltdeploy.master.offers import Offers
from saltdeploy.master.world import Master, Watcher
from saltdeploy.orders import FETCH, ROLLBACK, Order, Result
from saltdeploy.release import Release

_TICK = 0.25  # seconds


class Conductor:
    """One process that drives one deploy.

    Args:
        course: where the deploy stands.
        repo: its configuration.
        lease: the lock that this process holds.
        master: the world.
        journal: open for appending.
        offers: what can be packed for hosts; None where nothing is to be fetched (``deploy.checkout``).

    Attributes:
        seen: what each host was last heard to hold.
    """

    def __init__(
        self,
        course: Course,
        repo: Repo,
        lease: Lease,
        master: Master,
        journal: Journal,
        offers: Offers | None,
    ) -> None:
        self.course = course
        self.rollout = course.rollout
        self.repo = repo
        self.release = course.script.order.release
        self.deploy = course.script.order.deploy
        self.seen: dict[str, Result] = {}
        self._lease = lease
        self._master = master
        self._bus = master.bus
        self._journal = journal
        self._offers = offers
        self._control = Control(master.root, repo.name, self.deploy)
        self._watchers = list(master.watchers)
        self._fleet = Fleet(
            self._bus, repo.name, self.deploy, master.secret, course.script.timeout, self._warn
        )
        self._begun: Instruction | None = None
        self._work: gates.Work | None = None
        self._told_stage: tuple[str, int] | None = None
        self._told = self._asked = 0.0
        self._obeyed = False

    @property
    def order(self) -> Order:
        """The fetch order, with all that was packed for it."""
        return self._offers.order if self._offers else self.course.script.order

    # -- the loop ---------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Go on from where the course stands to an outcome."""
        try:
            self._ask_again()
            while self.rollout.outcome is None:
                self._lease.beat(self._bus.now())
                self._obey()
                self._tell_stages()
                self._carry_out()
                if self.rollout.outcome is None:
                    self._listen()
                self._show(lambda watcher: watcher.tick(self._bus.now()))
        except Fenced as error:  # another process has taken over: it writes the end, not we
            raise error.at(repo=self.repo.name) from None
        except Exception as error:  # whatever Salt raises when its master goes away: the end must have a name
            self.rollout.broke(f"the master's side failed: {type(error).__name__}: {error}")
        self._tell_stages()
        assert self.rollout.outcome is not None
        return self.rollout.outcome

    def end(self, outcome: Outcome, next_command: str) -> events.Event:
        """Tell the outcome; the deploy is over."""
        event = self.tell(events.finished, tag=self.release.tag, outcome=outcome.word, ok=outcome.ok,
                  total=outcome.total, reason=outcome.reason, next=next_command)  # fmt: skip
        self._journal.sync()
        self._control.clear()
        return event

    def tell(self, build: Callable[..., events.Event], **fields: Any) -> events.Event:
        """Something happened: write it down, let it have its effect, tell everybody."""
        event = build(self.deploy, self.repo.name, self._bus.now(), **fields)
        self._journal.append(event)
        self.course.take(event)
        if event["event"] not in events.JOURNAL_ONLY:
            self._show(partial(_hear, event=event))
            with contextlib.suppress(
                Exception
            ):  # a bus that is gone is found out by who listens: this only tells
                self._bus.fire(events.tag_of(event), event)
        return event

    # -- operators --------------------------------------------------------------------------------------

    def _obey(self) -> None:
        said = self._control.aborted()
        reason = f"stopped by {said.user}: {said.text}" if said else self._master.aborted()
        if reason and not self._obeyed:
            self._obeyed = True
            self.tell(events.aborted, user=said.user if said else "", reason=reason)

    # -- carrying out -----------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        whole = self._bus.now() - self._asked >= _TICK  # a publish costs every minion a look: few of them
        while (due := self.rollout.due(whole=whole)) is not None:
            if isinstance(due, Ask):
                self._tell_stages()
                self.tell(events.asked, stage=due.stage, wave=due.wave, hosts=list(due.hosts))
                self._journal.sync()
                self._publish(due.stage, due.wave, list(due.hosts))
                self._asked = self._bus.now()
            elif not self._settled(due):
                return

    def _settled(self, due: Gate | Pause | Question) -> bool:
        """Begin what is due, or look whether it is done; True when the rollout was told so."""
        begins = self._begun != due
        self._begun = due
        if isinstance(due, Gate):
            return self._gate(due, begins)
        if isinstance(due, Pause):
            return self._pause(due, begins)
        return self._question(due, begins)

    def _gate(self, gate: Gate, begins: bool) -> bool:
        waves = self.course.script.waves
        if begins or self._work is None:
            todo = gates.at(gate, self.repo, waves)
            self._work = gates.Work(todo, self._master.place, self.course.script.baselines)
        found = self._work.done()
        if found is None:
            return False
        self._work = self._begun = None
        for one in found:
            self.tell(events.check_finished, check=one.check.name, stage=one.check.stage,
                      group=waves[gate.wave].name if gate.wave >= 0 else "", verdict=one.verdict.word,
                      text=one.verdict.text)  # fmt: skip
        bad = [one for one in found if not one.verdict.ok]
        reason = f"check {bad[0].check.name}: {bad[0].verdict.word}: {bad[0].verdict.text}" if bad else ""
        self.tell(events.gate_finished, point=gate.point, wave=gate.wave, ok=not bad, reason=reason)
        return True

    def _pause(self, pause: Pause, begins: bool) -> bool:
        key = f"pause {pause.wave}"
        if begins and key not in self.course.until:
            group = self.course.script.waves[pause.wave].name
            until = self._bus.now() + pause.seconds
            self.tell(events.paused, wave=pause.wave, group=group, until=until)
        if self._bus.now() < self.course.until[key]:
            return False
        self.tell(events.pause_over, wave=pause.wave, seconds=pause.seconds)
        return True

    def _question(self, question: Question, begins: bool) -> bool:
        if begins and question.key not in self.course.until:
            until = self._bus.now() + self.course.script.question_timeout
            self.tell(events.question, key=question.key, text=question.text,
                      choices=list(question.choices), default=question.default, until=until)  # fmt: skip
        said = self._control.answered(question.key)
        if said is None and self._bus.now() < self.course.until[question.key]:
            return False
        user, choice = (said.user, said.text) if said else ("", question.default)
        self.tell(events.answered, key=question.key, choice=choice, user=user)
        return True

    # -- asking -----------------------------------------------------------------------------------------

    def _ask_again(self) -> None:
        """A resumed deploy asks those whose answer the other process had not heard; they answer from their record."""
        hosts = list(self.rollout.in_flight())
        if hosts:
            self._publish(self.rollout.stage, self.rollout.wave, hosts)

    def _publish(self, stage: str, wave: int, hosts: list[str]) -> None:
        """Ask hosts: one order for those who can have the same."""
        orders: dict[Order, list[str]] = defaultdict(list)
        for host in hosts:
            orders[self._order(stage, wave, host)].append(host)
        for order, those in orders.items():
            if stage == FETCH and self._offers:
                self._offers.given(those)
            self._fleet.ask(those, order)

    def _order(self, stage: str, wave: int, host: str) -> Order:
        base = self.order
        release = self._way_back(host) if stage == ROLLBACK else self.release
        return dataclasses.replace(
            base,
            epoch=self._lease.epoch,
            stage=stage,
            release=release,
            payloads=base.payloads if stage == FETCH else (),
            group=self.course.script.waves[wave].group if wave >= 0 else "",
            attempt=max(1, self.course.attempts[stage, host]),
        )

    def _way_back(self, host: str) -> Release:
        commit, tag = self.course.hosts[host].before or ("", "")
        return Release(self.repo.name, tag or f"commit-{commit[:12]}", commit)

    # -- hearing ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        stage = self.rollout.stage
        heard = self._fleet.hear(_TICK)
        for event in heard.progress:
            self._journal.append(event)
            self._show(partial(_hear, event=event))
        needy = [result for result in heard.answers if isinstance(result.error, NoBase)]
        for result in heard.answers:
            if not isinstance(result.error, NoBase):
                self._take(result, stage)
        if needy:
            self._serve(needy, stage)
        if len(needy) < len(heard.answers) and self._bus.now() - self._told >= _TICK:
            self._tell_progress()

    def _take(self, result: Result, stage: str) -> None:
        held = result.holdings
        self.seen[result.host] = result
        same = held.live == self.release.commit and held.tags.get(held.live) == self.release.tag
        known = result.error is None or bool(
            held.held
        )  # the silent, and who refuses, do not say what they hold
        self.tell(
            events.host_finished,
            host=result.host,
            stage=stage,
            status=result.status,
            error=result.error,
            facts=result.facts,
            live=held.live,
            live_tag=held.tags.get(held.live, ""),
            unchanged=same and not held.unsettled,
            switched=held.live == self.release.commit or not known,
        )

    def _serve(self, needy: list[Result], stage: str) -> None:
        """Pack what hosts need that none of the offers fits, and ask them again; fail those it cannot help."""
        if self._offers:
            self._offers.pack([result.holdings for result in needy])
        again = []
        for result in needy:
            if self._offers and self._offers.helps(result):
                again.append(result.host)
            else:
                error = self._not_fetched(result)
                self._take(dataclasses.replace(result, error=error, status=error.status), stage)
        if again:
            self._publish(stage, -1, again)

    def _not_fetched(self, result: Result) -> DeployError:
        return NotReady(
            f"{self.release.tag} is not on this host's disk",
            repo=self.repo.name,
            host=result.host,
            next=f"salt-run deploy.fetch repo={self.repo.name} tag={self.release.tag}",
        )

    # -- telling ----------------------------------------------------------------------------------------

    def _tell_stages(self) -> None:
        """Tell of a stage that begins, after the end of the one before."""
        now = (self.rollout.stage, self.rollout.wave) if self._hosts_work() else None
        if self._told_stage is not None and now != self._told_stage:
            self._tell_progress()
            tally, group = self._tally()
            self.tell(events.stage_finished, stage=self._told_stage[0], group=group, total=tally.total,
                      ok=len(tally.ok), failed=len(tally.failed))  # fmt: skip
            self._told_stage = None
        if now is not None and self._told_stage is None:
            self._told_stage = now
            tally, group = self._tally()
            self.tell(events.stage_started, stage=now[0], group=group, total=tally.total)
            if tally.ok or tally.failed:  # it goes on, after a question or in this process
                self._tell_progress()

    def _hosts_work(self) -> bool:
        """Whether hosts are asked, or about to be; not while the deploy waits for checks, a pause or an operator."""
        if self.rollout.outcome is not None:
            return False
        return bool(self.rollout.in_flight()) or isinstance(self.rollout.due(), Ask)

    def _tell_progress(self) -> None:
        if self._told_stage is None:
            return
        tally, group = self._tally()
        self._told = self._bus.now()
        self.tell(events.stage_progress, stage=self._told_stage[0], group=group, total=tally.total,
                  ok=len(tally.ok), failed=len(tally.failed), in_flight=len(tally.in_flight))  # fmt: skip

    def _tally(self) -> tuple[Any, str]:
        assert self._told_stage is not None
        stage, wave = self._told_stage
        return self.rollout.tally(stage, wave), self.course.script.waves[wave].name if wave >= 0 else ""

    def _show(self, act: Callable[[Watcher], None]) -> None:
        """A watcher that fails (a terminal that was closed) is left out; the deploy goes on."""
        for watcher in list(self._watchers):
            try:
                act(watcher)
            except Exception:  # whatever it is, it is not the deploy's trouble
                self._watchers.remove(watcher)

    def _warn(self, text: str) -> None:
        self.tell(events.warned, text=text)


def _hear(watcher: Watcher, event: events.Event) -> None:
    watcher.hear(event)
