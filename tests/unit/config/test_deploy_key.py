"""What the pillar says of a deploy key: read, refused without being shown, and kept nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.config.origin import DeployKey
from saltdeploy.lib.errors import ConfigError

SECRET = "b3BlbnNzaC1rZXktdjE"
PRIVATE = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}AAAA\n-----END OPENSSH PRIVATE KEY-----\n"
HOST = "git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"
RIGHT = {"key": PRIVATE, "known_hosts": HOST}


def load(said: Any, **others: Any) -> config.Repo:
    section = {"source": "git@git.example.org:wiki.git", "deploy_key": said, **others}
    return config.load({"repo_config": {"wiki": section}}, "wiki")


def key_of(said: Any) -> DeployKey:
    found = load(said).origin.deploy_key
    assert found is not None
    return found


def test_a_repo_without_one_has_none() -> None:
    assert load(None).origin.deploy_key is None


@pytest.mark.parametrize("key", [PRIVATE, PRIVATE.strip(), PRIVATE.replace("\n", "\r\n")])
@pytest.mark.parametrize("hosts", [HOST, [HOST], f"# the forge\n\n{HOST}\n", f"@cert-authority {HOST}"])
def test_a_key_and_known_hosts_are_made_into_files_of_ssh(key: str, hosts: Any) -> None:
    found = key_of({"key": key, "known_hosts": hosts})
    assert found.key == PRIVATE
    assert found.known_hosts.endswith(f"{HOST}\n")


def test_an_address_of_sdb_stays_one() -> None:
    assert key_of({**RIGHT, "key": "sdb://vault/wiki\n"}).key == "sdb://vault/wiki"


WRONG: dict[str, tuple[Any, str]] = {
    "the key itself": (PRIVATE, "key"),
    "a list with the key": ([PRIVATE], "key"),
    "no known_hosts": ({"key": PRIVATE}, ""),
    "no key": ({"known_hosts": HOST}, ""),
    "the key as a name": ({PRIVATE: HOST}, "key"),
    "a public key": ({**RIGHT, "key": f"ssh-ed25519 {SECRET}"}, "key"),
    "a damaged key": ({**RIGHT, "key": SECRET}, "key"),
    "a number": ({**RIGHT, "key": 7}, "key"),
    "the two mixed up": ({"key": HOST, "known_hosts": PRIVATE}, ""),
    "a key among the hosts": ({**RIGHT, "known_hosts": [HOST, PRIVATE]}, "known_hosts:1"),
    "a name alone": ({**RIGHT, "known_hosts": "git.example.org"}, "known_hosts:0"),
    "no host": ({**RIGHT, "known_hosts": "# none\n"}, "known_hosts"),
}


@pytest.mark.parametrize("which", WRONG)
def test_what_is_wrong_is_named_by_its_place_and_never_shown(which: str) -> None:
    said, below = WRONG[which]
    with pytest.raises(ConfigError) as caught:
        load(said)
    assert caught.value.path.startswith("repo_config:wiki:deploy_key")
    assert caught.value.path.endswith(below)
    assert SECRET not in str(caught.value)


def test_nothing_shows_the_key() -> None:
    repo = load(RIGHT)
    assert SECRET not in repr(repo)
    assert SECRET not in json.dumps([repo.pillar.trebuchet, repo.pillar.written])
    assert repo.pillar.trebuchet["deploy_key"] == "(not shown)"
    assert load(None).pillar.trebuchet["deploy_key"] is None


def test_an_environment_may_have_its_own() -> None:
    other = {**RIGHT, "key": "sdb://vault/staging"}
    pillar = {
        "repo_config": {"wiki": {"deploy_key": RIGHT, "environments": {"staging": {"deploy_key": other}}}}
    }
    found = config.load(pillar, "wiki@staging").origin.deploy_key
    assert found is not None and found.key == "sdb://vault/staging"
