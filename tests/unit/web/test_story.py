"""One deploy in pieces: nothing is missed and nothing comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events
from saltdeploy.web.story import story

from tests.unit.master.pasts import HOSTS, REPO, Past
from tests.unit.master.running.test_unfinished import DEPLOY, answer, begin, held


@pytest.fixture
def past(tmp_path: Path) -> Past:
    found = Past(tmp_path / "master")
    found.deploy("v1")
    begin(found)
    answer(found)
    return found


def written(past: Past) -> list[events.Event]:
    path = Journals(past.master.root).path(REPO, DEPLOY)
    return [event for event in replay(path) if event["event"] not in events.JOURNAL_ONLY]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 99])
def test_the_pieces_make_the_whole(past: Past, most: int) -> None:
    pieces = [story(REPO, DEPLOY, past.master.root, 0, most)]
    while pieces[-1]["more"]:
        pieces.append(story(REPO, DEPLOY, past.master.root, pieces[-1]["next"], most))
    assert [event for piece in pieces for event in piece["events"]] == written(past)
    assert all(len(piece["events"]) <= most for piece in pieces)


def test_who_has_all_gets_what_was_written_since(past: Past) -> None:
    known = story(REPO, DEPLOY, past.master.root)
    assert story(REPO, DEPLOY, past.master.root, known["next"])["events"] == []
    answer(past)
    since = story(REPO, DEPLOY, past.master.root, known["next"])
    assert [event["event"] for event in since["events"]] == [events.HOST_FINISHED] * 3


def test_what_a_resumed_deploy_alone_needs_is_left_out(past: Past) -> None:
    kinds = {event["event"] for event in story(REPO, DEPLOY, past.master.root)["events"]}
    assert kinds == {events.STARTED, events.HOST_FINISHED}


def test_it_says_whether_a_process_carries_the_deploy_on(past: Past) -> None:
    with held(past):
        assert story(REPO, DEPLOY, past.master.root)["runs"]
    assert not story(REPO, DEPLOY, past.master.root)["runs"]


def test_the_piece_with_the_plan_tells_which_hosts_switch_together(past: Past) -> None:
    (group,) = story(REPO, DEPLOY, past.master.root)["waves"]
    assert sorted(group["hosts"]) == sorted(HOSTS)
    assert "waves" in story(REPO, DEPLOY, past.master.root, 1, 1)  # it stands right behind the first event
    assert "waves" not in story(REPO, DEPLOY, past.master.root, 2)
