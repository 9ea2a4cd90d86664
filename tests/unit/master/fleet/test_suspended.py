"""Hosts that operators leave out, services by batches, and the releases that a roll back is offered."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config.rollout import Service
from saltdeploy.lib.errors import BadArguments, DeployError, NoTargets, NothingAsked, RestartFailed
from saltdeploy.master.fleet.suspended import Suspension, Suspensions
from saltdeploy.master.planning.way_back_offers import offers
from saltdeploy.master.records.history import History
from saltdeploy.master.reports import results
from saltdeploy.master.upkeep import servicing
from saltdeploy.minion import by_hand
from saltdeploy.protocol import events
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console import results as shown
from saltdeploy.watch.console.choose import choose
from saltdeploy.web import overview

from tests.support.repositories import Source, tree
from tests.unit.master.planning.test_once import told
from tests.unit.protocol.whole_deploys import REPO, Fleet

HOSTS = ("web1", "web2", "web3")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(index=str(n)) for n in range(4)]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.fixture
def fleet(tmp_path: Path, source: Source) -> Fleet:
    """Three hosts on v0."""
    found = Fleet(tmp_path, source, hosts=HOSTS)
    found.sync("v0")
    return found


def suspend(fleet: Fleet, host: str = "web2", seconds: float = 3600, **more: Any) -> None:
    fields = {"repo": "", "reason": "new disks", "user": "amir", **more}
    now = fleet.now()
    Suspensions(fleet.root).add(Suspension(host, since=now, until=now + seconds, **fields))


def live(fleet: Fleet) -> list[str]:
    return [(minion.location / "index").read_text() for minion in fleet.minions.values()]


def test_a_suspended_host_is_left_out_and_plan_warning_and_outcome_say_so(fleet: Fleet) -> None:
    suspend(fleet)
    said = "web2 is suspended by amir until 2026-11-23T13:"
    assert any(said in text for text in fleet.plan("v1")["remarks"])
    report = fleet.sync("v1")
    assert (report.outcome.word, report.outcome.ok) == ("CONVERGED", 2)
    assert said in report.outcome.reason
    assert live(fleet) == ["1", "0", "1"]
    assert any(said in event["text"] for event in told(fleet, events.WARNED))
    assert told(fleet, events.STARTED)[0]["left_out"] == 1


def test_the_report_and_the_facts_for_pages_name_it_and_do_not_count_it(fleet: Fleet) -> None:
    suspend(fleet)
    fleet.sync("v1")
    repo = fleet.config(Path("/srv/site"))
    view = results.of_fleet(repo, fleet.master)
    assert view["hosts"]["web2"]["suspended"].startswith("web2 is suspended by amir")
    assert {host: entry["state"] for host, entry in view["hosts"].items()}["web2"] in ("pinned", "suspended")
    text = shown.render(view)
    assert text is not None and "new disks" in text
    facts = overview.overview([REPO], fleet.root, fleet.master.store)
    assert facts["repos"][0]["hosts"]


def test_when_the_suspension_has_ended_the_host_is_a_target_again(fleet: Fleet) -> None:
    suspend(fleet, seconds=100)
    fleet.sync("v1")
    assert live(fleet) == ["1", "0", "1"]
    fleet._clock += 100
    fleet.sync("v2")
    assert live(fleet) == ["2", "2", "2"]


def test_a_host_that_is_readmitted_takes_part_in_the_next_deploy(fleet: Fleet) -> None:
    suspend(fleet)
    assert Suspensions(fleet.root).end("web2", "", fleet.now()).reason == "new disks"
    fleet.sync("v1")
    assert live(fleet) == ["1", "1", "1"]
    with pytest.raises(NothingAsked, match="suspended: no host"):
        Suspensions(fleet.root).end("web2", "", fleet.now())


@pytest.mark.parametrize(("repo", "left"), [("other", ["1", "1", "1"]), (REPO, ["1", "0", "1"])])
def test_a_host_can_be_suspended_of_one_repo(fleet: Fleet, repo: str, left: list[str]) -> None:
    suspend(fleet, repo=repo)
    fleet.sync("v1")
    assert live(fleet) == left


def test_where_all_are_suspended_nothing_is_deployed(fleet: Fleet) -> None:
    for host in HOSTS:
        suspend(fleet, host)
    with pytest.raises(NoTargets, match="all of them are left out: web1 is suspended") as caught:
        fleet.sync("v1")
    assert caught.value.next == "salt-run deploy.readmit web1"


@pytest.mark.parametrize("more", [{"seconds": 0}, {"seconds": 91 * 86_400}, {"reason": ""}])
def test_a_suspension_has_a_reason_and_an_end(fleet: Fleet, more: dict[str, Any]) -> None:
    with pytest.raises(BadArguments):
        suspend(fleet, **more)


def test_the_list_of_suspended_hosts_shows_until_when_and_why(fleet: Fleet) -> None:
    assert shown.render({"view": "suspended", "hosts": []}) == "no host is suspended"
    suspend(fleet)
    known = [each.to_wire() for each in Suspensions(fleet.root).at(fleet.now()).values()]
    text = shown.render({"view": "suspended", "hosts": known})
    assert text is not None and "web2" in text and "new disks" in text and "2026-11-23T13:" in text
    ended = shown.render({"view": "suspended", "hosts": [], "ended": known[0]})
    assert ended is not None and ended.startswith("web2 is suspended no more")


# -- services by batches ----------------------------------------------------------------------------------


@pytest.fixture
def serviced(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs ``deploy.services``; hosts answer by the package's own function."""
    sick: set[str] = set()

    def answer(minion: Any, function: str, arguments: list[Any]) -> Result:
        restart = dataclasses.replace(minion.repo.hooks.restart, services=_SERVICES)
        repo = dataclasses.replace(minion.repo, hooks=dataclasses.replace(minion.repo.hooks, restart=restart))

        def call(name: str, arguments: list[Any], keywords: dict[str, Any]) -> bool:
            return minion.name not in sick

        host = dataclasses.replace(minion.host, call=call)
        return by_hand.service(repo, arguments[1], host)

    def run(verb: str, *failing: str, batch: str = "", **more: Any) -> dict[str, Any]:
        sick.update(failing)
        for minion in fleet.minions.values():
            monkeypatch.setattr(minion, "_answer", lambda f, a, minion=minion: answer(minion, f, a))
        asked: list[str] = []
        repo = fleet.config(Path("/srv/site"))
        view = servicing.services(repo, verb, fleet.master, batch=batch, limit="", tell=asked.append, **more)
        return {**view, "asked": asked}

    return run


