"""The history of each repo: its deploys, what its tags meant, and which of its releases are bad.

It lives behind ``salt.cache`` and is a summary of the journals: when it is lost, they give it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from saltdeploy import durable, events
from saltdeploy.errors import DamagedFile
from saltdeploy.master.instructions import CONVERGED, ROLLED_BACK
from saltdeploy.master.store import Records, Store, bad_bank, history_bank, refuse, tags_bank
from saltdeploy.orders import FETCH, ROLLBACK
from saltdeploy.release import Release

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
        store: see :class:`saltdeploy.master.store.Store`. Every method raises ``Unavailable`` when it does not
            answer.
        damaged: see :class:`saltdeploy.master.store.Records`.
    """

    def __init__(self, store: Store, damaged: Callable[[DamagedFile], bool] = refuse) -> None:
        self._store = store
        self._damaged = damaged

    # -- written by deploys -----------------------------------------------------------------------------

    def started(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.events.started` of one repo (:func:`saltdeploy.events.of_each_repo`)."""
        repo, deploy = event["repo"], event["deploy"]
        known = {
            key: event.get(key, "") for key in ("deploy", "tag", "commit", "user", "time", "action", "reason")
        }
        ending = {"outcome": "", "cause": "", "ok": 0, "total": event.get("hosts", 0)}
        self._deploys(repo).put(deploy, {**known, **ending})
        self._tags(repo).put(event["tag"], {"tag": event["tag"], "commit": event["commit"], "deploy": deploy})
        self._forget_the_oldest(repo)

    def finished(self, event: events.Event) -> None:
        """Take in :func:`saltdeploy.events.finished` of one repo, and judge the release by the outcome.

        A release that was rolled back, by itself or by command, is bad. It is good again when a deploy of it
        converges.
        """
        repo, deploy = event["repo"], event["deploy"]
        known = self._deploys(repo).get(deploy)
        if not known:  # it began before the store was lost; the journals tell it
            return
        ending = {key: event[key] for key in ("outcome", "ok", "total")}
        ended = {**known, **ending, "cause": event.get("reason", "")}
        self._deploys(repo).put(deploy, ended)
        self._judge(repo, ended)

    def mark_bad(self, repo: str, release: Release, why: str) -> None:
        """Mark a release as bad, until a deploy of it converges."""
        record = {"tag": release.tag, "commit": release.commit, "why": why}
        self._bad(repo).put(release.tag, record)

    def rebuild(self, told: Iterable[events.Event]) -> None:
        """Make the history anew from the events of journals, in any order."""
        begun: dict[tuple[str, str], events.Event] = {}
        ended: dict[tuple[str, str], events.Event] = {}
        for event in told:
            if event["event"] in (events.STARTED, events.FINISHED):
                place = begun if event["event"] == events.STARTED else ended
                place[event["repo"], event["deploy"]] = event
        for key in self._newest_of_each(begun):
            self.started(begun[key])
            if key in ended:
                self.finished(ended[key])

    # -- read -------------------------------------------------------------------------------------------

    def versions(self, repo: str) -> list[dict[str, Any]]:
        """The repo's deploys, newest first.

        Returns:
            Dicts with ``deploy, tag, commit, user, time, action, reason`` (the operator's), ``outcome, cause`` (of
            the outcome), ``ok, total, bad`` (why its release is bad; "" when it is not). A deploy that has not
            ended has the outcome "".
        """
        bad = {(mark["tag"], mark["commit"]): mark["why"] for mark in self._bad(repo).all()}
        found = sorted(self._deploys(repo).all(), key=lambda version: version["time"], reverse=True)
        return [{**version, "bad": bad.get((version["tag"], version["commit"]), "")} for version in found]

    def latest(self, repo: str) -> str:
        """The id of the newest deploy, or ""."""
        found = self._deploys(repo)
        told = (found.get(key) for key in reversed(found.keys()))
        return str(next(filter(None, told), {}).get("deploy", ""))

    def tells(self, repo: str, deploy: str) -> bool:
        """Whether it is told how a deploy ended."""
        return bool(self._deploys(repo).get(deploy).get("outcome"))

    def commit_of(self, repo: str, tag: str) -> str:
        """What the tag meant when it was deployed last; "" when it never was."""
        found = self._tags(repo).get(tag)
        return str(found["commit"]) if found.get("tag") == tag else ""

    def is_bad(self, repo: str, tag: str, commit: str) -> str:
        """Why the release is bad; "" when it is not."""
        mark = self._bad(repo).get(tag)
        return str(mark["why"]) if (mark.get("tag"), mark.get("commit")) == (tag, commit) else ""

    # -- judging and forgetting -------------------------------------------------------------------------

    def _judge(self, repo: str, ended: dict[str, Any]) -> None:
        if ended["action"] == FETCH:
            return
        release = Release(repo, ended["tag"], ended["commit"])
        if ended["outcome"] == CONVERGED:
            self._bad(repo).drop(release.tag)
            left = self._live_before(repo, ended) if ended["action"] == ROLLBACK else None
            if left is not None and left != release:
                self.mark_bad(repo, left, f"{ended['user'] or 'somebody'} rolled back from it")
        elif ended["outcome"] == ROLLED_BACK and ended["action"] != ROLLBACK:
            self.mark_bad(repo, release, f"it was rolled back: {ended['cause']}")

    def _live_before(self, repo: str, ended: dict[str, Any]) -> Release | None:
        """What the fleet ran before this deploy."""
        for version in self.versions(repo):
            earlier = version["time"] <= ended["time"] and version["deploy"] != ended["deploy"]
            if earlier and version["outcome"] == CONVERGED and version["action"] != FETCH:
                return Release(repo, version["tag"], version["commit"])
        return None

    def _forget_the_oldest(self, repo: str) -> None:
        deploys, tags = self._deploys(repo), self._tags(repo)
        for deploy in deploys.keys()[:-KEPT]:
            tag = deploys.get(deploy).get("tag", "")
            if tag and tags.get(tag).get("deploy") == deploy:
                tags.drop(tag)
                self._bad(repo).drop(tag)
            deploys.drop(deploy)

    @staticmethod
    def _newest_of_each(begun: dict[tuple[str, str], events.Event]) -> list[tuple[str, str]]:
        """The keys of the deploys that are kept, oldest first."""
        found = []
        for repo in {repo for repo, _ in begun}:
            ordered = sorted((key for key in begun if key[0] == repo), key=lambda key: begun[key]["time"])
            found += ordered[-KEPT:]
        return found

    def _deploys(self, repo: str) -> Records:
        return Records(self._store, history_bank(repo), _OF_A_DEPLOY, self._damaged)

    def _tags(self, repo: str) -> Records:
        return Records(self._store, tags_bank(repo), _OF_A_TAG, self._damaged)

    def _bad(self, repo: str) -> Records:
        return Records(self._store, bad_bank(repo), _OF_A_MARK, self._damaged)
