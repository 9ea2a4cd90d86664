"""``git deploy revert`` here: the work tree goes where the hosts have gone, and nothing that was committed is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import REPO, Deployer


def answers(person: Deployer, tmp_path: Path, outcome: str) -> None:
    """Their master has rolled back two hosts, or one of them: its answers as they arrive."""
    ok = 2 if outcome == "CONVERGED" else 1
    host = {"live": "c0ffee", "tag": "v1"}
    hosts = {"web1": host, "web2": {**host, "live": "c0ffee" if ok == 2 else "beef"}}
    rollback = {"view": "outcome", "retcode": 0, "deploy": "20261123101112000000", "repo": REPO, "tag": "v1"}
    rollback |= {
        "commit": "c0ffee",
        "outcome": outcome,
        "ok": ok,
        "total": 2,
        "reason": "",
        "next": "",
        "hosts": hosts,
    }
    (tmp_path / "rollback").write_text(json.dumps(rollback))
    (tmp_path / "story").write_text(
        json.dumps({"view": "story", "events": [], "next": 0, "more": False, "runs": False})
    )
    program = tmp_path / "salt-run"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *deploy.rollback*) cat {tmp_path}/rollback;; *) cat {tmp_path}/story;; esac\n'
    )
    program.chmod(0o755)
    person.git("config", "--global", "deploy.salt-run", str(program))


@pytest.fixture
def two(alice: Deployer) -> str:
    """The commit that is checked out; ``v1`` is the one before."""
    alice.git("tag", "v1")
    return alice.commits("two")


def test_the_work_tree_goes_back_and_what_was_never_synced_keeps_a_name(
    alice: Deployer, tmp_path: Path, two: str
) -> None:
    answers(alice, tmp_path, "CONVERGED")
    alice.deploys("start")
    three = alice.commits("three, never synced")
    done = alice.deploys("revert", "v1")
    assert done.code == 0, done.told
    assert (alice.place / "index.html").read_text() == "one\n"
    assert alice.deploy_file()["tag"] == "v1"
    assert not alice.lock.exists()
    kept = done.told.splitlines()[-2].removeprefix("The work tree is at v1; it was at ").rstrip(".")
    assert alice.git("rev-parse", f"{kept}^{{commit}}").strip() == three != two


@pytest.mark.parametrize("words", [("revert", "v1", "--noreset"), ("rollback", "v1")])
def test_the_work_tree_stays_where_it_is_if_one_says_so(
    alice: Deployer, tmp_path: Path, two: str, words: tuple[str, ...]
) -> None:
    answers(alice, tmp_path, "CONVERGED")
    (alice.place / "index.html").write_text("not committed\n")
    assert alice.deploys(*words).code == 0
    assert (alice.place / "index.html").read_text() == "not committed\n"
    assert alice.git("rev-parse", "HEAD").strip() == two


def test_where_not_all_hosts_are_back_the_deployment_is_still_underway(
    alice: Deployer, tmp_path: Path, two: str
) -> None:
    answers(alice, tmp_path, "MIXED")
    done = alice.deploys("revert", "v1")
    assert done.code == 163
    assert "1/2 minions completed checkout" in done.told
    assert "Next: git deploy revert v1" in done.told
    assert alice.lock.exists()
    assert alice.git("rev-parse", "HEAD").strip() == two


def test_nothing_is_reverted_over_uncommitted_changes_nor_to_a_tag_that_is_none(
    alice: Deployer, tmp_path: Path, two: str
) -> None:
    answers(alice, tmp_path, "CONVERGED")
    none = alice.deploys("revert", "v9")
    assert (none.code, "there is no tag v9. Next: git deploy show" in none.told) == (163, True), none.told
    (alice.place / "index.html").write_text("not committed\n")
    assert alice.deploys("revert", "v1").code == 161
    assert not alice.lock.exists()
    assert (alice.place / "index.html").read_text() == "not committed\n"


def test_nobody_reverts_in_somebody_elses_deployment(
    alice: Deployer, bob: Deployer, tmp_path: Path, two: str
) -> None:
    answers(bob, tmp_path, "CONVERGED")
    alice.deploys("start")
    assert bob.deploys("revert", "v1").code == 132
    assert bob.deploys("revert", "v1", "--take-over").code == 0


def test_who_has_left_a_way_back_holds_the_lock_and_is_not_told_that_nothing_happened(
    alice: Deployer, tmp_path: Path, two: str
) -> None:
    answers(alice, tmp_path, "CONVERGED")
    (tmp_path / "rollback").write_text(json.dumps({"view": "detached", "deploy": "1", "retcode": 1}))
    done = alice.deploys("revert", "v1")
    assert (done.code, done.told.splitlines()[0]) == (163, "The way back is still underway.")
    assert "Next: git deploy attach" in done.told
    assert alice.lock.exists()
    assert alice.git("rev-parse", "HEAD").strip() == two
