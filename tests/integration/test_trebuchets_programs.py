"""Trigger drives deploys of a real fleet by ``publish.runner``, and Ricochet shows them from a real redis: by the rules of both, and
as their authors left them where ``TREBUCHET_ORIGINALS`` names their checkouts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.watch.redis_filler import RedisFiller
from saltdeploy.watch.redis_server import RedisServer

from tests.integration.fleet import wait_for
from tests.integration.repo import Repo
from tests.integration.rollouts import IS_WELL, journal, unwell
from tests.integration.terminal import terminal
from tests.integration.test_git_deploy import PROMPT, deployer, shown
from tests.support import originals, trebuchets_rules
from tests.support.redisserver import RunningRedis

HOOKS: dict[str, Any] = {
    "fetch_module_calls": {"gate.wait": ["DISK/gate"]},
    "checks": {"well": IS_WELL},
    "restart_command": ["true"],
}
GREEN = {"web1": (True, True), "web2": (True, True)}


@pytest.fixture
def redis(repo: Repo, tmp_path: Path) -> Iterator[RunningRedis]:
    """A redis that is filled from the master's journals all the time, as the engine does it."""
    with RunningRedis(tmp_path / "redis").running() as server:
        filler = RedisFiller(RedisServer(server.settings), Journals(repo.fleet.root).paths, dict)
        over = threading.Event()

        def fill() -> None:
            while not over.wait(0.1):
                filler.look()

        filling = threading.Thread(target=fill)
        filling.start()
        try:
            yield server
        finally:
            over.set()
            filling.join()


def publish(repo: Repo, *words: str) -> str:
    """``salt-call -l quiet --out=json publish.runner ...`` on the deployment server, as Trigger calls it."""
    command = [*repo.fleet.hosts["web8"].salt_call, "-l", "quiet", "--out=json", "publish.runner", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.repo("trebuchets-rules", **HOOKS)
def test_S75_F04_a_deploy_that_trigger_asks_for_stands_in_redis_as_ricochet_reads_it(
    repo: Repo, tmp_path: Path, redis: RunningRedis
) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    alice.deploys("start")
    alice.deploys("sync")  # nobody answers its prompt: it was fetched, and the deploy file is there
    tag = alice.deploy_file()["tag"]

    def reports(stage: str) -> str:
        return trebuchets_rules.report(redis.client, repo.name, tag, stage)

    def page() -> dict[str, Any]:
        return trebuchets_rules.page(redis.client, alice.place, repo.name)

    publish(repo, "deploy.fetch", repo.name)
    wait_for(lambda: reports("fetch") == "2/2 minions completed fetch")
    assert reports("sync") == "2/2 minions completed fetch; 0/2 minions completed checkout"
    assert trebuchets_rules.colours(page()) == dict.fromkeys(repo.hosts, (True, False))
    assert page()["lock_data"]["user"] == "alice"
    wait_for(lambda: journal(repo)[-1]["event"] == "finished")
    publish(repo, "deploy.checkout", f"{repo.name},False")
    wait_for(lambda: reports("checkout") == "2/2 minions completed checkout")
    assert trebuchets_rules.colours(page()) == GREEN
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    wait_for(lambda: journal(repo)[-1]["event"] == "finished")

    with unwell(repo, "web2"):
        lines = trebuchets_rules.restarted(publish(repo, "deploy.restart", f"{repo.name},1"))
        wait_for(lambda: journal(repo)[-1]["event"] == "finished")
    # on a machine that takes longer than the answer may, the rest has no status yet
    for line, answered in zip(lines, ("web1: True", "web2: False"), strict=True):
        assert line in (answered, f"{answered.partition(' ')[0]} No status available")
    key = f"deploy:{repo.name}:minions"
    wait_for(lambda: redis.client.hget(f"{key}:web1", "restart_status") == "True")
    wait_for(lambda: redis.client.hget(f"{key}:web2", "restart_status") == "False")
    assert (journal(repo)[0]["once"], journal(repo)[0]["user"]) == ({"batch": 1}, "minion:web8")
    (line,) = trebuchets_rules.restarted(publish(repo, "deploy.restart", "no-such,10%"))
    assert "no-such" in line and "Next: " in line


@pytest.mark.repo("trebuchets-originals", **HOOKS)
def test_S75_trigger_and_ricochet_as_their_authors_left_them(
    repo: Repo, tmp_path: Path, redis: RunningRedis
) -> None:
    originals.originals()
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    programs = tmp_path / "programs"
    programs.mkdir()
    salt_call = shlex.join(repo.fleet.hosts["web8"].salt_call)
    for name, text in {"sudo": 'exec "$@"', "salt-call": f'unset PYTHONPATH; exec {salt_call} "$@"'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def types(*words: str, asks: tuple[str, ...] = ()) -> tuple[int, str]:
        """``git deploy`` of Trigger; at each prompt the report is asked for until it says this, and then it goes on."""
        sits = alice.at_home()
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        python = {"PYTHONPATH": os.environ.get("TREBUCHET_PYTHONPATH", "")}
        environment = {**sits["environment"], **python, "PATH": path}
        with terminal(originals.trigger(redis.port, *words), alice.place, environment) as person:
            for wanted in asks:
                while wanted not in person.until(PROMPT):
                    time.sleep(1)
                    person.type("c")
                wait_for(lambda: journal(repo)[-1]["event"] == "finished")
                person.type("y")
            return person.end(), person.seen

    def page() -> dict[str, Any]:
        listed, found = originals.ricochet(
            redis.port, alice.place.parent, tmp_path, ["/repolist", f"/repo/{repo.name}"]
        )
        assert repo.name in listed
        assert isinstance(found, dict)
        return found

    assert types("start") == (0, "Deployment started.\n")
    assert types("start")[0] == 100
    both = ("2/2 minions completed fetch", "2/2 minions completed checkout")
    code, said = types("sync", asks=both)
    assert (code, said.splitlines()[-1]) == (0, "Deployment finished."), said
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    assert trebuchets_rules.colours(page()) == GREEN
    assert json.dumps(page(), sort_keys=True) == json.dumps(
        trebuchets_rules.page(redis.client, alice.place, repo.name), sort_keys=True
    )
    assert "; ".join(both) in types("report", "sync")[1]
    code, said = types("service", "restart", "--batch", "1")
    assert code == 0
    assert set(said.replace("No status available", "True").splitlines()) == {"web1: True", "web2: True"}
    assert types("service", "stop")[0] == 200
