"""One deploy as text, picture and page: what it shows, and that nobody's text does more than be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch.console import results
from saltdeploy.watch.pages import page, svg
from saltdeploy.watch.pages.svg import MOST_ROWS
from saltdeploy.watch.timeline import DeployTimeline

from tests.unit.watch import hostile, rollouts, stories
from tests.unit.watch.stories import DEPLOY, FULL, REPO, Step, Story

HOSTILE = "</title></text><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\x1b[2J"
STORIES = [stories.converged, stories.held_by_a_full_disk, stories.rolled_back, *rollouts.ALL]


def shown(steps: Iterable[Step]) -> dict[str, Any]:
    timeline = DeployTimeline()
    for step in steps:
        if not isinstance(step, float):
            timeline.hear(step)
    return timeline.view()


@pytest.mark.parametrize("story", STORIES)
def test_a_deploy_reads_as_the_golden_file_says(
    story: Callable[[], Iterable[Step]], golden: Callable[[str, str], None]
) -> None:
    golden(f"show-{story.__name__}", f"{results.render(shown(story()))}\n")


@pytest.mark.parametrize("story", STORIES)
def test_each_host_has_a_row_and_each_stage_of_it_a_bar(story: Callable[[], Iterable[Step]]) -> None:
    view = shown(story())
    drawn = ElementTree.fromstring(svg.file(view))
    titles = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")]
    for name, spans in view["hosts"].items():
        assert name in titles
        assert sum(str(title).startswith(f"{name}: ") for title in titles) == len(spans)


def test_a_host_is_in_a_stage_from_when_it_is_asked() -> None:
    story = Story(1)
    asked = events.asked(DEPLOY, REPO, story.now + 1, stage="fetch", wave=0, hosts=["web1"])
    begun, stage = story.started(), story.stage("fetch", 1)
    story.now += 4
    (span,) = shown([begun, stage, asked, story.answered("web1")])["hosts"]["web1"]
    assert (span["end"] - span["begin"], span["status"]) == (3, 0)


def test_who_is_asked_again_has_another_bar() -> None:
    spans = shown(rollouts.canary_and_rollback())["hosts"]["web4"]
    assert [(span["stage"], span["status"] == 0) for span in spans] == [
        ("fetch", True), ("checkout", False), ("checkout", False), ("rollback", True)
    ]  # fmt: skip


def test_a_question_is_told_with_who_answered() -> None:
    text = str(results.render(shown(rollouts.canary_and_rollback())))
    assert "question: canary is done; go on with appservers? - bob: yes" in text
    assert "nobody in time, so the default: rollback" in text


def test_a_deploy_that_has_not_ended_says_where_to_watch_it() -> None:
    story = Story(1)
    text = str(results.render(shown([story.started(), story.stage("fetch", 1)])))
    assert text.endswith(f"it has not ended\nNext: salt-run deploy.watch id={DEPLOY}")


def hostile_deploy() -> dict[str, Any]:
    story = Story(2)
    story.names = [HOSTILE, "web2"]
    return shown(
        [
            story.started(user=HOSTILE, groups=(HOSTILE,), reason=HOSTILE),
            story.stage("fetch", 2, HOSTILE),
            story.answered(HOSTILE, error=errors.DeployError(HOSTILE, next=HOSTILE)),
            story.question(HOSTILE, (HOSTILE,)),
            story.decided(HOSTILE, user=HOSTILE),
            story.checked(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
            events.warned(DEPLOY, REPO, story.now, HOSTILE),
            story.aborted(HOSTILE, HOSTILE),
            story.finished("MIXED", 0, 2, HOSTILE, HOSTILE),
        ]
    )


def test_hostile_texts_stay_texts_on_the_page_and_in_the_picture() -> None:
    for text in (page.page(hostile_deploy()), svg.file(hostile_deploy()), page.text_page(HOSTILE, HOSTILE)):
        assert re.search(r"<script|<img|\x1b(?!\[2J)", text) is None
        assert "&lt;script&gt;" in text
    assert "\x1b" not in page.page(hostile_deploy())


@pytest.mark.parametrize("story", STORIES)
def test_a_page_asks_for_nothing_from_anywhere(story: Callable[[], Iterable[Step]]) -> None:
    text = page.page(shown(story()))
    assert re.findall(r"\b(?:src|href|action)=|url\(|@import|<script|<link|<iframe", text) == []
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}


def test_of_a_big_fleet_those_that_failed_are_drawn() -> None:
    story = Story(MOST_ROWS + 100)
    last = story.names[-1]
    steps: list[Step] = [story.started(), story.stage("fetch", len(story.names))]
    steps += [story.answered(name, error=FULL if name == last else None) for name in story.names]
    text = svg.file(shown(steps))
    assert f">{last}<" in text
    assert "and 100 hosts more, of which none failed" in text


@given(st.lists(hostile.event(), max_size=12))
def test_no_event_of_anybody_breaks_a_text_a_picture_or_a_page(found: list[Any]) -> None:
    timeline = DeployTimeline()
    for event in found:
        if isinstance(event, dict):
            timeline.hear(event)
    view = timeline.view()
    ElementTree.fromstring(svg.file(view))
    assert "<script" not in page.page(view)
    assert "\x1b" not in str(results.render(view))


_KEYS = st.sampled_from([*shown(stories.converged()), "releases", "outcome", "ok", "total", "cause", "next"])


@given(st.dictionaries(_KEYS, hostile.JSON, max_size=8), st.sampled_from(["show", "releases"]))
def test_a_view_of_any_form_is_shown(found: dict[str, Any], name: str) -> None:
    view = {**found, "view": name}
    results.render(view)
    ElementTree.fromstring(svg.file(view))
    page.page(view)
