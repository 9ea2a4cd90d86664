"""What deploys tell, in a real redis: Trebuchet's keys as its readers expect them, and whatever happens to the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.records.forgotten import ForgottenHosts
from saltdeploy.master.records.journal import Journals
from saltdeploy.watch.redis_filler import POSITIONS, RedisFiller
from saltdeploy.watch.redis_keys import STREAM, of_return
from saltdeploy.watch.redis_server import RedisServer, RedisSettings

from tests.support.redisserver import RunningRedis
from tests.support.told import FIRST, REPO, SECOND, THIRD, Told

pytestmark = pytest.mark.component("a redis server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningRedis]:
    with RunningRedis(tmp_path / "redis").running() as running:
        yield running


def filler(server: RunningRedis, root: Path) -> RedisFiller:
    return RedisFiller(RedisServer(server.settings), Journals(root).paths, ForgottenHosts(root).all)


# -- Trebuchet's keys -----------------------------------------------------------------------------------


def test_S75_a_deploy_stands_in_trebuchets_keys_byte_for_byte(server: RunningRedis, tmp_path: Path) -> None:
    Told(tmp_path, FIRST, "v1", 1000.5, "web1", "web2").whole()
    filler(server, tmp_path).fill()
    found = server.everything()
    assert found["deploy:repos"] == {REPO}
    assert found[f"deploy:{REPO}:minions"] == {"web1", "web2"}
    assert found[f"deploy:{REPO}:minions:web2"] == {
        "fetch_checkin_timestamp": "1003.5",
        "fetch_status": "0",
        "fetch_timestamp": "1005.5",
        "fetch_tag": "v1",
        "checkout_checkin_timestamp": "1006.5",
        "checkout_status": "0",
        "checkout_timestamp": "1008.5",
        "tag": "v1",
    }
    assert found["deploy:log"] == [
        "!log alice started synchronizing v1 'bump'",
        "!log alice synchronized v1 'bump'",
    ]


def test_a_stage_that_failed_leaves_the_tags_as_they_were(server: RunningRedis, tmp_path: Path) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").begin().ask("fetch").answer("fetch", status=60).end("HELD")
    filler(server, tmp_path).fill()
    web1 = server.client.hgetall(f"deploy:{REPO}:minions:web1")
    assert (web1["fetch_status"], web1["fetch_tag"], web1["tag"]) == ("60", "v1", "v1")
    assert len(server.client.lrange("deploy:log", 0, -1)) == 3, "what was held was not synchronized"


def test_a_way_back_is_a_checkout_of_the_tag_that_is_live_again(server: RunningRedis, tmp_path: Path) -> None:
    second = Told(tmp_path, SECOND, "v2", 2000.0, "web1").begin().ask("fetch").answer("fetch")
    second.ask("checkout").answer("checkout", live="v2").ask("rollback").answer("rollback", live="v1")
    filler(server, tmp_path).fill()
    web1 = server.client.hgetall(f"deploy:{REPO}:minions:web1")
    assert (web1["tag"], web1["fetch_tag"], web1["checkout_status"]) == ("v1", "v2", "0")


def test_a_restart_has_trebuchets_truth_value_for_a_status(server: RunningRedis, tmp_path: Path) -> None:
    told = Told(tmp_path, FIRST, "v1", 1000.0, "web1", "web2", action="restart").begin().ask("checkout")
    told.answer("checkout", "web1", live="v1").answer("checkout", "web2", status=80)
    filler(server, tmp_path).fill()
    hosts = [server.client.hgetall(f"deploy:{REPO}:minions:{host}") for host in ("web1", "web2")]
    assert [host["restart_status"] for host in hosts] == ["True", "False"]
    assert not any("tag" in host or "checkout_status" in host for host in hosts)


def test_a_host_that_runs_the_release_already_counts_as_completed(
    server: RunningRedis, tmp_path: Path
) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").begin().ask("fetch").answer(
        "fetch", live="v1", unchanged=True
    )
    filler(server, tmp_path).fill()
    web1 = server.client.hgetall(f"deploy:{REPO}:minions:web1")
    assert (web1["tag"], web1["checkout_status"]) == ("v1", "0")


def ricochet(server: RunningRedis, deploy: dict[str, Any]) -> dict[str, str]:
    """What Ricochet's page shows of each minion, by its own rules; for "fetch checkout", "g" is green."""
    client, shown = server.client, {}
    for minion in sorted(client.smembers(f"deploy:{REPO}:minions")):
        data = client.hgetall(f"deploy:{REPO}:minions:{minion}")
        fetched = float(data.get("fetch_timestamp", 0)) > deploy["time"] and int(data["fetch_status"]) == 0
        shown[minion] = ("g" if fetched else "-") + ("g" if data.get("tag") == deploy["tag"] else "-")
    return shown


