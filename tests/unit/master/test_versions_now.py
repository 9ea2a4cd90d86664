"""On how many hosts each release of a history is now."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.reports import results
from saltdeploy.watch.console.results import render

from tests.unit.master.pasts import HOSTS, REPO, Past


@pytest.fixture
def past(tmp_path: Path) -> Past:
    found = Past(tmp_path / "master")
    found.deploy("v1")
    found.deploy("v2")
    return found


def told(past: Past) -> dict[str, int]:
    view = results.of_versions(REPO, past.history, past.master.root)
    return {version["tag"]: version["hosts"] for version in view["versions"]}


def test_before_any_host_has_answered_nothing_is_told_of_them(past: Past) -> None:
    view = results.of_versions(REPO, past.history, past.master.root)
    assert view["of_hosts"] == 0
    assert "HOSTS" not in str(render(view))


def test_hosts_count_for_what_they_ran_when_they_answered_last(past: Past) -> None:
    results.of_fleet(past.repo, past.master)
    assert told(past) == {"v2": len(HOSTS), "v1": 0}
    past.fleet.hosts[HOSTS[0]].switch("v1")
    assert told(past) == {"v2": len(HOSTS), "v1": 0}
    results.of_fleet(past.repo, past.master)
    assert told(past) == {"v2": len(HOSTS) - 1, "v1": 1}
    text = str(render(results.of_versions(REPO, past.history, past.master.root)))
    assert f"HOSTS: how many of {len(HOSTS)} hosts run it now" in text
