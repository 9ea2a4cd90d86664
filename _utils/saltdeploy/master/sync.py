"""The spine of the master: one deploy, top to bottom."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from saltdeploy import config, events
from saltdeploy.errors import DeployError, NoBase, NotReady
from saltdeploy.master import lock, plan
from saltdeploy.master.fleet import Bus, Fleet
from saltdeploy.master.journal import Journal, Journals
from saltdeploy.master.pins import Pin, Pins, pin_order
from saltdeploy.master.rollout import MIXED, Ask, Outcome, Rollout, share_of
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK, Holdings, Order, Payload, Result
from saltdeploy.payloads import Payloads
from saltdeploy.release import Release
from saltdeploy.repository import Tag

_TICK = 0.25  # seconds
_PAYLOADS_KEPT = 86_400.0  # seconds
SYNC = "sync"


class Watcher(Protocol):
    """Somebody who reads the events of a deploy."""

    def hear(self, event: events.Event) -> None:
        """Take in one event."""

    def tick(self, now: float) -> None:
        """Time has passed."""


@dataclass(frozen=True)
class Master:
    """What a deploy needs of the master.

    Attributes:
        root: the master's directory for deploys.
        bus: Salt's publisher and event bus.
        targets: ``(expression, type)`` to minion ids.
        accepted: all minions that the master knows.
        secret: host to the secret it signs its answers with; "" where the fleet has none.
        user: who deploys, as Salt knows them.
        aborted: "" or why the deploy shall stop.
        watchers: read the events.
    """

    root: Path
    bus: Bus
    targets: Callable[[str, str], list[str]]
    accepted: Callable[[], list[str]]
    secret: Callable[[str], str]
    user: str
    aborted: Callable[[], str]
    watchers: tuple[Watcher, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What an operator asks for.

    Attributes:
        action: ``sync``, ``fetch``, ``checkout`` or ``rollback``.
        tag: the tag; "" only for a rollback to the release before.
        force: deploy though targets of the last deploy are missing.
    """

    action: str
    repo: str
    tag: str = ""
    force: bool = False


@dataclass(frozen=True)
class Report:
    """How a deploy ended, host by host."""

    deploy: str
    release: Release
    previous: str
    outcome: Outcome
    next: str
    seconds: float
    hosts: dict[str, dict[str, Any]]


def run(wish: Wish, pillar: dict[str, Any], site: str, deploy: str, master: Master) -> Report:
    """Deploy.

    Args:
        pillar, site: see :func:`saltdeploy.config.load`.
        deploy: the id of this deploy.

    Raises:
        DeployError: before anything was asked of any host.
    """
    repo = config.load(pillar, wish.repo, site)
    holder = {"user": master.user, "pid": os.getpid(), "deploy": deploy, "since": _utc(master.bus.now())}
    with lock.hold(master.root, repo.name, holder) as epoch:
        return _Deploy(wish, repo, deploy, epoch, master).run()


