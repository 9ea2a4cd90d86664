"""Groups, checks and restarts on a real fleet: how far a bad release gets, and how it goes back."""

from __future__ import annotations

import pytest

from tests.integration.pillar import WHOLE_FLEET
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import (
    ALL,
    CANARY,
    COUNT,
    GATE,
    IS_WELL,
    REST,
    WORDS,
    counted,
    journal,
    unwell,
)


@pytest.mark.repo(**ALL, groups=[CANARY, REST], checks={"well": IS_WELL}, checkout_module_calls=COUNT)
def test_an_unwell_canary_stops_the_deploy_and_its_release_is_bad(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    with unwell(repo, "web1"):
        stopped = repo.sync("v1")
    # the check is unwell on the way back as well, which is said; the files are those of before
    assert (stopped.status, stopped.data["outcome"], stopped.data["ok"]) == (1, "ROLLED BACK", 1)
    assert (stopped.data["astray"], stopped.data["unwell"]) == ([], ["web1"])
    assert "could not switch back" not in stopped.data["reason"]
    assert repo.on_disk() == repo.everywhere("v0")
    assert {host: count for host, count in counted(repo).items() if count} == {"web1": 2}
    error = stopped.data["hosts"]["web1"]["error"]
    assert error["host"] == "web1"
    assert "well" in error["cause"]
    refused = repo.sync("v1")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "bad-release")
    converged(repo.sync("v1", force=True))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(
    **ALL,
    groups=[CANARY, REST],
    checks={"well": {**IS_WELL, "after": "checkout", "command": ["test", "!", "-e", "DISK/unwell"]}},
    on_failure="hold",
)
def test_a_deploy_that_is_to_hold_says_where_it_stands(repo: Repo) -> None:
    repo.has("v0")
    with unwell(repo, "web3"):
        held = repo.sync("v1")
    assert (held.status, held.data["outcome"]) == (1, "MIXED")
    assert repo.on_disk()["web1"] == "v1"
    report = repo.run("report").data
    assert report["pinned"]["tag"] == "v0"
    drifted = {name for name, host in report["hosts"].items() if host["state"] != "pinned"}
    assert drifted == set(held.data["astray"]) == {h for h, tag in repo.on_disk().items() if tag == "v1"}


@pytest.mark.repo(**ALL, checks={"well": IS_WELL})
def test_F06_a_roll_back_waits_for_no_hold_no_check_of_the_master_and_no_host_that_fails(repo: Repo) -> None:
    repo.has("v0")
    converged(repo.sync("v1"))
    fleet = {"type": "command", "where": "master", "after": "checkout", "command": ["false"]}
    repo.configure(groups=[{**CANARY, "hold": "ask"}, REST], checks={"well": IS_WELL, "fleet": fleet})
    with unwell(repo, "web1"):  # the canary: it is the first to go back
        back = repo.run("rollback")
    assert (back.status, back.data["outcome"], back.data["ok"]) == (1, "MIXED", 7)
    assert (back.data["astray"], back.data["unwell"]) == ([], ["web1"]), "it has the files of before"
    assert f"forward: salt-run deploy.sync repo={repo.name} tag=v0" in back.data["next"]
    assert f"back: salt-run deploy.sync repo={repo.name} tag=v1 force=bad_release" in back.data["next"]
    assert repo.on_disk() == repo.everywhere("v0")
    assert repo.run("report").data["pinned"]["tag"] == "v0"
    waited_for = {event["event"] for event in journal(repo)} & {"paused", "question", "check_finished"}
    assert waited_for == set()


@pytest.mark.repo(**ALL, batch="1", checkout_module_calls=COUNT)
def test_a_failing_check_of_the_master_takes_the_whole_fleet_back(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    repo.configure(
        checks={"fleet": {"type": "command", "where": "master", "after": "final", "command": ["false"]}}
    )
    stopped = repo.sync("v1")
    assert (stopped.status, stopped.data["outcome"], stopped.data["ok"]) == (1, "ROLLED BACK", 7)
    assert "check fleet" in stopped.data["reason"]
    assert repo.on_disk() == repo.everywhere("v0")
    assert set(counted(repo).values()) == {2}, "forth and back, on each host once"
    switched = [e["hosts"] for e in journal(repo) if e["event"] == "asked" and e["stage"] == "checkout"]
    assert [len(hosts) for hosts in switched] == [1] * len(repo.hosts)

    refused = repo.sync("v1")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "bad-release")
    repo.configure(checks={})
    converged(repo.sync("v1", force=True))
    assert repo.run("versions").data["versions"][0]["bad"] == ""


