"""What the state machine of a rollout says and is told: instructions, rules, outcome. Data only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

CONVERGED = "CONVERGED"
HELD = "HELD"
ROLLED_BACK = "ROLLED BACK"
MIXED = "MIXED"

ROLL_BACK, HOLD, ASK = "rollback", "hold", "ask"
YES, NO, RETRY, CONTINUE, ALL = "yes", "no", "retry", "continue", "all"

BEFORE_FETCH, AFTER_FETCH = "before fetch", "after fetch"
BEFORE_WAVE, AFTER_WAVE, FINAL = "before wave", "after wave", "final"


@dataclass(frozen=True)
class Ask:
    """Ask hosts for a stage. ``wave``: its position; -1 for the fetch, which is for all."""

    stage: str
    hosts: tuple[str, ...]
    wave: int = -1


@dataclass(frozen=True)
class Gate:
    """Run the master's checks of this point; ``wave`` is the position of the wave that it is about, or -1."""

    point: str
    wave: int = -1


@dataclass(frozen=True)
class Pause:
    """Wait before the wave at this position begins."""

    wave: int
    seconds: float


@dataclass(frozen=True)
class Question:
    """Ask the operators.

    Attributes:
        key: unique in its deploy.
        choices: the answers that count.
        default: what is taken when nobody answers in time.
    """

    key: str
    text: str
    choices: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class PlannedStep:
    """A step that runs once in a deploy, in one place.

    Attributes:
        name: unique in its repo.
        repo: whose it is.
        before: whether it stands before the first host switches; else behind the last one.
        hosts: where it can run, in the order in which they are thought of; () for the master.
        undo: whether the way back can undo it.
        refuses: whether it refuses the way back once it is done.
        is_undo: it undoes what an earlier deploy did; then its failure stops nothing.
        timeout: seconds.
    """

    name: str
    repo: str
    before: bool
    hosts: tuple[str, ...] = ()
    undo: bool = False
    refuses: bool = False
    is_undo: bool = False
    timeout: float = 600.0

    def to_wire(self) -> dict[str, Any]:
        """The step as plain data."""
        return {**self.__dict__, "hosts": list(self.hosts)}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> PlannedStep:
        """Rebuild a step."""
        return cls(**{**data, "hosts": tuple(data["hosts"])})


@dataclass(frozen=True)
class StepRun:
    """Run a step, or what undoes it. ``host``: "" for the master; ``number`` counts the runs of the deploy, from 1."""

    step: PlannedStep
    number: int
    host: str
    undo: bool = False


#: Which steps are due: those before anybody switches, or behind the last wave; what undoes them; none that is new.
BEFORE, AFTER, UNDO_BEFORE, UNDO_AFTER, NO_MORE = "before", "after", "undo before", "undo after", "no more"
#: How a run of a step ended: LOST when nobody can tell.
DONE, FAILED, LOST = "done", "failed", "lost"
#: Stands in what is told of a run between what happened and what is to be done.
TO_DO = "; next: "

Instruction = Ask | Gate | Pause | Question | StepRun


@dataclass(frozen=True)
class Rules:
    """What decides when things go wrong.

    Attributes:
        on_failure: :data:`ROLL_BACK`, :data:`HOLD` or :data:`ASK`; :data:`CONTINUE`: no failure of a host stops it.
        on_inconclusive: the same where it cannot be told whether too many failed, as far as a wave says nothing itself; ""
            as ``on_failure``.
        on_abort: :data:`ROLL_BACK` or :data:`HOLD`.
        fetch_only: end at the barrier.
        fetch_window: how many hosts may be fetching at once; 0: all of them.
        confirm: ask the operator at the barrier, as Trebuchet did.
        gates: points with checks of the master, each with the position of its wave, or -1.
        pinned: the release is pinned already: who does not run it in the end is astray, however the deploy ends.
        anew: hosts that run the release already take part in the checkout as well: they restart.
        steps: those that run once, in their order.
    """

    on_failure: str = ROLL_BACK
    on_abort: str = ROLL_BACK
    fetch_only: bool = False
    confirm: bool = False
    gates: frozenset[Gate] = frozenset()
    pinned: bool = False
    anew: bool = False
    fetch_window: int = 0
    on_inconclusive: str = ""
    steps: tuple[PlannedStep, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a deploy ended.

    Attributes:
        word: one of the four.
        ok, total: ``CONVERGED``: hosts that run the release. ``ROLLED BACK``: hosts that are back, of those that were
            asked to switch. ``MIXED``: hosts that run what is pinned then. ``HELD``: hosts that had fetched.
        reason: one sentence.
        accepted: whether the new release is what the fleet should be running from now on.
        astray: hosts that do not run what is pinned then, or of which that is not known.
        unwell: hosts that are where they should be, where something else failed: a restart, a check.
        blameless: it was stopped by nothing but trouble of the hosts' own, a full or read-only disk; or by what could not
            be told, where ``on_inconclusive`` says what follows.
    """

    word: str
    ok: int
    total: int
    reason: str
    accepted: bool = False
    astray: tuple[str, ...] = ()
    unwell: tuple[str, ...] = ()
    blameless: bool = False

    def __str__(self) -> str:
        return f"{self.word} {self.ok}/{self.total}"


@dataclass
class Tally:
    """How far one stage of one wave is. ``failed`` is host -> cause, in the order in which they failed."""

    waiting: dict[str, None] = field(default_factory=dict)
    in_flight: dict[str, None] = field(default_factory=dict)
    ok: dict[str, None] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many hosts the stage is for."""
        return len(self.waiting) + len(self.in_flight) + len(self.ok) + len(self.failed)

    @property
    def done(self) -> bool:
        """Whether nobody is left to ask or to hear."""
        return not self.waiting and not self.in_flight

    def ask(self, hosts: Iterable[str]) -> None:
        """Hosts were asked."""
        for host in hosts:
            self.waiting.pop(host, None)
            self.in_flight[host] = None

    def answer(self, host: str, cause: str | None) -> None:
        """A host answered; with the cause when it failed."""
        del self.in_flight[host]
        if cause is None:
            self.ok[host] = None
        else:
            self.failed[host] = cause

    def again(self) -> None:
        """Those that failed shall be asked once more."""
        self.waiting |= dict.fromkeys(self.failed)
        self.failed.clear()
