"""The hosts of a fleet by the release that they run."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.master.reports.releases import by_release
from saltdeploy.watch.console import results

OLD, NEW = "19587c195a8b" + "0" * 28, "7e25a770901c" + "0" * 28


def host(commit: str, tag: str, state: str = "pinned") -> dict[str, Any]:
    return {"live": commit, "tag": tag, "state": state}


def version(tag: str, commit: str) -> dict[str, Any]:
    return {"tag": tag, "commit": commit}


@pytest.fixture
def told() -> dict[str, Any]:
    hosts = {
        "web1": host(NEW, "sheep-20080827-1419"),
        "web2": host(NEW, "sheep-20080827-1419"),
        "web10": host(OLD, "sheep-20080825-2105", "drift"),
        "web9": host(OLD, "sheep-20080825-2105", "unreachable"),
        "web8": host("", "", "nothing"),
    }
    pinned = {"tag": "sheep-20080827-1419", "commit": NEW}
    report = {"view": "report", "retcode": 1, "repo": "sheep", "pinned": pinned, "hosts": hosts}
    history = [
        version("sheep-20080827-1419", NEW),
        version("sheep-20080825-2116", OLD),
        version("sheep-20080825-2105", OLD),
    ]
    return by_release(report, history)


def test_it_reads_as_git_deploy_lists_tags(told: dict[str, Any]) -> None:
    assert results.render(told) == "\n".join(
        [
            "sheep: 5 hosts by what they run",
            "",
            "7e25a770901c.. *tag: sheep-20080827-1419",
            "    2 hosts: web1, web2",
            "19587c195a8b..  tag: sheep-20080825-2116 -> sheep-20080825-2105",
            "    1 host (drift): web10",
            "    1 host (unreachable): web9",
            "nothing of this repo is live",
            "    1 host (nothing): web8",
            "",
            "Next: salt-run deploy.report repo=sheep",
        ]
    )


def test_each_host_stands_once(told: dict[str, Any]) -> None:
    names = [name for each in told["releases"] for name in each["hosts"]]
    assert sorted(names) == ["web1", "web10", "web2", "web8", "web9"]


def test_a_fleet_that_nobody_deployed_to_is_told_as_that() -> None:
    empty = by_release({"retcode": 1, "repo": "sheep", "pinned": None, "hosts": {}}, [])
    assert results.render(empty) == "sheep: no minion takes this repo"
