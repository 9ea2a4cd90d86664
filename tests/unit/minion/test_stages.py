"""A target's stages: each once, stored before it is said, and never an exception."""

from __future__ import annotations

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib import disk, flock
from saltdeploy.lib.errors import Unavailable
from saltdeploy.minion import own_orders, stages
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, snapshot
from tests.support.targets import Target


def test_fetch_prepares_and_checkout_switches(host: Target, source: Source) -> None:
    fetched = host.run(host.order(0, FETCH, deploy=1))
    assert fetched.ok
    assert fetched.facts["files"] == 3
    assert fetched.facts["bytes"] == host.payload(0).size
    assert fetched.holdings.held == (source.tag(0).commit,)
    assert not host.location.exists()
    switched = host.run(host.order(0, CHECKOUT, deploy=1))
    assert switched.ok
    assert switched.holdings.live == source.tag(0).commit
    assert (switched.host, switched.repo, switched.tag, switched.epoch) == ("web1", "demo", "v0", 1)
    assert snapshot(host.location) == source.checked_out(0)


def test_a_host_that_is_behind_gets_what_differs(host: Target, source: Source) -> None:
    host.deploy(0)
    fetched, _ = host.deploy(2, bases=[None, 1, 0])
    assert fetched.facts["base"] == source.tag(0).commit
    assert fetched.facts["bytes"] == host.payload(2, 0).size
    assert snapshot(host.location) == source.checked_out(2)


@pytest.mark.parametrize("layout", ["slots", "inplace"])
@pytest.mark.parametrize("transport", ["bundle", "git"])
def test_every_transport_serves_every_layout(
    layout: str, transport: str, tmp_path: Path, source: Source
) -> None:
    host = Target(tmp_path, source, layout=layout, transport=transport, url=str(source.git_dir))
    for number in (0, 1, 5, 1):
        assert all(result.ok for result in host.deploy(number, bases=[None]))
        seen = {p: e for p, e in snapshot(host.location).items() if not p.startswith(b".git")}
        assert seen == source.checked_out(number)


def test_fetch_of_what_is_live_does_nothing(host: Target) -> None:
    host.deploy(0)
    host.carrier.fetched.clear()
    assert host.run(host.order(0)).facts.keys() == {"seconds"}
    assert host.carrier.fetched == []


def test_fetch_of_what_is_on_disk_needs_no_payload(host: Target) -> None:
    host.deploy(0)
    host.deploy(1)
    assert all(result.ok for result in host.deploy(0, bases=[]))


def test_a_live_tree_that_differs_is_made_anew(host: Target, source: Source) -> None:
    host.deploy(0)
    (host.location / "a").write_text("rubbish")
    found = stages.verify(host.repo, host.host, full=False)
    answer = stages.differing(stages.status(host.repo, host.host), found, host.repo)
    assert answer.error is not None and answer.error.kind == "corrupt"
    assert "(a)" in answer.error.cause
    assert all(result.ok for result in host.deploy(0, bases=[]))
    assert snapshot(host.location) == source.checked_out(0)


@pytest.mark.parametrize("layout", ["slots", "releases", "inplace"])
def test_F11_a_host_remembers_that_its_tree_is_damaged_and_mends_it(
    layout: str, tmp_path: Path, source: Source
) -> None:
    host = Target(tmp_path, source, layout=layout)
    host.deploy(0)
    (host.location / "a").write_text("rubbish")
    assert not stages.verify(host.repo, host.host, full=False).ok
    assert stages.status(host.repo, host.host).holdings.damaged
    refused = host.run(host.order(0, CHECKOUT))
    if layout != "inplace":  # where a checkout writes the files itself
        assert refused.error is not None and refused.error.kind == "not-ready"
        assert stages.status(host.repo, host.host).holdings.damaged
    fetched, switched = host.deploy(0)
    assert fetched.ok and switched.ok
    assert not stages.status(host.repo, host.host).holdings.damaged
    assert (host.location / "a").read_bytes() == source.trees[0][b"a"].data


