"""What ``git deploy`` shows of the staging repository alone."""

from __future__ import annotations

import pytest

from tests.unit.trebuchet.deployers import Deployer


def test_tags_are_listed_as_git_deploy_listed_them(alice: Deployer) -> None:
    one = alice.commits("a")
    alice.git("tag", "sheep-20080825-2105")
    alice.git("tag", "sheep-20080825-2116")
    alice.deploys("start")
    two = alice.commits("b")
    alice.git("-c", "user.name=x", "tag", "-m", "later", "sheep-20080827-1419")
    shown = alice.deploys("show")
    lines = shown.printed.splitlines()
    assert lines[0] == f"{two[:12]}.. *tag: sheep-20080827-1419"
    assert sorted(lines[1:]) == [
        f"{one[:12]}..  tag: sheep-20080825-2105",
        f"{one[:12]}..  tag: sheep-20080825-2116 -> sheep-20080825-2105",
    ]


def test_a_list_ends_after_twenty(alice: Deployer) -> None:
    for number in range(25):
        alice.git("tag", f"v{number}")
    assert len(alice.deploys("show").printed.splitlines()) == 20
    assert len(alice.deploys("show", "--all").printed.splitlines()) == 25


def test_log_shows_what_the_next_sync_would_bring(alice: Deployer) -> None:
    alice.deploys("start")
    alice.deploys("sync")  # there is no master here: it is tagged and no more
    assert alice.deploys("log").printed == ""
    alice.commits("two")
    alice.commits("three")
    said = [line.split(" ", 1)[1] for line in alice.deploys("log").printed.splitlines()]
    assert said == ["three", "two"]
    assert alice.deploys("show-tag").printed.strip() == alice.deploy_file()["tag"]


def test_before_the_first_sync_log_shows_everything(alice: Deployer) -> None:
    assert alice.deploys("log").printed.endswith(" one\n")
    assert alice.deploys("show-tag").code == 211


@pytest.mark.parametrize(
    "words", [("revert",), ("revert", "v1"), ("rollback", "v1"), ("lock", "moving"), ("attach",)]
)
def test_without_a_master_nothing_is_claimed(alice: Deployer, words: tuple[str, ...]) -> None:
    alice.git("tag", "v1")
    refused = alice.deploys(*words)
    assert refused.code in (131, 163)
    assert "path no-such-salt-run: no-such-salt-run cannot be started" in refused.told
    assert "Next: " in refused.told
    assert not alice.lock.exists(), "whoever has changed nothing holds nothing"


def test_status_tells_what_is_known_here_though_the_master_is_away(alice: Deployer) -> None:
    alice.deploys("start")
    alice.commits("two")
    said = alice.deploys("status")
    assert said.code == 210
    lines = said.printed.splitlines()
    assert lines[:2] == ["Repo: test/testrepo", "Tag: None"]
    assert lines[2].startswith("Deployment: started by alice at ")
    assert lines[3] == "Not synced: 2 commits"
