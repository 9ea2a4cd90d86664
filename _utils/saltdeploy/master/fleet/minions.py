"""Asks hosts and hears them, over a bus that is passed in; asks the silent again.

An answer counts only when its host signed it for the very job that asked (:mod:`saltdeploy.master.fleet.authenticity`). Whatever
else comes under a host's name is noted and ignored: the host is asked again by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from saltdeploy.lib.errors import DeployError, Forged, Unreachable
from saltdeploy.master.context import Bus
from saltdeploy.master.fleet.attention import PATIENCE, QUESTIONS, Attention, job_and_host
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.no_answers import is_of_a_sync, what_helps
from saltdeploy.master.fleet.ssh.advice import SshAdvice
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.result import Result

log = logging.getLogger(__name__)

_PATIENCE_SHARE = (
    1 / 60
)  # of the seconds that a stage may take; for so long a host may be silent in one that takes long
_ANEW = 3  # times that a host is asked again; a stage that kills its minion each time is not tried for ever
_SYNC_TAKES = (
    120.0  # seconds that a host may refuse all jobs since the files of its package are being replaced
)
_LOOK_EVERY = 1.0  # seconds between two looks at who is silent: with a thousand hosts it is no small thing


@dataclass
class _Question:
    """What a host was asked, and how it stands with the answer. Moments are those of :class:`Attention`.

    Attributes:
        asked: when.
        sign: when it last gave a sign of life.
        probes, probed: how often, and when last, it was asked what became of it, without an answer.
        anew: how often it was asked the same anew.
        odd: what came under its name and is not its answer to this, and why not; None where nothing came.
        synced, syncing: for so many seconds it has refused jobs since a sync replaces its package, and when it last did.
        jobs: under which it was asked for this, and what became of it.
        timeout: seconds that it may take.
    """

    orders: tuple[Order, ...]
    asked: float
    sign: float
    probes: int = 0
    probed: float = 0.0
    anew: int = 0
    odd: DeployError | None = None
    synced: float = 0.0
    syncing: float | None = None
    jobs: set[str] = field(default_factory=set)
    timeout: float = 0.0

    @property
    def order(self) -> Order:
        """That of the repo under which the host keeps its answer."""
        return self.orders[0]


@dataclass
class Heard:
    """What came in: answers that count, and events of hosts that tell how far they are."""

    answers: list[Result] = field(default_factory=list)
    progress: list[events.Event] = field(default_factory=list)


class Fleet:
    """The hosts of one deploy.

    Args:
        bus: Salt.
        deploy: the deploy's id.
        authenticator: tells which answers are a host's own.
        timeout: seconds that a host may take for one stage.
        warn: hears of answers that were ignored.
        advice: puts right what errors tell to do about hosts without a minion.
    """

    def __init__(
        self,
        bus: Bus,
        deploy: str,
        authenticator: Authenticator,
        timeout: float,
        warn: Callable[[str], None],
        advice: SshAdvice = SshAdvice(),  # noqa: B008 - frozen
    ) -> None:
        self._bus = bus
        self._deploy = deploy
        self._authenticator = authenticator
        self._timeout = timeout
        self._patience = max(PATIENCE, _PATIENCE_SHARE * timeout)
        self._warn = warn
        self._advice = advice
        self._open: dict[str, _Question] = {}
        self._warned: set[str] = set()
        self._to_ask_anew: list[str] = []
        self._attention = Attention(bus)
        self._looked = -_LOOK_EVERY

    def ask(self, hosts: list[str], orders: tuple[Order, ...], timeout: float = 0.0) -> None:
        """Ask hosts for a stage, of one repo or of several as one; their answers come out of :meth:`hear`.

        Args:
            timeout: seconds that this may take; 0: as any other stage.
        """
        now = self._attention.seconds
        for host in hosts:
            self._open[host] = _Question(orders, asked=now, sign=now, timeout=timeout or self._timeout)
        self._publish_orders(hosts, orders)

    def hear(self, wait: float) -> Heard:
        """Listen until something came in or ``wait`` seconds have passed; look after the silent."""
        heard = Heard()
        for tag, data in self._attention.messages(wait):
            self._take(tag, data, heard)
        if self._attention.seconds - self._looked >= _LOOK_EVERY:
            self._looked = self._attention.seconds
            self._ask_anew()
            self._probe_the_silent(heard)
        heard.answers = [self._advice.mend_result(answer) for answer in heard.answers]
        return heard

    # -- listening --------------------------------------------------------------------------------------

    def _take(self, tag: str, data: object, heard: Heard) -> None:
        if not isinstance(data, dict):  # a minion can put anything under almost any tag
            return
        if (answered := job_and_host(tag)) is not None:
            self._take_return(*answered, data, heard)
            return
        ours = events.split_tag(tag)
        if ours and ours[0] == self._deploy and ours[1] == events.HOST_PROGRESS and ours[2] in self._open:
            question = self._open[ours[2]]
            question.sign, question.probes, question.probed = self._attention.seconds, 0, 0.0
            progress = _progress(data.get("data"), ours[2], question.order, self._bus.now())
            if progress is not None:
                heard.progress.append(progress)

    def _take_return(self, job: str, host: str, data: dict[str, Any], heard: Heard) -> None:
        question = self._open.get(host)
        if question is None or job not in question.jobs:  # late, doubled, or nobody asked
            return
        try:
            result = self._authenticator.read(data.get("return"), host, job)
            _refuse_other_subject(result, question.order)
        except DeployError as error:
            self._note_odd(host, question, data, error)
            return
        if result.facts.get("known") is False:  # the answer to "what became of it?"
            self._after_probe(host, question, result, heard)
        elif result.deploy:
            del self._open[host]
            heard.answers.append(_whole(result, question.orders))
        elif result.error is not None:  # refused before the stage began
            del self._open[host]
            heard.answers.append(result)

    def _note_odd(self, host: str, question: _Question, data: dict[str, Any], error: DeployError) -> None:
        """A broken installation looks like this as well; should the host stay silent, this is the best reason."""
        question.odd = DeployError(error.cause, next=what_helps(error, host))
        if is_of_a_sync(error):
            self._wait_for_a_sync(question)
        if host not in self._warned:
            self._warned.add(host)
            log.info("deploy %s: %s returned %.300r", self._deploy, host, data.get("return"))
            self._warn(f"{host}: ignored an answer under its name, and asks again: {error.cause}")

    def _wait_for_a_sync(self, question: _Question) -> None:
        """A refusal is a sign of life, for a while: a job that runs goes on in memory, and the next one may be taken.

        Given up after two refusals, a host would be called unreachable while it switches, and would not take the way
        back either. What it cannot do meanwhile is not taken off the time that its stage may take.
        """
        now = self._attention.seconds
        question.synced += now - (question.sign if question.syncing is None else question.syncing)
        question.syncing = now
        if question.synced <= _SYNC_TAKES:
            question.sign, question.probes, question.probed = now, 0, 0.0

    # -- silence ----------------------------------------------------------------------------------------

    def _probe_the_silent(self, heard: Heard) -> None:
        now = self._attention.seconds
        silent = []
        for host, question in list(self._open.items()):
            if now - question.asked > question.timeout + min(question.synced, _SYNC_TAKES):
                self._give_up(host, question, heard, f"no end after {question.timeout:g} seconds")
            elif question.probes == QUESTIONS and now - question.probed > self._patience:
                self._give_up(host, question, heard, "no answer, and none when asked again")
            elif now - max(question.sign, question.probed) > self._patience and question.probes < QUESTIONS:
                question.probes += 1
                question.probed = now
                silent.append(host)
        for (order, *_), hosts in self._by_orders(silent):
            arguments = [self._deploy, order.stage, order.release.repo, order.attempt]
            self._publish(hosts, "deploy.result", arguments)

    def _after_probe(self, host: str, question: _Question, result: Result, heard: Heard) -> None:
        question.sign, question.probes, question.probed = self._attention.seconds, 0, 0.0
        if result.facts.get("running"):
            return
        if question.anew == _ANEW:
            self._give_up(host, question, heard, f"asked {_ANEW + 1} times, and no trace of it each time")
        else:  # it never heard the question, or died over it
            question.anew += 1
            self._to_ask_anew.append(host)

    def _ask_anew(self) -> None:
        """All of the last moment at once: each publish costs every minion a look."""
        hosts = [host for host in dict.fromkeys(self._to_ask_anew) if host in self._open]
        self._to_ask_anew.clear()
        for orders, those in self._by_orders(hosts):
            self._publish_orders(those, orders)

    def _by_orders(self, hosts: list[str]) -> list[tuple[tuple[Order, ...], list[str]]]:
        found: dict[tuple[Order, ...], list[str]] = {}
        for host in hosts:
            found.setdefault(self._open[host].orders, []).append(host)
        return list(found.items())

    def _give_up(self, host: str, question: _Question, heard: Heard, cause: str) -> None:
        del self._open[host]
        order = question.order
        error = Unreachable(
            f"{cause}; {question.odd.cause}" if question.odd else cause,
            repo=order.release.repo,
            host=host,
            next=(question.odd and question.odd.next)
            or f"salt '{host}' test.ping; then salt '{host}' deploy.status {order.release.repo}",
        )
        heard.answers.append(Result.of(order, host, status=error.status, error=error))

    def _publish_orders(self, hosts: list[str], orders: tuple[Order, ...]) -> None:
        wires = [order.to_wire() for order in orders]
        arguments = [
            orders[0].release.repo,
            {"__kwarg__": True, "order": wires if len(wires) > 1 else wires[0]},
        ]
        self._publish(hosts, f"deploy.{orders[0].stage}", arguments)

    def _publish(self, hosts: list[str], function: str, arguments: list[Any]) -> None:
        jid = self._bus.new_jid()
        log.debug("job %s asks %d hosts for %s", jid, len(hosts), function)
        for host in hosts:
            self._open[host].jobs.add(jid)
        self._bus.publish(hosts, function, arguments, jid)


def _refuse_other_subject(result: Result, order: Order) -> None:
    """Raise where this is an answer to another stage, attempt, deploy or repo.

    A host that refuses before a stage began, or does not know of it, names the repo only.
    """
    said = (result.repo, result.deploy, result.stage, result.attempt)
    asked = (order.release.repo, order.deploy, order.stage, order.attempt)
    begun = result.deploy and result.facts.get("known") is not False
    if said != asked if begun else result.repo != order.release.repo:
        subject = " ".join(filter(None, (result.deploy, result.stage, result.repo))) or "nothing"
        raise Forged(
            f"an answer about {subject} came as one to {order.deploy} {order.stage} {order.release.repo}",
            repo=order.release.repo,
            host=result.host,
        )


def _whole(result: Result, orders: tuple[Order, ...]) -> Result:
    """The answer; a failure when it says that all is well and does not speak of every repo that was asked for."""
    unsaid = {order.release.repo for order in orders} - {part.repo for part in result.parts}
    if not result.ok or not unsaid:
        return result
    error = DeployError(
        f"the host's answer says nothing of {', '.join(sorted(unsaid))}",
        repo=result.repo,
        host=result.host,
        next=f"salt '{result.host}' saltutil.sync_all",
    )
    return replace(result, status=error.status, error=error)


def _progress(data: object, host: str, order: Order, now: float) -> events.Event | None:
    """A host's progress event, built anew from what it may say; None when its form is wrong.

    Salt wraps what a minion fires: the event stands under ``data``.
    """
    if not isinstance(data, dict):
        return None
    phase, unit = data.get("phase"), data.get("unit")
    done, total = _count(data.get("done")), _count(data.get("total"))
    if phase not in events.PHASES or unit not in events.UNITS:
        return None
    if done is None or total is None:
        return None
    return events.host_progress(
        order.deploy,
        order.release.repo,
        now,
        host=host,
        stage=order.stage,
        phase=phase,
        done=done,
        total=total,
        unit=unit,
        step=step if isinstance(step := data.get("step"), str) else "",
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 1 << 60 else None
