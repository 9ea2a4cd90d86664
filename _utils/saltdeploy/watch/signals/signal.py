"""What a deploy has to tell the world: a handful of moments, each complete in itself. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.protocol import events
from saltdeploy.watch.notes import Failure
from saltdeploy.watch.stage import Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clean

STARTED = "started"
ASKED = "asked"
ANSWERED = "answered"
ABORTED = "aborted"
GOING_BACK = "going back"
FINISHED = "finished"
KINDS = (STARTED, ASKED, ANSWERED, ABORTED, GOING_BACK, FINISHED)

CONVERGED, ROLLED_BACK = "CONVERGED", "ROLLED BACK"

_MOST_FAILURES = 20
_MOST_STAGES = 50


@dataclass(frozen=True)
class Notification:
    """One moment of a deploy of one repo.

    Attributes:
        id: the same for the same moment, however often it is told: receivers can tell a repetition.
        kind: one of :data:`KINDS`.
        time, began: of the moment, and when the deploy began, in seconds since the epoch.
        action: the runner function: ``sync``, ``rollback``, ``fetch``, ``checkout``, ``restart``.
        who: who did this: of ``answered`` who answered, "" where nobody did in time; of all else who began the deploy.
        first: no host was known to run any release of the repo before.
        ok, total: hosts that are well, of so many.
        outcome, reason, next: of ``finished``: the outcome's word, why, and the command that follows.
        text, choices: of ``asked`` the question and what may be answered; of ``answered`` and ``aborted`` what was said.
        failures: of ``finished``: which hosts failed, at most 20 of them.
        stages: of ``finished``: when each stage began and ended, and each host in it; what has no end ended with the deploy.
    """

    id: str
    kind: str
    time: float
    began: float
    deploy: str
    repo: str
    tag: str
    commit: str
    user: str
    action: str
    message: str
    hosts: int
    who: str = ""
    first: bool = False
    ok: int = 0
    total: int = 0
    outcome: str = ""
    reason: str = ""
    next: str = ""
    text: str = ""
    choices: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the deploy took up to this moment."""
        return max(0.0, self.time - self.began)

    @property
    def converged(self) -> bool:
        """Every host has taken it."""
        return self.outcome == CONVERGED

    def to_wire(self) -> dict[str, Any]:
        """As receivers of JSON get it; ``v`` grows only when a field changes its meaning or goes away."""
        told = {
            "v": 1,
            "id": self.id,
            "kind": self.kind,
            "time": self.time,
            "began": self.began,
            "deploy": self.deploy,
            "repo": self.repo,
            "tag": self.tag,
            "commit": self.commit,
            "user": self.user,
            "who": self.who,
            "action": self.action,
            "message": self.message,
            "hosts": self.hosts,
        }
        if self.kind == FINISHED:
            told |= {"outcome": self.outcome, "ok": self.ok, "total": self.total, "reason": self.reason}
            told |= {"next": self.next, "seconds": round(self.seconds, 3)}
            told["failures"] = [
                {"host": one.host, "stage": one.stage, "cause": one.cause, "next": one.next}
                for one in self.failures
            ]
        if self.text:
            told["text"] = self.text
        if self.choices:
            told["choices"] = list(self.choices)
        return told


class Teller:
    """Makes signals of a deploy's events, told to it one by one."""

    def __init__(self) -> None:
        self._view = DeployView()
        self._parts: list[tuple[str, str, str]] = []
        self._ran_before = False
        self._back = False

    def hear(self, event: events.Event) -> list[Notification]:
        """What follows from one event: nothing, or a signal for each repo that is deployed."""
        kind = self._view.hear(event)
        if kind == events.STARTED:
            self._parts = [
                tuple(clean(part.get(key), 200) for key in ("repo", "tag", "commit"))  # type: ignore[misc]
                for part in events.of_each_repo(event)
            ]
        if kind == events.HOST_FINISHED and event.get("stage") == "fetch":
            self._ran_before |= bool(event.get("live") or event.get("live_tag"))
        make = _MAKE.get(kind)
        return make(self, event) if make and self._parts else []

    def _started(self, event: events.Event) -> list[Notification]:
        return self._signals(event, STARTED)

    def _asked(self, event: events.Event) -> list[Notification]:
        question = self._view.question
        return self._signals(event, ASKED, text=question.text, choices=question.choices) if question else []

    def _answered(self, event: events.Event) -> list[Notification]:
        answer = self._view.answer
        return self._signals(event, ANSWERED, text=answer.choice, who=answer.user) if answer else []

    def _aborted(self, event: events.Event) -> list[Notification]:
        return self._signals(event, ABORTED, text=self._view.aborted, who=clean(event.get("user"), 64))

    def _going_back(self, event: events.Event) -> list[Notification]:
        """The first stage of a way back; a deploy that is one from the begin says so when it starts."""
        if event.get("stage") != "rollback" or self._back or self._view.action == "rollback":
            return []
        self._back = True
        return self._signals(event, GOING_BACK)

    def _finished(self, event: events.Event) -> list[Notification]:
        outcome = self._view.outcome
        if outcome is None:
            return []
        return self._signals(
            event,
            FINISHED,
            outcome=outcome.word,
            reason=outcome.reason,
            next=outcome.next,
            ok=outcome.ok,
            total=outcome.total,
            failures=tuple(self._view.failures[:_MOST_FAILURES]),
            stages=tuple(self._view.stages.values())[-_MOST_STAGES:],
        )

    def _signals(self, event: events.Event, kind: str, **more: Any) -> list[Notification]:
        view = self._view
        who = more.pop("who", view.user)
        # a journal has its events in order, and no two of one kind at one time about one thing
        moment = f"{view.deploy}/{kind.replace(' ', '-')}/{float(event.get('time') or 0):.6f}"
        return [
            Notification(
                id=f"{moment}/{repo}",
                kind=kind,
                time=view.now,
                began=view.begun,
                deploy=view.deploy,
                repo=repo,
                tag=tag,
                commit=commit,
                user=view.user,
                action=view.action,
                message=view.reason,
                hosts=view.hosts,
                who=who,
                first=not self._ran_before,
                **more,
            )
            for repo, tag, commit in self._parts
        ]


_MAKE = {
    events.STARTED: Teller._started,
    events.QUESTION: Teller._asked,
    events.ANSWERED: Teller._answered,
    events.ABORTED: Teller._aborted,
    events.STAGE_STARTED: Teller._going_back,
    events.FINISHED: Teller._finished,
}