def test_S75_ricochet_sees_a_deploy_go_on(server: RunningRedis, tmp_path: Path) -> None:
    filled = filler(server, tmp_path)
    Told(tmp_path, FIRST, "v1", 1000.0, "web1", "web2").whole()
    second, file = Told(tmp_path, SECOND, "v2", 2000.0, "web1", "web2").begin(), {"tag": "v2", "time": 2000}
    seen = []
    for step in (
        lambda: second.ask("fetch").answer("fetch", "web1"),
        lambda: second.answer("fetch", "web2"),
        lambda: second.ask("checkout").answer("checkout", "web1", live="v2"),
        lambda: second.answer("checkout", "web2", live="v2").end(),
    ):
        step()
        filled.fill()
        seen.append(ricochet(server, file))
    assert [f"{each['web1']} {each['web2']}" for each in seen] == ["g- --", "g- g-", "gg g-", "gg gg"]


# -- hosts that are gone --------------------------------------------------------------------------------


def test_a_host_that_takes_the_repo_no_more_is_pruned_by_the_next_whole_deploy(
    server: RunningRedis, tmp_path: Path
) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1", "ghost").whole()
    filled = filler(server, tmp_path)
    filled.fill()
    Told(tmp_path, SECOND, "v2", 2000.0, "web1", left_out=1).whole()
    filled.fill()
    assert server.client.smembers(f"deploy:{REPO}:minions") == {"web1", "ghost"}, (
        "a limited deploy prunes nobody"
    )
    Told(tmp_path, THIRD, "v3", 3000.0, "web1").whole()
    filled.fill()
    assert server.client.smembers(f"deploy:{REPO}:minions") == {"web1"}
    assert not server.client.exists(f"deploy:{REPO}:minions:ghost")


def test_a_forgotten_host_stays_away_when_redis_is_filled_again_and_returns_when_deployed_to(
    server: RunningRedis, tmp_path: Path
) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1", "ghost").whole()
    filled = filler(server, tmp_path)
    filled.fill()
    ForgottenHosts(tmp_path).add("ghost", 1500.0)
    filled.fill()
    assert server.client.smembers(f"deploy:{REPO}:minions") == {"web1"}
    server.client.flushall()
    filled.fill()
    assert server.client.smembers(f"deploy:{REPO}:minions") == {"web1"}
    Told(tmp_path, SECOND, "v2", 2000.0, "ghost", left_out=1).whole()
    filled.fill()
    assert server.client.smembers(f"deploy:{REPO}:minions") == {"web1", "ghost"}
    filler(server, tmp_path).fill()  # another process knows that it was forgotten already
    assert server.client.hget(f"deploy:{REPO}:minions:ghost", "tag") == "v2"


# -- a server with troubles -----------------------------------------------------------------------------


def undisturbed(tmp_path: Path, root: Path) -> dict[str, object]:
    """What a server holds that was there all the time."""
    with RunningRedis(tmp_path / "other").running() as other:
        filler(other, root).fill()
        return projected(other)


def projected(server: RunningRedis) -> dict[str, object]:
    return {key: value for key, value in server.everything().items() if key != "saltdeploy:serial"}


@pytest.mark.parametrize("how", ["lost everything", "restored from an older copy", "emptied while it runs"])
def test_S75_a_server_that_comes_back_in_mid_deploy_equals_the_journal(
    server: RunningRedis, tmp_path: Path, how: str
) -> None:
    root = tmp_path / "master"
    Told(root, FIRST, "v1", 1000.0, "web1", "web2").whole()
    filled = filler(server, root)
    filled.fill()
    if how == "restored from an older copy":
        server.client.save()
    second = Told(root, SECOND, "v2", 2000.0, "web1", "web2").begin().ask("fetch").answer("fetch", "web1")
    filled.fill()
    if how == "emptied while it runs":
        server.client.flushall()
    else:
        server.kill()
    second.answer("fetch", "web2").ask("checkout").answer("checkout", "web1", live="v2")
    if how != "emptied while it runs":
        assert filled.look() == 0.5
        assert filled.look() == 1.0, "it is asked less and less often"
        server.start()
    assert filled.look() == 0.5
    assert projected(server) == undisturbed(tmp_path, root)
    second.answer("checkout", "web2", live="v2").end()
    filled.fill()
    assert projected(server) == undisturbed(tmp_path, root)


def test_a_full_server_takes_a_transaction_whole_or_not_at_all(server: RunningRedis, tmp_path: Path) -> None:
    root = tmp_path / "master"
    Told(root, FIRST, "v1", 1000.0, "web1").whole()
    filled = filler(server, root)
    server.client.config_set("maxmemory", "1")
    assert filled.look() == 0.5
    assert server.client.keys("*") == []
    server.client.config_set("maxmemory", "0")
    assert filled.look() == 0.5
    assert projected(server) == undisturbed(tmp_path, root)


