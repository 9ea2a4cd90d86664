"""Through Salt's own loaders: the returner ``deploy_redis`` writes, and ``deploy.forget`` takes a host away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.minion
import yaml

from tests.functional.test_doors import configuration
from tests.support.redisserver import RunningRedis

REPO, MINIONS = "test/testrepo", "deploy:test/testrepo:minions"
FETCHED = {"fun": "deploy.fetch", "id": "web1", "return": {"status": 0, "repo": REPO, "tag": "v1"}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningRedis]:
    with RunningRedis(tmp_path / "redis", "correct-horse-battery").running() as running:
        yield running


@pytest.fixture
def file(checkout: Path, tmp_path: Path, server: RunningRedis) -> Path:
    """The configuration of both a minion and a master whose pillar names the server."""
    pillar = tmp_path / "pillar"
    pillar.mkdir()
    (tmp_path / "password").write_text(server.password)
    section = {
        "host": "127.0.0.1",
        "port": server.port,
        "password_file": str(tmp_path / "password"),
        "socket_connect_timeout": 1,
    }
    (pillar / "top.sls").write_text(yaml.safe_dump({"base": {"*": ["redis"]}}))
    (pillar / "redis.sls").write_text(yaml.safe_dump({"deployment_config": {"redis": section}}))
    roots = {"base": [str(pillar)]}
    return configuration(checkout, tmp_path, module_dirs=[str(checkout)], pillar_roots=roots)


def returner(file: Path) -> Any:
    minion = salt.minion.SMinion(salt.config.minion_config(str(file)))
    return salt.loader.returners(minion.opts, minion.functions)["deploy_redis.returner"]


def test_the_returner_writes_what_a_minion_answers(file: Path, server: RunningRedis) -> None:
    returner(file)(FETCHED)
    assert server.client.smembers(MINIONS) == {"web1"}
    assert server.client.hget(f"{MINIONS}:web1", "fetch_tag") == "v1"


def test_a_returner_without_its_redis_is_one_line_in_the_log(
    file: Path, server: RunningRedis, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    returner(file)(FETCHED)
    server.start()
    assert "does not take what deploys tell" in caplog.text
    assert server.password not in caplog.text


def test_forget_takes_a_host_out_at_once_or_says_that_redis_is_away(file: Path, server: RunningRedis) -> None:
    returner(file)(FETCHED)
    forget = salt.loader.runner(salt.config.master_config(str(file)))["deploy.forget"]
    server.kill()
    refused = forget(host="web1")
    assert (refused["retcode"], "does not take" in refused["error"]["cause"]) == (1, True)
    server.start()
    returner(file)(FETCHED)
    assert forget(host="web1")["retcode"] == 0
    assert not server.client.keys(f"{MINIONS}*")
