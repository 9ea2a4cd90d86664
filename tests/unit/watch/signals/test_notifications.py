"""What a deploy tells other systems: which moments, in whose words, and in which formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from saltdeploy.protocol import events
from saltdeploy.watch.signals import signal, wording
from saltdeploy.watch.signals.cdevents import event_of
from saltdeploy.watch.signals.hooks import filled
from saltdeploy.watch.signals.signal import Notification, Teller
from saltdeploy.watch.signals.statsd import lines

from tests.unit.watch.stories import COMMIT, DEPLOY, REPO, TAG, Story

SCHEMAS = Path(__file__).parents[3] / "support" / "cdevents"


def told(*happened: events.Event) -> list[Notification]:
    teller = Teller()
    return [one for event in happened for one in teller.hear(event)]


def deploy(outcome: str = "CONVERGED", action: str = "sync", before: str = "v0") -> list[events.Event]:
    """A deploy from begin to end; ``before`` ran on its host when it was asked."""
    story = Story(1, action)
    begun = story.started(reason="bump")
    fetched = events.host_finished(DEPLOY, REPO, story.now, host="web1", stage="fetch", status=0, error=None,
                                   facts={}, live="", live_tag=before)  # fmt: skip
    back = [story.stage("rollback", 1)] if outcome == "ROLLED BACK" else []
    ok = int(outcome == "CONVERGED")
    end = events.finished(
        DEPLOY, REPO, story.now + 31, tag=TAG, outcome=outcome, ok=ok, total=1, reason="", next=""
    )
    return [begun, story.stage("fetch", 1), fetched, *back, end]


def finished(outcome: str = "CONVERGED", **how: Any) -> Notification:
    return told(*deploy(outcome, **how))[-1]


def test_a_deploy_tells_its_begin_and_its_end_and_nothing_of_each_host() -> None:
    assert [one.kind for one in told(*deploy())] == [signal.STARTED, signal.FINISHED]


def test_a_way_back_is_told_once_and_when_it_begins() -> None:
    happened = deploy("ROLLED BACK")
    again = [*happened[:-1], happened[-2], happened[-1]]
    assert [one.kind for one in told(*again)] == [signal.STARTED, signal.GOING_BACK, signal.FINISHED]


def test_a_question_is_told_with_its_choices_and_the_answer_with_who_gave_it() -> None:
    asked = events.question(DEPLOY, REPO, 1.0, key="canary", text="Continue?", choices=["y", "n"], default="n",
                            until=9.0)  # fmt: skip
    answered = events.answered(DEPLOY, REPO, 2.0, key="canary", choice="y", user="bob")
    _, question, answer = told(Story(1).started(), asked, answered)
    assert (question.text, question.choices) == ("Continue?", ("y", "n"))
    assert (answer.text, answer.who) == ("y", "bob")


def test_repos_that_are_deployed_as_one_are_told_of_one_by_one_each_with_its_own_id() -> None:
    begun = {**Story(1).started(), "also": [{"repo": "l10n", "tag": "v7", "commit": "7" * 40}]}
    first, second = told(begun)
    assert (first.repo, second.repo, second.tag, second.commit) == (REPO, "l10n", "v7", "7" * 40)
    assert first.id != second.id


def test_the_same_moment_has_the_same_id_whoever_tells_it() -> None:
    assert [one.id for one in told(*deploy())] == [one.id for one in told(*deploy())]


def test_what_hosts_and_operators_wrote_cannot_move_a_cursor() -> None:
    begun = Story(1).started(reason="fix \x1b[2J\nQUIT :bye\r\n", user="al\x07ice")
    assert "\n" not in wording.line(told(begun)[0], wording.SCAP) and "\x1b" not in told(begun)[0].message


# -- announcements --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("CONVERGED", "alice@deploy1 Finished deploy [mediawiki@a1b2c3d]: bump (duration: 00m 31s)"),
        (
            "ROLLED BACK",
            "alice@deploy1 Finished deploy [mediawiki@a1b2c3d]: ROLLED BACK (0 of 1 host): bump (duration: 00m 31s)",
        ),
    ],
)
def test_S58_the_end_is_announced_in_scaps_words_and_never_as_better_than_it_was(
    outcome: str, expected: str
) -> None:
    assert wording.line(finished(outcome), wording.SCAP, "deploy1") == expected


def test_S58_the_begin_is_announced_in_scaps_words() -> None:
    begun = told(Story(1).started(reason="bump"))[0]
    assert (
        wording.line(begun, wording.SCAP, "deploy1")
        == "alice@deploy1 Started deploy [mediawiki@a1b2c3d]: bump"
    )


def test_without_a_reason_scap_says_so() -> None:
    begun = told(Story(1).started())[0]
    assert wording.line(begun, wording.SCAP).endswith(": (no justification provided)")


def test_trebuchets_words_are_those_of_its_log() -> None:
    begun, ended = told(*deploy())
    assert wording.line(begun, wording.TREBUCHET) == f"alice started synchronizing {TAG} 'bump'"
    assert wording.line(ended, wording.TREBUCHET) == f"alice synchronized {TAG} 'bump'"
    assert wording.line(finished("MIXED"), wording.TREBUCHET).startswith(
        f"alice did not synchronize {TAG}: MIXED"
    )
    assert wording.line(finished(action="restart"), wording.TREBUCHET) == ""


# -- formats --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "how", "word"),
    [
        ("CONVERGED", {"before": ""}, "deployed"),
        ("CONVERGED", {}, "upgraded"),
        ("ROLLED BACK", {}, "rolledback"),
        ("CONVERGED", {"action": "rollback"}, "rolledback"),
    ],
)
def test_a_cdevent_is_valid_by_the_projects_own_schema(outcome: str, how: dict[str, str], word: str) -> None:
    event = event_of(finished(outcome, **how), "/deploy/master1", "production")
    assert event is not None
    schema = json.loads((SCHEMAS / f"service{word}.json").read_text())
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(event)
    assert (
        event["subject"]["content"]["artifactId"]
        == f"pkg:generic/mediawiki@release%2F2026-11-23%2F1?commit={COMMIT}"
    )


@pytest.mark.parametrize(
    ("outcome", "how"),
    [("HELD", {}), ("MIXED", {}), ("CONVERGED", {"action": "fetch"}), ("CONVERGED", {"action": "restart"})],
)
def test_what_changed_no_service_as_a_whole_is_no_cdevent(outcome: str, how: dict[str, str]) -> None:
    assert event_of(finished(outcome, **how), "/deploy/master1", "production") is None


def test_statsd_gets_names_that_it_can_take() -> None:
    assert lines(finished("ROLLED BACK"), "deploy") == [
        "deploy.mediawiki.sync.rolled_back:1|c",
        "deploy.mediawiki.sync.seconds:31000|ms",
    ]


def test_a_templates_words_are_never_templates_themselves() -> None:
    words = {"repo": "{commit}", "commit": "abc", "line": "{0.__class__}"}
    assert filled("{repo} {line} {unknown} {", words) == "{commit} {0.__class__} {unknown} {"
    assert filled(7, words) == 7