def test_F45_with_inplace_the_command_after_a_verification_is_about_what_a_deploy_lets_stay(
    tmp_path: Path, source: Source
) -> None:
    host = Target(tmp_path, source, layout="inplace")
    host.deploy(0)
    (host.location / "more").touch()
    found = stages.verify(host.repo, host.host, full=True)
    answer = stages.differing(stages.status(host.repo, host.host), found, host.repo)
    assert answer.error is not None
    assert answer.error.next.startswith(f"git -C {host.location} clean -ndx ")


def test_a_verification_waits_for_the_stage_that_is_under_way(host: Target) -> None:
    host.deploy(0)
    with ThreadPoolExecutor(1) as pool:
        with flock.locked(Record(host.cache, "demo").lock, wait=True):  # as a stage holds it
            (host.location / "a").rename(host.location / "aside")
            verification = pool.submit(stages.verify, host.repo, host.host, full=True)
            assert not wait([verification], timeout=0.5).done
            (host.location / "aside").rename(host.location / "a")
        assert verification.result().ok


# -- once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [FETCH, CHECKOUT])
def test_a_repeated_order_gives_the_stored_answer_and_does_nothing(stage: str, host: Target) -> None:
    host.repo.hooks.fetch_calls["hook.f"] = host.repo.hooks.checkout_calls["hook.c"] = []
    host.deploy(0, deploy=1)
    host.deploy(1, deploy=2)
    first = stages.result(f"{1:020d}", stage, host.repo, host.host)
    calls, before = list(host.calls), snapshot(host.location)
    assert first is not None
    assert host.run(host.order(0, stage, deploy=1)) == first
    assert host.calls == calls
    assert snapshot(host.location) == before


def test_a_failure_is_an_answer_that_is_stored(host: Target) -> None:
    def refuse(path: Path) -> None:
        raise Unavailable("nobody is at home")

    host.carrier.spoil = refuse
    first = host.run(host.order(0, deploy=1))
    host.carrier.spoil = lambda path: None
    again = host.run(host.order(0, deploy=1))
    assert first.error is not None and again.error is not None
    assert again.error.to_wire() == first.error.to_wire()
    assert first.error.kind == "unavailable" and first.error.host == "web1"
    assert host.run(host.order(0, deploy=2)).ok


def test_no_base_is_not_stored_since_a_better_payload_comes_in_the_same_stage(host: Target) -> None:
    needy = host.run(host.order(1, deploy=1, bases=[0]))
    assert needy.error is not None and needy.error.kind == "no-base"
    assert stages.result(f"{1:020d}", FETCH, host.repo, host.host) is None
    assert host.run(host.order(1, deploy=1, bases=[0, None])).ok


