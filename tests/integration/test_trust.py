"""A minion with a key of its own cannot speak for another one, and cannot stop a deploy by nonsense."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from saltdeploy.lib.errors import HookFailed
from saltdeploy.master.records import journal
from saltdeploy.protocol.result import Result

from tests.integration.fleet import Bus
from tests.integration.impostor import Impostor
from tests.integration.repo import Repo, converged

GATE = {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}}


@pytest.fixture
def impostor(repo: Repo) -> Impostor:
    """web5 speaks; it takes no part in the deploy."""
    return Impostor(repo.fleet, "web5")


def job_of(bus: Bus, function: str) -> str:
    """The id of the job that asks for it."""
    seen = bus.until(lambda tag, data: tag.endswith("/new") and data.get("fun") == function)
    return str(seen[-1][1]["jid"])


def answer(repo: Repo, deploy: str, host: str, **more: Any) -> dict[str, Any]:
    """An answer to a fetch of v1 that is right in all but the host's signature."""
    commit = repo.releases.commit("v1")
    facts = {"deploy": deploy, "epoch": 1, "stage": "fetch", "tag": "v1", "commit": commit}
    return Result(host, repo.name, **facts, **more).to_wire("a secret of somebody else")


@pytest.mark.repo(**GATE)
def test_who_speaks_for_another_host_changes_no_decision(repo: Repo, impostor: Impostor) -> None:
    with repo.refusing("web1"), repo.held("web1", "web2"), repo.fleet.bus() as bus:
        process = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        deploy = bus.until(lambda tag, data: tag.endswith("/started"))[-1][0].split("/")[1]
        jid = job_of(bus, "deploy.fetch")
        repo.wait_until_held("web1", "web2")
        lie = answer(repo, deploy, "web1")  # it will fail
        slander = answer(repo, deploy, "web2", status=159, error=HookFailed("bad"))  # it will not
        forged = {"web1": lie, "web2": slander}
        for host, said in forged.items():
            impostor.put_into_the_job_cache(jid, host, "deploy.fetch", said)
            tag = f"salt/job/{jid}/ret/{host}"
            impostor.put_on_the_bus((tag, {"id": host, "jid": jid, "fun": "deploy.fetch", "return": said}))
            mac = said["mac"]
            bus.until(
                lambda _, data, mac=mac: (
                    isinstance(data.get("return"), dict) and data["return"].get("mac") == mac
                )
            )
        repo.open("web1", "web2")
        done = repo.fleet.wait(process)
    assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "HELD", 1), done
    assert done.data["hosts"]["web1"]["error"]["kind"] == "hook-failed"
    assert done.data["hosts"]["web2"]["state"] == "ok"
    assert repo.on_disk() == repo.everywhere("")
    kept = journal.replay(journal.Journals(repo.fleet.root).path(repo.name, deploy))
    warnings = " ".join(event["text"] for event in kept if event["event"] == "warned")
    assert "web1: ignored" in warnings and "web2: ignored" in warnings


@pytest.mark.repo(**GATE)
def test_F41_what_a_host_once_signed_and_somebody_plays_again_changes_nothing(repo: Repo) -> None:
    """web2 has refused an order some time ago; that refusal comes again as its answer to a deploy's."""
    old = repo.call("web2", "fetch", order={"release": {}}).data
    assert (old["status"] != 0, bool(old["mac"]), old["deploy"]) == (True, True, "")
    web2 = Impostor(repo.fleet, "web2")
    with repo.held("web2"), repo.fleet.bus() as bus:
        process = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        deploy = bus.until(lambda tag, data: tag.endswith("/started"))[-1][0].split("/")[1]
        jid = job_of(bus, "deploy.fetch")
        repo.wait_until_held("web2")
        web2.put_on_the_bus((f"salt/job/{jid}/ret/web2", {"id": "web2", "jid": jid, "return": old}))
        warned = bus.until(lambda tag, data: tag == f"deploy/{deploy}/warned")[-1][1]
        assert f"an answer to {old['job']} came as one to {jid}" in warned["text"]
    converged(repo.fleet.wait(process))
    assert repo.on_disk() == repo.everywhere("v1")


def nonsense(repo: Repo, deploy: str) -> Iterator[Any]:
    """What an answer is not."""
    yield from (None, True, "text", b"bytes", 7, -1, 1e300, [], [[]] * 100, {}, {"status": 0}, {1: 2, "b": 3})
    right = answer(repo, deploy, "web2")
    for key in right:
        for value in (None, "text" * 1000, -1, [b"bytes"], {1: {2: b"3"}}, "\x1b[2J"):
            yield {**right, key: value}


