"""The history of each repo: its deploys, what its tags meant, and which of its releases are bad.

It lives behind ``salt.cache`` and is a summary of the journals: when it is lost, they give it back.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile, Unavailable
from saltdeploy.master.cache import Records, Store, bad_bank, history_bank, refuse, tags_bank
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.testimony import forgotten
from saltdeploy.master.rollout.model import CONVERGED, ROLLED_BACK, Outcome
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, ROLLBACK
from saltdeploy.protocol.release import Release

if TYPE_CHECKING:
    from saltdeploy.master.context import Master
    from saltdeploy.master.records.recorder import Recorder

log = logging.getLogger(__name__)

#: Deploys of a repo that are remembered; tags and bad releases go with the last deploy that was about them.
KEPT = 1000

_OF_A_DEPLOY = durable.fields(
    deploy=str, tag=str, commit=str, user=str, time=(int, float), action=str, outcome=str, cause=str
)
_OF_A_TAG = durable.fields(tag=str, commit=str)
_OF_A_MARK = durable.fields(tag=str, commit=str, why=str)


class History:
    """The histories in one store.

    Args:
        store: see :class:`saltdeploy.master.cache.Store`. Every method raises ``Unavailable`` when it does not
            answer.
        damaged: see :class:`saltdeploy.master.cache.Records`.
    """

    def __init__(self, store: Store, damaged: Callable[[DamagedFile], bool] = refuse) -> None:
        self._store = store
        self._damaged = damaged

    # -- written by deploys -----------------------------------------------------------------------------

    def started(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.protocol.events.started` of one repo (:func:`saltdeploy.protocol.events.of_each_repo`)."""
        repo, deploy = event["repo"], event["deploy"]
        known = {
            key: event.get(key, "") for key in ("deploy", "tag", "commit", "user", "time", "action", "reason")
        }
        place = {"epoch": events.epoch_of(event), "left_out": event.get("left_out", 0)}
        ending = {"outcome": "", "cause": "", "ok": 0, "total": event.get("hosts", 0)}
        more = {key: event[key] for key in ("once", "role") if event.get(key)}
        self._deploys(repo).put(deploy, {**known, **place, **more, **ending})
        self._tags(repo).put(event["tag"], {"tag": event["tag"], "commit": event["commit"], "deploy": deploy})
        self._forget_the_oldest(repo)

    def resumed(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.protocol.events.resumed` of one repo: hosts hear of another epoch from now on."""
        self._add(event, epoch=events.epoch_of(event))

    def accepted(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.protocol.events.pinned`: the release of this deploy is what the fleet should be running."""
        self._add(event, accepted=True)

    def finished(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.protocol.events.finished` of one repo, and judge the release by the outcome.

        A release that was rolled back, by itself or by command, is bad, unless it was for trouble of the hosts' own. It is
        good again when a deploy of it is accepted.
        """
        repo, deploy = event["repo"], event["deploy"]
        known = self._deploys(repo).get(deploy)
        if not known:  # it began before the store was lost; the journals tell it
            return
        ending = {key: event[key] for key in ("outcome", "ok", "total")}
        if event.get("left") is not None:
            ending["left"] = event["left"]
        steps = [step for step in event.get("steps", ()) if step["repo"] == repo]
        if steps:
            ending["steps"] = steps
        ended = {**known, **ending, "cause": event.get("reason", "")}
        self._deploys(repo).put(deploy, ended)
        self._judge(repo, ended, blameless=event.get("blameless") is True)

    def mark_bad(self, repo: str, release: Release, why: str) -> None:
        """Mark a release as bad, until a deploy of it is accepted."""
        record = {"tag": release.tag, "commit": release.commit, "why": why}
        self._bad(repo).put(release.tag, record)

    def rebuild(self, told: Iterable[events.Event]) -> None:
        """Rebuild the history from the events of journals, in any order."""
        deploys: dict[tuple[str, str], list[events.Event]] = {}
        for event in told:
            if event["event"] in _TAKE:
                deploys.setdefault((event["repo"], event["deploy"]), []).append(event)
        in_order = [sorted(those, key=_turn) for those in deploys.values()]
        for those in self._newest_of_each([those for those in in_order if _turn(those[0])[0] == 0]):
            for event in those:
                _TAKE[event["event"]](self, event)

    # -- read -------------------------------------------------------------------------------------------

    def versions(self, repo: str) -> list[dict[str, Any]]:
        """The repo's deploys, newest first, in the order of their epochs.

        Returns:
            Dicts with ``deploy, epoch, tag, commit, user, time, action, reason`` (the operator's), ``left_out`` (targets
            that a limit left out), ``accepted`` (whether its release was pinned), ``outcome, cause`` (of the outcome),
            ``ok, total, bad`` (why its release is bad; "" when it is not). A deploy that has not ended has the outcome "".
            Where hosts had heard of deploys that this master knew nothing of: ``left``, what they ran. Where something
            was said for this deploy alone: ``once``, arguments by name. Where steps ran that run once: ``steps``, see
            :func:`saltdeploy.protocol.events.finished`.
        """
        marks = self._bad(repo).all()
        found = sorted(map(_whole, self._deploys(repo).all()), key=_place, reverse=True)
        return [{**version, "bad": _why(marks, version["tag"], version["commit"])} for version in found]

    def latest(self, repo: str) -> str:
        """The id of the newest deploy, or ""."""
        return next((str(version["deploy"]) for version in self.versions(repo)), "")

    def tells(self, repo: str, deploy: str) -> bool:
        """Whether it is told how a deploy ended."""
        return bool(self._deploys(repo).get(deploy).get("outcome"))

    def commit_of(self, repo: str, tag: str) -> str:
        """What the tag meant when it was deployed last; "" when it never was."""
        found = self._tags(repo).get(tag)
        return str(found["commit"]) if found.get("tag") == tag else ""

    def is_bad(self, repo: str, tag: str, commit: str) -> str:
        """Why the release is bad, under this tag or another one of its commit; "" when it is not."""
        return _why(self._bad(repo).all(), tag, commit)

    # -- judging and forgetting -------------------------------------------------------------------------

    def _judge(self, repo: str, ended: dict[str, Any], *, blameless: bool) -> None:
        if ended["action"] == FETCH:
            return
        release = Release(repo, ended["tag"], ended["commit"])
        if _whole(ended)["accepted"]:
            self._mark_good(repo, release)
            left = self._left(repo, ended) if ended["action"] == ROLLBACK else None
            if left is not None and left.commit != release.commit:
                self.mark_bad(repo, left, f"{ended['user'] or 'somebody'} rolled back from it")
        elif ended["outcome"] == ROLLED_BACK and ended["action"] != ROLLBACK and not blameless:
            self.mark_bad(repo, release, f"it was rolled back: {ended['cause']}")

    def _mark_good(self, repo: str, release: Release) -> None:
        marks = self._bad(repo)
        for mark in marks.all():
            if mark["commit"] == release.commit:
                marks.drop(mark["tag"])

    def _left(self, repo: str, ended: dict[str, Any]) -> Release | None:
        """What the fleet ran before this deploy."""
        this = {**_whole(ended), "accepted": False}
        older = [version for version in self.versions(repo) if _place(version) < _place(this)]
        return lineage(repo, [this, *older]).present

    def _forget_the_oldest(self, repo: str) -> None:
        deploys, tags = self._deploys(repo), self._tags(repo)
        if len(deploys.keys()) <= KEPT:
            return
        for version in self.versions(repo)[KEPT:]:
            tag = version["tag"]
            if tags.get(tag).get("deploy") == version["deploy"]:
                tags.drop(tag)
                self._bad(repo).drop(tag)
            deploys.drop(version["deploy"])

    def _add(self, event: events.Event, **news: Any) -> None:
        known = self._deploys(event["repo"]).get(event["deploy"])
        if known:  # else it began before the store was lost; the journals tell it
            self._deploys(event["repo"]).put(event["deploy"], {**known, **news})

    @staticmethod
    def _newest_of_each(deploys: list[list[events.Event]]) -> list[list[events.Event]]:
        """The events of the deploys that are kept, oldest first."""
        found = []
        for repo in {begun["repo"] for begun, *_ in deploys}:
            those = [told for told in deploys if told[0]["repo"] == repo]
            found += sorted(those, key=lambda told: _place(_begun(told[0])))[-KEPT:]
        return found

    def _deploys(self, repo: str) -> Records:
        return Records(self._store, history_bank(repo), _OF_A_DEPLOY, self._damaged)

    def _tags(self, repo: str) -> Records:
        return Records(self._store, tags_bank(repo), _OF_A_TAG, self._damaged)

    def _bad(self, repo: str) -> Records:
        return Records(self._store, bad_bank(repo), _OF_A_MARK, self._damaged)


_TAKE = {
    events.STARTED: History.started,
    events.RESUMED: History.resumed,
    events.PINNED: History.accepted,
    events.FINISHED: History.finished,
}


def _turn(event: events.Event) -> tuple[int, float]:
    """The order in which the events of a deploy are taken in."""
    return [*_TAKE].index(event["event"]), event["time"]


def _begun(event: events.Event) -> dict[str, Any]:
    return {"epoch": events.epoch_of(event), "deploy": event["deploy"]}


def _place(version: dict[str, Any]) -> tuple[int, str]:
    """What deploys are ordered by. The clock may have been wrong; the epoch only grows."""
    return version["epoch"], version["deploy"]


def _whole(version: dict[str, Any]) -> dict[str, Any]:
    """A record; one of an older version with what that did not write."""
    accepted = version["outcome"] == CONVERGED and version["action"] != FETCH
    return {"accepted": accepted, "left_out": 0, **version, "epoch": events.epoch_of(version)}


def _why(marks: list[dict[str, Any]], tag: str, commit: str) -> str:
    """Why a commit is bad: by its mark under this tag, else by one under another."""
    found = {str(mark["tag"]): str(mark["why"]) for mark in marks if mark["commit"] == commit}
    if not found or tag in found:
        return found.get(tag, "")
    other, why = next(iter(found.items()))
    return f"it is the same commit as {other}: {why}"


def add(recorder: Recorder, outcome: Outcome, next_command: str, master: Master) -> None:
    """Record the outcome of a deploy, which is over then, and take it into the history.

    When the store is away: the journal has it, and the history is made of journals when it is read.
    """
    history, plan = History(master.store), recorder.plan
    left = _left_by(recorder, history)
    lead, *others = (part.release for part in plan.parts)
    log.info("deploy %s: %s, %d/%d %s", plan.deploy, outcome.word, outcome.ok, outcome.total, outcome.reason)
    event = recorder.record(
        events.finished, tag=lead.tag, outcome=outcome.word, ok=outcome.ok,
        total=outcome.total, reason=outcome.reason, next=next_command, left=left.get(lead.repo), blameless=outcome.blameless,
        steps=recorder.state.rollout.steps_told(),
        also=[{"repo": each.repo, "tag": each.tag, "left": left.get(each.repo)} for each in others])  # fmt: skip
    recorder.sync()
    if recorder.lost:  # what has no end in its journal can be resumed: the history must not tell one
        return
    with contextlib.suppress(Unavailable, DamagedFile, OSError):
        for each in events.of_each_repo(event):
            if outcome.accepted:
                history.accepted(each)
            history.finished(each)


def _left_by(recorder: Recorder, history: History) -> dict[str, dict[str, str] | None]:
    """Repo to what its fleet ran before, where this master knew nothing of it."""
    with contextlib.suppress(Unavailable, DamagedFile):
        return {
            part.repo: forgotten(recorder.state, part, history.versions(part.repo))
            for part in recorder.plan.parts
        }
    return {}


def history_of(repo: str, root: Path, store: Store, *, running: bool) -> History:
    """The history, complete up to the newest deploy that has ended.

    A master's cache may be emptied by anybody, may have been away when a deploy ended, and may hold what cannot be read:
    the journals know all. What is damaged and stands in no journal is an error of whoever wants to read it.

    Args:
        running: whether some deploy of the repo runs: then it is not complete, and that is right.
    """
    journals = Journals(root)
    mended: list[DamagedFile] = []

    def mend(error: DamagedFile) -> bool:
        """Once: what is damaged then as well, no journal tells."""
        if running or mended:
            raise error.at(repo=repo)
        mended.append(error)
        try:
            rebuild()
        except Unavailable as failed:  # nothing can be written over what is there
            raise error.at(repo=repo) from failed
        return True

    def rebuild() -> None:
        History(store, lambda _: False).rebuild(
            event
            for deploy in journals.all(repo)
            for told in replay(journals.path(repo, deploy))
            for event in events.of_each_repo(told)
            if event["repo"] == repo
        )

    history = History(store, mend)
    latest = journals.latest(repo)
    if latest and not history.tells(repo, latest) and not running:
        rebuild()
    return history