def test_the_answer_is_stored_before_it_is_said(host: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    order = host.order(0, deploy=1)
    said: list[Result] = []
    monkeypatch.setattr(stages.Record, "remember", lambda record, result: said.append(result))
    result = host.run(order)
    assert said == [result]


def test_an_order_of_an_older_deploy_is_refused(host: Target, source: Source) -> None:
    host.deploy(1, epoch=7)
    for stage in (FETCH, CHECKOUT, ROLLBACK):
        late = host.run(host.order(0, stage, epoch=6))
        assert late.error is not None and late.error.kind == "fenced"
    assert snapshot(host.location) == source.checked_out(1)
    assert stages.epoch(host.repo, host.host) == 7
    assert all(result.ok for result in host.deploy(0, epoch=7))


def test_an_order_of_an_older_deploy_that_was_carried_out_is_answered(host: Target) -> None:
    first, _ = host.deploy(0, deploy=1, epoch=1)
    host.deploy(1, deploy=2, epoch=2)
    assert host.run(host.order(0, FETCH, deploy=1, epoch=1)).ok


def test_a_host_that_converges_by_itself_is_asked_as_often_as_it_likes(host: Target, source: Source) -> None:
    host.deploy(0, deploy=1)
    for number in (1, 0, 1):
        for stage in (FETCH, CHECKOUT):
            assert host.run(host.order(number, stage, deploy="pin")).ok
        assert snapshot(host.location) == source.checked_out(number)
    found = own_orders.order_from_disk("v0", host.repo, host.host)
    assert found is not None and found.release == source.release(0) and found.deploy == "pin"
    assert own_orders.order_from_disk("v5", host.repo, host.host) is None


def test_an_order_for_another_repo_is_refused(host: Target, source: Source) -> None:
    order = host.order(0)
    other = type(order)(order.deploy, 1, FETCH, source.release(0, repo="other"))
    result = host.run(other)
    assert result.error is not None and result.error.kind == "bad-arguments"


def test_rollback_switches_back_without_any_payload(host: Target, source: Source) -> None:
    host.deploy(0)
    host.deploy(1)
    shutil.rmtree(host.payloads._directory)
    assert own_orders.previous(host.repo) == source.release(0)
    back = host.run(host.order(0, ROLLBACK))
    assert back.ok
    assert snapshot(host.location) == source.checked_out(0)


def test_a_host_never_goes_back_by_itself_to_what_it_was_led_back_from(host: Target, source: Source) -> None:
    """Twice goes two back, as on the master."""
    for number in (0, 1, 2):
        host.deploy(number)
    assert host.run(host.order(1, ROLLBACK)).ok
    assert own_orders.previous(host.repo) == source.release(0)
    assert host.run(host.order(0, ROLLBACK, deploy=9)).ok
    with pytest.raises(Exception, match="no earlier release"):
        own_orders.previous(host.repo)


def test_nor_to_what_an_operator_has_led_the_fleet_back_from(host: Target, source: Source) -> None:
    """That is a deploy like others, of an older release."""
    for number in (0, 1, 2):
        host.deploy(number)
    host.run(host.order(1, FETCH, deploy=9))
    assert host.run(dataclasses.replace(host.order(1, CHECKOUT, deploy=9), back=True)).ok
    assert own_orders.previous(host.repo) == source.release(0)


def test_what_was_deployed_once_more_is_a_way_back_again(host: Target, source: Source) -> None:
    for number in (0, 1):
        host.deploy(number)
    assert host.run(host.order(0, ROLLBACK)).ok
    host.deploy(1, deploy=8)
    host.deploy(2, deploy=9)
    assert own_orders.previous(host.repo) == source.release(1)


def test_there_is_nothing_to_roll_back_to_after_the_first_release(host: Target) -> None:
    host.deploy(0)
    with pytest.raises(Exception, match="no earlier release"):
        own_orders.previous(host.repo)


def test_checkout_of_what_was_never_fetched_is_refused(host: Target, source: Source) -> None:
    host.deploy(0)
    result = host.run(host.order(1, CHECKOUT))
    assert result.error is not None and result.error.kind == "not-ready"
    assert snapshot(host.location) == source.checked_out(0)


def test_while_a_stage_runs_it_says_so(host: Target) -> None:
    running: list[bool] = []
    host.carrier.spoil = lambda path: running.append(stages.is_running(FETCH, host.repo, host.host))
    assert host.run(host.order(0)).ok
    assert running == [True]
    assert not stages.is_running(FETCH, host.repo, host.host)


# -- what arrives is checked --------------------------------------------------------------------------------


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [cut_off, flip_a_bit, lambda path: path.write_bytes(b"")])
def test_bytes_that_are_not_what_the_master_packed_change_nothing(
    spoil: Any, host: Target, source: Source
) -> None:
    host.deploy(0)
    host.carrier.spoil = spoil
    result = host.run(host.order(1))
    assert result.error is not None and result.error.kind == "corrupt"
    assert snapshot(host.location) == source.checked_out(0)
    assert not list((host.cache / "demo").glob("incoming/*"))


