"""What the warm door makes ahead holds Salt's loaders, and nothing of what a command has to read anew."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.utils.network
from saltbridge import ahead
from saltbridge import master as bridge


@pytest.fixture
def opts(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of a master of its own, with a pillar below ``tmp_path``."""
    monkeypatch.setattr(bridge, "_grains", {"id": "master"})
    monkeypatch.setattr(salt.utils.network, "generate_minion_id", salt.utils.network.generate_minion_id)
    (tmp_path / "pillar").mkdir()
    config = {
        "root_dir": str(tmp_path),
        "pki_dir": str(tmp_path / "pki"),
        "cachedir": str(tmp_path / "cache"),
        "sock_dir": str(tmp_path / "run"),
        "file_roots": {"base": [str(tmp_path / "states")]},
        "pillar_roots": {"base": [str(tmp_path / "pillar")]},
        "module_dirs": [str(checkout)],
        "pillar_dirs": [str(checkout / "_pillar")],
        "default_include": "",
    }
    (tmp_path / "master").write_text(json.dumps(config))
    found: dict[str, Any] = salt.config.client_config(str(tmp_path / "master"))
    return found


def write(opts: dict[str, Any], **files: dict[str, Any]) -> None:
    """Let the pillar consist of these files."""
    place = Path(opts["pillar_roots"]["base"][0])
    (place / "top.sls").write_text(json.dumps({"base": {"*": list(files)}}))
    for name, content in files.items():
        (place / f"{name}.sls").write_text(json.dumps(content))


def repos(opts: dict[str, Any]) -> object:
    return bridge.pillar(opts)["repo_config"]


def test_the_pillar_is_read_when_a_command_asks_for_it(opts: dict[str, Any]) -> None:
    write(opts, first={"repo_config": {"a": {}}})
    ahead.make(opts, bridge.grains(opts))
    write(opts, first={"repo_config": {"b": {}}}, second={"include": ["third"]})
    (Path(opts["pillar_roots"]["base"][0]) / "third.sls").write_text('{"repo_config": {"c": {}}}')
    assert repos(opts) == {"b": {}, "c": {}}
    assert repos(opts) == {"b": {}, "c": {}}


def test_what_was_made_ahead_is_used_once_and_made_again_after_that(opts: dict[str, Any]) -> None:
    ahead.make(opts, bridge.grains(opts))
    first = ahead.client(opts)
    assert ahead.client(opts) is not first
    assert ahead.pillar(opts, {}) is not ahead.pillar(opts, {})


def test_a_client_says_who_asks_now(opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    ahead.make(opts, bridge.grains(opts))
    monkeypatch.setenv("SUDO_USER", "alice")
    assert ahead.client({**opts, "timeout": 7}).salt_user == "sudo_alice"


def test_where_salt_has_another_name_for_it_the_pillar_is_made_anew(
    opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_LIST", "no_such_name")
    write(opts, first={"repo_config": {"a": {}}})
    ahead.make(opts, bridge.grains(opts))
    write(opts, second={"repo_config": {"b": {}}})
    assert repos(opts) == {"b": {}}


def test_a_command_that_reads_the_configuration_starts_no_process(opts: dict[str, Any]) -> None:
    ahead.make(opts, bridge.grains(opts))
    child = os.fork()
    if child == 0:
        sys.addaudithook(lambda event, _: os._exit(1) if event == "subprocess.Popen" else None)
        read = salt.config.client_config(opts["conf_file"])
        os._exit(0 if read["id"] == opts["id"] else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
