"""A host that takes a repo is content with the master's word of now only."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.lib.errors import DamagedFile, DeployError
from saltdeploy.minion import masters_word

WORD = "a1"
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
        ({**NOW, "pins": {}, "unpinned": ["demo"]}, "no-such-tag", 10),
        ({**NOW, "pins": {}}, "no-such-tag", 10),
        (NOW, "fenced", 142),
        (
            {**NOW, "unknown": {"demo": DamagedFile.of_file("/x", "it is empty").to_wire()}},
            "damaged-file",
            190,
        ),
    ],
    ids=["nothing is pinned", "it is told nothing", "it has seen a newer one", "the master does not know"],
)
def test_F23_a_host_without_a_pin_or_with_one_older_than_it_has_seen_is_told_why(
    told: dict[str, Any], kind: str, status: int
) -> None:
    with pytest.raises(DeployError) as caught:
        pin(told, seen=11)
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert caught.value.next


def test_F23_a_repo_that_the_host_takes_counts_though_nothing_is_pinned() -> None:
    told = {"pins": {"a": PIN}, "unknown": {"b": {}}, "unpinned": ["c"]}
    assert masters_word.repos_of(told) == {"a", "b", "c"}


def pin(told: dict[str, Any], seen: int) -> dict[str, Any]:
    return masters_word.pin_of(told, "demo", seen, without_tag=10, advice="salt-run deploy.sync repo=demo")
