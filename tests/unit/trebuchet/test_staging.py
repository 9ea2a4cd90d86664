"""``git deploy`` where no master is asked: start, abort, finish, help; its files, tags, sentences and exit codes."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import REPO, Deployer

START = re.compile(rf"{REPO}-start-\d{{8}}-\d{{6}}")


def test_who_starts_a_deployment_holds_the_lock_and_has_a_start_tag(alice: Deployer) -> None:
    done = alice.deploys("start")
    assert (done.code, done.printed, done.told) == (0, "", "Deployment started.\n")
    lock = json.loads(alice.lock.read_text())
    assert lock["user"] == "alice"
    assert re.fullmatch(r"\d{8}-\d{6}", lock["time"])
    (tag,) = alice.tags()
    assert START.fullmatch(tag)
    assert alice.git("cat-file", "-t", tag) == "tag\n"
    message = alice.git("cat-file", "tag", tag)
    assert "user: alice <alice@example.org>" in message and str(alice.place) in message


def test_a_second_one_is_refused_and_is_told_whose_the_first_is(alice: Deployer, bob: Deployer) -> None:
    alice.deploys("start")
    refused = bob.deploys("start")
    assert refused.code == 100
    assert refused.first == "A deployment has already been started for this repo by alice."
    assert f"repo {REPO}, path {alice.lock}: " in refused.told
    assert "Next: git deploy sync" in refused.told and "ask alice" in refused.told
    assert len(alice.tags()) == 1


def test_a_lock_that_nobody_can_read_is_a_lock(alice: Deployer) -> None:
    alice.deploys("start")
    alice.lock.write_text("{")
    refused = alice.deploys("start")
    assert (refused.code, refused.first) == (100, "A deployment has already been started for this repo.")
    assert alice.deploys("abort").code == 132
    assert alice.deploys("abort", "--force").code == 0


def test_of_many_who_start_at_once_one_does(alice: Deployer) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(lambda _: alice.deploys("start").code, range(8)))
    assert codes == [0, *[100] * 7]
    assert len(alice.tags()) == 1


def test_without_a_commit_nothing_is_started_and_nothing_stays_locked(tmp_path: Path) -> None:
    alice = Deployer("alice", tmp_path / "alice", tmp_path / "staging")
    alice.git("config", "deploy.repo-name", REPO)
    refused = alice.deploys("start")
    assert refused.code == 131
    assert refused.told.splitlines()[:2] == [
        "There is no initial commit, so no start tag can be written. Please add at least one commit before "
        "attempting to start a deployment.",
        "Deployment failed to start",
    ]
    assert not alice.lock.exists()


def test_a_lock_that_cannot_be_written_starts_nothing(alice: Deployer) -> None:
    (alice.place / ".git" / "deploy").write_text("in the way")
    refused = alice.deploys("start")
    assert (refused.code, refused.first) == (101, "Failed to start deployment")
    assert alice.tags() == []


def test_abort_goes_back_to_where_the_deployment_began(alice: Deployer) -> None:
    before = alice.git("rev-parse", "HEAD")
    alice.deploys("start")
    alice.commits("two")
    (alice.place / "index.html").write_text("three, not committed\n")
    done = alice.deploys("abort")
    assert (done.code, done.told) == (0, "Deployment aborted.\n")
    assert alice.git("rev-parse", "HEAD") == before
    assert (alice.place / "index.html").read_text() == "one\n"
    assert not alice.lock.exists()


def test_abort_with_noreset_leaves_the_work_as_it_is(alice: Deployer) -> None:
    alice.deploys("start")
    two = alice.commits("two")
    assert alice.deploys("abort", "--noreset").code == 0
    assert alice.git("rev-parse", "HEAD").strip() == two


def test_abort_goes_to_the_newest_start_of_this_repo_alone(alice: Deployer) -> None:
    alice.git("tag", f"{REPO}-start-20130101-000000")
    alice.git("tag", "zzz-start-29990101-000000")
    two = alice.commits("two")
    alice.deploys("start")
    alice.commits("three")
    alice.deploys("abort")
    assert alice.git("rev-parse", "HEAD").strip() == two


def test_nobody_aborts_what_somebody_else_has_started_unless_by_force(alice: Deployer, bob: Deployer) -> None:
    alice.deploys("start")
    refused = bob.deploys("abort")
    assert refused.code == 132
    assert refused.first == "alice started this deployment, use --force to abort that deployment."
    assert alice.lock.exists()
    assert bob.deploys("abort", "--force").code == 0
    assert not alice.lock.exists()


def test_there_is_nothing_to_abort_or_to_finish(alice: Deployer) -> None:
    nothing = alice.deploys("abort")
    assert (nothing.code, nothing.told) == (130, "There is no deployment to abort.\n")
    finished = alice.deploys("finish")
    assert (finished.code, finished.first) == (160, "A deployment has not been started.")
    assert "Next: git deploy start" in finished.told


def test_finish_frees_the_lock_of_whoever_started(alice: Deployer, bob: Deployer) -> None:
    alice.deploys("start")
    refused = bob.deploys("finish")
    assert (refused.code, alice.lock.exists()) == (132, True)
    taken = bob.deploys("finish", "--take-over")
    assert (taken.code, taken.told, alice.lock.exists()) == (0, "Deployment finished.\n", False)


def test_sync_needs_a_start_and_a_clean_tree(alice: Deployer) -> None:
    early = alice.deploys("sync")
    assert (early.code, early.first) == (160, "A deployment has not been started.")
    alice.deploys("start")
    (alice.place / "index.html").write_text("not committed\n")
    dirty = alice.deploys("sync")
    assert dirty.code == 161
    assert dirty.first == "The repository is dirty. Please commit or revert any uncommitted changes."
    assert len(alice.tags()) == 1


def test_files_that_git_does_not_know_make_no_tree_dirty(alice: Deployer) -> None:
    alice.deploys("start")
    (alice.place / "notes.txt").write_text("mine\n")
    assert alice.deploys("sync").code == 163  # there is no master here


@pytest.mark.parametrize("action", ["stop", "start", "reload"])
def test_a_service_can_be_restarted_alone(alice: Deployer, action: str) -> None:
    refused = alice.deploys("service", action)
    assert refused.code == 200
    assert refused.first == f"{action} is not an action implemented by this service driver."


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("", 211, "Failed to read deployment file. Has an initial deploment occurred?."),
        ("{", 211, "Failed to read deployment file. Has an initial deploment occurred?."),
        ('{"user": "alice"}', 212, "Tag not in deployment file. Has an initial deploment occurred?."),
    ],
    ids=["none", "damaged", "without a tag"],
)
def test_there_is_no_report_of_what_was_never_synced(
    alice: Deployer, text: str, code: int, sentence: str
) -> None:
    if text:
        alice.lock.parent.mkdir()
        alice.lock.with_name("deploy").write_text(text)
    refused = alice.deploys("report", "sync")
    assert (refused.code, refused.first) == (code, sentence)


def test_without_words_the_help_is_shown(alice: Deployer) -> None:
    done = alice.deploys()
    assert done.code == 2
    assert "start" in done.printed and 'See "git deploy help COMMAND"' in done.printed
    assert alice.deploys("help").code == 0
    assert "--noreset" in alice.deploys("help", "abort").printed
    unknown = alice.deploys("help", "dance")
    assert (unknown.code, unknown.told) == (1, "'dance' is not a valid subcommand\n")