WELL_OR_OLD = ["test", "-e", "lib/a", "-o", "!", "-e", "DISK/unwell"]  # v2 has no lib/a


@pytest.mark.repo(
    **WHOLE_FLEET,
    batch="1",
    checks={"well": {"after": "restart", "command": WELL_OR_OLD}},
    checkout_module_calls=COUNT,
)
def test_a_check_that_fails_where_most_have_switched_takes_them_back_and_no_other(repo: Repo) -> None:
    repo.has("v1")
    counted(repo)
    with unwell(repo, "web5"):
        stopped = repo.sync("v2")
    assert (stopped.status, stopped.data["outcome"], stopped.data["ok"]) == (1, "ROLLED BACK", 5)
    assert repo.on_disk() == repo.everywhere("v1")
    switched = dict.fromkeys(["web1", "web2", "web3", "web4", "web5"], 2)
    assert counted(repo) == {**dict.fromkeys(repo.hosts, 0), **switched}
    assert stopped.data["hosts"]["web5"]["state"] == "rolled back"
    assert "web5" in stopped.data["reason"]


@pytest.mark.repo(**ALL, batch="1", failure_limit=1, checks={"well": IS_WELL})
def test_failures_within_the_limit_are_named_and_the_rest_goes_on(repo: Repo) -> None:
    repo.has("v0")
    with unwell(repo, "web2"):
        done = repo.sync("v1")
    assert (done.status, done.data["outcome"], done.data["ok"]) == (1, "MIXED", 7)
    assert (done.data["astray"], done.data["unwell"]) == ([], ["web2"])
    assert f"back: salt-run deploy.rollback repo={repo.name} to=v0" in done.data["next"]
    report = repo.run("report")
    assert (report.status, report.data["hosts"]["web2"]["state"]) == (1, "unsettled")
    assert report.data["pinned"]["tag"] == "v1"
    # what is unsettled is not called done
    converged(repo.sync("v1"))
    assert repo.run("report").status == 0


@pytest.mark.repo(service_name="DISK/app", checkout_module_calls={"file.mkdir": ["DISK/app"]})
def test_a_service_takes_up_each_release_and_one_that_does_not_come_up_takes_it_back(repo: Repo) -> None:
    for host in repo.hosts:
        app = repo.fleet.hosts[host].disk / "app"
        app.mkdir()
        (app / "location").symlink_to(repo.place(host))

    def generations() -> dict[str, int]:
        files = {host: repo.fleet.hosts[host].disk / "app" / "generations" for host in repo.hosts}
        return {host: len(file.read_text().split()) for host, file in files.items()}

    try:
        repo.has("v0")
        converged(repo.sync("v1"))
        assert set(generations().values()) == {2}
        # v2 has a directory where the daemon reads a file
        stopped = repo.sync("v2")
        assert (stopped.status, stopped.data["outcome"]) == (1, "ROLLED BACK")
        assert repo.on_disk() == repo.everywhere("v1")
        assert set(generations().values()) == {3}, "started once more, with the release before"
        assert stopped.data["hosts"]["web1"]["state"] == "rolled back"
        converged(repo.sync("v1"))
        assert set(generations().values()) == {3}, "what is live and well is not restarted"
    finally:
        for host in repo.hosts:
            repo.fleet.salt(host, "service.stop", str(repo.fleet.hosts[host].disk / "app"))