def test_a_server_that_hangs_is_given_up_and_filled_later(server: RunningRedis, tmp_path: Path) -> None:
    root = tmp_path / "master"
    filled = filler(server, root)
    with server.hanging():
        Told(root, FIRST, "v1", 1000.0, "web1").whole()
        assert filled.look() == 0.5, "it came back while the server still hangs"
    filled.fill()
    assert projected(server) == undisturbed(tmp_path, root)


def test_another_process_goes_on_where_one_was_killed(server: RunningRedis, tmp_path: Path) -> None:
    root = tmp_path / "master"
    second = Told(root, SECOND, "v2", 2000.0, "web1", "web2").begin().ask("fetch").answer("fetch")
    filler(server, root).fill()
    second.ask("checkout").answer("checkout", live="v2").end()
    filler(server, root).fill()
    assert projected(server) == undisturbed(tmp_path, root)
    assert len(server.client.xrange(STREAM)) == 6, "every event once; planned and asked are the journal's own"


def test_the_stream_holds_each_event_as_it_stands_in_the_journal(
    server: RunningRedis, tmp_path: Path
) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    filler(server, tmp_path).fill()
    entries = [fields for _, fields in server.client.xrange(STREAM)]
    assert [each["event"] for each in entries] == ["started", "host_finished", "host_finished", "finished"]
    assert {(each["deploy"], each["repo"]) for each in entries} == {(FIRST, REPO)}
    assert json.loads(entries[0]["data"])["user"] == "alice"


def test_a_password_is_needed_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    password, root = "correct-horse-battery", tmp_path / "master"
    Told(root, FIRST, "v1", 1000.0, "web1").whole()
    with RunningRedis(tmp_path / "redis", password).running() as server:
        filler(server, root).fill()
        assert server.client.smembers("deploy:repos") == {REPO}
        wrong = RedisSettings("127.0.0.1", server.port, password="no-" + password)
        denied = RedisFiller(RedisServer(wrong), Journals(root).paths, dict)
        denied.look()
    assert "does not take what deploys tell" in caplog.text
    assert password not in caplog.text + repr(wrong) + repr(server.settings)


def test_journals_that_are_not_looked_at_for_a_while_are_neither_forgotten_nor_told_twice(
    server: RunningRedis, tmp_path: Path
) -> None:
    class Newest:
        are_all = False

        def __call__(self) -> list[Path]:
            return Journals(tmp_path).paths()[-1:]

    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    filler(server, tmp_path).fill()
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").whole()
    RedisFiller(RedisServer(server.settings), Newest(), dict).fill()
    assert set(server.client.hkeys(POSITIONS)) == {FIRST, SECOND}
    before = server.client.xlen(STREAM)
    filler(server, tmp_path).fill()
    assert server.client.xlen(STREAM) == before


# -- the returner ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "answer", "hash_"),
    [
        ("deploy.fetch", {"status": 0, "repo": REPO, "dependencies": [], "tag": "v1"},
         {"fetch_status": "0", "fetch_timestamp": "7.5", "fetch_tag": "v1"}),
        ("deploy.fetch", {"status": 10, "repo": REPO, "dependencies": []},
         {"fetch_status": "10", "fetch_timestamp": "7.5"}),
        ("deploy.checkout", {"status": 30, "repo": REPO, "dependencies": [], "tag": "v1"},
         {"checkout_status": "30", "checkout_timestamp": "7.5"}),
        ("deploy.restart", {"status": True, "repo": REPO, "dependencies": []},
         {"restart_status": "True", "restart_timestamp": "7.5"}),
        ("deploy.sync_all", {"status": 0, "stats": {REPO: {"deploy.checkout": {"status": 0, "tag": "v1"}}}},
         {"checkout_status": "0", "checkout_timestamp": "7.5", "tag": "v1"}),
        ("deploy.restart", {}, {}),
        ("test.ping", True, {}),
        ("deploy.fetch", "The minion function caused an exception", {}),
    ],
)  # fmt: skip
def test_the_returner_writes_an_answer_as_trebuchets_did(
    server: RunningRedis, function: str, answer: Any, hash_: dict[str, str]
) -> None:
    RedisServer(server.settings).write(of_return(function, "web1", answer, 7.5))
    assert server.client.hgetall(f"deploy:{REPO}:minions:web1") == hash_
    assert server.client.smembers("deploy:repos") == ({REPO} if hash_ else set())


def test_F38_how_far_it_was_told_a_journal_goes_with_the_journal_and_what_it_was_told_stays(
    server: RunningRedis, tmp_path: Path
) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").whole()
    filled = filler(server, tmp_path)
    filled.fill()
    before = server.client.hgetall(f"deploy:{REPO}:minions:web1")
    assert set(server.client.hgetall(POSITIONS)) == {FIRST, SECOND}
    Journals(tmp_path).path(REPO, FIRST).unlink()
    filled.fill()
    assert set(server.client.hgetall(POSITIONS)) == {SECOND}
    filler(server, tmp_path).fill()
    assert server.client.hgetall(f"deploy:{REPO}:minions:web1") == before
