"""What a roster may say of a host that is asked over ssh, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.config import ssh_hosts
from saltdeploy.config.ssh_hosts import SshHost, SshSettings
from saltdeploy.lib.errors import BadName, ConfigError


def test_an_address_alone_is_an_entry() -> None:
    assert ssh_hosts.of_roster("app1", "10.0.0.1", "/key") == SshHost("app1", "10.0.0.1", key="/key")


def test_an_entry_says_where_as_whom_and_with_which_grains() -> None:
    said = {"host": "fd00::1", "user": "deploy", "port": "2222", "priv": "/k", "sudo": True}
    found = ssh_hosts.of_roster("app1", {**said, "minion_opts": {"grains": {"site": "east"}}}, "/key")
    assert found == SshHost("app1", "fd00::1", 2222, "deploy", "/k", True, {"site": "east"})


REFUSED: dict[str, tuple[Any, str]] = {
    "an option in place of an address": ({"host": "-oProxyCommand=true"}, "roster:app1:host"),
    "a command behind an address": ({"host": "a; true"}, "roster:app1:host"),
    "an option in place of a user": ({"host": "a", "user": "-l"}, "roster:app1:user"),
    "no port": ({"host": "a", "port": 70_000}, "roster:app1:port"),
    "a password": ({"host": "a", "passwd": "x"}, "roster:app1:passwd"),
    "a key that needs a password": (
        {"host": "a", "priv": "/k", "priv_passwd": "x"},
        "roster:app1:priv_passwd",
    ),
    "an agent": ({"host": "a", "priv": "agent-forwarding"}, "roster:app1:priv"),
    "another user by sudo": ({"host": "a", "sudo": True, "sudo_user": "bob"}, "roster:app1:sudo_user"),
    "no table": (["a"], "roster:app1"),
}


@pytest.mark.parametrize(("entry", "path"), REFUSED.values(), ids=REFUSED)
def test_an_entry_that_cannot_be_followed_is_refused_by_its_key(entry: Any, path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ssh_hosts.of_roster("app1", entry, "")
    assert refused.value.path == path


def test_an_id_that_no_path_can_hold_is_refused() -> None:
    with pytest.raises(BadName):
        ssh_hosts.of_roster("a/b", "10.0.0.1", "")


def test_the_masters_configuration_names_the_roster() -> None:
    found = ssh_hosts.settings({"roster": "flat,cache", "at_once": 3, "connect": 5})
    assert found == SshSettings(roster=("flat", "cache"), at_once=3, connect=5.0)


@pytest.mark.parametrize("value", [None, {"rooster": "flat"}, {"command": "sh -c"}, {"at_once": 0}])
def test_a_setting_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        ssh_hosts.settings(value)
    assert refused.value.path.startswith("deploy_ssh_hosts")
