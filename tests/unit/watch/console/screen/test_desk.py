"""What a key means."""

from __future__ import annotations

import pytest
from saltdeploy.protocol import events
from saltdeploy.watch.console.screen.desk import Telling

from tests.unit.watch import rollouts
from tests.unit.watch.console.screen.looking import Looking, until
from tests.unit.watch.stories import Story


def asked() -> Looking:
    return Looking(until(rollouts.canary_and_rollback(), events.QUESTION))


def test_a_number_and_enter_answer_the_question() -> None:
    looking = asked()
    assert looking.press("4") == []
    assert "Answer: rollback" in looking.seen()[-1]
    assert looking.press("enter") == [Telling("answer", "rollback", "q1")]


@pytest.mark.parametrize("keys", [("1", "escape", "enter"), ("9", "enter"), ("0", "enter"), ("1", "escape")])
def test_nothing_is_answered_by_half(keys: tuple[str, ...]) -> None:
    assert asked().press(*keys) == []


def test_an_answer_meant_for_a_question_that_is_over_is_not_given_to_the_next_one() -> None:
    looking = asked()
    looking.press("1")
    story = Story(6)
    looking.hear([story.decided("yes"), story.question("and now?", rollouts.AFTER_CANARY, key="q2")])
    assert looking.press("enter") == []
    assert "That question is not open any more" in looking.seen()[-1]


def test_abort_asks_for_a_reason_and_enter_means_it() -> None:
    looking = asked()
    assert looking.press("a", "the log-inn", "backspace", "backspace", "n page") == []
    assert "the log-in page" in looking.seen()[-1]
    assert looking.press("enter") == [Telling("abort", "the log-in page")]
    assert looking.press("a", "escape") == []


def test_while_one_types_letters_are_letters() -> None:
    looking = asked()
    looking.press("/", "q", "a", "l")
    assert (looking.desk.left, looking.desk.typed) == (False, "qal")
    looking.press("escape", "q")
    assert looking.desk.left


@pytest.mark.parametrize(
    ("typed", "hosts"),
    [
        ("web1", ["web1"]),
        ("web", ["web1", "web2", "web3", "web4", "web5", "web6"]),
        ("*[12]", ["web1", "web2"]),
        ("levelno >= WARNING host == web3", ["web3"]),
        ("levelno >= WARNING", ["web1", "web2", "web3", "web4", "web5", "web6"]),
        ("nobody", []),
    ],
)
def test_a_filter_of_names_or_in_scaps_language_chooses_hosts(typed: str, hosts: list[str]) -> None:
    looking = Looking(rollouts.paused_and_converged())
    looking.press("/", typed, "enter")
    assert [row.name for row in looking.rows()] == hosts


def test_a_wrong_filter_says_where_and_changes_nothing() -> None:
    looking = asked()
    looking.press("/", "levelno >= LOUD", "enter")
    assert "-->LOUD<--" in looking.seen(160)[-1]
    assert len(looking.rows()) == 6


def test_l_goes_through_the_levels() -> None:
    looking = Looking(rollouts.canary_and_rollback())
    looking.press("l")
    assert "Log: WARNING and above" in looking.text()
    assert all(record.levelno >= 30 for record in looking.log.shown)
    looking.press("l", "l")
    assert any(record.levelno == 10 for record in looking.log.shown)
    looking.press("l")
    assert "Log: INFO and above" in looking.text()


def test_the_log_scrolls_back_and_end_follows_again() -> None:
    looking = Looking(rollouts.canary_and_rollback())
    newest = looking.seen()[-2]
    looking.press("tab", "page up")
    assert newest not in looking.seen()
    assert "10 newer below" in looking.text()
    looking.press("end")
    assert looking.seen()[-2] == newest


def test_the_choice_stays_with_its_host_when_the_list_is_sorted_anew() -> None:
    looking = asked()
    looking.press("down", "down", "down")
    chosen = looking.desk.host
    story = Story(6)
    looking.hear(
        [story.stage("checkout", 4, "appservers"), story.answered("web6", "checkout", rollouts.NOT_UP)]
    )
    assert f"> {chosen}" in looking.text()
