"""The engine on a real master: a deploy without a process is gone on with to its end."""

from __future__ import annotations

import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import salt.config
import yaml
from saltbridge import master as bridge
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.plan_model import Part, Plan
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.rollout.model import Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release
from saltfactories.manager import FactoriesManager

from tests.support.receiving import Receiver
from tests.support.redisserver import RunningRedis
from tests.support.serving import free_port, until

DEPLOYS = {"orphan": "20261123120000000000", "ended": "20261123110000000000"}
METRICS = free_port()
_PATIENCE = 120.0  # seconds; only a broken test waits for so long


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """Where sockets may lie: their paths are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def salt_factories_config(short_directory: Path) -> dict[str, Any]:
    return {"root_dir": short_directory, "inject_sitecustomize": False, "slow_stop": False}


@pytest.fixture(scope="session")
def redis_server(short_directory: Path) -> Iterator[RunningRedis]:
    """A redis with a password, which the pillar names by its file."""
    server = RunningRedis(short_directory / "redis", "correct-horse-battery")
    (short_directory / "redis.password").write_text(f"{server.password}\n")
    with server.running():
        yield server


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A web server that hooks are posted to."""
    with Receiver() as running:
        yield running


@dataclass
class Master:
    """A running master with the engine, and no minion."""

    root: Path

    def told(self, repo: str) -> list[events.Event]:
        return list(replay(Journals(self.root).path(repo, DEPLOYS[repo])))

    def wait_for(self, repo: str, event: str) -> list[events.Event]:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            told = self.told(repo)
            if event in [each["event"] for each in told]:
                return told
            time.sleep(0.1)
        raise AssertionError(f"{repo}: no {event} came; told: {[each['event'] for each in self.told(repo)]}")


@pytest.fixture(scope="session")
def master(
    salt_factories: FactoriesManager,
    short_directory: Path,
    checkout: Path,
    redis_server: RunningRedis,
    receiver: Receiver,
) -> Iterator[Master]:
    pillar = short_directory / "pillar"
    pillar.mkdir()
    (pillar / "top.sls").write_text(yaml.safe_dump({"base": {"*": ["repos"]}}))
    (short_directory / "announced").touch()
    access = {"host": "127.0.0.1", "port": str(redis_server.port)}
    deployment = {
        "redis": {**access, "password_file": str(short_directory / "redis.password")},
        "signals": {
            "webhook": {"url": receiver.url},
            "dead": {"kind": "irc", "host": "127.0.0.1", "port": free_port()},
            "prometheus": {"port": METRICS},
            "raises": {"kind": "salt", "function": "file.append", "args": ["/nowhere/at/all", "{line}"]},
            "note": {
                "kind": "salt",
                "function": "file.append",
                "args": [str(short_directory / "announced"), "{line}"],
                "on": ["finished"],
            },
        },
    }
    repos = {name: {"location": f"/srv/{name}", "source": "/srv/source"} for name in DEPLOYS}
    (pillar / "repos.sls").write_text(yaml.safe_dump({"deployment_config": deployment, "repo_config": repos}))
    daemon = salt_factories.salt_master_daemon(
        "master",
        overrides={
            "module_dirs": [str(checkout)],
            "pillar_dirs": [str(checkout / "_pillar")],
            "pillar_roots": {"base": [str(pillar)]},
            "ext_pillar": [{"deploy_pins": {}}],
            "worker_threads": 3,
            "pytest-master": {"log": {"disabled": True}},
            "engines": [{"deploy": {"every": 1}}],
        },
    )
    found = Master(bridge.root(salt.config.client_config(str(daemon.config_file))))
    journal(found.root, "ended", events.FINISHED)
    journal(found.root, "orphan")
    with daemon.started():
        yield found


def journal(root: Path, repo: str, *more: str) -> None:
    """The journal of a deploy that had decided everything, and whose process is no more."""
    order = Order(DEPLOYS[repo], 1, FETCH, Release(repo, "v1", "1" * 40), "bundle")
    waves = (Wave("", "", ("ghost",), 1, 0),)
    script = Plan("sync", "alice", "", (Part(order, ("ghost",)),), waves, Rules())
    begun = events.started(DEPLOYS[repo], repo, time.time(), tag="v1", commit="1" * 40, user="alice", hosts=1,
                           action="sync", groups=[], left_out=0, reason="bump", epoch=1)  # fmt: skip
    with Journals(root).write(repo, DEPLOYS[repo]) as writer:
        writer.append(begun)
        writer.append(events.planned(DEPLOYS[repo], repo, time.time(), script=script.to_wire()))
        for name in more:
            writer.append({"event": name, "repo": repo, "deploy": DEPLOYS[repo], "time": time.time()})


def test_a_deploy_whose_process_died_is_gone_on_with_to_its_end(master: Master) -> None:
    told = master.wait_for("orphan", events.FINISHED)
    names = [each["event"] for each in told]
    assert names.count(events.RESUMED) == 1
    assert told[-1]["outcome"] == "HELD"  # its only host is not there
    assert {each["user"] for each in told if each["event"] == events.RESUMED} == {"engine"}
    end = time.monotonic() + _PATIENCE
    while is_held(master.root, "orphan") and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_held(master.root, "orphan")


def test_a_deploy_that_has_ended_is_left_alone(master: Master) -> None:
    master.wait_for("orphan", events.RESUMED)  # the engine has looked at all of them
    assert [each["event"] for each in master.told("ended")] == [
        events.STARTED,
        events.PLANNED,
        events.FINISHED,
    ]


def test_S75_the_engine_fills_redis_from_the_journals_also_when_it_comes_back_empty(
    master: Master, redis_server: RunningRedis
) -> None:
    master.wait_for("orphan", events.FINISHED)
    held = _wait_for_minion(redis_server)
    assert held["fetch_status"] != "0", "its host is not there"
    redis_server.kill()
    redis_server.start()
    assert _wait_for_minion(redis_server) == held
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert redis_server.password not in shown


def test_other_systems_are_told_of_the_end_once_while_one_of_them_is_dead(
    master: Master, receiver: Receiver, short_directory: Path
) -> None:
    master.wait_for("orphan", events.FINISHED)
    receiver.wait(lambda got: any(each.document["kind"] == "finished" for each in got))
    ends = [each for each in receiver.documents if each["kind"] == "finished"]
    assert [(each["repo"], each["outcome"]) for each in ends] == [("orphan", "HELD")]
    announced = short_directory / "announced"
    until(announced.read_text)
    assert "[orphan@" in announced.read_text() and "HELD" in announced.read_text()


def test_the_engine_serves_metrics_of_what_the_journals_tell(master: Master) -> None:
    master.wait_for("orphan", events.FINISHED)
    wanted = 'saltdeploy_deploys_total{action="sync",outcome="HELD",repo="orphan"} 1.0'
    until(lambda: wanted in _metrics())


def _metrics() -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _wait_for_minion(redis_server: RunningRedis) -> dict[str, str]:
    """What redis holds of the only host of the orphan, once it holds its answer."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        found = redis_server.client.hgetall("deploy:orphan:minions:ghost")
        if "fetch_status" in found:
            return dict(found)
        time.sleep(0.1)
    raise AssertionError(f"redis was not filled: {redis_server.client.keys('*')}")
