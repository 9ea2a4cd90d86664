"""A plan tells what a deploy would do, changes nothing, and a deploy that names it is refused when it is no longer true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from saltdeploy.config import load
from saltdeploy.lib.errors import ConfigError, Corrupt, NoTargets, PlanMoved
from saltdeploy.lib.spelling import argument
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder
from saltdeploy.master.plan_model import Request
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.reports.results import of_fleet
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console.views import fleet as fleet_views
from saltdeploy.watch.console.views import plan as plan_views

from tests.unit.master.masters import NOON
from tests.unit.master.refusals import bad, brings, frozen, locked, missing, removing, unsigned
from tests.unit.master.worlds import HOSTS, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# -- what it tells --------------------------------------------------------------------------------------


def test_each_host_is_told_apart_by_what_it_runs(world: World) -> None:
    hosts = world.plan()["hosts"]
    counts = {
        host: (row["from"], row["added"], row["changed"], row["removed"]) for host, row in hosts.items()
    }
    assert counts == {
        "web1": ("v0", 2, 1, 1),
        "web2": ("v1", 1, 1, 1),
        "web3": ("", 4, 0, 0),
        "web4": ("", 4, 0, 0),
    }
    assert [host for host, row in hosts.items() if row["unreachable"]] == ["web4"]


def test_of_a_silent_host_it_tells_what_was_last_seen(world: World) -> None:
    Pins(world.master.root).note("demo", [Result("web4", "demo", holdings=world.at(1))], NOON - 3600)
    row = world.plan()["hosts"]["web4"]
    assert (row["from"], row["changed"], row["unreachable"]) == ("v1", 1, True)


def test_the_bytes_are_those_that_the_deploy_will_offer(world: World) -> None:
    hosts = world.plan()["hosts"]
    _, offers = world.prepare("")
    sizes = {payload.base: payload.size for payload in offers["demo"].order.payloads}
    v0, v1 = (world.source.release(number).commit for number in (0, 1))
    assert (hosts["web1"]["bytes"], hosts["web2"]["bytes"]) == (sizes[v0], sizes[v1])
    assert 0 < hosts["web1"]["bytes"] < hosts["web3"]["bytes"]


@pytest.mark.parametrize("transport", ["tar", "delta"])
def test_an_operator_chooses_the_transport_for_once(world: World, transport: str) -> None:
    plan = world.plan(transport=transport)
    _, offers = world.prepare(plan["hash"], transport=transport)
    order = offers["demo"].order
    assert plan["transport"] == order.transport == transport
    sizes = {(payload.kind, payload.base): payload.size for payload in order.payloads}
    v0 = world.source.release(0).commit
    trees = min(sizes["trees", v0], sizes["trees", ""])
    contents = min(sizes["tar", ""], sizes.get(("delta", v0), sizes["tar", ""]))
    assert plan["hosts"]["web1"]["bytes"] == trees + contents


def test_a_plan_for_another_transport_is_another_plan(world: World) -> None:
    with pytest.raises(PlanMoved, match="the transport was tar and is bundle"):
        world.prepare(world.plan(transport="tar")["hash"])


@pytest.mark.parametrize("act", ["plan", "prepare"])
def test_a_transport_that_nobody_knows_is_refused_before_anything_is_done(world: World, act: str) -> None:
    with pytest.raises(ConfigError, match="pigeon"):
        world.plan(transport="pigeon") if act == "plan" else world.prepare("", transport="pigeon")


def test_of_a_repo_that_nobody_holds_the_whole_is_packed_before_anybody_is_asked(world: World) -> None:
    offers = world.prepare("")[1]["demo"]
    assert [payload.base for payload in offers.order.payloads] == [""]
    assert offers.order.seal is not None
    assert world.fleet.asked == []


def test_a_release_that_cannot_be_sealed_is_not_deployed_although_it_could_be_packed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Corrupt("other bytes are there")

    monkeypatch.setattr("saltdeploy.content.release_root.root_of", fail)
    with pytest.raises(Corrupt, match="other bytes"):
        world.prepare("")


def test_a_host_whose_releases_do_not_help_it_is_offered_the_whole(world: World) -> None:
    """What it holds may have come without its contents: nobody can build a bundle upon that."""
    world.plan()
    offers = world.prepare("")[1]["demo"]
    known = offers.order.payloads
    assert {payload.base for payload in known} == {world.source.release(n).commit for n in (0, 1)} | {""}
    offers.order = replace(offers.order, payloads=known[:1])
    offers.given(["web1"])
    offers.pack([("web1", world.at(0))])
    assert "" in {payload.base for payload in offers.order.payloads}
    assert offers.helps(Result("web1", "demo", holdings=world.at(0)))


def test_a_host_that_has_the_release_on_disk_receives_nothing(world: World) -> None:
    world.fleet.holds["web1"] = replace(world.at(0), held=(world.at(0).live, world.at(2).live))
    row = world.plan()["hosts"]["web1"]
    assert (row["from"], row["bytes"], row["changed"]) == ("v0", 0, 1)


def test_of_a_host_that_runs_what_the_repository_does_not_know_no_numbers_are_made_up(world: World) -> None:
    world.fleet.holds["web1"] = Holdings(live="1" * 40, held=("1" * 40,))
    row = world.plan()["hosts"]["web1"]
    assert (row["from"], row["added"], row["changed"], row["removed"]) == ("1" * 40, None, None, None)
    assert row["bytes"] == world.plan()["hosts"]["web3"]["bytes"]


def test_groups_restarts_checks_and_the_release_are_told(world: World) -> None:
    world.section.update(
        service_name="php-fpm",
        service_port=9000,
        checks={"homepage": {"type": "http", "url": "http://127.0.0.1/", "after": "restart"}},
    )
    view = world.plan()
    assert (view["tag"], view["commit"], view["previous"]) == ("v2", world.source.release(2).commit, "v0")
    assert view["waves"] == [
        {"name": "canary", "hosts": ["web1"], "window": 1, "limit": 0, "hold": "60"},
        {"name": "rest", "hosts": ["web2", "web3", "web4"], "window": 2, "limit": 1, "hold": ""},
    ]
    assert view["restarts"] == ["service php-fpm (restart)", "wait for port 9000"]
    assert view["checks"] == ["homepage"]
    assert (view["guards"], view["retcode"]) == ([], 0)


def test_F15_a_plan_says_that_restarts_and_checks_are_those_of_the_masters_pillar(world: World) -> None:
    assert world.plan()["remarks"] == []
    world.section["service_name"] = "php-fpm"
    view = world.plan()
    (remark,) = view["remarks"]
    assert "a host follows its own pillar" in remark
    assert remark in plan_views.plan(view, NOON, False)


def test_F20_keys_of_trebuchet_that_change_nothing_are_named_where_they_are_set(world: World) -> None:
    world.section |= {"automated": True, "sync_script": "own.py", "shadow_reference": False}
    remarks = world.plan()["remarks"]
    assert [remark.partition(" ")[0] for remark in remarks] == ["automated", "sync_script"]
    assert "deploy.pinned" in remarks[0]


def test_F22_each_check_is_told_with_its_place_and_whether_it_has_moved(world: World) -> None:
    world.section.update(
        service_name="php-fpm",
        depool={"command": "pool leave"},
        repool={"command": "pool join"},
        checks={
            "errors": {"after": "final", "where": "master", "command": "errors"},
            "homepage": {"type": "http", "url": "http://127.0.0.1/", "after": "restart", "group": "canary"},
        },
    )
    brings(
        world,
        """checks:
  up: {type: nrpe, stage: promote, command: check_up}
  venv: {stage: promote, command: build, group: canary}
  spark: {stage: promote, command: build, group: analytics}
  syntax: {stage: fetch, command: lint}""",
    )
    view = world.plan("v3")
    own = {"source": "scap/checks.yaml", "where": "target", "group": "", "said": "", "idle": False}
    pillar = {**own, "source": "pillar"}
    assert view["places"] == [
        {**own, "check": "syntax", "kind": "command", "place": "after fetch"},
        {**pillar, "check": "depool", "kind": "command", "place": "before the switch"},
        {**own, "check": "venv", "kind": "command", "place": "after checkout", "group": "canary"},
        {
            **own,
            "check": "spark",
            "kind": "command",
            "place": "after checkout",
            "group": "analytics",
            "idle": True,
        },
        {**pillar, "check": "homepage", "kind": "http", "place": "after restart", "group": "canary"},
        {**own, "check": "up", "kind": "nrpe", "place": "after restart", "said": "after promote"},
        {**pillar, "check": "repool", "kind": "command", "place": "at the end"},
        {**pillar, "check": "errors", "kind": "command", "place": "after final", "where": "master"},
    ]
    assert view["checks"] == [row["check"] for row in view["places"]]
    assert (view["guards"], view["retcode"]) == ([], 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "checks:\n  x: {stage: fetch, command: a}\n  x: {stage: fetch, command: b}",
            "scap/checks.yaml:checks:x: x stands here more than once: on lines 2 and 3",
        ),
        ("#" * 70_000, "larger than 65536 bytes"),
    ],
    ids=["F26", "large"],
)
def test_a_file_of_checks_that_every_host_would_refuse_is_a_reason_against_the_deploy(
    world: World, text: str, why: str
) -> None:
    brings(world, text)
    view = world.plan("v3")
    assert ([why in guard for guard in view["guards"]], view["retcode"]) == ([True], 1)
    assert view["checks"] == []


@pytest.mark.parametrize(
    ("limit", "hosts"), [("canary", ["web1"]), ("web2", ["web2"])], ids=["group", "expression"]
)
def test_a_limit_leaves_out_the_rest(world: World, limit: str, hosts: list[str]) -> None:
    view = world.plan(limit=limit)
    assert (list(view["hosts"]), view["left_out"]) == (hosts, [host for host in HOSTS if host not in hosts])


def test_for_nobody_there_is_no_plan(world: World) -> None:
    world.targets = []
    with pytest.raises(NoTargets):
        world.plan()


def test_hosts_are_asked_what_they_hold_and_what_would_go_and_nothing_else(world: World) -> None:
    world.plan()
    assert world.fleet.asked[:3] == ["deploy.status"] * 3, "the silent one is asked again"
    assert set(world.fleet.asked[3:]) == {"deploy.untracked"}
    assert not (world.master.root / "journal").exists()
    assert Pins(world.master.root).get("demo").release.tag == "v0"  # type: ignore[union-attr]


# -- guards ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        (frozen, "an election"),
        (locked, "the database moves"),
        (bad, "it burnt"),
        (missing, "web3"),
        (removing, "lacks 1 files"),
        (unsigned, "signature"),
    ],
)
def test_each_guard_that_would_refuse_is_told(
    world: World, speak: Callable[[World], None], said: str
) -> None:
    speak(world)
    view = world.plan()
    assert len(view["guards"]) == 1 and said in view["guards"][0]
    assert view["retcode"] == 1


def test_another_deploy_that_runs_is_told_and_force_does_not_help(world: World) -> None:
    locks = Locks(world.master.root, world.master.store, world.fleet.now)
    with locks.hold("demo", [], Holder.here("bob", deploy="20261123110000000000", reason="mine")):
        (told,) = world.plan(force=True)["guards"]
    assert "bob" in told and "20261123110000000000" in told


def test_all_guards_are_told_at_once_and_force_leaves_the_signature(world: World) -> None:
    for speak in (frozen, locked, bad, missing, unsigned):
        speak(world)
    assert len(world.plan()["guards"]) == 5
    (left,) = world.plan(force=True)["guards"]
    assert "signature" in left


# -- the hash -------------------------------------------------------------------------------------------


def test_the_same_plan_has_the_same_hash_whoever_answers(world: World) -> None:
    first = world.plan()["hash"]
    Pins(world.master.root).note("demo", [Result("web4", "demo", holdings=Holdings())], NOON)
    world.fleet.silent = {"web1", "web4"}
    assert world.plan()["hash"] == first


def test_a_plan_that_is_still_true_does_not_stop_the_deploy(world: World) -> None:
    script, _ = world.prepare(world.plan()["hash"])
    assert script.hosts == HOSTS


def host_moved(world: World) -> None:
    world.fleet.holds["web2"] = world.at(0)


def host_left(world: World) -> None:
    world.targets.remove("web3")


def tag_moved(world: World) -> None:
    git_dir = world.source.git_dir
    (git_dir / "refs/tags").mkdir(exist_ok=True, parents=True)
    (git_dir / "refs/tags/v2").write_text(world.source.release(1).commit + "\n")


def window_grew(world: World) -> None:
    world.section["groups"][1]["batch"] = "100%"


def restart_came(world: World) -> None:
    world.section["service_name"] = "nginx"


def check_changed(world: World) -> None:
    world.section["checks"] = {"one": {"type": "port", "port": 80, "after": "restart"}}


def transport_changed(world: World) -> None:
    world.section["transport"] = "git"


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (host_moved, "web2 was at"),
        (host_left, "web3 was empty and is no target"),
        (tag_moved, "the commit was"),
        (window_grew, "the waves are different"),
        (restart_came, "the restarts are different"),
        (check_changed, "the checks are different"),
        (transport_changed, "the transport was bundle and is git"),
    ],
)
def test_a_deploy_whose_plan_has_moved_is_refused_and_told_what_moved(
    world: World, move: Callable[[World], None], said: str
) -> None:
    known = world.plan()["hash"]
    move(world)
    with pytest.raises(PlanMoved, match=said):
        world.prepare(known, force=True)


@pytest.mark.parametrize("known", ["0" * 64, "../../secret", "x"])
def test_a_hash_of_no_plan_is_refused(world: World, known: str) -> None:
    with pytest.raises(PlanMoved, match="no plan"):
        world.prepare(known)


def test_a_plan_of_another_limit_is_another_plan(world: World) -> None:
    known = world.plan(limit="canary")["hash"]
    with pytest.raises(PlanMoved, match="web2 was no target"):
        world.prepare(known)
    assert world.prepare(known, limit="canary")


def test_where_all_hosts_run_the_release_nothing_is_to_be_done(world: World) -> None:
    world.fleet.holds = dict.fromkeys(HOSTS, world.at(2))
    world.fleet.silent.clear()
    nothing = {"from": "v2", "added": 0, "changed": 0, "removed": 0, "bytes": 0, "unreachable": False}
    assert world.plan()["hosts"] == dict.fromkeys(HOSTS, nothing)


@pytest.mark.parametrize(
    ("batch", "transfer", "window"),
    [
        ("100%", {}, 0),
        ("50%", {}, 2),
        (3, {}, 3),
        (7, {}, 0),
        ("100%", {"rate": 10_000, "fleet_rate": 25_000}, 2),
        (1, {"rate": 10_000, "fleet_rate": 25_000}, 1),
        ("50%", {"rate": 10_000, "fleet_rate": 1_000_000}, 2),
    ],
)
def test_how_many_of_four_hosts_fetch_at_once(
    world: World, batch: object, transfer: dict[str, int], window: int
) -> None:
    world.section["fetch_batch"] = batch
    world.deployment["transfer"] = transfer
    script, _ = world.prepare("")
    assert script.rules.fetch_window == window


def test_a_plan_tells_who_takes_which_transport_and_why(world: World) -> None:
    world.section |= {
        "transport": "auto",
        "groups": [{"name": "edge", "targets": "web1", "transport": "tar"}],
    }
    plan = world.plan()
    ways = {host: (way["transport"], way["why"][:14]) for way in plan["ways"] for host in way["hosts"]}
    cheapest = ("bundle", "auto: bundle, ")
    assert ways == {"web1": ("tar", ""), "web2": cheapest, "web3": cheapest, "web4": cheapest}
    assert plan["transport"] == "auto, tar"
    script, offers = world.prepare(plan["hash"])
    assert [way.to_wire() for way in script.lead.ways] == plan["ways"]
    kinds = {host: {p.kind for p in offers["demo"].order_for(host).payloads} for host in ("web1", "web2")}
    assert kinds == {"web1": {"trees", "tar"}, "web2": {"bundle"}}
    assert plan["hosts"]["web1"]["bytes"] > plan["hosts"]["web2"]["bytes"]


def test_a_group_that_takes_another_transport_makes_another_plan(world: World) -> None:
    edge = {"name": "edge", "targets": "web1", "transport": "tar"}
    world.section["groups"] = [edge, {"name": "rest"}]
    known = world.plan()["hash"]
    world.section["groups"] = [{**edge, "targets": "web2"}, {"name": "rest"}]
    with pytest.raises(PlanMoved, match="web1 was to take transport tar and is to take bundle"):
        world.prepare(known)


def test_what_fetches_nothing_packs_nothing_to_choose(world: World) -> None:
    world.section["transport"] = "auto"
    script, _ = world.pack(Request("checkout", "demo", "v2"))
    assert [(way.transport, way.why) for way in script.lead.ways] == [("bundle", "")]
    assert not list((world.master.root / "payloads").glob("*"))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, ["More hosts fail than may: rollback", "rollback, as if they had failed"]),
        ({"on_failure": "hold"}, ["More hosts fail than may: hold", "hold, as if they had failed"]),
        ({"on_inconclusive": "ask"}, ["More hosts fail than may: rollback", "have no verdict): ask"]),
        (
            {"groups": [{"name": "canary", "targets": "web1", "on_inconclusive": "hold"}, {"name": "rest"}]},
            ["than may: rollback", "as if they had failed", "That cannot be told of canary: hold"],
        ),
    ],
    ids=["the default", "another rule for failures", "a rule of its own", "one of a group"],
)
def test_a_plan_says_what_follows_when_hosts_fail_and_when_that_cannot_be_told(
    world: World, keys: dict[str, object], told: list[str]
) -> None:
    world.section |= keys
    view = world.plan()
    assert len(view["policies"]) == len(told)
    shown = plan_views.plan(view, NOON, False)
    for said, line in zip(told, view["policies"], strict=True):
        assert said in line and line in shown


# -- for one deploy alone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "once",
    [("batch", 2), ("failure_limit", 2), ("hold", "ask"), ("on_failure", "hold"), ("on_inconclusive", "ask")],
    ids=lambda o: o[0],
)
def test_F08_what_is_said_for_one_deploy_is_shown_and_part_of_the_hash(
    world: World, once: tuple[str, object]
) -> None:
    view = world.plan(overrides=(once,))
    assert view["overrides"] == dict([once])
    shown = plan_views.plan(view, NOON, False)
    assert argument(*once) in shown[1]
    assert argument(*once) in shown[-1]
    world.prepare(view["hash"], overrides=(once,))
    with pytest.raises(PlanMoved, match="on_failure|on_inconclusive|the waves are different"):
        world.prepare(view["hash"])


# -- what the repo is for -------------------------------------------------------------------------------


def test_a_plan_says_what_follows_because_of_what_the_repo_is_for(world: World) -> None:
    world.section |= {"purpose": "data", "service_name": "geod", "checks": {"c": {"command": ["true"]}}}
    plan = world.plan()
    (said,) = [each for each in plan["remarks"] if each.startswith("Purpose")]
    assert said == (
        "Purpose data: unless the pillar says otherwise a service is reloaded, a signal is HUP, a check runs after restart"
    )
    assert plan["restarts"] == ["service geod (reload)"]
    assert [row["place"] for row in plan["places"] if row["check"] == "c"] == ["after restart"]
    assert any(said[:40] in line for line in plan_views.plan(plan, NOON, False))


def test_a_plan_of_data_that_nobody_is_told_of_says_so(world: World) -> None:
    world.section |= {"purpose": "data"}
    assert any("nobody is told of a release" in each for each in world.plan()["remarks"])


def test_a_plan_of_code_says_nothing_of_its_purpose(world: World) -> None:
    world.section |= {"purpose": "code"}
    assert not any("urpose" in each for each in world.plan()["remarks"])


@pytest.mark.parametrize(("purpose", "shown"), [("data", "demo (data): "), ("code", "demo: ")])
def test_a_report_names_the_purpose_of_what_is_no_code(world: World, purpose: str, shown: str) -> None:
    world.section |= {"purpose": purpose}
    report = of_fleet(load(world.pillar, "demo"), world.master)
    assert report.get("purpose", "code") == purpose
    assert any(line.startswith(shown) for line in fleet_views.report(report, NOON, False))


@pytest.mark.parametrize(
    ("over_ssh", "look"),
    [
        ((), "salt -L web3 saltutil.refresh_grains"),
        (("web3",), "see the grains of their entries in the roster"),
    ],
)
def test_a_host_that_matches_no_more_is_looked_for_where_its_grains_are(
    world: World, over_ssh: tuple[str, ...], look: str
) -> None:
    world.targets.remove("web3")
    world.master = replace(world.master, over_ssh=frozenset(over_ssh))
    (refusal,) = world.plan()["refusals"]
    assert refusal["next"].startswith(look)
