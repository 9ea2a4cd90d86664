"""A deploy that has not ended: report and versions begin with it, and end with the command that leads on from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import NothingAsked
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.reports import results
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.running.follow import SeenEvents, being_prepared, follow
from saltdeploy.master.running.unfinished import question_for, unfinished
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.watch.console.results import render

from tests.unit.master.masters import NOON, person
from tests.unit.master.pasts import HOSTS, REPO, Past, release

DEPLOY = "20261123120000000000"
OF = (DEPLOY, REPO, NOON + 50)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A fleet on v1, as every test finds it."""
    return Past.of(tmp_path / "master", "v0", "v1")


def write(past: Past, *told: events.Event) -> None:
    with Journals(past.master.root).write(REPO, DEPLOY) as journal:
        for event in told:
            journal.append(event)


def begin(past: Past, tag: str = "v2", action: str = "sync", *, planned: bool = True, **rules: Any) -> None:
    """A deploy has begun, and asked all hosts to fetch."""
    about = release(tag)
    started = events.started(*OF, tag=tag, commit=about.commit, user="bob", hosts=3, action=action, groups=[],
                             left_out=0, reason="", epoch=50)  # fmt: skip
    write(past, started)
    past.history.started(started)
    if planned:
        part = Part(Order(DEPLOY, 50, FETCH, about), HOSTS)
        waves = (Wave("", "", HOSTS, 99, 0),)
        plan = Plan(action, "bob", "", (part,), waves, Rules(**rules), timeout=60.0, question_timeout=60.0)
        write(past, events.planned(*OF, script=plan.to_wire()))
        write(past, events.asked(*OF, stage=FETCH, wave=-1, hosts=list(HOSTS)))


def answer(past: Past) -> None:
    """All hosts have fetched."""
    more: dict[str, Any] = {"error": None, "facts": {}, "live": "1" * 40, "live_tag": "v1"}
    for host in HOSTS:
        write(past, events.host_finished(*OF, host=host, stage=FETCH, status=0, **more))


def held(past: Past) -> AbstractContextManager[Lease]:
    """The deploying process lives."""
    return Locks(past.master.root, past.master.store).hold(REPO, (), person("bob", DEPLOY))


def texts(past: Past) -> Iterator[tuple[dict[str, Any], str]]:
    """What report and versions say."""
    root = past.master.root
    for view in (results.of_fleet(past.repo, past.master), results.of_versions(REPO, past.history, root)):
        yield view, render(view) or ""


def test_F12_of_a_deploy_whose_process_was_killed_the_command_that_goes_on_is_named(past: Past) -> None:
    begin(past)
    past.fleet.hosts["web1"].switch("v2")
    for _, text in texts(past):
        assert text.startswith(f"{REPO}: deploy {DEPLOY} (sync of v2 by bob) has died: its process ended")
        assert text.endswith(f"Next: salt-run deploy.resume repo={REPO}")
        assert "deploy.sync" not in text
    view, text = next(texts(past))
    assert {host["state"] for host in view["hosts"].values()} == {"switched", "pinned"}
    assert view["retcode"] == 1


def test_F12_a_fleet_on_its_pin_is_not_fine_while_a_dead_deploy_waits_to_be_resumed(past: Past) -> None:
    begin(past)
    view, _ = next(texts(past))
    assert {host["state"] for host in view["hosts"].values()} == {"pinned"}
    assert view["retcode"] == 1


def test_F12_the_history_says_died_of_a_dead_deploy_and_running_of_one_that_runs(past: Past) -> None:
    begin(past)

    def outcome() -> str:
        (row,) = [
            line for line in list(texts(past))[1][1].splitlines() if "  sync  " in line and DEPLOY in line
        ]
        return row.split()[5]

    assert outcome() == "died"
    with held(past):
        assert outcome() == "running"


def test_F12_a_deploy_that_died_before_it_had_decided_anything_is_begun_again(past: Past) -> None:
    begin(past, planned=False)
    for _, text in texts(past):
        assert text.endswith(f"Next: salt-run deploy.sync repo={REPO} tag=v2")


def test_F12_a_roll_back_that_died_in_its_preparation_is_begun_again_as_one(past: Past) -> None:
    begin(past, "v0", "rollback", planned=False)
    for _, text in texts(past):
        assert text.endswith(f"Next: salt-run deploy.rollback repo={REPO} to=v0")


def test_F12_while_a_deploy_runs_the_next_command_follows_it(past: Past) -> None:
    begin(past)
    with held(past):
        for _, text in texts(past):
            assert text.startswith(f"{REPO}: deploy {DEPLOY} (sync of v2 by bob) runs\n")
            assert text.endswith(f"Next: salt-run deploy.watch repo={REPO}")


