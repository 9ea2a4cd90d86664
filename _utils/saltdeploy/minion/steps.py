"""Does the steps of a stage one after the other, tells the master while they run, and lists them afterwards."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from saltdeploy.lib import process
from saltdeploy.lib.errors import DeployError

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
_MOST = 40  # steps in an answer
_FIRST, _EVERY = 1.0, 4.0  # seconds until it is said that a step runs, and said again
_SHORT, _LONG = 120, 2200  # characters of what a step said: when it went well, when it did not


class StepProgress(Protocol):
    """Hears how far it is: :data:`saltdeploy.git.repository.Progress`, and which step runs."""

    def __call__(self, phase: str, done: int, total: int, unit: str, step: str = "") -> None:
        """See :class:`saltdeploy.minion.progress.Reporter`."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        phase: what it is part of, as progress events name it: ``depool``, ``flip``, ``restart``, ``wait``,
            ``check``, ``repool``.
        name: what people call it.
        act: does it, and returns what there is to say, if anything.
        repo: which repo it is about, in a stage that is about several.
    """

    phase: str
    name: str
    act: Callable[[], str | None]
    repo: str = ""

    @property
    def label(self) -> str:
        """What people read while it runs: ``check well``, ``call service.reload``."""
        return self.name if self.name.startswith((self.phase, "call ")) else f"{self.phase} {self.name}"


@dataclass
class Steps:
    """What was done of a stage.

    Args:
        progress: hears of each step that begins, and again and again of one that takes its time.
        clock: seconds.
    """

    progress: StepProgress
    clock: Callable[[], float]
    done: list[dict[str, Any]] = field(default_factory=list)

    def run(self, steps: Sequence[Step]) -> None:
        """Do all, in order. The first one that raises ends it; those behind it are noted as skipped.

        Raises:
            DeployError: that step's error.
        """
        before = len(self.done)
        for position, step in enumerate(steps):
            place = (step.phase, before + position, before + len(steps), "steps", step.label)
            self.progress(*place)
            begin = self.clock()
            try:
                with process.while_waiting(_now_and_then(functools.partial(self.progress, *place))):
                    said = step.act()
            except BaseException as error:
                cause = error.cause if isinstance(error, DeployError) else f"{type(error).__name__}: {error}"
                self._note(step, FAILED, cause[:_LONG], begin)
                for skipped in steps[position + 1 :]:
                    self._note(skipped, SKIPPED, "", self.clock())
                if isinstance(error, DeployError):
                    error.at(repo=step.repo)
                raise
            self._note(step, OK, (said or "")[:_SHORT], begin)

    def status(self, name: str, repo: str = "") -> str:
        """How the step of this name went; "" when it was never listed."""
        wanted = (name, repo)
        return next(
            (done["status"] for done in self.done if (done["step"], done.get("repo", "")) == wanted), ""
        )

    def facts(self) -> dict[str, Any]:
        """The list, as part of an answer. Where it is too long, what failed and what was skipped is kept."""
        if not self.done:
            return {}
        fine = [done for done in self.done if done["status"] == OK]
        rest = [done for done in self.done if done["status"] != OK][:_MOST]
        return {"steps": [*fine[: _MOST - len(rest)], *rest]}

    def _note(self, step: Step, status: str, text: str, begin: float) -> None:
        seconds = round(self.clock() - begin, 3)
        about = {"repo": step.repo} if step.repo else {}
        self.done.append({"step": step.name, "status": status, "seconds": seconds, "text": text, **about})


def _now_and_then(tell: Callable[[], None]) -> Callable[[], None]:
    """Tells that a step still runs, however often it is asked to: what was told as it began may have been left out."""
    due = time.monotonic() + _FIRST

    def look() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            tell()

    return look
