"""Tags of a repository with submodules, and the programs that Trigger's own driver calls there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import COMMAND, Deployer


@pytest.fixture
def nested(alice: Deployer, tmp_path: Path) -> Deployer:
    """The staging repository with a submodule ``ext``, in which is a submodule ``lib``."""
    for name in ("lib", "ext"):
        other = Deployer("alice", tmp_path / f"home-{name}", tmp_path / name)
        other.commits(name)
        if name == "ext":
            other.git(
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                str(tmp_path / "lib"),
                "lib",
            )
            other.git("commit", "--quiet", "--message", "lib")
    alice.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "ext"), "ext")
    alice.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    alice.git("commit", "--quiet", "--message", "ext")
    return alice


def tags_in(person: Deployer, place: str) -> list[str]:
    return person.git("-C", place, "tag").split()


def test_start_tags_are_of_the_parent_alone(nested: Deployer) -> None:
    nested.git("config", "deploy.checkout-submodules", "true")
    assert nested.deploys("start").code == 0
    assert len(nested.tags()) == 1
    assert tags_in(nested, "ext") == tags_in(nested, "ext/lib") == []


@pytest.mark.parametrize("wanted", [True, False])
def test_sync_tags_are_in_submodules_where_that_is_configured(nested: Deployer, wanted: bool) -> None:
    nested.git("config", "deploy.checkout-submodules", str(wanted).lower())
    nested.deploys("start")
    assert nested.deploys("sync").code == 163  # there is no master here
    (tag,) = (tag for tag in nested.tags() if "-sync-" in tag)
    found = [tag] if wanted else []
    assert tags_in(nested, "ext") == tags_in(nested, "ext/lib") == found
    listed = nested.place / ".git" / "info" / "refs"
    assert f"refs/tags/{tag}" in listed.read_text()
    assert (nested.place / ".git" / "modules" / "ext" / "info" / "refs").exists() is wanted


def test_a_submodule_that_is_not_at_its_recorded_commit_makes_the_tree_dirty(nested: Deployer) -> None:
    nested.deploys("start")
    nested.git("-C", "ext", "commit", "--quiet", "--allow-empty", "--message", "elsewhere")
    assert nested.deploys("sync").code == 161


def test_trigger_submodule_update_lets_http_find_the_tags_of_a_submodule(nested: Deployer) -> None:
    program = str(COMMAND.with_name("trigger-submodule-update"))
    nested.git("-C", "ext", "tag", "v1")
    done = subprocess.run([sys.executable, program], cwd=nested.place / "ext")
    assert done.returncode == 0
    assert "refs/tags/v1" in (nested.place / ".git" / "modules" / "ext" / "info" / "refs").read_text()
    assert subprocess.run([sys.executable, program], cwd=nested.place).returncode == 1
