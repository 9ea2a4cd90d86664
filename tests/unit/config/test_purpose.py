"""What a repo is for decides what follows a release where the pillar does not say it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config import Repo, load
from saltdeploy.config.purpose import DEFAULTS
from saltdeploy.lib.errors import ConfigError

from tests.support.repositories import repo

PIDFILE = "/run/x.pid"


def made(**keys: Any) -> Repo:
    return repo(Path("/srv/www/demo"), **keys)


@pytest.mark.parametrize(
    ("purpose", "action"),
    [(None, "restart"), ("code", "restart"), ("config", "reload"), ("data", "reload"), ("image", "around")],
)
def test_a_service_without_an_action_gets_that_of_the_purpose(purpose: str | None, action: str) -> None:
    services = made(purpose=purpose, service_name="a, b=stop-start,c").hooks.restart.services
    assert [(each.name, each.action) for each in services] == [
        ("a", action),
        ("b", "stop-start"),
        ("c", action),
    ]


@pytest.mark.parametrize("purpose", ["config", "data"])
def test_a_signal_without_a_name_is_a_hup(purpose: str) -> None:
    one = made(purpose=purpose, signal={"pidfile": PIDFILE}).hooks.restart.signals
    assert [each.name for each in one] == ["HUP"]
    more = made(purpose=purpose, signal=[{"unit": "a"}, {"unit": "b", "name": "USR1"}]).hooks.restart.signals
    assert [each.name for each in more] == ["HUP", "USR1"]


@pytest.mark.parametrize("purpose", ["code", "image"])
def test_of_code_and_images_nobody_guesses_a_signal(purpose: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(purpose=purpose, signal={"pidfile": PIDFILE})
    assert caught.value.path.startswith("repo_config:demo:signal")


@pytest.mark.parametrize(
    ("purpose", "check", "point"),
    [
        ("config", {"command": ["nginx", "-t"]}, "before checkout"),
        ("config", {"type": "http", "url": "http://127.0.0.1/"}, "after restart"),
        ("data", {"command": ["true"]}, "after restart"),
        ("image", {"type": "port", "port": 80}, "after restart"),
        ("config", {"command": ["true"], "after": "fetch"}, "after fetch"),
        ("data", {"command": ["true"], "stage": "checkout"}, "after checkout"),
    ],
)
def test_a_check_without_a_place_gets_that_of_the_purpose(
    purpose: str, check: dict[str, Any], point: str
) -> None:
    (found,) = made(purpose=purpose, checks={"c": check}).hooks.checks
    assert found.point == point


def test_of_code_a_check_must_say_its_place() -> None:
    with pytest.raises(ConfigError, match="needs one of before and after"):
        made(purpose="code", checks={"c": {"command": ["true"]}})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"purpose": "date"}, "purpose"),
    ({"purpose": ["data"]}, "purpose"),
    ({"purpose": "data", "service_name": 7}, "service_name"),
    ({"purpose": "data", "signal": "HUP"}, "signal"),
    ({"purpose": "data", "signal": [["HUP"]]}, "signal"),
    ({"purpose": "data", "checks": ["c"]}, "checks"),
    ({"purpose": "config", "checks": {"c": None}}, "checks:c"),
    ({"purpose": "config", "checks": {"c": {"type": "no-such"}}}, "checks:c:type"),
]


@pytest.mark.parametrize(("keys", "path"), WRONG)
def test_what_is_written_wrong_is_named_where_it_stands(keys: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**keys)
    assert caught.value.path.startswith(f"repo_config:demo:{path}")


@pytest.mark.parametrize("purpose", ["code", *DEFAULTS])
def test_nothing_of_what_travels_or_lies_on_a_disk_depends_on_it(purpose: str) -> None:
    plain, found = made(), made(purpose=purpose)
    assert found.hooks.purpose == purpose
    assert (found.shape, found.layout, found.delivery, found.rollout) == (
        plain.shape,
        plain.layout,
        plain.delivery,
        plain.rollout,
    )


def test_an_environment_can_have_another_purpose_than_the_others() -> None:
    section = {
        "purpose": "data",
        "service_name": "app",
        "environments": {"a": {"targets": "a*"}, "b": {"targets": "b*", "purpose": "code"}},
    }
    found = [load({"repo_config": {"demo": section}}, name) for name in ("demo@a", "demo@b")]
    assert [each.hooks.restart.services[0].action for each in found] == ["reload", "restart"]
