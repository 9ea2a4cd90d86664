"""Releases reach every host; the way back is as short; and the commands tell how it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.pillar import WHOLE_FLEET
from tests.integration.repo import Repo, converged

HOOKED = "DISK/srv/a_release_that_turns_out_bad_goes_back"


@pytest.mark.repo(**WHOLE_FLEET)
def test_every_host_takes_a_first_release_changes_and_the_ways_back(repo: Repo) -> None:
    assert len(repo.hosts) == 8
    steps = [
        ("sync", {"tag": "v0"}, "v0"),
        ("sync", {"tag": "v1"}, "v1"),
        ("sync", {"tag": "v3"}, "v3"),
        ("rollback", {}, "v1"),
        ("rollback", {}, "v0"),
        ("rollback", {"to": "v3"}, "v3"),
    ]
    for function, named, tag in steps:
        done = converged(repo.run(function, **named))
        assert (done.data["tag"], done.data["total"]) == (tag, 8)
        assert repo.on_disk() == repo.everywhere(tag)
    history = repo.run("versions").data["versions"]
    assert [(v["action"], v["tag"]) for v in reversed(history)] == [(f, tag) for f, _, tag in steps]
    assert {(v["outcome"], v["ok"], v["total"]) for v in history} == {("CONVERGED", 8, 8)}
    assert history[0]["commit"] == repo.releases.commit("v3")


def test_a_rollback_needs_no_repository(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    repo.git_dir.rename(repo.git_dir.with_name("away"))
    converged(repo.run("rollback"))
    repo.git_dir.with_name("away").rename(repo.git_dir)
    assert repo.on_disk() == repo.everywhere("v0")


def test_a_fetch_shows_nothing_until_the_checkout(repo: Repo) -> None:
    repo.has("v0")
    converged(repo.run("fetch", tag="v1"))
    assert repo.on_disk() == repo.everywhere("v0")
    report = repo.run("report")
    assert (report.status, report.data["pinned"]["tag"]) == (0, "v0")
    assert {host["root"] for host in report.data["hosts"].values()} == {report.data["pinned"]["root"]}
    assert f"tree {report.data['pinned']['root'][:16]} on 2/2 hosts" in repo.shown("report")
    assert all({"v0", "v1"} <= set(host["held"]) for host in report.data["hosts"].values())
    converged(repo.run("checkout", tag="v1"))
    assert repo.on_disk() == repo.everywhere("v1")


def test_what_was_never_fetched_is_not_checked_out(repo: Repo) -> None:
    repo.has("v0")
    done = repo.run("checkout", tag="v1")
    assert (done.status, done.data["outcome"]) == (1, "HELD")
    assert {host["error"]["kind"] for host in done.data["hosts"].values()} == {"not-ready"}
    assert repo.on_disk() == repo.everywhere("v0")


def test_a_sync_to_what_is_everywhere_touches_nothing_and_says_so(repo: Repo) -> None:
    repo.has("v1")
    before = {host: touched(repo.place(host)) for host in repo.hosts}
    with repo.fleet.bus() as bus:
        done = converged(repo.sync("v1"))
        seen = bus.until(lambda tag, data: tag.endswith("/finished"))
    assert {host["state"] for host in done.data["hosts"].values()} == {"unchanged"}
    assert "nothing to do" in done.data["reason"]
    assert {host: touched(repo.place(host)) for host in repo.hosts} == before
    assert not [tag for tag, data in seen if data.get("fun") == "deploy.checkout"]


def touched(place: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of the live path and of all that it shows."""
    paths = [place, *place.resolve().rglob("*")]
    return {str(path): (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in paths}


@pytest.mark.repo(targets="web1,web2,web3,web4")
def test_hosts_at_three_places_converge_in_one_deploy(repo: Repo) -> None:
    repo.target("web1", "web2")
    converged(repo.sync("v0"))
    repo.target("web2", "web3")
    assert repo.sync("v2").data["error"]["kind"] == "no-targets"  # web1 is missing
    converged(repo.sync("v2", force=True))
    places = {"web1": "v0", "web2": "v2", "web3": "v2", "web4": ""}
    repo.target(*places)
    assert repo.on_disk() == places
    done = converged(repo.sync("v3"))
    assert repo.on_disk() == repo.everywhere("v3")
    received = {host: facts["bytes"] for host, facts in done.data["hosts"].items()}
    for host, base in places.items():
        best = repo.least_bytes("v3", base)
        assert 0.5 * best < received[host] < 1.2 * best, (host, base, best, received)


@pytest.mark.repo(targets="web1,web2,web3")
def test_a_report_tells_who_drifted_and_who_is_away(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    assert repo.run("report").status == 0
    assert repo.call("web2", "rollback").status == 0
    with repo.fleet.hosts["web3"].silent():
        report = repo.run("report")
    hosts = report.data["hosts"]
    states = {host: entry["state"] for host, entry in hosts.items()}
    assert (report.status, states) == (1, {"web1": "pinned", "web2": "drift", "web3": "unreachable"})
    assert (hosts["web3"]["tag"], hosts["web3"]["seen"] > 0) == ("v1", True)  # as it was seen last
    assert (hosts["web2"]["tag"], report.data["pinned"]["tag"]) == ("v0", "v1")


def test_a_host_with_other_bytes_of_the_same_release_is_named_and_made_anew(repo: Repo) -> None:
    repo.has("v0")
    place = repo.place("web2")
    [record] = (place.parent / f".{place.name}.deploy" / "slots").glob("*.json")
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "root": "0" * 64}))
    report = repo.run("report")
    states = {host: entry["state"] for host, entry in report.data["hosts"].items()}
    assert (report.status, states) == (1, {"web1": "pinned", "web2": "drift"})
    assert "another tree on web2" in repo.shown("report")
    converged(repo.sync("v0"))
    assert repo.run("report").status == 0
    assert repo.on_disk() == repo.everywhere("v0")


@pytest.mark.repo(**WHOLE_FLEET)
def test_the_targets_are_who_has_the_grain(repo: Repo) -> None:
    done = repo.run("targets")
    assert (done.status, done.data["hosts"]) == (0, list(repo.fleet.hosts))


@pytest.mark.repo(checkout_module_calls={"file.file_exists": [f"{HOOKED}/lib/a"]})
def test_a_release_that_turns_out_bad_goes_back(repo: Repo) -> None:
    repo.has("v1")
    done = repo.sync("v2")  # has no lib/a
    assert (done.status, done.data["outcome"]) == (1, "ROLLED BACK"), done
    assert repo.on_disk() == repo.everywhere("v1")
    assert repo.run("report").data["pinned"]["tag"] == "v1"


@pytest.mark.repo(checkout_module_calls={"file.directory_exists": ["DISK/healthy"]})
def test_a_host_that_is_not_well_on_its_way_back_is_named(repo: Repo) -> None:
    for host in repo.hosts:
        (repo.fleet.hosts[host].disk / "healthy").mkdir()
    repo.has("v0")
    (repo.fleet.hosts["web2"].disk / "healthy").rmdir()
    done = repo.sync("v1")
    assert (done.status, done.data["outcome"]) == (1, "ROLLED BACK"), done
    assert done.data["unwell"] == ["web2"]
    assert done.data["hosts"]["web2"]["error"]["kind"] == "hook-failed"
    assert "web2" in done.data["reason"]
    assert repo.on_disk()["web1"] == "v0"
