"""Which checks there are, in the pillar."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.config import check_kinds, checks, rollout
from saltdeploy.config.values import Wrong

METRIC = {"type": "metric", "after": "checkout", "query": "up", "prometheus": "http://prometheus:9090"}

WHOLE: dict[str, dict[str, Any]] = {
    "command": {"command": ["bin/lint", "--all"]},
    "script": {"command": "warm 10"},
    "nrpe": {"command": "check_disk", "nrpe_dir": "/etc/nrpe.d"},
    "http": {
        "url": "http://127.0.0.1/",
        "status": [200, 204],
        "body": "ok",
        "headers": {"X-Version": "^v1$"},
        "host": "www.example.org",
    },
    "port": {"port": [80, 443], "host": "127.0.0.1"},
    "salt": {"function": "disk.usage", "args": ["/"], "kwargs": {"human": True}},
    "metric": {"query": "up", "prometheus": "http://prometheus:9090", "max": 1, "max_ratio": 1.5},
}


def one(entry: Any) -> rollout.Check:
    (check,) = checks.checks({"x": entry})
    return check


@pytest.mark.parametrize("kind", check_kinds.TABLE.built_in)
def test_each_kind_is_read_with_all_of_its_keys(kind: str) -> None:
    check = one({"type": kind, "after": "restart", **WHOLE[kind]})
    assert (check.name, check.kind, check.stage, check.before) == ("x", kind, "restart", False)
    assert {key for key, _ in check.options} == set(WHOLE[kind])


def test_a_check_is_a_command_on_a_target_for_all_groups_unless_it_says_otherwise() -> None:
    check = one({"command": "true", "before": "checkout"})
    assert (check.kind, check.before, check.group, check.timeout, check.master) == (
        "command",
        True,
        "",
        30,
        False,
    )


def test_a_metric_is_asked_for_on_the_master() -> None:
    assert one({**METRIC, "max": 1}).master
    assert not one({**METRIC, "max": 1, "where": "target"}).master


def test_checks_keep_their_order() -> None:
    entries = {name: {"command": "true", "after": "fetch"} for name in ("z", "a", "m")}
    assert [check.name for check in checks.checks(entries)] == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("entry", "path", "why"),
    [
        ("true", (), "table"),
        ({"command": "true"}, (), "before and after"),
        ({"command": "true", "before": "fetch", "after": "fetch"}, (), "one of before and after"),
        ({"after": "fetch"}, (), "needs command"),
        ({"command": "true", "after": "lunch"}, ("after",), "must be one of"),
        ({"type": "magic", "after": "fetch"}, ("type",), "must be one of"),
        ({"command": "true", "after": "fetch", "shell": True}, ("shell",), "no shell is used"),
        ({"command": "true", "after": "fetch", "url": "http://x/"}, ("url",), "url"),
        ({"command": "true", "after": "fetch", "timeout": 0}, ("timeout",), "seconds"),
        ({"command": "true", "after": "final"}, (), "nothing runs on a target"),
        ({"type": "script", "command": "x", "after": "fetch", "where": "master"}, (), "not there"),
        ({"type": "script", "command": "x", "before": "fetch"}, (), "not there"),
        ({"type": "http", "after": "restart", "url": "ftp://x/"}, ("url",), "must begin with http"),
        ({"type": "http", "after": "restart", "url": "http://x/", "status": 99}, ("status",), "status"),
        ({"type": "http", "after": "restart", "url": "http://x/", "status": True}, ("status",), "status"),
        ({"type": "http", "after": "restart", "url": "http://x/", "headers": {"A": "("}}, ("headers", "A"), "regular"),
        ({"type": "salt", "after": "restart", "function": "ping"}, ("function",), "module.function"),
        ({"type": "salt", "after": "restart", "function": "a.b", "args": "x"}, ("args",), "list"),
        ({**METRIC}, (), "needs a limit"),
        ({**METRIC, "max": "3"}, ("max",), "number"),
        ({**METRIC, "max": True}, ("max",), "number"),
        ({**METRIC, "max": float("nan")}, ("max",), "number"),
        ({"type": "metric", "after": "checkout", "query": "up", "max": 1}, (), "query and prometheus"),
        ({"type": "metric", "after": "checkout", "url": "http://x/", "max": 1}, (), "url and path"),
        ({**METRIC, "url": "http://x/", "path": "a", "max": 1}, (), "query and prometheus, or url and path"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_be_meant_says_where(entry: Any, path: tuple[str, ...], why: str) -> None:
    with pytest.raises(Wrong, match=why) as wrong:
        one(entry)
    assert wrong.value.path == ("x", *path)


@pytest.mark.parametrize("name", ["a b", "", 7, "x" * 65, "a\x1b[2J"])
def test_a_name_that_is_not_safe_on_a_terminal_is_refused(name: Any) -> None:
    with pytest.raises(Wrong, match="short name"):
        checks.checks({name: {"command": "true", "after": "fetch"}})


@pytest.mark.parametrize("kind", ["http", "port", "nrpe", "metric"])
@pytest.mark.parametrize("place", [{"after": "checkout"}, {"before": "restart"}])
def test_nothing_asks_the_old_processes_for_a_verdict_about_the_new_release(
    kind: str, place: dict[str, str]
) -> None:
    with pytest.raises(Wrong, match="after: restart"):
        checks.refuse_in_the_gap([one({"type": kind, "where": "target", **place, **WHOLE[kind]})])


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "bin/lint", "after": "checkout"},
        {"type": "http", "after": "restart", "url": "http://127.0.0.1/"},
        {"type": "http", "before": "checkout", "url": "http://127.0.0.1/"},
        {**METRIC, "max": 1},  # of the master, when a group has done both
    ],
)
def test_what_is_about_files_or_comes_in_time_may_stand_there(entry: dict[str, Any]) -> None:
    checks.refuse_in_the_gap([one(entry)])


def test_a_check_for_a_group_that_there_is_not_would_never_run() -> None:
    check = one({"command": "true", "after": "fetch", "group": "canry"})
    with pytest.raises(Wrong, match="no group canry"):
        checks.refuse_strangers([check], {"canary", "default"})
    checks.refuse_strangers([check], {"canry"})


# -- hooks ----------------------------------------------------------------------------------------------


def test_a_hook_may_be_of_any_kind_and_has_no_place_of_its_own() -> None:
    read = checks.hook("depool")
    assert read(None) is None
    check = read({"type": "salt", "function": "pool.leave"})
    assert check is not None and (check.name, check.kind, check.master) == ("depool", "salt", False)


@pytest.mark.parametrize("key", ["before", "after", "stage", "group", "where"])
def test_a_hook_cannot_be_moved(key: str) -> None:
    with pytest.raises(Wrong) as wrong:
        checks.hook("depool")({"command": "true", key: "checkout"})
    assert wrong.value.path == (key,)


def test_an_error_in_a_hook_knows_its_key() -> None:
    with pytest.raises(Wrong) as wrong:
        checks.hook("depool")({"command": "true", "timeout": "soon"})
    assert wrong.value.path == ("timeout",)
