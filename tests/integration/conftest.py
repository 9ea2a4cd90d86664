"""One fleet for all tests of this directory, and a repo of its own for each test.

A test says with ``@pytest.mark.repo(key=value)`` what the pillar shall say about its repo. The pillar is made once,
from the tests that were collected, so that no test waits for minions to read a new one.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltfactories.manager import FactoriesManager

from tests.integration.fleet import HERE, Factories, Fleet
from tests.integration.repo import Repo

WEB = ("web1", "web2", "web3", "web4", "web5")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "repo(**keys): what the pillar says about the test's repo")


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """Where sockets may lie: their paths are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="deploy-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def salt_factories_config(short_directory: Path, checkout: Path) -> dict[str, Any]:
    return {
        "root_dir": short_directory,
        "inject_sitecustomize": False,
        "slow_stop": False,
        # Salt's own start compiles the doors each time where it may not keep what it compiled
        "environ": {**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    }


@pytest.fixture(scope="session")
def factories(salt_factories: FactoriesManager) -> Factories:
    """salt-factories, without what these tests do not need."""
    kept = {name: getattr(salt_factories, name) for name in _KEPT}
    return Factories(**kept)


_KEPT = (
    "root_dir",
    "log_server_port",
    "log_server_level",
    "log_server_host",
    "inject_sitecustomize",
    "environ",
    "slow_stop",
    "event_listener",
)


@pytest.fixture(scope="session")
def pillar(short_directory: Path, request: pytest.FixtureRequest) -> Pillar:
    pillar = Pillar(short_directory / "pillar" / "repos.json", short_directory / "sources")
    for item in request.session.items:
        mark = item.get_closest_marker("repo")
        if "repo" in getattr(item, "fixturenames", ()):
            pillar.add(repo_name(item), **(mark.kwargs if mark else {}))
    pillar.write()
    return pillar


class Pillar:
    """What the pillar says; the master reads it at each command, minions when they are told to."""

    def __init__(self, file: Path, sources: Path) -> None:
        self._file = file
        file.parent.mkdir()
        self._sources = sources
        self.repos: dict[str, dict[str, Any]] = {}

    def add(self, name: str, **keys: Any) -> None:
        source = self._sources / name.replace("/", "-")
        fitting = {
            "location": f"DISK/srv/{name}",
            "source": str(source),
            "grain": "everywhere",
            "timeout": 60,
        }
        self.repos[name] = json.loads(json.dumps({**fitting, **keys}).replace("SOURCE", str(source)))

    def write(self) -> None:
        aside = self._file.with_suffix(".new")
        aside.write_text(json.dumps({"repo_config": self.repos}, indent=1))
        aside.replace(self._file)


def repo_name(item: pytest.Item) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", item.name.removeprefix("test_")).strip("-")


@pytest.fixture(scope="session")
def fleet(factories: Factories, short_directory: Path, checkout: Path, pillar: Pillar) -> Iterator[Fleet]:
    doors = {"module_dirs": [str(checkout), str(HERE / "salt")]}
    fleet = Fleet(
        factories,
        short_directory,
        WEB,
        master={
            **doors,
            "pillar_dirs": [str(checkout / "_pillar")],  # the checkout's own pillar/ hides _pillar/
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(short_directory / "pillar")]},
            "file_roots": {"base": [str(HERE / "salt" / "states")]},
        },
        minion={**doors, "grains": {"deployment_target": ["everywhere"]}},
    )
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture
def repo(fleet: Fleet, pillar: Pillar, request: pytest.FixtureRequest) -> Repo:
    """A repo that no host has yet, with the releases v0 to v3; each release changes what the one before holds."""
    name = repo_name(request.node)
    return Repo(name, fleet, Path(pillar.repos[name]["source"]), pillar)
