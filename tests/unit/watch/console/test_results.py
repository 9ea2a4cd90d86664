"""The results of the runner as text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some
from saltdeploy.lib import errors
from saltdeploy.watch.console import results

from tests.unit.watch import hostile, stories, views

VIEWS = sorted({view["view"] for view in views.VIEWS.values()})
FIELDS = "tag commit root hosts user host since until deploy reason scope bad cause name window limit time outcome".split()


@pytest.mark.parametrize("name", views.VIEWS)
def test_a_result_reads_as_the_golden_file_says(name: str, golden: Callable[[str, str], None]) -> None:
    text = results.render(views.VIEWS[name], now=views.NOW)
    assert text is not None
    golden(f"view-{name}", text + "\n")


def test_the_outcome_word_stands_last() -> None:
    for name, view in views.VIEWS.items():
        if name.startswith("outcome"):
            text = results.render(view)
            assert text is not None
            assert text.splitlines()[-1].startswith(view["outcome"])


def test_only_the_outcome_word_is_painted() -> None:
    plain, painted = (results.render(views.VIEWS["outcome-held"], colour=colour) for colour in (False, True))
    assert plain is not None
    assert painted == plain.removesuffix("HELD") + "\033[1;33mHELD\033[0m"


def test_results_by_host_are_told_host_by_host() -> None:
    text = results.render({"master1": views.VIEWS["versions-none"], "master2": views.VIEWS["versions-none"]})
    assert text == "master1:\nmediawiki: never deployed\nmaster2:\nmediawiki: never deployed"


@pytest.mark.parametrize(
    "data", [None, "text", [], {}, {"web1": True}, {"view": "unknown"}, {"view": ["outcome"]}]
)
def test_what_is_not_a_result_of_the_runner_is_left_to_salt(data: object) -> None:
    assert results.render(data) is None


def test_a_host_that_is_not_as_it_should_be_is_not_lost_among_a_thousand() -> None:
    hosts = {**views.fleet(1000), "web500": views.running("drift", views.BEFORE_COMMIT, views.BEFORE)}
    text = results.render(views.report(hosts), now=views.NOW)
    assert text is not None
    lines = text.splitlines()
    assert lines[3].startswith("web500     drift")
    assert lines[4].startswith("999 hosts  pinned")
    assert len(lines) == 8


def test_an_error_of_many_hosts_is_told_once() -> None:
    hosts = {f"web{n}": views.stayed("failed", errors.DiskFull("no space left")) for n in range(1, 41)}
    text = results.render(views.outcome(hosts, "HELD", 0))
    assert text is not None
    assert (
        "web1, web2, web3, web4, web5 and 35 more: no space left. Next: salt-run deploy.doctor"
        in text.splitlines()
    )


def test_a_hostile_text_in_a_result_has_no_power_over_the_terminal() -> None:
    error = errors.DeployError(hostile.TEXT, host=hostile.TEXT, next=hostile.TEXT)
    bad = {**views.stayed("failed", error), "tag": hostile.TEXT, "live": hostile.TEXT, "state": hostile.TEXT}
    for view in (
        views.outcome({hostile.TEXT: bad}, hostile.TEXT, 0),
        {"view": "error", "error": error.to_wire()},
    ):
        text = results.render(view)
        assert text is not None
        assert hostile.controls(text) == set()


@given(
    some.sampled_from(VIEWS),
    some.dictionaries(
        some.sampled_from(
            (
                "deploy repo tag commit previous outcome ok total reason next seconds hosts pinned versions error "
                "root astray left_out partly_pinned what counted locks running removed hash waves restarts checks guards"
            ).split()
        ),
        hostile.JSON
        | some.dictionaries(some.text(), hostile.JSON, max_size=3)
        | some.lists(some.dictionaries(some.sampled_from(FIELDS), hostile.JSON, max_size=5), max_size=3),
    ),
)
def test_no_result_whatever_its_form_raises(view: str, fields: dict[str, object]) -> None:
    text = results.render({**fields, "view": view}, now=views.NOW)
    assert text is not None
    assert hostile.controls(text) == set()


def test_hosts_of_which_nothing_is_said_but_their_names_are_named_in_the_outcome() -> None:
    text = results.render(views.VIEWS["outcome-limited"])
    assert text is not None
    assert "left out by the limit: web3, web4, " in text
    assert "web22 and 8 more" in text


def test_the_process_that_is_older_than_the_switch_is_named() -> None:
    text = results.render(views.VIEWS["report-stale"])
    assert text is not None
    assert "web2: port 80: pid 7 (php) has run since noon, and the switch was at one" in text
    assert "1/2 hosts run what is pinned" in text


OVER_SSH = {**views.away(None), "over_ssh": True}


@pytest.mark.parametrize(
    ("hosts", "command"),
    [
        ({"web1": views.running("drift")}, "salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1"),
        ({"web1": views.running("damaged")}, "salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1"),
        ({"web1": views.unsettled()}, "salt-run deploy.sync repo=mediawiki tag=release/2026-11-23/1"),
        ({"web1": views.stale()}, "salt-run deploy.restart repo=mediawiki"),
        (
            {"web2": views.running("drift"), "web1": views.running()},
            "salt-run deploy.sync repo=mediawiki tag=release/2026-11-20/1 limit=L@web2,web4",
        ),
        ({"web1": views.running(), "web9": views.away(None)}, "salt -L web9 test.ping"),
        ({"app1": OVER_SSH, "web9": views.away(None)}, "salt -L web9 test.ping"),
        ({"web1": views.running(), "app1": OVER_SSH}, "salt-run deploy.doctor repo=mediawiki"),
    ],
    ids=[
        "drift",
        "F11-damaged",
        "unsettled",
        "stale",
        "pinned for some",
        "unreachable",
        "a minion beside a host without one",
        "a host without a minion",
    ],
)
def test_the_report_ends_with_the_command_that_mends_it(hosts: views.View, command: str) -> None:
    some_pin = {"tag": views.BEFORE, "commit": views.BEFORE_COMMIT, "hosts": ["web2", "web4"]}
    text = results.render({**views.report(hosts), "partly_pinned": [some_pin]})
    assert text is not None
    assert text.splitlines()[-1] == f"Next: {command}"


def test_F11_a_damaged_host_says_what_was_found() -> None:
    text = results.render(views.report({"web1": views.running("damaged"), "web2": views.running()}))
    assert text is not None
    assert "web1: deploy.verify found that the live files are not those of the release" in text
    assert "1/2 hosts run what is pinned" in text


def test_in_a_plan_of_a_thousand_hosts_those_with_the_same_numbers_share_a_line() -> None:
    hosts = {f"web{n}": views.change(views.BEFORE, 3, 20, 1, 2_345) for n in range(1, 1001)}
    hosts["web7"] = views.change("", 0, 0, 0, 0, unreachable=True)
    text = results.render(views.plan(hosts, []))
    assert text is not None
    alike = [
        line for line in text.splitlines() if views.BEFORE in line and "web1, web2, web3 and 996 more" in line
    ]
    assert len(alike) == 1
    assert len(text.splitlines()) < 12
    assert text.index("web7") < text.index("web1,")


@pytest.mark.parametrize("name", ["report-died", "report-waits", "versions-died", "watched-died"])
def test_F12_a_deploy_that_has_not_ended_comes_first_and_the_command_for_it_last(name: str) -> None:
    lines = (results.render(views.VIEWS[name], now=views.NOW) or "").splitlines()
    assert lines[0].startswith(f"mediawiki: deploy {stories.DEPLOY} (")
    assert lines[-1] == f"Next: {views.VIEWS[name]['unfinished']['next']}"
    assert not [line for line in lines if "leads to" in line or "drift" in line]


def test_F18_the_history_marks_a_deploy_that_was_limited() -> None:
    text = results.render(views.VIEWS["versions-died"]) or ""
    assert [
        line.count("sync, limited") for line in text.splitlines() if stories.TAG in line and "alice" in line
    ][1:] == [1, 0]


def test_F19_of_a_deploy_that_is_being_stopped_nobody_is_told_how_to_stop_it() -> None:
    assert "abort" not in (results.render(views.VIEWS["detached-stopping"]) or "")


def test_F18_a_cause_that_the_reason_tells_of_its_host_is_not_told_again() -> None:
    error = {"cause": "no answer", "next": "salt web1 test.ping"}
    hosts = {"web1": {**views.stayed("failed"), "error": error}}
    reason = "1 host failed: web1 (no answer)"
    text = results.render(views.outcome(hosts, "HELD", 0, reason, error["next"])) or ""
    assert text.count("no answer") == 1
    text = results.render(views.outcome(hosts, "HELD", 0, reason, "another command")) or ""
    assert text.count("no answer") == 2
