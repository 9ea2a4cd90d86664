"""The ready .sls files compile under Salt, with the example pillar."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest
import salt.client
import salt.config


@pytest.fixture
def host(checkout: Path, tmp_path: Path) -> salt.client.Caller:
    """A minion without a master that takes the repo ``demo``."""
    settings = {
        "id": "web1",
        "file_client": "local",
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "root_dir": str(tmp_path),
        "cachedir": str(tmp_path / "cache"),
        "pki_dir": str(tmp_path / "pki"),
        "sock_dir": str(tmp_path / "run"),
        "extension_modules": str(tmp_path / "cache" / "extmods"),
        "file_roots": {"base": [str(checkout / "formula")]},
        "pillar_roots": {"base": [str(checkout / "pillar")]},
        "module_dirs": [str(checkout)],
        "pillar_dirs": [str(checkout / "_pillar")],
        "grains": {"deployment_target": ["demo"]},
        "enable_fqdns_grains": False,
    }
    configuration = tmp_path / "minion"
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    return salt.client.Caller(mopts=salt.config.minion_config(str(configuration)))


def test_a_target_is_pinned_to_each_repo_of_its_grain(host: salt.client.Caller) -> None:
    states = host.cmd("state.show_sls", "deploy.target")
    assert states["release of demo"]["deploy"][:2] == [
        {"name": "demo"},
        {"require": [{"pkg": "git for deployments"}]},
    ]
    assert "pinned" in states["release of demo"]["deploy"]


def test_a_server_gets_a_directory_for_each_repo_of_the_pillar(host: salt.client.Caller) -> None:
    states = host.cmd("state.show_sls", "deploy.server")
    directories = {name for name, state in states.items() if "file" in state}
    assert directories == {"/srv/deployment", "/srv/deployment/demo", "/srv/deployment/test/testrepo"}


def test_the_host_of_salt_api_gets_every_file_of_the_page(
    host: salt.client.Caller, checkout: Path, tmp_path: Path
) -> None:
    """The state leads to the files; they are brought to a place of this test's own."""
    (state,) = host.cmd("state.show_sls", "deploy.web").values()
    settings = {key: value for each in state["file"] if isinstance(each, dict) for key, value in each.items()}
    assert host.cmd("cp.get_dir", settings["source"], str(tmp_path / "brought"))
    brought, own = tmp_path / "brought" / "page", checkout / "formula" / "deploy" / "page"
    assert {path.name: path.read_bytes() for path in brought.iterdir()} == {
        path.name: path.read_bytes() for path in own.iterdir()
    }


def test_the_extension_is_installed_again_where_an_upgrade_of_salt_lost_it(host: salt.client.Caller) -> None:
    """With a version and an index of one's own, and the minion takes it up only where something was installed."""
    pillar = {"saltext_deploy": {"version": "0.2.0", "index_url": "https://pypi.example.org/simple"}}
    states = host.cmd("state.show_sls", "deploy.installed", pillar=pillar)
    pip = {
        key: value
        for each in states["extension for deploys"]["pip"]
        if isinstance(each, dict)
        for key, value in each.items()
    }
    assert (pip["name"], pip["index_url"]) == ("saltext-deploy==0.2.0", "https://pypi.example.org/simple")
    restart = states["salt-minion takes it up"]["cmd"]
    assert {"onchanges": [{"pip": "extension for deploys"}]} in restart
    assert {"bg": True} in restart
