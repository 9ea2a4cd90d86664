"""The deploy of a repo that has not ended: it is being prepared, runs, waits for an operator, or its process has died."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saltdeploy.lib.errors import DamagedFile, NoSuchDeploy, NothingAsked
from saltdeploy.lib.spelling import argument
from saltdeploy.master.locking.locks import running_here
from saltdeploy.master.plan_model import RESTART
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.rollout.model import Question
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import ROLLBACK

PREPARING, RUNNING, WAITING, DIED = "preparing", "running", "waiting", "died"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unfinished:
    """A deploy that has not ended.

    Attributes:
        state: :data:`PREPARING`: nothing is decided yet; :data:`RUNNING`; :data:`WAITING`: for an answer;
            :data:`DIED`: its process is gone.
        action, tag, commit, user: as in :func:`saltdeploy.protocol.events.started`; "" while it is being prepared.
        question, choices: what it waits with.
        next: the command that leads on from here.
    """

    repo: str
    deploy: str
    state: str
    action: str = ""
    tag: str = ""
    commit: str = ""
    user: str = ""
    question: str = ""
    choices: tuple[str, ...] = ()
    next: str = ""

    def to_wire(self) -> dict[str, Any]:
        """As plain data for views; what is not known is left out."""
        known = {key: value for key, value in vars(self).items() if value and key != "repo"}
        return {**known, **({"choices": list(self.choices)} if self.choices else {})}


def unfinished(repo: str, root: Path, versions: Iterable[dict[str, Any]] = ()) -> Unfinished | None:
    """The newest deploy of a repo, if it has not ended.

    Args:
        root: the master's directory for deploys.
        versions: the repo's history as far as it is known; it saves reading the journal of a deploy that has ended.
    """
    journals, named = Journals(root), argument("repo", repo)
    running, newest = running_here(root, repo), journals.latest(repo)
    if running is not None and running.holder.deploy != newest:
        who, watch = running.holder, f"salt-run deploy.watch {named}"
        return Unfinished(repo, who.deploy, PREPARING, user=who.user, next=watch)
    ended = any(each["deploy"] == newest and each["outcome"] for each in versions)
    if not newest or ended:
        return None
    return _told_by(journals.path(repo, newest), repo, newest, alive=running is not None)


def open_question(path: Path) -> Question | None:
    """The question that the deploy with this journal waits with; None when it waits with none."""
    due = DeployState.read(path).rollout.due()
    return due if isinstance(due, Question) else None


def question_for(choice: str, key: str, path: Path, repo: str, deploy: str) -> Question:
    """The open question of the deploy with this journal, if this may answer it.

    Args:
        key: which question; "" for the one that is open.

    Raises:
        NothingAsked: no question is open (it says who was first, if somebody was), or that is none of its choices.
    """
    question = open_question(path)
    if question is not None and key in ("", question.key) and choice in question.choices:
        return question
    watch = f"salt-run deploy.watch id={deploy}"
    if question is not None and key in ("", question.key):
        asked = f"the choices are {', '.join(question.choices)}"
        first = f"salt-run deploy.answer {question.choices[0]} id={deploy}"
        raise NothingAsked(asked, repo=repo, next=first)
    answers = [event for event in replay(path) if event["event"] == events.ANSWERED]
    mine = [event for event in answers if key in ("", event["key"])]
    if not mine:
        raise NothingAsked("no question is open", repo=repo, next=watch)
    who = mine[-1]["user"] or "nobody answered in time"
    said = f"{who} was first" if mine[-1]["user"] else who
    raise NothingAsked(f"it is answered already: {said}: {mine[-1]['choice']}", repo=repo, next=watch)


def _told_by(path: Path, repo: str, deploy: str, *, alive: bool) -> Unfinished | None:
    try:
        told = list(replay(path))
    except DamagedFile as error:  # its hosts are told of all the same; resume names the damage
        log.warning("the journal of deploy %s of %s is damaged: %s", deploy, repo, error)
        return None
    if not told or any(event["event"] == events.FINISHED for event in told):
        return None
    begun = next((each for each in events.of_each_repo(told[0]) if each.get("repo") == repo), told[0])
    action, tag, commit, user = (str(begun.get(key, "")) for key in ("action", "tag", "commit", "user"))
    known = Unfinished(repo, deploy, DIED, action, tag, commit, user)
    if not alive:
        planned = any(event["event"] == events.PLANNED for event in told)
        command = f"salt-run deploy.resume {argument('repo', repo)}" if planned else _again(known)
        return replace(known, next=command)
    question = None
    with contextlib.suppress(NoSuchDeploy, DamagedFile):  # it has not written its plan yet
        question = open_question(path)
    if question is None:
        return replace(known, state=RUNNING, next=f"salt-run deploy.watch {argument('repo', repo)}")
    answers = (f"salt-run deploy.answer {choice} {argument('repo', repo)}" for choice in question.choices)
    known = replace(known, state=WAITING, question=question.text, choices=question.choices)
    return replace(known, next="; or ".join(answers))


def _again(known: Unfinished) -> str:
    """The same command: it had asked nothing of any host."""
    words = ["salt-run", f"deploy.{known.action or 'sync'}", argument("repo", known.repo)]
    if known.action != RESTART:
        words.append(argument("to" if known.action == ROLLBACK else "tag", known.tag))
    return " ".join(words)
