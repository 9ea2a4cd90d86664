"""One list of steps, forth and back; and what is left when a step fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import ServingHost, free_port
from tests.unit.minion.conftest import SICK


def hooked(server: ServingHost) -> dict[str, Any]:
    """A hook or a check at every point of a switch, and a service; each says what is live when it runs."""
    points = {"before": ["checkout", "restart", "rollback"], "after": ["checkout", "restart", "rollback"]}
    checks = {
        f"{when}-{stage}": {when: stage, **server.says(f"{when}-{stage}")}
        for when, stages in points.items()
        for stage in stages
    }
    server.functions["notes.say"] = lambda repo: server.log_file.open("a").write(
        f"call {repo} {server.is_live()}\n"
    )
    return {
        "service_name": "demo",
        "service_port": server.service.port,
        "checkout_module_calls": {"notes.say": ["__REPO__"]},
        "depool": server.says("depool"),
        "repool": server.says("repool"),
        "checks": checks,
    }


@pytest.fixture
def serving(server: ServingHost) -> ServingHost:
    """v0 is live and served; every point of a switch writes into the log."""
    server.keys = {"service_name": "demo"}
    assert server.deploy(0).ok
    server.keys = hooked(server)
    server.forget_log()
    return server


def statuses(result: Any) -> dict[str, str]:
    return {step["step"]: step["status"] for step in result.facts["steps"]}


def test_the_steps_come_in_their_order_and_see_the_files_that_they_are_about(serving: ServingHost) -> None:
    assert serving.deploy(1).ok
    assert serving.log() == [
        "before-checkout v0",
        "depool v0",
        "call demo v1",
        "after-checkout v1",
        "before-restart v1",
        "restart demo v1",
        "after-restart v1",
        "repool v1",
    ]
    assert serving.service.says() == "version v1"


def test_the_way_back_is_the_same_list_between_two_more_points(serving: ServingHost) -> None:
    serving.deploy(1)
    serving.forget_log()
    assert serving.rollback(0).ok
    assert serving.log() == [
        "before-rollback v1",
        "before-checkout v1",
        "depool v1",
        "call demo v0",
        "after-checkout v0",
        "before-restart v0",
        "restart demo v0",
        "after-restart v0",
        "after-rollback v0",
        "repool v0",
    ]
    assert serving.service.says() == "version v0"


def test_a_host_that_is_done_is_left_alone(serving: ServingHost) -> None:
    serving.deploy(1)
    serving.forget_log()
    pid = serving.service.pid()
    assert serving.deploy(1).ok
    assert serving.rollback(1).ok
    assert serving.log() == []
    assert serving.service.pid() == pid


def test_a_host_that_is_done_restarts_where_the_order_says_so(serving: ServingHost) -> None:
    serving.deploy(1)
    serving.forget_log()
    assert serving.checkout(1, anew=True).ok
    assert [line.split()[0] for line in serving.log()][1:3] == ["depool", "call"]
    assert "restart demo v1" in serving.log()
    assert serving.log()[-1] == "repool v1"


def test_a_release_that_is_not_on_disk_is_refused_before_the_host_is_taken_out_of_service(
    serving: ServingHost,
) -> None:
    result = serving.checkout(1)
    assert result.error is not None and result.error.kind == "not-ready"
    assert serving.log() == []
    assert not serving.status().holdings.unsettled


def test_the_answer_lists_the_steps(serving: ServingHost) -> None:
    result = serving.deploy(1)
    assert list(statuses(result)) == [
        "check before-checkout",
        "begin",
        "depool",
        "flip",
        "call notes.say",
        "check after-checkout",
        "check before-restart",
        "restart demo",
        f"wait for port {serving.service.port}",
        "check after-restart",
        "repool",
        "settle",
    ]
    assert set(statuses(result).values()) == {"ok"}


def test_a_failed_answer_says_what_was_skipped_and_that_nobody_sends_the_host_work(
    serving: ServingHost,
) -> None:
    serving.keys["checks"]["after-checkout"] |= {"command": ["/bin/sh", "-c", "echo bad file; exit 3"]}
    result = serving.deploy(1)
    assert result.error is not None and result.error.kind == "check-failed"
    assert result.error.cause.startswith("Check 'after-checkout' failed: bad file (exit code 3)")
    assert result.error.cause.endswith("; this host is left depooled")
    assert "bad file" in result.error.next and "web1" in result.error.next
    found = statuses(result)
    assert (found["flip"], found["check after-checkout"]) == ("ok", "failed")
    assert {found[step] for step in ("restart demo", "check after-restart", "repool", "settle")} == {
        "skipped"
    }


def test_a_depool_that_fails_stops_the_switch_and_leaves_the_host_in_doubt(serving: ServingHost) -> None:
    serving.keys["depool"] = serving.says("depool", code=1)
    result = serving.deploy(1)
    assert result.error is not None and result.error.kind == "hook-failed"
    assert "may be left depooled" in result.error.cause
    assert serving.is_live() == "v0"
    assert result.holdings.unsettled


def test_a_repool_that_fails_leaves_the_host_unsettled(serving: ServingHost) -> None:
    serving.keys["repool"] = serving.says("repool", code=1)
    result = serving.deploy(1)
    assert result.error is not None and "left depooled" in result.error.cause
    assert result.holdings.unsettled


@pytest.mark.parametrize("unwell", ["sick", "broken", "deaf"])
def test_an_unwell_release_is_never_put_back_into_service_and_the_way_back_heals_the_host(
    serving: ServingHost, unwell: str
) -> None:
    number = ["sick", "broken", "deaf"].index(unwell) + SICK
    serving.keys["service_timeout"] = 1
    serving.keys["checks"]["well"] = {
        "type": "http",
        "after": "restart",
        "url": f"http://127.0.0.1:{serving.service.port}/",
    }
    result = serving.deploy(number)
    expected = {"sick": "check-failed", "broken": "restart-failed", "deaf": "not-listening"}
    assert result.error is not None and result.error.kind == expected[unwell]
    assert result.holdings.unsettled and result.holdings.live == serving.source.tag(number).commit
    assert not any(line.startswith("repool") for line in serving.log())

    back = serving.rollback(0)
    assert back.ok and not back.holdings.unsettled
    assert serving.service.says() == "version v0"
    assert serving.log()[-1] == "repool v0"


# -- killed in the middle -------------------------------------------------------------------------------


@pytest.fixture
def killed(serving: ServingHost, tmp_path: Any) -> ServingHost:
    """A host whose minion was killed after the flip to v1 and before the restart."""
    serving.fetch(1, deploy="1" * 20)
    minion = os.fork()
    if minion == 0:
        me = os.getpid()
        serving.functions["notes.say"] = lambda repo: os.kill(me, signal.SIGKILL)
        serving.checkout(1, deploy="1" * 20)
        os._exit(0)
    _, status = os.waitpid(minion, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert serving.is_live() == "v1" and serving.service.says() == "version v0"
    serving.forget_log()
    return serving


def test_a_host_that_was_killed_between_switch_and_restart_says_so(killed: ServingHost) -> None:
    held = killed.status().holdings
    assert held.live == killed.source.tag(1).commit
    assert held.unsettled


def test_it_is_not_called_done_and_takes_the_whole_way_when_it_is_asked_again(killed: ServingHost) -> None:
    killed.keys["checks"]["after-fetch"] = {"after": "fetch", **killed.says("after-fetch")}
    fetched = killed.fetch(1, deploy="2" * 20)
    assert fetched.ok and fetched.holdings.unsettled
    assert killed.log() == ["after-fetch v1"]
    killed.forget_log()
    assert killed.checkout(1, deploy="1" * 20).ok
    assert [line.split()[0] for line in killed.log()] == [
        "before-checkout",
        "depool",
        "call",
        "after-checkout",
        "before-restart",
        "restart",
        "after-restart",
        "repool",
    ]
    assert killed.service.says() == "version v1"
    assert not killed.status().holdings.unsettled


def test_a_failed_stage_is_done_again_only_when_an_operator_wants_another_attempt(
    serving: ServingHost,
) -> None:
    serving.keys["checks"] = {"flaky": {"after": "restart", **serving.says("flaky", code=1)}}
    serving.fetch(1, deploy="1" * 20)
    assert not serving.checkout(1, deploy="1" * 20).ok
    serving.keys["checks"] = {}
    serving.forget_log()
    assert not serving.checkout(1, deploy="1" * 20).ok
    assert serving.log() == []
    assert serving.checkout(1, deploy="1" * 20, attempt=2).ok
    assert serving.service.says() == "version v1"


def test_it_goes_back_as_well(killed: ServingHost) -> None:
    assert killed.rollback(0).ok
    assert killed.service.says() == "version v0"
    assert not killed.status().holdings.unsettled


# -- what runs where ------------------------------------------------------------------------------------


def test_checks_of_another_group_and_of_the_master_do_not_run(serving: ServingHost) -> None:
    serving.keys["groups"] = [{"name": "canary", "targets": "web1"}, {"name": "rest"}]
    serving.keys["checks"] = {
        "canary": {"after": "restart", "group": "canary", **serving.says("canary")},
        "rest": {"after": "restart", "group": "rest", **serving.says("rest")},
        "master": {"after": "restart", "where": "master", **serving.says("master")},
        "all": {"after": "restart", **serving.says("all")},
    }
    assert serving.deploy(1, group="canary").ok
    run = {line.split()[0] for line in serving.log()} & {"canary", "rest", "master", "all"}
    assert run == {"canary", "all"}


def test_checks_before_and_after_the_fetch_see_the_live_release(serving: ServingHost) -> None:
    serving.keys["checks"] = {
        name: {name.split("-")[0]: "fetch", **serving.says(name)} for name in ("before-fetch", "after-fetch")
    }
    assert serving.fetch(1).ok
    assert serving.log() == ["before-fetch v0", "after-fetch v0"]


def test_a_check_before_the_fetch_keeps_the_release_off_the_disk(serving: ServingHost) -> None:
    serving.keys["checks"] = {"space": {"before": "fetch", **serving.says("space", code=1)}}
    result = serving.fetch(1)
    assert result.error is not None and result.error.kind == "check-failed"
    assert serving.source.tag(1).commit not in result.holdings.held


def test_scaps_variables_name_the_trees(serving: ServingHost, tmp_path: Any) -> None:
    seen = tmp_path / "seen"
    trees = "$PWD $SCAP_FINAL_PATH $SCAP_REV_PATH $SCAP_CURRENT_REV_DIR $SCAP_DONE_REV_DIR"
    script = f'for tree in {trees}; do cat "$tree/VERSION"; echo; done >> {seen}'
    look = {"command": ["/bin/sh", "-c", f'{script}; test "$(dirname "$SCAP_REV_PATH")" = "$SCAP_REVS_DIR"']}
    serving.keys["checks"] = {"a": {"before": "checkout", **look}, "b": {"after": "checkout", **look}}
    assert serving.deploy(1).ok
    before, after = seen.read_text().split()[:5], seen.read_text().split()[5:]
    assert before == ["v1", "v0", "v1", "v0", "v0"]
    assert after == ["v1", "v1", "v1", "v1", "v0"]


def test_the_master_hears_of_each_phase(serving: ServingHost) -> None:
    serving.host = serving.host.__class__(**{**serving.host.__dict__, "clock": Ticking()})
    assert serving.fetch(1, deploy="1" * 20).ok
    serving.events.clear()
    assert serving.checkout(1, deploy="1" * 20).ok
    phases = [event["phase"] for event in serving.events if event["unit"] == "steps"]
    assert [p for n, p in enumerate(phases) if n == 0 or phases[n - 1] != p] == [
        "check", "flip", "depool", "flip", "check", "restart", "wait", "check", "repool", "flip",
    ]  # fmt: skip


class Ticking:
    """A clock that goes on by a second whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_an_answer_with_many_steps_stays_small(serving: ServingHost) -> None:
    serving.keys["checks"] = {f"c{n}": {"after": "restart", "command": "true"} for n in range(200)}
    serving.keys["checks"]["loud"] = {
        "after": "restart",
        "command": ["/bin/sh", "-c", "yes 0123456789 | head -c 1000000; exit 1"],
    }
    serving.keys["checks"] |= {f"d{n}": {"after": "restart", "command": "true"} for n in range(200)}
    result = serving.deploy(1)
    assert len(str(result.to_wire())) < 16_000
    assert "failed" in statuses(result).values()
    assert statuses(result)["check loud"] == "failed"


