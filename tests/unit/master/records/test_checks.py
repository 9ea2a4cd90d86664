"""Where the master's own checks stand in a rollout, and how they run beside it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.checks import CheckContext, Response
from saltdeploy.lib.errors import ConfigError
from saltdeploy.master.records import checks as master_checks
from saltdeploy.master.rollout.model import (
    AFTER_FETCH,
    AFTER_WAVE,
    BEFORE_FETCH,
    BEFORE_WAVE,
    FINAL,
    Gate,
)
from saltdeploy.master.waves import Wave

WAVES = (Wave("canary", "canary", ("a",), 1, 0), Wave("default", "default", ("b", "c"), 2, 0))


def repo(**checks: dict[str, Any]) -> config.Repo:
    groups = [{"name": "canary", "targets": "a"}, {"name": "default"}, {"name": "nobody", "targets": "z"}]
    section = {"location": "/srv/demo", "checks": checks, "groups": groups}
    return config.load({"repo_config": {"demo": section}}, "demo")


def on_master(**keys: Any) -> dict[str, Any]:
    return {"type": "command", "command": ["true"], "where": "master", **keys}


def place(**parts: Any) -> CheckContext:
    return CheckContext(call=lambda *_: True, get=lambda *_: Response(200), **parts)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"before": "fetch"}, {Gate(BEFORE_FETCH)}),
        ({"after": "fetch"}, {Gate(AFTER_FETCH)}),
        ({"before": "checkout"}, {Gate(BEFORE_WAVE, 0), Gate(BEFORE_WAVE, 1)}),
        ({"after": "checkout"}, {Gate(AFTER_WAVE, 0), Gate(AFTER_WAVE, 1)}),
        ({"after": "promote"}, {Gate(AFTER_WAVE, 0), Gate(AFTER_WAVE, 1)}),
        ({"after": "restart", "group": "canary"}, {Gate(AFTER_WAVE, 0)}),
        ({"after": "final"}, {Gate(FINAL)}),
        ({"after": "checkout", "group": "nobody"}, set()),
    ],
)
def test_a_check_of_the_master_stands_at_its_gates(where: dict[str, str], wanted: set[Gate]) -> None:
    assert master_checks.gates(repo(one=on_master(**where)), WAVES) == wanted


def test_a_check_of_the_targets_makes_no_gate() -> None:
    assert not master_checks.gates(
        repo(one={"type": "command", "command": ["true"], "after": "checkout"}), WAVES
    )


def test_where_there_is_no_gate_a_check_is_refused_with_its_path() -> None:
    with pytest.raises(ConfigError) as raised:
        master_checks.gates(repo(one=on_master(after="rollback")), WAVES)
    assert raised.value.path == "repo_config:demo:checks:one"


def test_the_checks_of_a_gate_come_in_the_order_of_the_pillar() -> None:
    found = repo(b=on_master(after="fetch"), a=on_master(after="fetch"), c=on_master(after="final"))
    assert [due.check.name for due in master_checks.at(Gate(AFTER_FETCH), found, WAVES, {})] == ["b", "a"]


def run(found: config.Repo, gate: Gate, where: CheckContext) -> list[master_checks.Found]:
    work = master_checks.Work(master_checks.at(gate, found, WAVES, {}), where)
    while (done := work.done()) is None:
        threading.Event().wait(0.01)
    return done


def test_checks_run_until_one_does_not_pass(tmp_path: Path) -> None:
    def touch(name: str) -> dict[str, Any]:
        return on_master(after="fetch", command=["touch", str(tmp_path / name)])

    found = repo(one=touch("one"), two=on_master(after="fetch", command=["false"]), three=touch("three"))
    verdicts = run(found, Gate(AFTER_FETCH), place())
    assert [each.verdict.ok for each in verdicts] == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_check_that_takes_long_does_not_hold_up_whoever_asks() -> None:
    release = threading.Event()

    def slow(*_: Any) -> Response:
        assert release.wait(60)
        return Response(200)

    check = {"type": "http", "url": "http://127.0.0.1/", "where": "master", "after": "fetch"}
    where = CheckContext(call=lambda *_: True, get=slow)
    work = master_checks.Work(master_checks.at(Gate(AFTER_FETCH), repo(one=check), WAVES, {}), where)
    assert work.done() is None
    release.set()
    while (done := work.done()) is None:
        threading.Event().wait(0.01)
    assert [each.verdict.ok for each in done] == [True]


def metric(**keys: Any) -> dict[str, Any]:
    return {
        "type": "metric",
        "url": "http://127.0.0.1/errors",
        "path": "errors",
        "after": "checkout",
        "max_ratio": 2,
        **keys,
    }


def counting(*answers: int) -> CheckContext:
    told = iter(answers)
    return CheckContext(call=lambda *_: True, get=lambda *_: Response(200, {}, f'{{"errors": {next(told)}}}'))


def test_a_baseline_is_measured_for_each_metric_and_a_known_one_is_kept() -> None:
    found = repo(old=metric(), new=metric(), other=on_master(after="fetch"))
    assert master_checks.measure(found, counting(7), {"old": 3.0}) == {"old": 3.0, "new": 7.0}


@pytest.mark.parametrize(("now", "ok"), [(14, True), (15, False)])
def test_a_metric_is_compared_with_the_baseline(now: int, ok: bool) -> None:
    found = repo(errors=metric())
    work = master_checks.Work(
        master_checks.at(Gate(AFTER_WAVE, 0), found, WAVES, {"errors": 7.0}), counting(now)
    )
    while (done := work.done()) is None:
        threading.Event().wait(0.01)
    assert [each.verdict.ok for each in done] == [ok]
