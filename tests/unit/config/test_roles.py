"""Who has which role, as pillar and master's configuration say it."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.config import roles
from saltdeploy.config.roles import ADMIN, DEPLOYER, OPERATOR, Roles
from saltdeploy.lib.errors import ConfigError

PILLAR = {
    "deployment_config": {"roles": {"operator": "bob", "admin": ["%site-ops"]}},
    "repo_config": {"site": {"roles": {"deployer": ["alice", "minion:deploy1"]}}, "other": None},
}
SETTING = {"admin": ["carol"], "repos": {"site": {"deployer": ["dan"]}}}


def test_pillar_and_configuration_of_the_master_both_count() -> None:
    found = roles.read(PILLAR, SETTING)
    assert found.who(DEPLOYER, "site") == ("dan", "alice", "minion:deploy1")
    assert found.who(OPERATOR, "site") == found.who(OPERATOR) == ("bob",)
    assert found.who(ADMIN) == ("carol", "%site-ops")
    assert found.who(DEPLOYER) == found.who(DEPLOYER, "other") == ()
    assert found.all() == {"dan", "alice", "minion:deploy1", "bob", "carol", "%site-ops"}


def test_an_environment_has_the_roles_of_its_repo_or_its_own() -> None:
    section = {"roles": {"deployer": "alice"}, "environments": {"a": {}, "b": {"roles": {"deployer": "bob"}}}}
    found = roles.read({"repo_config": {"site": section}})
    assert [found.who(DEPLOYER, name) for name in ("site@a", "site@b")] == [("alice",), ("bob",)]


def test_without_any_section_there_are_no_roles() -> None:
    assert not roles.read({}) and not roles.read(
        {"deployment_config": {"roles": {}}, "repo_config": {"a": {}}}
    )


def test_a_role_that_nobody_has_is_one() -> None:
    assert roles.read({"deployment_config": {"roles": {"admin": []}}})


def test_what_is_written_down_reads_as_the_same() -> None:
    found = roles.read(PILLAR, SETTING)
    assert roles.of_master(found.to_wire()) == found
    assert roles.of_master(Roles().to_wire()) == Roles()


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"deployer": ["*"]}, "deployer:0"),
        ({"deployer": ["a b"]}, "deployer:0"),
        ({"operator": ["bob", "minion:../x"]}, "operator:1"),
        ({"operator": ["salt:engine"]}, "operator:0"),
        ({"deployer": {"alice": True}}, "deployer"),
        ({"deployer": [""]}, "deployer:0"),
        ({"owner": ["alice"]}, "owner"),
        ({"admin": ["alice"]}, "admin"),
        (["alice"], ""),
    ],
)
def test_a_mistake_in_a_section_is_named_by_its_path(section: Any, path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        roles.read({"repo_config": {"site": {"roles": section}}})
    assert refused.value.path == f"repo_config:site:roles:{path}".rstrip(":")


def test_a_mistake_in_the_configuration_of_the_master_is_named_by_its_path() -> None:
    with pytest.raises(ConfigError) as refused:
        roles.read({}, {"repos": {"site": {"deployer": ["?"]}}})
    assert refused.value.path == "deploy_roles:repos:site:deployer:0"
