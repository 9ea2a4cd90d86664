"""What the pillar says about the tests' repos."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.signing import generate, public_pem


class Pillar:
    """The master reads it at each command, minions when they are told to.

    The fleet takes signed releases only. In its values DISK is the host's own disk, HOST its id, SOURCE the repo's repository, SERVER the git server, PAYLOADS the
    master's server of payloads.
    """

    def __init__(self, directory: Path, disks: Path, server: str, payloads: str = "") -> None:
        directory.mkdir()
        self.directory = directory
        self._disks = disks
        self._sources = directory.with_name("sources")
        self._sources.mkdir(exist_ok=True)
        self._key = generate(directory.with_name("signing.pem"))
        self._server = server
        self._payloads = payloads
        self._repos: dict[str, dict[str, Any]] = {}

    def add(self, name: str, keys: dict[str, Any]) -> None:
        """A repo for two minions, unless ``keys`` say otherwise; a key that is None is left out."""
        usual = {
            "location": f"DISK/srv/{name}",
            "source": "SOURCE",
            "targets": "web1,web2",
            "targets_type": "list",
            "timeout": 60,
        }
        assert name not in self._repos, (
            f"two tests have the repo {name}; what one says of it, the other would get"
        )
        self._repos[name] = {}
        self.change(name, {key: value for key, value in {**usual, **keys}.items() if value is not None})

    def change(self, name: str, keys: dict[str, Any]) -> None:
        text = json.dumps({**self._repos[name], **keys})
        text = text.replace("SOURCE", str(self.source(name))).replace("PAYLOADS", self._payloads)
        self._repos[name] = json.loads(
            text.replace("SERVER", f"{self._server}/HOST/{self.source(name).name}")
        )
        self._write()

    def _write(self) -> None:
        deployment = {
            "parent_dir": "DISK/srv/deployment",
            "servers": {"here": "127.0.0.1"},
            "signing_key": str(self._key),
            "release_keys": [public_pem(self._key)],
            # all hosts share one address, and their releases are small
            "swarm": {"ports": "17100-17199", "least": 10_000},
        }
        sections = {"deployment_config": deployment, "repo_config": self._repos}
        aside = self.directory / "repos.new"
        aside.write_text(json.dumps(sections, indent=1))
        aside.replace(self.directory / "repos.json")

    def source(self, name: str) -> Path:
        """The repo's own git repository."""
        return self._sources / name.replace("/", "-")

    def targets(self, name: str, everybody: list[str]) -> list[str]:
        """The hosts that take the repo: those that are listed, or all of them."""
        listed = self._repos[name].get("targets")
        return listed.split(",") if listed else everybody

    def location(self, name: str, host: str) -> Path:
        """Where a host has the repo."""
        said = self._repos[name].get("location", f"DISK/srv/deployment/{name}")
        return Path(said.replace("DISK", str(self._disks / host)))


#: Keys of a repo that every minion takes, by its grain.
WHOLE_FLEET: dict[str, Any] = {"targets": None, "targets_type": None, "grain": "everywhere"}

#: A section of Trebuchet's time, for which its defaults were written out; nothing in it is ours.
TREBUCHET: dict[str, Any] = {
    "grain": "everywhere",
    "upstream": "SOURCE",
    "shadow_reference": False,
    "fetch_module_calls": {},
    "checkout_module_calls": {"test.echo": ["__REPO__"]},
    "checkout_submodules": False,
    "sync_script": "shared.py",
    "dependencies": {},
    "automated": False,
    "type": "git-http",
    "gitfat_enabled": False,
    **dict.fromkeys(("location", "source", "targets", "targets_type", "timeout")),
}


def repo_name(item: pytest.Item) -> str:
    """A test's own repo is named after the test, unless its mark says how."""
    mark = item.get_closest_marker("repo")
    if mark and mark.args:
        return str(mark.args[0])
    return re.sub(r"[^A-Za-z0-9_.]+", "-", item.name.removeprefix("test_")).strip("-")
