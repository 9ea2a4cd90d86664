"""What people read after and during deploys, of a real fleet, as they type it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events

from tests.integration.fleet import Fleet
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import detached


def lines(fleet: Fleet, *arguments: str, **named: str) -> list[str]:
    """What ``salt-run deploy.log`` writes into a pipe, without the time."""
    command = [word for word in fleet.command("deploy.log", *arguments, **named) if word != "--out=json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("-- Opening log file: '"), done.stderr
    assert "\033" not in done.stdout
    return done.stdout.splitlines()


@pytest.mark.repo(checks={"fails": {"command": "test DISK/gate -ef /nowhere", "after": "checkout"}})
def test_a_log_tells_what_one_host_did_and_why_it_failed(repo: Repo) -> None:
    done = repo.sync("v1")
    host = sorted(repo.hosts)[0]
    failed, *_ = lines(repo.fleet, f"levelno >= ERROR host == {host}", repo=repo.name)
    assert f"[{host}] checkout: Check 'fails' failed" in failed
    told = [
        json.loads(each) for each in lines(repo.fleet, "host == web*", id=done.data["deploy"], json="True")
    ]
    assert {each["host"] for each in told} == set(repo.hosts)
    assert {each["levelname"] for each in told} <= {"INFO", "ERROR"}


@pytest.mark.repo(fetch_module_calls={"gate.wait": ["DISK/gate"]})
def test_a_log_follows_a_deploy_to_its_end(repo: Repo) -> None:
    command = [
        word
        for word in repo.fleet.command("deploy.log", repo=repo.name, follow="True")
        if word != "--out=json"
    ]
    with repo.held("web1"):
        detached(repo, "v1")
        repo.wait_until_held("web1")
        following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert following.stdout is not None
        first = following.stdout.readline()
    rest = following.stdout.read().splitlines()
    assert following.wait() == 0
    assert f"Started deploy [{repo.name}@" in first
    assert "CONVERGED" in rest[-1]
    converged(repo.run("watch"))


def test_what_a_release_would_bring_is_told_against_what_is_pinned(repo: Repo) -> None:
    repo.has("v0")
    told = repo.run("changes", new="v2").data
    assert (told["old"]["tag"], told["brings"]["count"]) == ("v0", 2)
    assert {each["path"] for each in told["files"]["listed"]} >= {"big/20", "lib/a"}
    assert "it brings 2 commits by Test (2)" in repo.fleet.shown("deploy.changes", repo=repo.name, new="v2")


def test_a_fleet_reads_its_files_part_by_part(repo: Repo) -> None:
    repo.has("v1")
    for part in ("1/2", "2/2"):
        run = repo.run("verify", part=part)
        assert (run.status, set(run.data["hosts"]), run.data["part"]) == (0, set(repo.hosts), part)
    (repo.place("web1") / "VERSION").write_text("spoilt")
    runs = [repo.run("verify", part=part) for part in ("1/2", "2/2")]
    found = [run.data["hosts"]["web1"].get("error", {}).get("cause", "") for run in runs]
    assert any("(VERSION)" in cause for cause in found), "the part that has the file finds it"
    assert 1 in [run.status for run in runs]
    told = repo.fleet.shown("deploy.verify", repo=repo.name).splitlines()
    assert told[0].startswith("DIFFERS   web1: ")
    status = repo.fleet.shown("deploy.status", repo=repo.name).splitlines()
    assert status[0].startswith("DAMAGED     web1: v1 ")


def test_a_deploy_is_a_page_and_a_picture_of_itself(repo: Repo) -> None:
    deploy = repo.sync("v1").data["deploy"]
    page, picture = (
        subprocess.run(
            [word for word in repo.fleet.command("deploy.show", id=deploy) if word != "--out=json"]
            + [f"--out={kind}"],
            capture_output=True,
            text=True,
        ).stdout
        for kind in ("html", "svg")
    )
    assert page.startswith("<!doctype html>") and "CONVERGED" in page
    assert picture.startswith("<svg ")
    assert all(f">{host}<" in page and f">{host}<" in picture for host in repo.hosts)
    shown = repo.fleet.shown("deploy.show", repo=repo.name)
    assert "*tag: v1" in shown


@pytest.mark.repo(journals={"deploys": 20, "days": 7})
def test_F38_old_journals_go_by_gc_which_tells_before_how_many(repo: Repo) -> None:
    repo.has("v0")
    journals = Journals(repo.fleet.root)
    for number in range(25):
        deploy = f"202001{number + 1:02}000000000000"
        with journals.write(repo.name, deploy) as journal:
            of = (deploy, repo.name, 1_577_836_800.0 + number)
            about = {"tag": "v9", "commit": "9" * 40, "user": "alice", "hosts": 2, "action": "sync"}
            journal.append(events.started(*of, **about, groups=[], left_out=0, reason="", epoch=number + 1))
            journal.append(events.finished(*of, tag="v9", outcome="HELD", ok=0, total=2, reason="", next=""))
        os.utime(journals.path(repo.name, deploy), (1_577_836_800, 1_577_836_800))
    told = repo.run("gc", test=True)
    assert told.data["journals"] == {repo.name: {"dropped": 6}}, "of 26, with that of v0"
    assert len(journals.all(repo.name)) == 26
    gone = repo.run("gc")
    assert (gone.status, gone.data["journals"]) == (0, told.data["journals"])
    assert gone.data["master"]["journals"] > 0
    assert len(journals.all(repo.name)) == 20
    assert repo.run("report").status == 0
