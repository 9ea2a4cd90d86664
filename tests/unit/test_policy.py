"""What the pillar may say of groups, restarts and small values, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from saltdeploy import policy
from saltdeploy.policy import Group, Service, Signal, Wrong


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (policy.services, "apache2", (Service("apache2"),)),
        (policy.services, "a, b=reload,c=stop-start", (Service("a"), Service("b", "reload"), Service("c", "stop-start"))),
        (policy.signals, {"name": "HUP", "pidfile": "/run/x.pid"}, (Signal("HUP", pidfile="/run/x.pid"),)),
        (policy.signals, [{"name": "sigusr1", "unit": "x.service"}], (Signal("USR1", unit="x.service"),)),
        (policy.command, "echo 'two words'", ("echo", "two words")),
        (policy.command, ["sleep", 3], ("sleep", "3")),
        (policy.ports, 80, (80,)),
        (policy.ports, [80, 443], (80, 443)),
        (policy.share, 3, "3"),
        (policy.share, "25%", "25%"),
        (policy.window, 1, "1"),
        (policy.hold, None, ""),
        (policy.hold, "ask", "ask"),
        (policy.hold, 90, "90"),
        (policy.stage_before, "promote", "checkout"),
        (policy.stage_after, "promote", "restart"),
        (policy.stage_after, "restart_service", "restart"),
        (policy.stage_after, "handle_service", "restart"),
        (policy.stage_after, "finalize", "final"),
    ],
)  # fmt: skip
def test_a_value_is_read(read: Callable[[Any], Any], value: Any, found: Any) -> None:
    assert read(value) == found


@pytest.mark.parametrize(
    ("read", "value", "why"),
    [
        (policy.services, "", "text that is not empty"),
        (policy.services, ["a"], "text that is not empty"),
        (policy.services, "--now", "names of services"),
        (policy.services, "a=explode", "explode"),
        (policy.signals, {"name": "HUP"}, "one of pidfile and unit"),
        (policy.signals, {"name": "HUP", "pidfile": "/x", "unit": "y"}, "one of pidfile and unit"),
        (policy.signals, {"name": "HUP", "pidfile": "x"}, "absolute"),
        (policy.signals, {"name": "NOISE", "unit": "y"}, "name of a signal"),
        (policy.signals, "HUP", "table"),
        (policy.command, "", "list of arguments"),
        (policy.command, [], "list of arguments"),
        (policy.command, [""], "begins with a program"),
        (policy.command, "echo 'open", "cannot be split"),
        (policy.command, [["nested"]], "list of arguments"),
        (policy.command, ["a\0b"], "list of arguments"),
        (policy.ports, 0, "TCP port"),
        (policy.ports, True, "TCP port"),
        (policy.ports, "80", "TCP port"),
        (policy.share, "101%", "count"),
        (policy.share, -1, "count"),
        (policy.window, "0%", "at least one"),
        (policy.hold, -1, "seconds"),
        (policy.hold, "later", "seconds"),
        (policy.stage_after, "deploy", "must be one of"),
        (policy.stage_after, ["fetch"], "must be one of"),
        (policy.name, "a b", "short name"),
        (policy.name, "a\x1b[2J", "short name"),
        (policy.flag, 1, "true or false"),
        (policy.seconds(1), 0, "from 1"),
        (policy.groups, {"canary": {}}, "list"),
        (policy.groups, [{"name": "a", "targets": "x"}, {"name": "a", "targets": "y"}], "same name"),
        (policy.groups, [{"name": "a"}, {"name": "b"}], "only one"),
        (policy.groups, [{"targets": "x"}], "needs name"),
        (policy.groups, [{"name": "a", "colour": "red"}], "colour"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(read: Callable[[Any], Any], value: Any, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        read(value)


def test_an_error_knows_where_it_stands() -> None:
    with pytest.raises(Wrong) as wrong:
        policy.groups([{"name": "canary", "targets": "x"}, {"name": "rest", "group_size": 0}])
    assert wrong.value.path == ("1", "group_size")


def test_where_every_group_has_targets_the_others_are_a_group_as_well() -> None:
    canary, rest = policy.groups([{"name": "canary", "targets": "web1"}])
    assert canary == Group("canary", "web1")
    assert rest == Group("default")


def test_a_group_without_targets_takes_the_rest() -> None:
    assert [group.name for group in policy.groups([{"name": "a", "targets": "x"}, {"name": "b"}])] == [
        "a",
        "b",
    ]