class _Deploy:
    def __init__(self, wish: Wish, repo: config.Repo, deploy: str, epoch: int, master: Master) -> None:
        self.wish = wish
        self.repo = repo
        self.deploy = deploy
        self.epoch = epoch
        self.master = master
        self.bus = master.bus
        self.begin = master.bus.now()
        self.pins = Pins(master.root)
        self.journals = Journals(master.root)
        self.payloads = Payloads(master.root / "payloads")
        self.results: dict[str, Result] = {}
        self.before: dict[str, Holdings] = {}
        self.offered: dict[str, tuple[Payload, ...]] = {}
        self.watchers = list(master.watchers)
        self.told = 0.0

    # -- top to bottom ----------------------------------------------------------------------------------

    def run(self) -> Report:
        pin = self.pins.get(self.repo.name)
        hosts = self.master.targets(self.repo.targets, self.repo.targets_type)
        plan.refuse_bad_targets(self.repo, hosts, pin, set(self.master.accepted()), force=self.wish.force)
        self.release = self._resolve()
        self.order = Order(self.deploy, self.epoch, FETCH, self.release, self.repo.transport)
        known = self.pins.holdings(self.repo.name)
        self._offer([known[host] for host in hosts if host in known])
        with self.journals.write(self.repo.name, self.deploy) as self.journal:
            self._tell(events.started, tag=self.release.tag, commit=self.release.commit, user=self.master.user,
                       hosts=hosts, action=self.wish.action)  # fmt: skip
            self.fleet = Fleet(
                self.bus, self.repo.name, self.deploy, self.master.secret, self.repo.timeout, self._warn
            )
            self.rollout = self._machine(hosts)
            outcome = self._drive_to_an_end()
            self._settle(outcome, hosts)
            next_command = self._next(outcome)
            self._tell(events.finished, tag=self.release.tag, outcome=outcome.word, ok=outcome.ok,
                       total=outcome.total, reason=outcome.reason, next=next_command)  # fmt: skip
        previous = pin.release.tag if pin else ""
        seconds = round(self.bus.now() - self.begin, 3)
        return Report(self.deploy, self.release, previous, outcome, next_command, seconds, self._hosts(hosts))

    def _resolve(self) -> Release:
        """The release; from the history alone for a rollback, which works while git does not."""
        if self.wish.action == ROLLBACK:
            self.source = None
            return plan.rollback_release(self.repo.name, self.wish.tag, self.journals)
        self.source = plan.Source(self.repo, self.master.root)
        self.tag = self.source.tag(self.wish.tag)
        release = Release(self.repo.name, self.tag.name, self.tag.commit)
        plan.refuse_moved(release, self.journals)
        return release

    def _offer(self, holdings: list[Holdings]) -> None:
        """Pack what hosts with these holdings need, once, and put it into the order."""
        if self.wish.action == CHECKOUT:
            return
        if self.source is None:  # a rollback: only hosts that lost the release need anything
            lacking = [held for held in holdings if self.release.commit not in held.held]
            if not lacking:
                return
            self.source = plan.Source(self.repo, self.master.root)
            self.tag = Tag(self.release.tag, self.release.commit, self.release.commit)
        packed = plan.pack(self.order, self.repo, self.source, self.payloads, self.tag, holdings)
        offers = {payload.base: payload for payload in (*self.order.payloads, *packed)}
        self.order = dataclasses.replace(self.order, payloads=tuple(offers.values()))

    def _machine(self, hosts: list[str]) -> Rollout:
        return Rollout(
            hosts,
            window=share_of(self.repo.batch, len(hosts), up=True),
            failure_limit=share_of(self.repo.failure_limit, len(hosts), up=False),
            fetch_only=self.wish.action == FETCH,
        )

    def _drive_to_an_end(self) -> Outcome:
        try:
            return self._drive()
        except Exception as error:  # whatever Salt raises when its master goes away: the end must have a name
            self.rollout.broke(f"the master's side failed: {type(error).__name__}: {error}")
            assert self.rollout.outcome is not None
            return self.rollout.outcome

    def _drive(self) -> Outcome:
        """Carry out what the state machine says until it has an outcome."""
        stage = ""
        while self.rollout.outcome is None:
            if reason := self.master.aborted():
                self.rollout.abort(reason)
            if self.rollout.stage != stage:
                self._finish_stage(stage)
                stage = self.rollout.stage
                self._tell(events.stage_started, stage=stage, total=self.rollout.total(stage))
            while ask := self.rollout.due():
                self._ask(ask)
            if self.rollout.outcome is None:
                self._listen(stage)
            self._show(lambda watcher: watcher.tick(self.bus.now()))
        self._finish_stage(stage)
        return self.rollout.outcome

    def _settle(self, outcome: Outcome, hosts: list[str]) -> None:
        """Write down what the fleet should be running now, and what each host was last seen to hold."""
        seen = [result for result in self.results.values() if result.holdings.held or result.ok]
        self.pins.note(self.repo.name, seen, self.bus.now())
        if outcome.accepted:
            self.pins.put(Pin(pin_order(self.order, self.epoch), tuple(hosts)))
            self._tell(events.pinned, tag=self.release.tag, commit=self.release.commit)
        else:
            self.pins.raise_epoch(self.repo.name, self.epoch)
        self.payloads.collect(self.pins.payload_names(), self.bus.now() - _PAYLOADS_KEPT)

    # -- asking and hearing -----------------------------------------------------------------------------

    def _ask(self, ask: Ask) -> None:
        if ask.stage != ROLLBACK:
            order = dataclasses.replace(self.order, stage=ask.stage)
            if ask.stage != FETCH:
                order = dataclasses.replace(order, payloads=())
            self._put(list(ask.hosts), order)
            return
        for release, hosts in self._ways_back(ask.hosts).items():
            self.fleet.ask(hosts, Order(self.deploy, self.epoch, ROLLBACK, release, self.order.transport))

    def _ways_back(self, hosts: tuple[str, ...]) -> dict[Release, list[str]]:
        """What was live on each host before this deploy, by release."""
        ways: dict[Release, list[str]] = {}
        for host in hosts:
            held = self.before[host]
            release = Release(
                self.repo.name, held.tags.get(held.live) or f"commit-{held.live[:12]}", held.live
            )
            ways.setdefault(release, []).append(host)
        return ways

    def _listen(self, stage: str) -> None:
        heard = self.fleet.hear(_TICK)
        for event in heard.progress:
            self._emit(event)
        needy = [result for result in heard.answers if isinstance(result.error, NoBase)]
        for result in heard.answers:
            if result not in needy:
                self._take(result, stage)
        if needy:
            self._serve(needy, stage)
        if len(needy) < len(heard.answers) and self.bus.now() - self.told >= _TICK:
            self._tell_progress(stage)

    def _take(self, result: Result, stage: str) -> None:
        self._tell(events.host_finished, host=result.host, stage=stage, status=result.status,
                   error=result.error, facts=result.facts)  # fmt: skip
        self._keep(result, stage)
        held = result.holdings
        if stage == FETCH:
            self.before[result.host] = held
        same = held.live == self.release.commit and held.tags.get(held.live) == self.release.tag
        self.rollout.heard(result.host, error=result.error, unchanged=same, way_back=bool(held.live))

    def _keep(self, result: Result, stage: str) -> None:
        """Keep the newest answer of a host; what it received stays with it."""
        earlier = self.results.get(result.host)
        facts = {**(earlier.facts if earlier else {}), **result.facts}
        self.results[result.host] = dataclasses.replace(result, facts=facts, stage=stage)

    def _serve(self, needy: list[Result], stage: str) -> None:
        """Pack what hosts need that none of the offers fits, and ask them again; fail those it cannot help."""
        if self.wish.action != CHECKOUT:
            self._offer([result.holdings for result in needy])
        again = []
        for result in needy:
            if self.offered.get(result.host) == self.order.payloads:
                self._take(
                    dataclasses.replace(result, error=self._not_fetched(result), status=NotReady.status),
                    stage,
                )
            else:
                again.append(result.host)
        if again:
            self._put(again, self.order)

    def _put(self, hosts: list[str], order: Order) -> None:
        self.offered |= dict.fromkeys(hosts, order.payloads)
        self.fleet.ask(hosts, order)

    def _not_fetched(self, result: Result) -> DeployError:
        return NotReady(
            f"{self.release.tag} is not on this host's disk",
            repo=self.repo.name,
            host=result.host,
            next=f"salt-run deploy.fetch repo={self.repo.name} tag={self.release.tag}",
        )

    # -- telling ----------------------------------------------------------------------------------------

    def _emit(self, event: events.Event) -> None:
        self.journal.append(event)
        self._show(lambda watcher: watcher.hear(event))

    def _tell(self, build: Callable[..., events.Event], **fields: Any) -> None:
        event = build(self.deploy, self.repo.name, self.bus.now(), **fields)
        self._emit(event)
        self.bus.fire(events.tag_of(event), event)

    def _show(self, act: Callable[[Watcher], None]) -> None:
        """A watcher that fails (a terminal that was closed) is left out; the deploy goes on."""
        for watcher in list(self.watchers):
            try:
                act(watcher)
            except Exception:  # whatever it is, it is not the deploy's trouble
                self.watchers.remove(watcher)

    def _warn(self, text: str) -> None:
        self._tell(events.warned, text=text)

    def _tell_progress(self, stage: str) -> None:
        ok, failed, in_flight = self.rollout.counts(stage)
        self.told = self.bus.now()
        self._tell(events.stage_progress, stage=stage, total=self.rollout.total(stage), ok=ok, failed=failed,
                   in_flight=in_flight)  # fmt: skip

    def _finish_stage(self, stage: str) -> None:
        if not stage:
            return
        self._tell_progress(stage)
        ok, failed, _ = self.rollout.counts(stage)
        self._tell(events.stage_finished, stage=stage, total=self.rollout.total(stage), ok=ok, failed=failed)

    def _hosts(self, hosts: list[str]) -> dict[str, dict[str, Any]]:
        return {host: self._host(self.results[host]) for host in hosts if host in self.results}

    def _host(self, result: Result) -> dict[str, Any]:
        held = result.holdings
        shown: dict[str, Any] = {
            "state": "ok",
            "live": held.live,
            "tag": held.tags.get(held.live, ""),
            "bytes": result.facts.get("bytes", 0),
            "files": result.facts.get("files", 0),
        }
        if result.error is not None:
            unreachable = result.error.kind == "unreachable"
            shown |= {"state": "unreachable" if unreachable else "failed", "error": result.error.to_wire()}
        elif result.stage == ROLLBACK:
            shown["state"] = "rolled back"
        elif result.stage == FETCH and held.live == self.release.commit:
            shown["state"] = "unchanged"
        if aside := result.facts.get("moved_aside"):
            shown["moved_aside"] = aside
        return shown

    def _next(self, outcome: Outcome) -> str:
        name = self.repo.name
        if outcome.word == MIXED:
            return f"salt-run deploy.report repo={name}; when the hosts are back: salt-run deploy.sync repo={name} tag=..."
        failed = [r for r in self.results.values() if r.error is not None]
        return failed[0].error.next if failed and failed[0].error and not outcome.accepted else ""


def _utc(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


__all__ = ["Journal", "Master", "Report", "Watcher", "Wish", "run"]
