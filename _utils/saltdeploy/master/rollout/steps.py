"""The steps that run once in a deploy: which one is due, and what became of those that were begun. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from saltdeploy.master.rollout.model import (
    AFTER,
    BEFORE,
    DONE,
    FAILED,
    LOST,
    TO_DO,
    UNDO_AFTER,
    UNDO_BEFORE,
    PlannedStep,
    StepRun,
)


@dataclass
class _Course:
    """How far one step is.

    Attributes:
        host: where it ran; "" for the master.
        how: ``done``, ``failed``, ``lost``; "" when it was not begun.
        text: why it failed, or what is not known.
        undone: the same of what undoes it.
        undo_text: why that failed.
    """

    step: PlannedStep
    host: str = ""
    how: str = ""
    text: str = ""
    undone: str = ""
    undo_text: str = ""

    @property
    def place(self) -> str:
        return self.host or "the master"

    def cause(self) -> str:
        said = self.text.partition(TO_DO)[0]
        return f": {said}" if said else ""


class StepBook:
    """The steps of one deploy.

    Args:
        planned: all of them, in their order.
        targets: the hosts of the deploy. A step on one of them waits for no other thing than its fetch.

    Attributes:
        under_way: the run that has begun and is not known to have ended.
    """

    def __init__(self, planned: Iterable[PlannedStep], targets: Collection[str]) -> None:
        self.under_way: StepRun | None = None
        self._courses = [_Course(step) for step in planned]
        self._targets = frozenset(targets) if self._courses else frozenset()
        self._begun = 0

    def due(self, what: str, fetched: Collection[str]) -> StepRun | None:
        """The run that is due; the one under way until it has ended.

        Args:
            what: which steps, see :data:`~saltdeploy.master.rollout.model.BEFORE` and its neighbours.
            fetched: hosts that have the release on their disks.
        """
        if self.under_way is not None:
            return self.under_way
        if what in (BEFORE, AFTER):
            waiting = (one for one in self._courses if one.step.before == (what == BEFORE) and not one.how)
            one = next(waiting, None)
            return self._run(one, self._host_for(one.step, fetched)) if one else None
        if what in (UNDO_BEFORE, UNDO_AFTER):
            undoable = (
                one
                for one in reversed(self._courses)
                if one.step.before == (what == UNDO_BEFORE) and _is_undoable(one)
            )
            one = next(undoable, None)
            return self._run(one, one.host, undo=True) if one else None
        return None

    def _run(self, one: _Course, host: str, *, undo: bool = False) -> StepRun:
        return StepRun(one.step, self._begun + 1, host, undo or one.step.is_undo)

    def _host_for(self, step: PlannedStep, fetched: Collection[str]) -> str:
        """The first host that can run it; "" for the master."""
        able = (host for host in step.hosts if host in fetched or host not in self._targets)
        return next(able, step.hosts[0]) if step.hosts else ""

    def begin(self, run: StepRun) -> None:
        """It is begun, or is about to be."""
        self.under_way = run
        self._begun = run.number

    def end(self, run: StepRun, how: str, text: str) -> None:
        """It has ended, or nobody can tell."""
        self.under_way = None
        one = next(one for one in self._courses if one.step == run.step)
        if run.undo and not run.step.is_undo:
            one.undone, one.undo_text = how, text
        else:
            one.host, one.how, one.text = run.host, how, text

    def accept(self) -> None:
        """Somebody says that what did not go well is done."""
        for one in self._troubled():
            one.how, one.text = DONE, ""

    def again(self) -> None:
        """What did not go well has its turn again."""
        for one in self._troubled():
            one.how = one.text = ""

    def _troubled(self) -> list[_Course]:
        return [one for one in self._courses if one.how in (FAILED, LOST) and not one.step.is_undo]

    # -- in words ---------------------------------------------------------------------------------------

    def trouble(self) -> str:
        """What did not go well last; "" where all did."""
        return _and([_trouble(one) for one in self._troubled()])

    def advice(self) -> str:
        """What is to be done about the first that did not go well; "" where nothing is known."""
        said = [one.text.partition(TO_DO)[2] for one in self._troubled() if TO_DO in one.text]
        lost = [
            f"{_look(one)}, since the next deploy runs it again"
            for one in self._troubled()
            if one.how == LOST
        ]
        return next(iter([*said, *lost]), "")

    def refusing(self) -> str:
        """Why the way back is refused; "" where it is not."""
        found = [one for one in self._courses if one.step.refuses and one.how in (DONE, LOST)]
        return _and(
            [f"the roll back is refused: step {one.step.name} {_was(one)} on {one.place}" for one in found]
        )

    def lasting(self) -> str:
        """What no roll back of this deploy can undo, and what was to be undone and was not."""
        found = [f"step {one.step.name} was done on {one.place} and cannot be undone" for one in self._courses
                 if one.how == DONE and not one.step.undo and not one.step.is_undo]  # fmt: skip
        return _and(
            [
                *found,
                *(_trouble(one) for one in self._courses if one.step.is_undo and one.how in (FAILED, LOST)),
            ]
        )

    def sentence(self) -> str:
        """What became of each step that was begun, in a deploy that did not get through."""
        return _and([_ended(one) for one in self._courses if one.how] + self._cut_off())

    def _cut_off(self) -> list[str]:
        if self.under_way is None:
            return []
        what = _named(self.under_way.step, undo=self.under_way.undo)
        return [
            f"{what} was begun on {self.under_way.host or 'the master'}, and it is not known how it ended"
        ]

    def told(self) -> list[dict[str, Any]]:
        """What became of each step that was begun, for the history.

        Returns:
            Of each ``repo``, ``step``, ``host`` ("" for the master), ``state`` (``done``, ``undone``, ``failed``,
            ``lost``), ``undo`` (whether it can be undone) and ``refuses``.
        """
        return [
            {
                "repo": one.step.repo,
                "step": one.step.name,
                "host": one.host,
                "state": _state(one),
                "undo": one.step.undo,
                "refuses": one.step.refuses,
            }
            for one in self._courses
            if one.how
        ]


def _is_undoable(one: _Course) -> bool:
    return one.how == DONE and one.step.undo and not one.undone and not one.step.is_undo


def _state(one: _Course) -> str:
    is_undone = one.undone == DONE or (one.step.is_undo and one.how == DONE)
    return "undone" if is_undone else one.how


def _named(step: PlannedStep, *, undo: bool) -> str:
    return f"the undoing of step {step.name}" if undo else f"step {step.name}"


def _trouble(one: _Course) -> str:
    what = _named(one.step, undo=one.step.is_undo)
    if one.how == FAILED:
        return f"{what} failed on {one.place}{one.cause()}"
    return f"it is not known whether {what} was done on {one.place}{one.cause()}"


def _was(one: _Course) -> str:
    return "was done" if one.how == DONE else "may have been done"


def _look(one: _Course) -> str:
    return f"look on {one.place} whether {_named(one.step, undo=one.step.is_undo)} was done"


def _ended(one: _Course) -> str:
    """What became of a step, and of its undoing."""
    what = _named(one.step, undo=one.step.is_undo)
    if one.how == FAILED:
        return f"what {what} had done by then is not undone"
    if one.how == LOST:
        return _look(one)
    done = f"{what} was done on {one.place}"
    if one.step.is_undo:
        return done
    if not one.step.undo:
        return f"{done} and cannot be undone"
    why = f": {one.undo_text}" if one.undo_text else ""
    ends = {
        DONE: " and undone",
        FAILED: f", and undoing it failed{why}",
        LOST: f", and it is not known whether it was undone{why}",
    }
    return f"{done}{ends.get(one.undone, ' and is not undone')}"


def _and(parts: list[str]) -> str:
    return "; ".join(parts)
