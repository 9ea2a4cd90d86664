"""Carries out what the state machine of a rollout says, until it has an outcome.

Everything that happens becomes an event first: it is written into the journal, the course takes it in, the bus and the
watchers hear of it. Nothing is asked of a host before what led to it is on the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError, Fenced, NoBase, NotReady
from saltdeploy.lib.spelling import argument
from saltdeploy.master import checks, fanouts, packing
from saltdeploy.master.context import Listener, Master
from saltdeploy.master.journal import Journal
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.minions import Fleet
from saltdeploy.master.operator import OperatorSignals
from saltdeploy.master.packing import Packing
from saltdeploy.master.plan_model import Part
from saltdeploy.master.rollout.model import Ask, Gate, Instruction, Outcome, Pause, Question
from saltdeploy.master.state import DeployState
from saltdeploy.protocol import answers, events
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order, Result
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.swarm import Swarm

_TICK = 0.25  # seconds


class Driver:
    """One process that drives one deploy.

    Args:
        course: where the deploy stands.
        repos: the configuration of each repo; the first one leads.
        leases: repo to the lock that this process holds.
        master: the world.
        journal: open for appending.
        offers: repo to what can be packed for hosts; empty where nothing is to be fetched (``deploy.checkout``).

    Attributes:
        seen: what each host was last heard to hold.
    """

    def __init__(
        self,
        course: DeployState,
        repos: Sequence[Repo],
        leases: Mapping[str, Lease],
        master: Master,
        journal: Journal,
        offers: Mapping[str, Packing],
    ) -> None:
        self.course = course
        self.rollout = course.rollout
        self.script = course.script
        self.seen: dict[str, Result] = {}
        self._repos = repos
        self._leases = leases
        self._master = master
        self._bus = master.bus
        self._journal = journal
        self._offers = offers
        self._takes = {part.repo: frozenset(part.hosts) for part in self.script.parts}
        self._transports = {part.repo: part.transports for part in self.script.parts}
        self._turns = {part.repo: self._turns_of(part) for part in self.script.parts}
        self._group_of = {host: wave.group for wave in self.script.waves for host in wave.hosts}
        lead, deploy = self.script.lead.repo, self.script.deploy
        self._control = OperatorSignals(master.root, lead, deploy)
        self._watchers = list(master.watchers)
        self._fleet = Fleet(self._bus, deploy, master.secret, self.script.timeout, self._warn)
        self._begun: Instruction | None = None
        self._work: checks.Work | None = None
        self._told_stage: tuple[str, int] | None = None
        self._told = self._asked = 0.0
        self._obeyed = False

    @property
    def orders(self) -> dict[str, Order]:
        """Repo to its fetch order, with all that was packed for it."""
        return {
            part.repo: self._offers[part.repo].order if part.repo in self._offers else part.order
            for part in self.script.parts
        }

    # -- the loop ---------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Go on from where the course stands to an outcome."""
        try:
            self._ask_again()
            while self.rollout.outcome is None:
                for lease in self._leases.values():
                    lease.beat(self._bus.now())
                self._obey()
                self._tell_stages()
                self._carry_out()
                if self.rollout.outcome is None:
                    self._listen()
                self._show(lambda watcher: watcher.tick(self._bus.now()))
        except Fenced as error:  # another process has taken over: it writes the end, not we
            raise error.at(repo=self.script.lead.repo) from None
        except Exception as error:  # whatever Salt raises when its master goes away: the end must have a name
            self.rollout.broke(f"the master's side failed: {type(error).__name__}: {error}")
        self._tell_stages()
        assert self.rollout.outcome is not None
        return self.rollout.outcome

    def end(
        self, outcome: Outcome, next_command: str, left: Mapping[str, dict[str, str] | None]
    ) -> events.Event:
        """Tell the outcome; the deploy is over.

        Args:
            left: repo to what its fleet ran before, where this master knew nothing of it.
        """
        lead, *others = (part.release for part in self.script.parts)
        event = self.tell(events.finished, tag=lead.tag, outcome=outcome.word, ok=outcome.ok,
                  total=outcome.total, reason=outcome.reason, next=next_command, left=left.get(lead.repo),
                  also=[{"repo": each.repo, "tag": each.tag, "left": left.get(each.repo)} for each in others])  # fmt: skip
        self._journal.sync()
        self._control.clear()
        return event

    def tell(self, build: Callable[..., events.Event], about: str = "", **fields: Any) -> events.Event:
        """Something happened: write it down, let it have its effect, tell everybody.

        Args:
            about: the repo, if it is not the one that leads.
        """
        event = build(self.script.deploy, about or self.script.lead.repo, self._bus.now(), **fields)
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
                self._publish(due.stage, list(due.hosts))
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
        waves = self.script.waves
        if begins or self._work is None:
            todo = [
                due
                for repo, part in zip(self._repos, self.script.parts, strict=True)
                for due in checks.at(gate, repo, waves, part.baselines)
            ]
            self._work = checks.Work(todo, self._master.place)
        found = self._work.done()
        if found is None:
            return False
        self._work = self._begun = None
        for one in found:
            self.tell(events.check_finished, about=one.repo, check=one.check.name, stage=one.check.stage,
                      group=waves[gate.wave].name if gate.wave >= 0 else "", verdict=one.verdict.word,
                      text=one.verdict.text)  # fmt: skip
        bad = [one for one in found if not one.verdict.ok]
        reason = f"check {bad[0].check.name}: {bad[0].verdict.word}: {bad[0].verdict.text}" if bad else ""
        self.tell(events.gate_finished, point=gate.point, wave=gate.wave, ok=not bad, reason=reason)
        return True

    def _pause(self, pause: Pause, begins: bool) -> bool:
        key = f"pause {pause.wave}"
        if begins and key not in self.course.until:
            group = self.script.waves[pause.wave].name
            until = self._bus.now() + pause.seconds
            self.tell(events.paused, wave=pause.wave, group=group, until=until)
        if self._bus.now() < self.course.until[key]:
            return False
        self.tell(events.pause_over, wave=pause.wave, seconds=pause.seconds)
        return True

    def _question(self, question: Question, begins: bool) -> bool:
        if begins and question.key not in self.course.until:
            until = self._bus.now() + self.script.question_timeout
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
            self._publish(self.rollout.stage, hosts)

    def _publish(self, stage: str, hosts: list[str]) -> None:
        """Ask hosts: one job for those who can have the same orders."""
        asked: dict[tuple[Order, ...], list[str]] = defaultdict(list)
        made = functools.cache(partial(self._order, stage, self.orders))
        for host in hosts:
            asked[self._orders_for(host, stage, made)].append(host)
        for orders, those in asked.items():
            if stage == FETCH:
                for order in orders:
                    if order.release.repo in self._offers:
                        self._offers[order.release.repo].given(those)
                orders = tuple(
                    fanouts.with_turns(order, those, self._turns[order.release.repo]) for order in orders
                )
            self._fleet.ask(those, orders)

    def _orders_for(self, host: str, stage: str, made: Callable[[str, str], Order]) -> tuple[Order, ...]:
        """One order for each repo that the host takes.

        Args:
            made: repo and transport to an order for this stage.
        """
        orders = (
            (repo, made(repo, self._transports[repo].get(host, "")))
            for repo, hosts in self._takes.items()
            if host in hosts
        )
        return tuple(
            dataclasses.replace(
                order,
                release=self._way_back(host, repo) if stage == ROLLBACK else order.release,
                seal=None if stage == ROLLBACK else order.seal,  # it is that of another release
                group=self._group_of[host],
                attempt=max(1, self.course.attempts[stage, host]),
            )
            for repo, order in orders
        )

    def _order(self, stage: str, fetch: Mapping[str, Order], repo: str, transport: str) -> Order:
        """The order for a stage, made of that for a fetch; only there the transport makes a difference."""
        order = dataclasses.replace(fetch[repo], epoch=self._leases[repo].epoch, stage=stage)
        if stage != FETCH:
            back = stage == CHECKOUT and self.script.action == ROLLBACK
            return dataclasses.replace(order, payloads=(), swarm=Swarm(), back=back)
        return packing.by(order, transport or order.transport)

    def _way_back(self, host: str, repo: str) -> Release:
        commit, tag = self.course.hosts[host].before.get(repo, ("", ""))
        return Release(repo, tag or f"commit-{commit[:12]}", commit)

    def _turns_of(self, part: Part) -> dict[str, int]:
        hosts = [host for host in self.script.hosts if host in self._takes[part.repo]]
        return fanouts.turns(hosts, part.order.sources, self._master.targets)

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
        self.seen[result.host] = result
        found = [
            answers.Look.of(part.release, result)
            for part in self.script.parts
            if result.host in self._takes[part.repo]
        ]
        lead, *others = [look.told() for look in found]
        self.tell(
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
        )

    def _serve(self, needy: list[Result], stage: str) -> None:
        """Pack what hosts need that none of the offers fits, and ask them again; fail those it cannot help."""
        again = []
        for repo, offers in self._offers.items():
            those = [result for result in needy if answers.lacks(result) == repo]
            offers.pack(
                (result.host, part.holdings) for result in those for part in result.parts if part.repo == repo
            )
            again += [result.host for result in those if offers.helps(result)]
        for result in needy:
            if result.host not in again:
                error = self._not_fetched(result)
                self._take(dataclasses.replace(result, error=error, status=error.status), stage)
        if again:
            self._publish(stage, again)

    def _not_fetched(self, result: Result) -> DeployError:
        repo = answers.lacks(result)
        tag = next((part.release.tag for part in self.script.parts if part.repo == repo), "...")
        return NotReady(
            f"{tag} is not on this host's disk",
            repo=repo,
            host=result.host,
            next=f"salt-run deploy.fetch repo={repo} {argument('tag', tag)}",
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
            names = [*tally.waiting, *tally.in_flight]
            self.tell(events.stage_started, stage=now[0], group=group, total=tally.total, names=names)
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
        return self.rollout.tally(stage, wave), self.script.waves[wave].name if wave >= 0 else ""

    def _show(self, act: Callable[[Listener], None]) -> None:
        """A watcher that fails (a terminal that was closed) is left out; the deploy goes on."""
        for watcher in list(self._watchers):
            try:
                act(watcher)
            except Exception:  # whatever it is, it is not the deploy's trouble
                self._watchers.remove(watcher)

    def _warn(self, text: str) -> None:
        self.tell(events.warned, text=text)


def _hear(watcher: Listener, event: events.Event) -> None:
    watcher.hear(event)
