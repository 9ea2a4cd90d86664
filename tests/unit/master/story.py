"""A deploy without hosts: the state machine, and words to say what the hosts and the operators do."""

from __future__ import annotations

from typing import Any

from saltdeploy.lib.errors import DeployError, Unreachable
from saltdeploy.master.rollout.machine import Rollout
from saltdeploy.master.rollout.model import ASK, Ask, Gate, Instruction, Pause, Question, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import FETCH

BROKEN = DeployError("the disk is full")
SILENT = Unreachable("no answer, and none when asked again")


def wave(
    name: str,
    hosts: str,
    *,
    window: int = 99,
    limit: int = 0,
    hold: str = "",
    group: str = "",
    on_inconclusive: str = "",
) -> Wave:
    """A wave of hosts that are named in one text."""
    return Wave(
        name, group or name, tuple(hosts.split()), window, limit, hold, on_inconclusive=on_inconclusive
    )


CANARY = wave("canary", "c1 c2")
REST = wave("rest", "r1 r2 r3 r4", window=2, limit=1)


class Deploy:
    """A deploy whose instructions are carried out as the story tells.

    Attributes:
        told: everything that the machine was told, as ``(method, arguments, keywords)``.
    """

    def __init__(self, *waves: Wave, **rules: Any) -> None:
        self.waves, self.rules = waves, Rules(**rules)
        self.rollout = Rollout(waves, self.rules)
        self.told: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    @property
    def end(self) -> str:
        """The outcome in words; "" while there is none."""
        return str(self.rollout.outcome or "")

    @property
    def reason(self) -> str:
        """Why it ended so."""
        assert self.rollout.outcome is not None
        return self.rollout.outcome.reason

    @property
    def astray(self) -> set[str]:
        """The hosts that are astray in the end."""
        assert self.rollout.outcome is not None
        return set(self.rollout.outcome.astray)

    @property
    def question(self) -> Question:
        """The question that is open."""
        due = self.rollout.due()
        assert isinstance(due, Question)
        return due

    def tell(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Tell the machine something, and note it."""
        self.told.append((method, arguments, keywords))
        return getattr(self.rollout, method)(*arguments, **keywords)

    def ask(self) -> list[str]:
        """Ask everybody that is due now; who they are."""
        hosts: list[str] = []
        while isinstance(due := self.rollout.due(), Ask):
            self.tell("asked", due)
            hosts += due.hosts
        return hosts

    def hear(self, hosts: str, error: DeployError | None = None, **facts: Any) -> None:
        """Hosts answer to the present stage; a fetch and a way back say that the release is not live."""
        facts.setdefault("switched", self.rollout.stage == "checkout")
        for host in hosts.split():
            self.tell("heard", host, error=error, **facts)

    def fetch(self, **errors: DeployError) -> Deploy:
        """Everybody is asked to fetch and answers; the hosts named here fail."""
        for host in self.ask():
            self.hear(host, errors.get(host))
        return self

    def carry_on(self) -> Deploy:
        """Ask and answer well until something else is due, or the end."""
        while hosts := [*self.ask(), *self.rollout.in_flight()]:
            self.hear(" ".join(dict.fromkeys(hosts)))
        return self

    def check(self, *, ok: bool, reason: str = "", untold: bool = False) -> Gate:
        """The checks of the gate that is due are done; which one it was."""
        due = self.rollout.due()
        assert isinstance(due, Gate)
        self.tell("passed", due, ok=ok, reason=reason, untold=untold)
        return due

    def answer(self, choice: str) -> None:
        """An operator answers the question that is open."""
        assert self.tell("answered", self.question.key, choice)

    def wait(self) -> Pause:
        """The pause that is due goes by; which one it was."""
        due = self.rollout.due()
        assert isinstance(due, Pause)
        self.tell("waited", due)
        return due

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Every ``(stage, host)`` that was asked, in order."""
        asks = [arguments[0] for method, arguments, _ in self.told if method == "asked"]
        return [(ask.stage, host) for ask in asks for host in ask.hosts]

    def asked_for(self, stage: str) -> list[str]:
        """Who was asked for a stage, in order."""
        return [host for one, host in self.asked if one == stage]


def standing(rollout: Rollout) -> tuple[Any, ...]:
    """Everything that a driver can see of a rollout."""
    positions = [(FETCH, -1), *((s, w) for s in ("checkout", "rollback") for w in range(len(rollout.waves)))]
    tallies = [repr(rollout.tally(stage, wave)) for stage, wave in positions]
    due: tuple[Instruction | None, ...] = (rollout.due(), rollout.due(whole=False))
    return rollout.stage, rollout.wave, rollout.outcome, due, list(rollout.in_flight()), tallies


def replay(deploy: Deploy) -> Rollout:
    """A fresh rollout that was told the same."""
    fresh = Rollout(deploy.waves, deploy.rules)
    for method, arguments, keywords in deploy.told:
        getattr(fresh, method)(*arguments, **keywords)
    return fresh


def failed_canary() -> Deploy:
    """Of two canaries one has failed; an operator is asked."""
    deploy = Deploy(CANARY, REST, on_failure=ASK).fetch()
    deploy.ask()
    deploy.hear("c1")
    deploy.hear("c2", BROKEN)
    return deploy
