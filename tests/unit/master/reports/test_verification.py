"""A fleet that is asked whether it holds what it should."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import Corrupt, NoTargets
from saltdeploy.master.reports.verification import verify
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console.results import render

from tests.unit.master.pasts import HOSTS, REPO, Fleet, Past


class VerifyingFleet(Fleet):
    """Hosts that compare their files, of which some differ."""

    def __init__(self) -> None:
        super().__init__()
        self.differing: set[str] = set()
        self.old: set[str] = set()
        self.asked: list[list[Any]] = []

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        if function != "deploy.verify":
            super().publish(hosts, function, arguments, jid)
            return
        self.asked.append(arguments)
        for name in hosts:
            if name in self.silent:
                continue
            if name in self.old and len(arguments) > 2:
                said = "Passed invalid arguments to deploy.verify: verify() takes from 1 to 2 positional arguments but 3 were given"
                self.messages.append((f"salt/job/{jid}/ret/{name}", {"return": said}))
                continue
            wrong = int(name in self.differing)
            error = Corrupt("1 files differ", next="mend it") if wrong else None
            facts = {"files": 9, "wrong": wrong, "changed": ["index"] * wrong}
            answer = Result(name, REPO, holdings=self.hosts[name].holdings, facts=facts, error=error)
            answer = dataclasses.replace(answer, status=error.status if error else 0)
            self.messages.append((f"salt/job/{jid}/ret/{name}", {"return": answer.to_wire()}))


@pytest.fixture
def past(tmp_path: Path) -> Past:
    found = Past(tmp_path / "master", VerifyingFleet())
    found.deploy("v1")
    return found


def told(past: Past, part: str = "") -> dict[str, Any]:
    return verify(past.repo, past.master, full=False, part=part, wait=60.0)


def test_all_is_well_when_every_host_says_so(past: Past) -> None:
    view = told(past)
    assert (view["retcode"], set(view["hosts"])) == (0, set(HOSTS))
    assert f"{REPO}: {len(HOSTS)}/{len(HOSTS)} hosts hold what they should" in str(render(view))


def test_a_host_that_differs_and_one_that_is_silent_are_not_well(past: Past) -> None:
    past.fleet.differing = {"web2"}  # type: ignore[attr-defined]
    past.fleet.silent = {"web3"}
    view = told(past, "3/7")
    assert (view["retcode"], view["hosts"]["web3"]) == (1, None)
    lines = str(render(view)).splitlines()
    assert lines[0].startswith("DIFFERS   web2: ")
    assert lines[2] == "UNREACHABLE web3: demo: no answer in 60 s"
    assert lines[-1] == "demo: 1/3 hosts hold what they should (part 3/7 read)"


def test_hosts_hear_of_a_part_only_where_there_is_one(past: Past) -> None:
    """A host of an older version would refuse an argument that it does not know."""
    told(past)
    told(past, "3/7")
    assert past.fleet.asked == [[REPO, False], [REPO, False, "3/7"]]  # type: ignore[attr-defined]


def test_a_repo_that_nobody_takes_is_an_error(past: Past) -> None:
    nobody = dataclasses.replace(past.master, targets=lambda expression, kind: [])
    with pytest.raises(NoTargets):
        verify(past.repo, nobody, full=False, part="", wait=60.0)


def test_a_host_that_is_too_old_for_a_part_is_named_at_once_with_what_to_do(past: Past) -> None:
    past.fleet.old = {"web2"}  # type: ignore[attr-defined]
    begun = past.fleet.clock
    view = told(past, "3/7")
    assert past.fleet.clock - begun < 10 < view["wait"]
    error = view["hosts"]["web2"]["error"]
    assert "older than this master's, and knows no part=" in error["cause"]
    assert (
        error["next"] == "salt 'web2' saltutil.sync_all; or without part=: salt-run deploy.verify repo=demo"
    )
    assert view["retcode"] == 1
    assert told(past)["retcode"] == 0


def test_a_host_without_a_minion_is_not_told_to_sync_what_no_salt_command_reaches(past: Past) -> None:
    past.fleet.old = {"web2"}  # type: ignore[attr-defined]
    past.master = dataclasses.replace(past.master, over_ssh=frozenset({"web2"}))
    advice = told(past, "3/7")["hosts"]["web2"]["error"]["next"]
    assert advice.startswith(
        "run the same command again, which brings this master's package along; or without part="
    )
