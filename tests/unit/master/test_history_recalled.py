"""Whatever becomes of the master's cache, the history is what the journals tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib import disk
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events

from tests.support.stores import Directory

DEPLOYS = [f"2026112310111200000{number}" for number in range(3)]


def deploy(root: Path, number: int, *, ended: bool = True) -> list[events.Event]:
    of = (DEPLOYS[number], "demo", 1000.0 + number)
    told = [
        events.started(
            *of,
            tag=f"v{number}",
            commit=str(number) * 40,
            user="ann",
            hosts=2,
            action="sync",
            groups=[],
            left_out=0,
            reason="",
        )
    ]
    if ended:
        told.append(
            events.finished(*of, tag=f"v{number}", outcome="CONVERGED", ok=2, total=2, reason="", next="")
        )
    with Journals(root).write("demo", DEPLOYS[number]) as journal:
        for event in told:
            journal.append(event)
    return told


def outcomes(history: History) -> dict[str, str]:
    return {version["tag"]: version["outcome"] for version in history.versions("demo")}


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "store")


def test_a_repo_that_was_never_deployed_has_no_history(tmp_path: Path, store: Directory) -> None:
    assert outcomes(history_of("demo", tmp_path, store, running=False)) == {}


def test_a_cache_that_somebody_emptied_is_filled_again(tmp_path: Path, store: Directory) -> None:
    for number in range(3):
        deploy(tmp_path, number)
    assert outcomes(history_of("demo", tmp_path, store, running=False)) == dict.fromkeys(
        ["v0", "v1", "v2"], "CONVERGED"
    )
    disk.remove_tree(tmp_path / "store")
    assert len(outcomes(history_of("demo", tmp_path, store, running=False))) == 3


def test_an_end_that_the_cache_never_heard_of_is_told(tmp_path: Path, store: Directory) -> None:
    started, _ = deploy(tmp_path, 0)
    History(store).started(started)
    assert outcomes(history_of("demo", tmp_path, store, running=False)) == {"v0": "CONVERGED"}


def test_while_a_deploy_runs_nothing_is_made_anew(tmp_path: Path, store: Directory) -> None:
    (started,) = deploy(tmp_path, 0, ended=False)
    History(store).started(started)
    before = store.asked
    history_of("demo", tmp_path, store, running=True)
    assert store.asked - before <= 1


def test_a_deploy_of_several_repos_is_in_the_history_of_each(tmp_path: Path) -> None:
    of = (DEPLOYS[2], "demo", 1002.0)
    also = {"repo": "l10n", "tag": "v9", "commit": "9" * 40}
    begun = events.started(
        *of,
        tag="v2",
        commit="2" * 40,
        user="ann",
        hosts=2,
        action="sync",
        groups=[],
        left_out=0,
        reason="",
        also=[also],
    )
    ended = events.finished(
        *of, tag="v2", outcome="ROLLED BACK", ok=2, total=2, reason="ill", next="", also=[also]
    )
    with Journals(tmp_path).write("demo", DEPLOYS[2], ["l10n"]) as journal:
        journal.append(begun)
        journal.append(ended)
    store = Directory(tmp_path / "store")
    (version,) = history_of("l10n", tmp_path, store, running=False).versions("l10n")
    assert (version["tag"], version["commit"], version["outcome"]) == ("v9", "9" * 40, "ROLLED BACK")
    assert "ill" in version["bad"]
    assert History(store).versions("demo") == [], "what the other repo's history says is its own business"
