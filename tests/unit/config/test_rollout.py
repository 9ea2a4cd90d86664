"""What the pillar may say of groups, restarts and small values, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from saltdeploy.config import rollout, values
from saltdeploy.config.rollout import Group, Service, Signal
from saltdeploy.config.values import Wrong


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (rollout.services, "apache2", (Service("apache2"),)),
        (rollout.services, "a, b=reload,c=stop-start", (Service("a"), Service("b", "reload"), Service("c", "stop-start"))),
        (rollout.signals, {"name": "HUP", "pidfile": "/run/x.pid"}, (Signal("HUP", pidfile="/run/x.pid"),)),
        (rollout.signals, [{"name": "sigusr1", "unit": "x.service"}], (Signal("USR1", unit="x.service"),)),
        (values.command, "echo 'two words'", ("echo", "two words")),
        (values.command, ["sleep", 3], ("sleep", "3")),
        (values.ports, 80, (80,)),
        (values.ports, [80, 443], (80, 443)),
        (values.share, 3, "3"),
        (values.share, "25%", "25%"),
        (values.window, 1, "1"),
        (rollout.hold, None, ""),
        (rollout.hold, "ask", "ask"),
        (rollout.hold, 90, "90"),
        (rollout.stage_before, "promote", "checkout"),
        (rollout.stage_after, "promote", "restart"),
        (rollout.stage_after, "restart_service", "restart"),
        (rollout.stage_after, "handle_service", "restart"),
        (rollout.stage_after, "finalize", "final"),
    ],
)  # fmt: skip
def test_a_value_is_read(read: Callable[[Any], Any], value: Any, found: Any) -> None:
    assert read(value) == found


@pytest.mark.parametrize(
    ("read", "value", "why"),
    [
        (rollout.services, "", "text that is not empty"),
        (rollout.services, ["a"], "text that is not empty"),
        (rollout.services, "--now", "names of services"),
        (rollout.services, "a=explode", "explode"),
        (rollout.signals, {"name": "HUP"}, "one of pidfile and unit"),
        (rollout.signals, {"name": "HUP", "pidfile": "/x", "unit": "y"}, "one of pidfile and unit"),
        (rollout.signals, {"name": "HUP", "pidfile": "x"}, "absolute"),
        (rollout.signals, {"name": "NOISE", "unit": "y"}, "name of a signal"),
        (rollout.signals, "HUP", "table"),
        (values.command, "", "list of arguments"),
        (values.command, [], "list of arguments"),
        (values.command, [""], "begins with a program"),
        (values.command, "echo 'open", "cannot be split"),
        (values.command, [["nested"]], "list of arguments"),
        (values.command, ["a\0b"], "list of arguments"),
        (values.ports, 0, "TCP port"),
        (values.ports, True, "TCP port"),
        (values.ports, "80", "TCP port"),
        (values.share, "101%", "count"),
        (values.share, -1, "count"),
        (values.window, "0%", "at least one"),
        (rollout.hold, -1, "seconds"),
        (rollout.hold, "later", "seconds"),
        (rollout.stage_after, "deploy", "must be one of"),
        (rollout.stage_after, ["fetch"], "must be one of"),
        (values.name, "a b", "short name"),
        (values.name, "a\x1b[2J", "short name"),
        (values.flag, 1, "true or false"),
        (values.seconds(1), 0, "from 1"),
        (rollout.groups, {"canary": {}}, "list"),
        (rollout.groups, [{"name": "a", "targets": "x"}, {"name": "a", "targets": "y"}], "same name"),
        (rollout.groups, [{"name": "a"}, {"name": "b"}], "only one"),
        (rollout.groups, [{"targets": "x"}], "needs name"),
        (rollout.groups, [{"name": "a", "colour": "red"}], "colour"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(read: Callable[[Any], Any], value: Any, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        read(value)


def test_an_error_knows_where_it_stands() -> None:
    with pytest.raises(Wrong) as wrong:
        rollout.groups([{"name": "canary", "targets": "x"}, {"name": "rest", "group_size": 0}])
    assert wrong.value.path == ("1", "group_size")


def test_where_every_group_has_targets_the_others_are_a_group_as_well() -> None:
    canary, rest = rollout.groups([{"name": "canary", "targets": "web1"}])
    assert canary == Group("canary", "web1")
    assert rest == Group("default")


def test_a_group_without_targets_takes_the_rest() -> None:
    assert [group.name for group in rollout.groups([{"name": "a", "targets": "x"}, {"name": "b"}])] == [
        "a",
        "b",
    ]
