"""All repos at one look: what is pinned, what has not ended, what each host told last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.result import Result
from saltdeploy.web.overview import overview

from tests.unit.master.masters import NOON
from tests.unit.master.pasts import HOSTS, REPO, Past, release
from tests.unit.master.running.test_unfinished import begin, held

OLD, NEW = release("v0").commit, release("v1").commit
STATES = {
    "pinned": Holdings(NEW, OLD, (OLD, NEW), {NEW: "v1"}),
    "behind": Holdings(OLD, "", (OLD,), {OLD: "v0"}),
    "damaged": Holdings(NEW, "", (NEW,), {NEW: "v1"}, damaged=True),
    "unsettled": Holdings(NEW, "", (NEW,), {NEW: "v1"}, unsettled=True),
}


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A fleet on v1."""
    return Past.of(tmp_path / "master", "v0", "v1")


def told(past: Past, *repos: str) -> list[dict[str, Any]]:
    view = overview(repos or [REPO], past.master.root, past.master.store)
    found: list[dict[str, Any]] = json.loads(json.dumps(view))["repos"]
    return found


def test_a_repo_is_told_with_its_pin_and_its_deploys_the_newest_first(past: Past) -> None:
    (one,) = told(past)
    assert one["pinned"] == {"tag": "v1", "commit": NEW}
    assert [(each["tag"], each["outcome"]) for each in one["versions"]] == [
        ("v1", "CONVERGED"),
        ("v0", "CONVERGED"),
    ]
    assert one["unfinished"] is None


@pytest.mark.parametrize("state", STATES)
def test_a_host_has_the_state_that_follows_from_what_it_told_last(past: Past, state: str) -> None:
    Pins(past.master.root).note(REPO, [Result(HOSTS[0], REPO, holdings=STATES[state])], NOON)
    hosts = told(past)[0]["hosts"]
    assert (hosts[HOSTS[0]]["state"], hosts[HOSTS[0]]["seen"]) == (state, NOON)
    assert {hosts[host]["state"] for host in HOSTS[1:]} == {"unheard"}


def test_a_deploy_that_runs_and_one_whose_process_is_gone_are_told_apart(past: Past) -> None:
    begin(past)
    with held(past):
        assert told(past)[0]["unfinished"]["state"] == "running"
    died = told(past)[0]["unfinished"]
    assert (died["state"], died["next"]) == ("died", f"salt-run deploy.resume repo={REPO}")


def test_a_repo_that_was_never_deployed_has_nothing_to_tell(past: Past) -> None:
    assert told(past, "new") == [
        {"repo": "new", "pinned": None, "unfinished": None, "versions": [], "hosts": {}}
    ]


def test_a_repo_that_cannot_be_read_says_why_and_the_others_are_told(past: Past) -> None:
    for file in past.master.root.glob(f"*/{REPO}.json"):
        file.write_text("{")
    for journal in past.master.root.glob("journal/*/*"):
        journal.unlink()
    broken, fine = told(past, REPO, "new")
    assert broken["error"]["repo"] == REPO
    assert broken["error"]["cause"]
    assert fine["versions"] == []
