"""Lines of hosts' own logs among those of the deploy."""

from __future__ import annotations

from typing import Any

from saltdeploy.lib import errors
from saltdeploy.watch.deploy_log import DeployLog, DeployRecord
from saltdeploy.watch.log_filter import LogFilter
from saltdeploy.watch.pages import page
from saltdeploy.watch.timeline import DeployTimeline

from tests.unit.watch.stories import BEGIN, Story

HOSTILE = "</script><script>alert(1)</script>\x1b]0;owned\x07"


def steps(*lines: Any, cut: int = 0, error: errors.DeployError | None = None) -> list[Any]:
    story = Story(1)
    answer = story.answered("web1", error=error)
    return [story.started(), story.stage("fetch", 1), {**answer, "lines": list(lines), "lines_cut": cut}]


def records(told: list[Any], chosen: str = "") -> list[DeployRecord]:
    log = DeployLog("deploy1")
    passes = LogFilter.read(chosen)
    return [record for event in told for record in log.hear(event) if passes.matches(record.attributes())]


def test_they_stand_behind_the_hosts_answer_and_can_be_filtered() -> None:
    told = steps([BEGIN, 30, "it is damaged"], [BEGIN, 20, "it is rebuilt"], cut=7)
    found = records(told, "name == target.web1.log")
    assert [(one.levelno, one.message) for one in found] == [
        (20, "7 earlier lines of its own log left out"),
        (30, "it is damaged"),
        (20, "it is rebuilt"),
    ]
    assert records(told)[-4].message.startswith("fetch is done")
    assert [one.message for one in records(told, "levelno >= WARNING host == web1")] == ["it is damaged"]


def test_a_host_whose_clock_is_ahead_logs_nothing_in_the_future() -> None:
    (record,) = records(steps([BEGIN + 1e6, 30, "tomorrow"]), "name == *.log")
    assert record.created == BEGIN


def test_what_a_hostile_host_sends_is_cleaned_and_its_form_does_not_matter() -> None:
    odd = [None, [], [1], "text", ["x", 30, "y"], [1.0, "x", "y"], [1.0, 30, None], [1.0, 30, HOSTILE]]
    (record,) = records(steps(*odd), "name == *.log")
    assert "\x1b" not in record.message


def test_the_page_of_a_deploy_has_them_as_text() -> None:
    timeline = DeployTimeline()
    for event in steps([BEGIN, 40, HOSTILE], error=errors.Corrupt("a file differs")):
        timeline.hear(event)
    html = page.page(timeline.view())
    assert "Lines of the hosts' own logs" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
