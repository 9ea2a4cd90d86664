"""A staging repository with one commit, and who deploys it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import REPO, Deployer


def pytest_itemcollected(item: pytest.Item) -> None:
    if "alice" in getattr(item, "fixturenames", ()):
        item.add_marker(
            pytest.mark.component(
                "people who type: each of their commands is a process, as is each git of it"
            )
        )


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    return tmp_path / "staging"


@pytest.fixture
def alice(tmp_path: Path, staging: Path) -> Deployer:
    person = Deployer("alice", tmp_path / "alice", staging, salt_run="no-such-salt-run")
    person.git("config", "deploy.repo-name", REPO)
    person.commits("one")
    return person


@pytest.fixture
def bob(tmp_path: Path, alice: Deployer) -> Deployer:
    return Deployer("bob", tmp_path / "bob", alice.place)