@pytest.mark.repo(**ALL, groups=[CANARY, REST], checks={"wait": {**GATE, "after": "restart"}})
def test_a_host_killed_in_its_check_ends_the_deploy_with_a_name_and_is_repaired(repo: Repo) -> None:
    repo.has("v0")
    host = repo.fleet.hosts["web3"]
    with repo.held("web3"):
        deploy = repo.fleet.begin("deploy.sync", repo=repo.name, tag="v1")
        repo.wait_until_held("web3")
        host.kill()
    host.start()
    done = repo.fleet.wait(deploy)
    assert done.data["outcome"] in WORDS
    if done.data["outcome"] == "ROLLED BACK":
        assert repo.on_disk() == repo.everywhere("v0")
    converged(repo.sync("v1", force=True))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.repo(**ALL, groups=[CANARY, REST])
def test_a_limit_leaves_the_rest_with_its_pin(repo: Repo) -> None:
    repo.has("v0")
    done = converged(repo.sync("v1", limit="canary"))
    assert sorted(done.data["left_out"]) == [host for host in repo.hosts if host != "web1"]
    assert repo.on_disk() == {**repo.everywhere("v0"), "web1": "v1"}
    report = repo.run("report")
    assert report.status == 0, "each host runs what is pinned for it"
    assert report.data["pinned"]["tag"] == "v0"
    assert [(pin["tag"], pin["hosts"]) for pin in report.data["partly_pinned"]] == [("v1", ["web1"])]
    refused = repo.run("restart")
    assert (refused.status, refused.data["error"]["kind"]) == (1, "bad-arguments")
    converged(repo.sync("v1"))
    assert repo.run("report").data["partly_pinned"] == []


@pytest.mark.repo(
    **ALL,
    groups=[CANARY, REST],
    checks={"well": IS_WELL},
    checkout_module_calls=COUNT,
    restart_command=["true"],
)
def test_a_restart_goes_through_the_fleet_and_stops_where_a_host_is_not_well(repo: Repo) -> None:
    repo.has("v0")
    counted(repo)
    converged(repo.run("restart"))
    assert counted(repo) == dict.fromkeys(repo.hosts, 1)
    with unwell(repo, "web1"):
        stopped = repo.run("restart")
    assert (stopped.status, stopped.data["outcome"], stopped.data["ok"]) == (1, "MIXED", 0)
    assert {host: count for host, count in counted(repo).items() if count} == {"web1": 1}
    assert repo.on_disk() == repo.everywhere("v0")
    assert {version["action"] for version in repo.run("versions").data["versions"]} == {"sync", "restart"}


@pytest.mark.repo(dependencies=["everything-else-needs-this"])
def test_a_repo_that_was_never_deployed_stops_whoever_needs_it(repo: Repo) -> None:
    refused = repo.sync("v1")
    assert refused.status == 1
    assert refused.data["error"]["kind"] in ("dependency-failed", "unknown-repo")
    assert repo.on_disk() == repo.everywhere("")


UNKNOWN = {"type": "nrpe", "after": "checkout", "command": "probe", "nrpe_dir": "DISK/nrpe"}


@pytest.mark.repo(checks={"probe": UNKNOWN}, on_inconclusive="hold")
def test_where_a_check_cannot_tell_what_the_pillar_says_follows_and_no_release_is_blamed(repo: Repo) -> None:
    for host, status in (("web1", 0), ("web2", 3)):
        place = repo.fleet.hosts[host].disk / "nrpe"
        place.mkdir()
        (place / "probe.cfg").write_text(f"command[probe]=/bin/sh -c 'exit {status}'\n")
    probe = repo.fleet.hosts["web2"].disk / "nrpe" / "probe.cfg"
    unknown = probe.read_text()
    probe.write_text(unknown.replace("3", "0"))
    repo.has("v0")
    probe.write_text(unknown)
    held = repo.sync("v1")
    assert (held.status, held.data["outcome"]) == (1, "MIXED")
    assert held.data["hosts"]["web2"]["error"]["kind"] == "check-inconclusive"
    assert repo.on_disk() == repo.everywhere("v1")
    back = repo.sync("v2", on_inconclusive="rollback")
    assert (back.status, back.data["outcome"]) == (1, "ROLLED BACK")
    assert {version["bad"] for version in repo.run("versions").data["versions"]} == {""}
    probe.write_text(unknown.replace("3", "0"))
    converged(repo.sync("v2"))
    assert repo.on_disk() == repo.everywhere("v2")
