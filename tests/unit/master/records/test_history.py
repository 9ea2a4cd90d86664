"""The history of a repo: what was deployed, what tags meant, which releases are bad."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import Unavailable
from saltdeploy.master.records import history as module
from saltdeploy.master.records.history import History
from saltdeploy.protocol import events
from saltdeploy.protocol.release import Release

from tests.support.stores import Directory, store

__all__ = ["store"]

COMMITS = {tag: letter * 40 for tag, letter in zip(("v1", "v2", "v3"), "abc", strict=True)}


class Deploys:
    """Tells a history what deploys of one repo do, and remembers the events as journals would."""

    def __init__(self, history: History, repo: str = "mediawiki") -> None:
        self.history = history
        self.repo = repo
        self.told: list[events.Event] = []
        self._hours = itertools.count()

    def begin(self, tag: str, action: str = "sync", **fields: Any) -> str:
        hour = next(self._hours)
        deploy = f"202611{hour // 24 + 1:02}{hour % 24:02}0000000000"
        about = {"commit": COMMITS[tag], "user": "alice", "reason": "a hotfix", **fields}
        event = events.started(
            deploy,
            self.repo,
            1_795_435_200.0 + 3600 * hour,
            tag=tag,
            hosts=5,
            action=action,
            groups=[],
            left_out=0,
            **about,
        )
        self.told.append(event)
        self.history.started(event)
        return deploy

    def end(self, deploy: str, outcome: str = "CONVERGED", reason: str = "") -> None:
        begun = next(event for event in self.told if event["deploy"] == deploy)
        ok = 5 if outcome == "CONVERGED" else 3
        event = events.finished(
            deploy,
            self.repo,
            begun["time"] + 60,
            tag=begun["tag"],
            outcome=outcome,
            ok=ok,
            total=5,
            reason=reason,
            next="",
        )
        self.told.append(event)
        self.history.finished(event)

    def run(self, tag: str, action: str = "sync", outcome: str = "CONVERGED", reason: str = "") -> str:
        deploy = self.begin(tag, action)
        self.end(deploy, outcome, reason)
        return deploy

    def bad(self) -> set[str]:
        """The tags whose releases are bad."""
        return {tag for tag in COMMITS if self.history.is_bad(self.repo, tag, COMMITS[tag])}


@pytest.fixture
def deploys(store: Directory) -> Deploys:
    return Deploys(History(store))


def test_versions_tell_who_deployed_what_when_why_and_how_it_ended_newest_first(deploys: Deploys) -> None:
    first = deploys.run("v1")
    second = deploys.run("v2", outcome="HELD", reason="web3 is full")
    third = deploys.begin("v3")
    assert deploys.history.versions("mediawiki") == [
        {
            "deploy": third,
            "tag": "v3",
            "commit": "c" * 40,
            "user": "alice",
            "time": 1_795_442_400.0,
            "epoch": 1_795_442_400_000_000,
            "left_out": 0,
            "accepted": False,
            "action": "sync",
            "reason": "a hotfix",
            "outcome": "",
            "cause": "",
            "ok": 0,
            "total": 5,
            "bad": "",
        },
        {
            "deploy": second,
            "tag": "v2",
            "commit": "b" * 40,
            "user": "alice",
            "time": 1_795_438_800.0,
            "epoch": 1_795_438_800_000_000,
            "left_out": 0,
            "accepted": False,
            "action": "sync",
            "reason": "a hotfix",
            "outcome": "HELD",
            "cause": "web3 is full",
            "ok": 3,
            "total": 5,
            "bad": "",
        },
        {
            "deploy": first,
            "tag": "v1",
            "commit": "a" * 40,
            "user": "alice",
            "time": 1_795_435_200.0,
            "epoch": 1_795_435_200_000_000,
            "left_out": 0,
            "accepted": True,
            "action": "sync",
            "reason": "a hotfix",
            "outcome": "CONVERGED",
            "cause": "",
            "ok": 5,
            "total": 5,
            "bad": "",
        },
    ]
    assert deploys.history.latest("mediawiki") == third


def test_repos_have_histories_of_their_own(store: Directory) -> None:
    history = History(store)
    for repo in ("mediawiki", "mediawiki/slot0"):
        Deploys(history, repo).run("v1", outcome="ROLLED BACK")
    Deploys(history, "mediawiki").run("v1")
    assert len(history.versions("mediawiki/slot0")) == 1
    assert history.is_bad("mediawiki/slot0", "v1", COMMITS["v1"])
    assert not history.is_bad("mediawiki", "v1", COMMITS["v1"])


def test_a_repo_that_was_never_deployed_has_none(deploys: Deploys) -> None:
    history = deploys.history
    assert (history.versions("parsoid"), history.latest("parsoid"), history.commit_of("parsoid", "v1")) == (
        [],
        "",
        "",
    )


def test_a_tag_means_what_it_meant_when_it_was_deployed_last(deploys: Deploys) -> None:
    deploys.run("v1", outcome="HELD")
    assert deploys.history.commit_of("mediawiki", "v1") == COMMITS["v1"]
    assert deploys.history.commit_of("mediawiki", "v2") == ""


# -- bad releases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "bad"),
    [
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "CONVERGED")], set()),
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "ROLLED BACK")], {"v2"}),
        ([("v1", "sync", "CONVERGED"), ("v2", "checkout", "ROLLED BACK")], {"v2"}),
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "HELD")], set()),
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "MIXED")], set()),
        # by command: what the fleet ran is bad
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "CONVERGED"), ("v1", "rollback", "CONVERGED")], {"v2"}),
        ([("v1", "sync", "CONVERGED"), ("v2", "sync", "CONVERGED"), ("v1", "rollback", "HELD")], set()),
        (
            [("v1", "sync", "CONVERGED"), ("v2", "sync", "CONVERGED"), ("v1", "rollback", "ROLLED BACK")],
            set(),
        ),
        # what was only fetched, or held, was never live
        (
            [
                ("v1", "sync", "CONVERGED"),
                ("v2", "sync", "CONVERGED"),
                ("v3", "fetch", "CONVERGED"),
                ("v3", "sync", "HELD"),
                ("v1", "rollback", "CONVERGED"),
            ],
            {"v2"},
        ),
        # twice: two releases back
        (
            [
                ("v1", "sync", "CONVERGED"),
                ("v2", "sync", "CONVERGED"),
                ("v3", "sync", "CONVERGED"),
                ("v2", "rollback", "CONVERGED"),
                ("v1", "rollback", "CONVERGED"),
            ],
            {"v2", "v3"},
        ),
        # good again when a deploy of it converges, and not before
        ([("v2", "sync", "ROLLED BACK"), ("v2", "fetch", "CONVERGED")], {"v2"}),
        ([("v2", "sync", "ROLLED BACK"), ("v2", "sync", "HELD")], {"v2"}),
        ([("v2", "sync", "ROLLED BACK"), ("v2", "sync", "CONVERGED")], set()),
        ([("v1", "sync", "CONVERGED"), ("v1", "rollback", "CONVERGED")], set()),
    ],
)
def test_a_release_that_was_rolled_back_is_bad(
    deploys: Deploys, story: list[tuple[str, str, str]], bad: set[str]
) -> None:
    for tag, action, outcome in story:
        deploys.run(tag, action, outcome)
    assert deploys.bad() == bad


def test_versions_tell_why_a_release_is_bad(deploys: Deploys) -> None:
    deploys.run("v1")
    deploys.run("v2", outcome="ROLLED BACK", reason="web3: port 80 is closed")
    assert [version["bad"] for version in deploys.history.versions("mediawiki")] == [
        "it was rolled back: web3: port 80 is closed",
        "",
    ]


def test_another_commit_under_the_tag_is_not_that_release(deploys: Deploys) -> None:
    deploys.history.mark_bad("mediawiki", Release("mediawiki", "v1", COMMITS["v1"]), "it burns")
    assert deploys.history.is_bad("mediawiki", "v1", COMMITS["v1"]) == "it burns"
    assert not deploys.history.is_bad("mediawiki", "v1", COMMITS["v2"])


# -- bounds and losses ----------------------------------------------------------------------------------


def test_only_the_newest_deploys_are_remembered_with_their_tags(
    deploys: Deploys, store: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    deploys.run("v1", outcome="ROLLED BACK")
    deploys.run("v2", outcome="ROLLED BACK")
    deploys.run("v2", outcome="HELD")
    for _ in range(2):
        deploys.run("v3")
    assert [version["tag"] for version in deploys.history.versions("mediawiki")] == ["v3", "v3", "v2"]
    assert deploys.history.commit_of("mediawiki", "v1") == ""
    assert deploys.history.commit_of("mediawiki", "v2") == COMMITS["v2"]
    assert deploys.bad() == {"v2"}
    assert [store.list(f"deploy/{bank}/mediawiki") for bank in ("bad",)] == [["v2"]]


def test_what_a_lost_store_held_comes_back_from_the_journals(deploys: Deploys, tmp_path: Path) -> None:
    deploys.run("v1")
    deploys.run("v2")
    deploys.run("v3", outcome="ROLLED BACK")
    deploys.run("v1", "rollback")
    deploys.begin("v3")
    before = deploys.history.versions("mediawiki")
    shutil.rmtree(tmp_path / "store")
    assert deploys.history.versions("mediawiki") == []
    noise = events.warned(before[0]["deploy"], "mediawiki", 1.0, "nothing")
    deploys.history.rebuild([noise, *reversed(deploys.told)])
    assert deploys.history.versions("mediawiki") == before
    assert deploys.bad() == {"v2", "v3"}
    assert deploys.history.commit_of("mediawiki", "v2") == COMMITS["v2"]


def test_a_history_that_is_there_is_the_same_when_it_is_made_anew(deploys: Deploys) -> None:
    for tag, action in (("v1", "sync"), ("v2", "sync"), ("v1", "rollback"), ("v3", "sync")):
        deploys.run(tag, action)
    before = deploys.history.versions("mediawiki")
    deploys.history.rebuild(deploys.told)
    assert deploys.history.versions("mediawiki") == before
    assert deploys.bad() == {"v2"}


def test_a_deploy_that_ends_after_the_store_was_lost_waits_for_the_journals(
    deploys: Deploys, tmp_path: Path
) -> None:
    deploy = deploys.begin("v1")
    shutil.rmtree(tmp_path / "store")
    deploys.end(deploy)
    assert deploys.history.versions("mediawiki") == []
    deploys.history.rebuild(deploys.told)
    assert [version["outcome"] for version in deploys.history.versions("mediawiki")] == ["CONVERGED"]


def test_a_store_that_is_away_is_not_an_empty_history(deploys: Deploys, store: Directory) -> None:
    deploys.run("v1", outcome="ROLLED BACK")
    store.broken = True
    for ask in (
        lambda: deploys.history.versions("mediawiki"),
        lambda: deploys.history.is_bad("mediawiki", "v1", COMMITS["v1"]),
        lambda: deploys.history.commit_of("mediawiki", "v1"),
    ):
        with pytest.raises(Unavailable):
            ask()


def test_F49_what_was_forced_is_told_and_comes_back_from_the_journals(deploys: Deploys) -> None:
    deploys.begin("v1", once={"force": "max_removed"})
    deploys.begin("v2")
    newest, forced = deploys.history.versions("mediawiki")
    assert forced["once"] == {"force": "max_removed"}
    assert "once" not in newest
    deploys.history.rebuild(deploys.told)
    assert deploys.history.versions("mediawiki") == [newest, forced]
