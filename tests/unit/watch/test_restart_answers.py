"""What a restart answers to Trebuchet's programs, host by host."""

from __future__ import annotations

from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.protocol import events
from saltdeploy.watch.restart_answers import restart_answers

DEPLOY, REPO = "20261123120000000001", "test/testrepo"
MEMBER: dict[str, Any] = {"repo": REPO, "dependencies": []}


def begun(*hosts: str) -> events.Event:
    more: dict[str, Any] = {"total": len(hosts), "group": ""}
    return events.stage_started(DEPLOY, REPO, 1.0, stage="fetch", names=list(hosts), **more)


def told(host: str, stage: str, status: int = 0) -> events.Event:
    error = DeployError("it does not start") if status else None
    more: dict[str, Any] = {"live": "", "live_tag": "", "unchanged": False, "facts": {}}
    return events.host_finished(DEPLOY, REPO, 2.0, host=host, stage=stage, status=status, error=error, **more)


def test_F04_each_host_has_trebuchets_truth_value_in_a_dict_of_its_own() -> None:
    said = [begun("web10", "web2"), told("web2", "fetch"), told("web10", "fetch")]
    said += [told("web2", "checkout"), told("web10", "checkout", 80)]
    assert restart_answers(said) == [
        {"web2": {**MEMBER, "status": True}},
        {"web10": {**MEMBER, "status": False}},
    ]


def test_a_host_that_has_not_restarted_yet_has_no_status() -> None:
    assert restart_answers([begun("web1"), told("web1", "fetch")]) == [{"web1": MEMBER}]


def test_of_many_hosts_each_is_known_by_its_first_answer() -> None:
    assert restart_answers([told("web1", "fetch")]) == [{"web1": MEMBER}]


def test_a_host_that_could_not_be_asked_has_not_restarted() -> None:
    assert restart_answers([begun("web1"), told("web1", "fetch", 92)]) == [
        {"web1": {**MEMBER, "status": False}}
    ]


def test_before_the_first_host_is_asked_there_is_nothing_to_tell() -> None:
    assert restart_answers([]) == []