_SERVICES = (Service("demo"),)


def test_services_are_told_batch_by_batch(serviced: Callable[..., dict[str, Any]]) -> None:
    view = serviced("stop", batch="1")
    assert [text.rpartition(" ")[2] for text in view["asked"]] == list(HOSTS)
    assert (view["retcode"], {host["state"] for host in view["hosts"].values()}) == (0, {"ok"})
    assert shown.render(view) == f"{REPO}: stop services: 3/3 hosts did so"


def test_where_more_fail_than_may_nobody_else_is_asked(serviced: Callable[..., dict[str, Any]]) -> None:
    view = serviced("start", "web1", batch="1")
    assert (view["retcode"], view["hosts"]["web2"]) == (1, None)
    assert view["hosts"]["web1"]["error"]["kind"] == RestartFailed.kind
    text = shown.render(view)
    assert text is not None and "web1 failed, the limit is 0: no further host was asked" in text


def test_a_suspended_host_is_not_told(fleet: Fleet, serviced: Callable[..., dict[str, Any]]) -> None:
    suspend(fleet)
    view = serviced("reload")
    assert list(view["hosts"]) == ["web1", "web3"]
    assert view["left_out"][0].startswith("web2 is suspended")


def test_only_four_things_can_be_told(serviced: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DeployError, match="services can be told to start, stop, restart, reload"):
        serviced("kill")


# -- what a roll back is offered --------------------------------------------------------------------------


def test_the_releases_on_disk_are_offered_with_the_one_before_as_the_default(fleet: Fleet) -> None:
    fleet.sync("v1")
    fleet.sync("v2")
    found = offers(REPO, History(fleet.master.store).versions(REPO), fleet.root)
    assert [(each.tag, each.hosts, each.of, each.is_before) for each in found] == [
        ("v1", 3, 3, True),
        ("v0", 3, 3, False),
    ]


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("\n", "v1"),
        ("2\n", "v0"),
        ("v0\n", "v0"),
        ("9\nv7\n1\n", "v1"),
        ("q\n", ""),
        ("", ""),
        ("x\nx\nx\n", ""),
    ],
)
def test_an_operator_chooses_by_number_or_tag(typed: str, chosen: str) -> None:
    screen = io.StringIO()
    rows = [("v1", "3/3 hosts"), ("v0", "2/3 hosts")]
    assert choose(io.StringIO(typed), screen, "on disk:", rows, "v1") == chosen
    assert "  2  v0  2/3 hosts" in screen.getvalue()
