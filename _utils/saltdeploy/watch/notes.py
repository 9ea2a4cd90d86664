"""What a watcher keeps of single events: failures, checks, questions and their answers, pauses, the outcome. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """Why a host failed a stage."""

    host: str
    stage: str
    cause: str
    next: str


@dataclass(frozen=True)
class CheckNote:
    """What a check of the master found; see :func:`saltdeploy.protocol.events.check_finished`.

    Or how a step went that runs once: ``step migrate`` on the host, or the master, that ``group`` names.
    """

    name: str
    group: str
    verdict: str
    text: str

    @property
    def is_step(self) -> bool:
        """Whether it is a step; no check has a space in its name."""
        return " " in self.name


@dataclass(frozen=True)
class QuestionNote:
    """What a deploy waits with; see :func:`saltdeploy.protocol.events.question`."""

    key: str
    text: str
    choices: tuple[str, ...]
    default: str
    until: float


@dataclass(frozen=True)
class AnswerNote:
    """What became of a question; ``user`` is "" when its time had run out, or where nobody was to be asked."""

    key: str
    choice: str
    user: str
    unattended: bool = False


@dataclass(frozen=True)
class PauseNote:
    """A deploy waits before a group begins."""

    group: str
    until: float


@dataclass(frozen=True)
class Pinned:
    """What hosts should be running from now on; see :func:`saltdeploy.protocol.events.pinned`."""

    repo: str
    tag: str
    commit: str


@dataclass(frozen=True)
class OutcomeNote:
    """How the deploy ended; see :func:`saltdeploy.protocol.events.finished`."""

    word: str
    ok: int
    total: int
    reason: str
    next: str