def test_F12_during_a_roll_back_the_host_that_is_back_does_not_drift_and_the_bad_release_is_no_advice(
    past: Past,
) -> None:
    begin(past, "v0", "rollback", confirm=True)
    answer(past)
    past.fleet.hosts["web1"].switch("v0", back=True)
    with held(past):
        view, text = next(texts(past))
    assert view["hosts"]["web1"]["state"] == "switched"
    assert "drift" not in text
    assert "(rollback to v0 by bob) waits for an answer: " in text.splitlines()[0]
    choices = view["unfinished"]["choices"]
    commands = [f"salt-run deploy.answer {choice} repo={REPO}" for choice in choices]
    assert text.endswith("Next: " + "; or ".join(commands))


def test_F12_a_master_that_was_restored_to_the_middle_of_a_deploy_does_not_advise_to_resume_it(
    past: Past,
) -> None:
    begin(past)
    for host in past.fleet.hosts.values():
        host.epoch = 90
        host.switch("v3")
    _, text = next(texts(past))
    assert "of which this master has no record" in text.splitlines()[0]
    assert "deploy.resume" not in text.splitlines()[-1]


def test_F12_what_has_ended_is_not_spoken_of(past: Past) -> None:
    assert unfinished(REPO, past.master.root) is None
    begin(past)
    write(past, events.finished(*OF, tag="v2", outcome="HELD", ok=0, total=3, reason="", next=""))
    assert unfinished(REPO, past.master.root) is None


def test_F12_a_journal_that_cannot_be_read_does_not_stop_the_report(past: Past) -> None:
    Journals(past.master.root).path(REPO, DEPLOY).mkdir()
    view, _ = next(texts(past))
    assert "unfinished" not in view


def test_F12_a_watcher_of_a_killed_deploy_is_told_the_command_that_goes_on(past: Past) -> None:
    begin(past)
    view = results.of_watched(REPO, DEPLOY, {"event": events.ASKED}, past.master.root)
    assert (render(view) or "").endswith(f"Next: salt-run deploy.resume repo={REPO}")


def test_F14_a_deploy_is_known_from_the_moment_that_it_holds_its_lock(past: Past) -> None:
    with held(past):
        assert being_prepared(past.master.root, [REPO]) == (REPO, DEPLOY)
        for _, text in texts(past):
            assert text.startswith(f"{REPO}: deploy {DEPLOY} (by bob) is being prepared")
    assert being_prepared(past.master.root, [REPO]) is None


def test_F14_who_watches_while_a_deploy_is_prepared_sees_that_one_and_not_the_one_before(past: Past) -> None:
    root = past.master.root
    with held(past):
        told = follow(REPO, DEPLOY, root, lambda seconds: None)
        first, *ticks = itertools.islice(told, 3)
        assert first is not None
        assert (first["event"], first["deploy"], first["user"]) == (events.PREPARING, DEPLOY, "bob")
        assert ticks == [None, None]
        begin(past)
        assert next(event for event in told if event)["event"] == events.STARTED


def test_F14_watching_ends_when_the_deploy_is_refused_before_it_began(past: Past) -> None:
    root = past.master.root
    with held(past):
        told = follow(REPO, DEPLOY, root, lambda seconds: None)
        next(told)
    assert list(told) == [None] or not list(told)
    view = results.of_watched(REPO, DEPLOY, {}, root)
    assert "it ended before any host was asked" in (render(view) or "")


def test_F12_what_is_needed_first_is_what_runs_until_the_deploy_itself_begins() -> None:
    seen = SeenEvents("wiki", "2")
    for repo, deploy in (("libs", "1"), ("wiki", "2")):
        begun = {"event": events.STARTED, "repo": repo, "deploy": deploy, "groups": []}
        seen.hear(begun)
        assert (seen.repo, seen.deploy, seen.begun, seen.last) == (repo, deploy, True, begun)
        seen.hear({"event": events.PINNED, "repo": repo})
        seen.hear({})
        assert seen.last == {"event": events.PINNED, "repo": repo}


def test_F18_what_was_seen_already_is_not_told_again(past: Past) -> None:
    begin(past)
    path = Journals(past.master.root).path(REPO, DEPLOY)
    told = [event for event in follow(REPO, DEPLOY, past.master.root, lambda seconds: None) if event]
    after = told[1]
    rest = [event for event in follow(REPO, DEPLOY, past.master.root, lambda seconds: None, after) if event]
    assert path.is_file()
    assert rest == told[2:]


def test_F18_who_answers_too_late_is_told_who_was_first_and_with_what(past: Past) -> None:
    begin(past, confirm=True)
    answer(past)
    path = Journals(past.master.root).path(REPO, DEPLOY)
    question = question_for("yes", "", path, REPO, DEPLOY)
    with pytest.raises(NothingAsked, match="the choices are yes, no, retry"):
        question_for("maybe", "", path, REPO, DEPLOY)
    write(past, events.answered(*OF, key=question.key, choice="no", user="carol"))
    with pytest.raises(NothingAsked, match="it is answered already: carol was first: no"):
        question_for("yes", question.key, path, REPO, DEPLOY)
