"""One fleet for all tests of this directory, and a repo of its own for each test.

A test says with ``@pytest.mark.repo(key=value)`` what the pillar shall say about its repo. The pillar is made once,
from the tests that were collected, so that no test waits for minions to read a new one.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging
import yaml
from saltfactories.manager import FactoriesManager

from bench.rig.volumes import unmount_below
from tests.conftest import CHECKOUT
from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.gitserver import GitServer
from tests.integration.pillar import Pillar, repo_name
from tests.integration.repo import Releases, Repo
from tests.support.serving import free_port

WEB = tuple(f"web{number}" for number in range(1, 9))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "repo(name, **keys): what the pillar says about the test's repo")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one process has to do in a row comes first: at the end the others would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session", autouse=True)
def quiet_logging() -> None:
    """Salt tells hundreds of lines for each job; writing them down would take longer than the job."""
    for name in ("salt", "saltfactories", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


def pytest_unconfigure() -> None:
    # Salt keeps records for a logging that is never set up here, and would write them to a stream that is closed
    salt._logging.shutdown_temp_handler()


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """Where sockets may lie: their paths are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="deploy-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
        unmount_below(Path(directory))  # a minion mounts the layers of its pin again whenever it starts


@pytest.fixture(scope="session")
def salt_factories_config(short_directory: Path) -> dict[str, Any]:
    return {
        "root_dir": short_directory,
        "inject_sitecustomize": False,
        "slow_stop": False,
        # a minion's job would compile the doors each time, where what was compiled is not kept
        "environ": {**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    }


@pytest.fixture(scope="session")
def factories(salt_factories: FactoriesManager) -> Factories:
    """salt-factories, without what these tests do not need."""
    return Factories.like(salt_factories)


@pytest.fixture(scope="session")
def git_server(short_directory: Path) -> Iterator[GitServer]:
    with GitServer(short_directory / "sources").running() as server:
        yield server


@pytest.fixture(scope="session")
def payload_port() -> int:
    """Where the master serves payloads over http."""
    return free_port()


@pytest.fixture(scope="session")
def pillar(
    short_directory: Path, git_server: GitServer, payload_port: int, request: pytest.FixtureRequest
) -> Pillar:
    payloads = f"http://127.0.0.1:{payload_port}"
    pillar = Pillar(short_directory / "pillar", short_directory / "disks", git_server.url, payloads)
    for item in request.session.items:
        if "repo" in getattr(item, "fixturenames", ()):
            mark = item.get_closest_marker("repo")
            pillar.add(repo_name(item), mark.kwargs if mark else {})
    return pillar


def recipe_of_publisher_acl(user: str, minion: str) -> dict[str, Any]:
    """That of docs/roles.md, for a user and the minion that stands beside the master."""
    (example,) = re.findall(
        r"```yaml\n(publisher_acl:.*?)```", (CHECKOUT / "docs" / "roles.md").read_text(), re.S
    )
    (rights,) = yaml.safe_load(example)["publisher_acl"]["alice"]
    return {user: [{minion: functions} for functions in rights.values()]}


@pytest.fixture(scope="session")
def fleet(
    factories: Factories, short_directory: Path, checkout: Path, pillar: Pillar, payload_port: int
) -> Iterator[Fleet]:
    doors = {"module_dirs": [str(checkout), str(HERE / "salt")]}
    fleet = Fleet(
        factories,
        short_directory,
        WEB,
        master={
            **doors,
            "pillar_dirs": [str(checkout / "_pillar")],  # the checkout's own pillar/ hides _pillar/
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
            "file_roots": {"base": [str(HERE / "salt" / "files")]},
            # it keeps the warm door, and looks for dead deploys when all tests are over: tests resume by themselves
            "engines": [{"deploy_payloads": {"port": payload_port}}, {"deploy": {"every": 86_400}}],
            "peer_run": {"web8": ["deploy.*"]},  # the deployment server of those who reach the master so
            "publisher_acl": recipe_of_publisher_acl("nobody", "web8"),
        },
        minion={**doors, "grains": {"deployment_target": ["everywhere"]}},
        options={"web4": {"startup_states": "sls", "sls_list": ["catch_up"]}},
        wired=["web3"],
    )
    with fleet.running():
        yield fleet


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("releases") / "releases.git")


@pytest.fixture
def repo(fleet: Fleet, pillar: Pillar, releases: Releases, request: pytest.FixtureRequest) -> Repo:
    """A repo that no host has yet."""
    return Repo(repo_name(request.node), fleet, pillar, releases)