# -- the table in docs/checks.md ------------------------------------------------------------------------


def table(checkout: Path) -> list[tuple[str, ...]]:
    """The rows of what a failing check stops on its server."""
    page = (checkout / "docs" / "checks.md").read_text()
    rows = page.split("| point | location shows |")[1].split("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]


POINTS = [
    f"{when} {stage}"
    for stage in ("fetch", "checkout", "restart", "rollback")
    for when in ("before", "after")
]


def test_the_table_has_a_row_for_each_point(checkout: Path) -> None:
    assert sorted(row[0] for row in table(checkout)) == sorted(POINTS)


WAYS = [
    (point, way)
    for point in POINTS
    for way in ("forth", "back")
    if (point.split()[1], way) not in (("rollback", "forth"), ("fetch", "back"))
]


@pytest.mark.parametrize(("point", "way"), WAYS)
def test_a_failing_check_stops_what_the_table_says(
    serving: ServingHost, checkout: Path, point: str, way: str
) -> None:
    when, stage = point.split()
    row = next(row for row in table(checkout) if row[0] == point)
    old, new = ("v0", "v1") if way == "forth" else ("v1", "v0")
    if way == "back":
        assert serving.deploy(1).ok
        serving.forget_log()
    serving.keys["checks"] = {"bad": {when: stage, "command": "false"}}
    result = serving.deploy(1) if way == "forth" else serving.rollback(0)

    assert result.error is not None and result.error.kind == "check-failed" and point in result.error.cause
    said = [line.split()[0] for line in serving.log()]
    found = (
        point,
        "new" if serving.is_live() == new else "old",
        "new" if serving.service.says() == f"version {new}" else "old",
        "yes" if "depool" in said and "repool" not in said else "no",
        "unsettled" if result.holdings.unsettled else "settled",
    )
    assert old != new and found == row
    assert ("left depooled" in result.error.cause) == (row[3] == "yes")


@pytest.mark.parametrize("place", [{"before": "checkout"}, {"after": "restart"}])
def test_an_inconclusive_check_stops_as_much_as_one_that_fails(
    serving: ServingHost, place: dict[str, str]
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    metric = {"type": "metric", "where": "target", "url": nobody, "path": "errors", "max": 1}
    serving.keys["checks"] = {"unsure": {**metric, **place}}
    result = serving.deploy(1)
    assert result.error is not None and result.error.kind == "check-inconclusive"
    assert serving.is_live() == ("v0" if "before" in place else "v1")
    assert "repool" not in " ".join(serving.log())
