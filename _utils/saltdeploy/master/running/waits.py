"""What a deploy waits for besides hosts: the master's checks at a gate, a pause, an operator's answer to a question.

Each begins once, also when another process resumes the deploy, and ends by an event, which changes the state machine.
A process waits by a clock that nobody sets; the time at which it ends stands in the event for those who watch. One that
resumes the deploy waits for the seconds that were left.
"""

from __future__ import annotations

from collections.abc import Sequence

from saltdeploy.checks import INCONCLUSIVE
from saltdeploy.config import Repo
from saltdeploy.master.context import Master
from saltdeploy.master.records import checks
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.rollout.model import Gate, Pause, Question
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.protocol import events


class Waits:
    """What one process waits for.

    Args:
        repos: the configuration of each repo of the plan, in its order.
        signals: answers of operators.
    """

    def __init__(
        self, recorder: Recorder, repos: Sequence[Repo], signals: OperatorSignals, master: Master
    ) -> None:
        self._recorder = recorder
        self._state = recorder.state
        self._ends: dict[str, float] = {}  # of what this process waits for, by its own clock
        self._plan = recorder.plan
        self._repos = repos
        self._signals = signals
        self._bus = master.bus
        self._place = master.place
        self._begun: Gate | Pause | Question | None = None
        self._work: checks.Work | None = None

    def is_over(self, due: Gate | Pause | Question) -> bool:
        """Begin what is due, or look whether it is over; if so, record it, and the state machine goes on."""
        begins = self._begun != due
        self._begun = due
        if isinstance(due, Gate):
            return self._gate(due, begins)
        if isinstance(due, Pause):
            return self._pause(due, begins)
        return self._question(due, begins)

    def _gate(self, gate: Gate, begins: bool) -> bool:
        waves = self._plan.waves
        if begins or self._work is None:
            todo = [
                due
                for repo, part in zip(self._repos, self._plan.parts, strict=True)
                for due in checks.at(gate, repo, waves, part.baselines)
            ]
            self._work = checks.Work(todo, self._place)
        found = self._work.done()
        if found is None:
            return False
        self._work = self._begun = None
        for one in found:
            self._recorder.record(
                events.check_finished, about=one.repo, check=one.check.name, stage=one.check.stage,
                group=waves[gate.wave].name if gate.wave >= 0 else "", verdict=one.verdict.word,
                text=one.verdict.text)  # fmt: skip
        bad = [one for one in found if not one.verdict.ok]
        reason = f"check {bad[0].check.name}: {bad[0].verdict.word}: {bad[0].verdict.text}" if bad else ""
        untold = bool(bad) and all(one.verdict.word == INCONCLUSIVE for one in bad)
        self._recorder.record(
            events.gate_finished, point=gate.point, wave=gate.wave, ok=not bad, reason=reason, untold=untold
        )
        return True

    def _pause(self, pause: Pause, begins: bool) -> bool:
        key = f"pause {pause.wave}"
        if begins and key not in self._state.left:
            group = self._plan.waves[pause.wave].name
            until = self._bus.now() + pause.seconds
            self._recorder.record(events.paused, wave=pause.wave, group=group, until=until)
        if not self._is_past(key):
            return False
        self._recorder.record(events.pause_over, wave=pause.wave, seconds=pause.seconds)
        return True

    def _question(self, question: Question, begins: bool) -> bool:
        if begins and question.key not in self._state.left:
            until = self._bus.now() + self._plan.question_timeout
            self._recorder.record(
                events.question, key=question.key, text=question.text,
                choices=list(question.choices), default=question.default, until=until)  # fmt: skip
        said = self._signals.answered(question.key)
        if said is None and not self._is_past(question.key):
            return False
        user, choice = (said.user, said.text) if said else ("", question.default)
        self._recorder.record(
            events.answered, key=question.key, choice=choice, user=user,
            unattended=said is None and self._plan.unattended)  # fmt: skip
        return True

    def _is_past(self, key: str) -> bool:
        """Whether the seconds are over that were left when this process began to wait."""
        now = self._bus.elapsed()
        return now >= self._ends.setdefault(key, now + self._state.left[key])
