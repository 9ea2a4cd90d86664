"""A deployer at a terminal of the deployment server, who types ``git deploy`` as in Trebuchet's days; real hosts."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.repo import Repo
from tests.integration.terminal import terminal
from tests.unit.trebuchet.deployers import COMMAND, Deployer

PROMPT = "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): "
GATE = {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}}


def deployer(repo: Repo, tmp_path: Path, name: str = "alice", **settings: str) -> Deployer:
    """Somebody in the staging repository of a repo, which is what the master reads."""
    if not (repo.git_dir / ".git").exists():
        shutil.rmtree(repo.git_dir)
    own = {"salt_run": shlex.join(salt_run(repo.fleet)), **settings}
    person = Deployer(name, tmp_path / name, repo.git_dir, **own)
    person.git("config", "deploy.repo-name", repo.name)
    return person


def salt_run(fleet: Fleet) -> list[str]:
    return fleet.command("x")[:-1]


def shown(repo: Repo) -> dict[str, str]:
    """Host to the text that its users see."""
    pages = {host: repo.place(host) / "index.html" for host in repo.hosts}
    return {host: page.read_text().strip() if page.exists() else "" for host, page in pages.items()}


@pytest.mark.repo(**GATE)
def test_S02_a_sync_with_a_failing_host_is_asked_about_and_retried(repo: Repo, tmp_path: Path) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    print(salt_run(repo.fleet))
    assert alice.deploys("start").code == 0
    with repo.refusing("web2"), terminal([sys.executable, str(COMMAND), "sync"], **alice.at_home()) as person:
        assert "1/2 minions completed fetch" in person.until(PROMPT)
        person.type("d")
        assert "Details:" in person.until(PROMPT)
        person.type("n")
        assert person.end() == 163
        print(person.seen)
    with terminal([sys.executable, str(COMMAND), "sync"], **alice.at_home()) as person:
        person.until(PROMPT)
        person.type("y")
        person.until(PROMPT)
        person.type("y")
        assert person.end() == 0, person.seen
        print(person.seen)
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    done = alice.deploys("report", "sync", "--detailed")
    print(done.told, done.printed)
    assert 0
