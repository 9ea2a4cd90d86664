"""A host that takes a repo is content with the master's word of now only."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.lib.errors import DamagedFile, DeployError
from saltdeploy.minion import masters_word

WORD, LIVE = "a1", "a" * 40
PIN = {"tag": "v1", "commit": "a" * 40, "order": {"epoch": 10}}
NOW = {"asked": WORD, "pins": {"demo": PIN}, "secret": "s"}


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({}, "the master tells no pins"),
        ({**NOW, "asked": "of before"}, "of an earlier time"),
        ({"pins": {"demo": PIN}, "secret": "s"}, "of an earlier time"),
    ],
    ids=["no ext_pillar", "a cache that somebody else asked for", "a cache, or an older master"],
)
def test_F23_what_is_no_answer_to_this_question_is_refused(told: dict[str, Any], cause: str) -> None:
    with pytest.raises(DeployError, match=cause) as caught:
        masters_word.refuse_old(told, WORD, "web1")
    assert (caught.value.kind, caught.value.host) == ("unavailable", "web1")
    assert "web1" in caught.value.next


def test_F23_the_masters_word_of_now_is_taken() -> None:
    masters_word.refuse_old(NOW, WORD, "web1")
    assert pin(NOW, seen=10) == PIN


@pytest.mark.parametrize(
    ("told", "kind", "status"),
    [
        ({**NOW, "pins": {}, "taken": {"demo": {"epoch": 11, "runs": False}}}, "no-such-tag", 10),
        ({**NOW, "pins": {}}, "no-such-tag", 10),
        (NOW, "fenced", 142),
        ({**NOW, "taken": {"demo": {"epoch": 11, "runs": False}}}, "fenced", 142),
        ({**NOW, "taken": {"demo": {"epoch": 10, "runs": True}}}, "fenced", 142),
        (
            {**NOW, "unknown": {"demo": DamagedFile.of_file("/x", "it is empty").to_wire()}},
            "damaged-file",
            190,
        ),
    ],
    ids=[
        "nothing is pinned",
        "it is told nothing",
        "the master remembers nothing",
        "the deploy has died",
        "the master has an older copy",
        "the master does not know",
    ],
)
def test_F23_a_host_without_a_pin_or_with_one_older_than_it_has_seen_is_told_why(
    told: dict[str, Any], kind: str, status: int
) -> None:
    with pytest.raises(DeployError) as caught:
        pin(told, seen=11)
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert caught.value.next
    assert not left_alone(told, seen=11, live=LIVE)


UNDER_WAY = {**NOW, "taken": {"demo": {"epoch": 11, "runs": True}}}


@pytest.mark.parametrize(
    ("told", "seen", "live", "why"),
    [
        ({"taken": {"demo": {"epoch": 0, "runs": False}}}, 0, "", "nothing is pinned yet"),
        ({"taken": {"demo": {"epoch": 11, "runs": False}}}, 11, "", "nothing is pinned yet"),
        ({"taken": {"demo": {"epoch": 11, "runs": True}}}, 11, LIVE, "under way"),
        (UNDER_WAY, 11, LIVE, "under way"),
        ({"taken": {"demo": {"epoch": 11, "runs": False}}}, 11, LIVE, ""),
        ({"taken": {"demo": {"epoch": 0, "runs": False}}}, 11, "", ""),
        (UNDER_WAY, 10, LIVE, ""),
        (NOW, 10, LIVE, ""),
    ],
    ids=[
        "it was never deployed",
        "its first deploy was held",
        "its first deploy is under way",
        "a deploy is under way",
        "what is here has no pin",
        "the master has forgotten it",
        "no deploy has reached this host yet",
        "it is pinned",
    ],
)
def test_F23_what_was_never_deployed_and_what_a_deploy_brings_is_left_alone(
    told: dict[str, Any], seen: int, live: str, why: str
) -> None:
    said = left_alone(told, seen, live)
    assert why in said if why else not said


@pytest.mark.parametrize(("own", "tag"), [({}, "v1"), ({"tag": "v2", "order": {"epoch": 11}}, "v2")])
def test_F23_while_a_deploy_goes_on_what_it_has_brought_counts(own: dict[str, Any], tag: str) -> None:
    assert pin(UNDER_WAY, seen=11, own=own)["tag"] == tag


def test_F23_a_repo_that_the_host_takes_counts_though_nothing_is_pinned() -> None:
    told = {"pins": {"a": PIN}, "unknown": {"b": {}}, "taken": {"c": {}}}
    assert masters_word.repos_of(told) == {"a", "b", "c"}


def pin(told: dict[str, Any], seen: int, own: dict[str, Any] | None = None) -> dict[str, Any]:
    advice = "salt-run deploy.sync repo=demo"
    return dict(masters_word.pin_of(told, "demo", seen, own or {}, without_tag=10, advice=advice))


def left_alone(told: dict[str, Any], seen: int, live: str) -> str:
    return masters_word.left_alone(told, "demo", seen, live)