def test_what_a_killed_fetch_received_is_thrown_away(host: Target) -> None:
    rubbish = host.cache / "demo/incoming" / "half.bundle"
    rubbish.parent.mkdir(parents=True)
    rubbish.write_bytes(b"half")
    assert host.run(host.order(0)).ok
    assert not rubbish.exists()


# -- hooks --------------------------------------------------------------------------------------------------

FAILURES: dict[str, Any] = {
    "raises": RuntimeError("boom"),
    "answers False": False,
    "answers a status": {"status": 1},
    "answers status False": {"status": False},
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("stage", [FETCH, CHECKOUT])
def test_a_hook_that_fails_fails_the_stage(stage: str, name: str, tmp_path: Path, source: Source) -> None:
    key = {FETCH: "fetch_module_calls", CHECKOUT: "checkout_module_calls"}[stage]
    host = Target(
        tmp_path, source, **{key: {"hook.run": ["a", "__REPO__", "/srv/__REPO__.json", 3], "hook.never": []}}
    )
    host.answers["hook.run"] = FAILURES[name]
    results = {result.stage: result for result in host.deploy(0)}
    error = results[stage].error
    assert error is not None and error.kind == "hook-failed" and "hook.run" in error.cause
    assert host.calls == [("hook.run", ["a", "demo", "/srv/demo.json", 3])]


@pytest.mark.parametrize("answer", [True, None, "", {}, {"status": 0}, {"status": True}, "text", 0])
def test_a_hook_that_answers_something_else_is_fine(answer: Any, tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source, fetch_module_calls={"hook.run": None})
    host.answers["hook.run"] = answer
    assert host.run(host.order(0)).ok
    assert host.calls == [("hook.run", [])]


def test_hooks_of_fetch_run_when_the_release_was_on_disk_already(tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source, fetch_module_calls={"hook.run": []})
    host.answers["hook.run"] = False
    assert not host.run(host.order(0)).ok
    host.answers["hook.run"] = True
    assert host.run(host.order(0)).ok
    assert len(host.calls) == 2


# -- trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff", b"[1]", b"{}", b'{"epoch": "x", "results": {}}', b'{"epoch": 1}']
)
def test_a_damaged_record_is_an_answer_that_says_where(rubbish: bytes, host: Target, source: Source) -> None:
    host.deploy(0)
    record = host.cache / "demo/record.json"
    record.write_bytes(rubbish)
    result = host.run(host.order(1))
    assert result.error is not None and result.error.kind == "corrupt"
    assert result.error.path == str(record)
    assert snapshot(host.location) == source.checked_out(0)
    record.unlink()
    assert host.run(host.order(1)).ok


def test_a_cache_that_cannot_be_used_is_an_answer(host: Target) -> None:
    order = host.order(0)
    host.cache.write_text("not a directory")
    result = host.run(order)
    assert result.error is not None and not result.ok


def test_a_fault_of_ours_is_an_answer(host: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    order = host.order(0)
    monkeypatch.setattr(disk, "refuse_without_space", lambda *_: 1 // 0)
    result = host.run(order)
    assert result.error is not None and "ZeroDivisionError" in result.error.cause


def test_status_changes_nothing_and_always_answers(host: Target, tmp_path: Path) -> None:
    answer = stages.status(host.repo, host.host)
    assert answer.ok and answer.commit == "" and answer.tag == ""
    assert list(tmp_path.iterdir()) == []
    host.deploy(0)
    assert stages.status(host.repo, host.host).tag == "v0"


def test_F53_status_tells_the_last_epoch_and_a_fetch_the_one_before(host: Target) -> None:
    host.deploy(0, epoch=5)
    answer = host.run(host.order(1, epoch=7))
    assert (answer.facts["heard"], stages.status(host.repo, host.host).epoch) == (5, 7)