@pytest.mark.repo(**GATE)
def test_nonsense_is_ignored(repo: Repo) -> None:
    web2 = Impostor(repo.fleet, "web2")
    with repo.held("web2"), repo.fleet.bus() as bus:
        process = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        deploy = bus.until(lambda tag, data: tag.endswith("/started"))[-1][0].split("/")[1]
        jid = job_of(bus, "deploy.fetch")
        repo.wait_until_held("web2")
        said = list(nonsense(repo, deploy))
        returns = [(f"salt/job/{jid}/ret/web2", {"id": "web2", "jid": jid, "return": each}) for each in said]
        progress = [(f"deploy/{deploy}/host_progress/web2", {"data": each}) for each in said]
        bare = [(f"deploy/{deploy}/host_progress/web2", {}), (f"salt/job/{jid}/ret/web2", {})]
        web2.put_on_the_bus(*returns, *progress, *bare)
        bus.until(lambda tag, data: tag == bare[-1][0] and "return" not in data)
    converged(repo.fleet.wait(process))
    assert repo.on_disk() == repo.everywhere("v1")


ODD: dict[str, Any] = {
    "holdings": {"live": 7, "previous": [], "held": {"a": 1}, "tags": ["v1"]},
    "facts": {"bytes": "many", "files": -1, "seconds": None, "moved_aside": {}, "slot": "\x1b[2J"},
    "tag": {},
    "commit": -1,
    "dependencies": 7,
}


@pytest.mark.parametrize("more", [{}, {"status": 1, "error": {"kind": 7, "cause": ["x"], "status": "y"}}])
@pytest.mark.repo(**GATE)
def test_a_host_that_signs_nonsense_harms_itself_only(repo: Repo, more: dict[str, Any]) -> None:
    """An answer that web2 did sign counts, whatever is in it; the deploy ends as one that web2 failed or took."""
    web2 = Impostor(repo.fleet, "web2")
    secret = repo.fleet.run_here("pillar.show_pillar", "web2").data["deploy"]["secret"]
    with repo.held("web2"), repo.fleet.bus() as bus:
        process = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        deploy = bus.until(lambda tag, data: tag.endswith("/started"))[-1][0].split("/")[1]
        jid = job_of(bus, "deploy.fetch")
        repo.wait_until_held("web2")
        said = signed({**answer(repo, deploy, "web2"), **ODD, **more, "job": jid}, secret)
        web2.put_on_the_bus((f"salt/job/{jid}/ret/web2", {"id": "web2", "jid": jid, "return": said}))
        bus.until(lambda tag, data: tag == f"deploy/{deploy}/host_finished/web2")
    done = repo.fleet.wait(process)
    if more:
        assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "HELD", 1), done
        assert (done.data["hosts"]["web1"]["state"], done.data["hosts"]["web2"]["state"]) == ("ok", "failed")
        assert repo.on_disk() == repo.everywhere("")
    else:
        converged(done)
        assert repo.on_disk() == repo.everywhere("v1")


def signed(wire: dict[str, Any], secret: str) -> dict[str, Any]:
    """What a host can make of its secret, when it does not care for our forms."""
    bare = {key: value for key, value in wire.items() if key != "mac"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return {**bare, "mac": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def test_the_pillar_of_another_host_is_not_given(repo: Repo, impostor: Impostor) -> None:
    secret = repo.fleet.run_here("pillar.show_pillar", "web1").data["deploy"]["secret"]
    try:
        given = impostor.pillar_of("web1")
    except Exception as error:  # the master ends the conversation
        given = error
    finally:  # the master has taken what was sent for the grains of web5, which are to be right again
        repo.fleet.salt("web5", "saltutil.refresh_pillar", wait=True)
    assert secret not in str(given)
    assert "everywhere" in repo.fleet.run_here("cache.grains", "web5").data["web5"]["deployment_target"]


def test_a_release_that_the_master_did_not_sign_is_not_taken(repo: Repo) -> None:
    """Somebody may call the minions' own functions: what they bring is chosen by who has the key."""
    repo.has("v0")
    repo.fleet.salt("web1", "saltutil.refresh_pillar", wait=True)
    order = repo.call("web1", "pin").data["order"]
    other = {**order["release"], "commit": repo.releases.commit("v1")}
    unsigned = {key: value for key, value in order.items() if key != "seal"}
    for forged in (
        {**order, "release": other},
        {**order, "release": {**order["release"], "tag": "v1"}},
        unsigned,
    ):
        for function in ("fetch", "checkout"):
            refused = repo.call("web1", function, order=forged)
            assert (refused.status, refused.data["error"]["kind"]) == (1, "unsigned"), refused
    assert repo.on_disk() == repo.everywhere("v0")
    assert repo.call("web1", "fetch", order=order).status == 0
