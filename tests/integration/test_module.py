"""What a minion answers, in the shape that Trebuchet gave its answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import salt.client
from saltdeploy.watch.console.results import render

from tests.integration.pillar import TREBUCHET
from tests.integration.repo import Repo, converged

TREBUCHETS_KEYS = {"status", "repo", "dependencies", "tag"}


def shape(answer: dict[str, object]) -> dict[str, object]:
    """The part of an answer that Trebuchet's users know."""
    return {key: value for key, value in answer.items() if key in TREBUCHETS_KEYS}


def test_stages_by_hand_answer_as_trebuchet_did(repo: Repo) -> None:
    nothing = {function: repo.call("web1", function) for function in ("fetch", "checkout")}
    without_tag = {"repo": repo.name, "dependencies": []}
    assert shape(nothing["fetch"].data) == {**without_tag, "status": 10}
    assert shape(nothing["checkout"].data) == {**without_tag, "status": -1}
    assert {run.status for run in nothing.values()} == {1}
    repo.has("v1")
    repo.fleet.salt("web1", "saltutil.refresh_pillar", wait=True)
    for function in ("fetch", "checkout", "status"):
        done = repo.call("web1", function)
        assert (done.status, shape(done.data)) == (0, {**without_tag, "status": 0, "tag": "v1"})


def test_sync_all_brings_a_host_to_all_its_pins(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    assert repo.call("web1", "rollback").status == 0
    assert repo.on_disk() == {"web1": "v0", "web2": "v1"}
    repo.fleet.salt("web1", "saltutil.refresh_pillar", wait=True)
    done = repo.fleet.salt("web1", "deploy.sync_all")
    stats = done.data["stats"][repo.name]
    assert {stage: answer["status"] for stage, answer in stats.items()} == {
        "deploy.fetch": 0,
        "deploy.checkout": 0,
    }
    assert repo.on_disk() == repo.everywhere("v1")


def test_F48_a_host_knows_the_pin_that_a_deploy_brought_whatever_its_pillar_says(repo: Repo) -> None:
    """Its pillar is from before the first deploy, and then from before the second."""
    for tag in ("v0", "v1"):
        repo.has(tag)
        done = [repo.call("web1", function) for function in ("fetch", "checkout")]
        assert [(each.status, each.data.get("tag")) for each in done] == [(0, tag)] * 2
        stats = repo.fleet.salt("web1", "deploy.sync_all").data["stats"][repo.name]
        assert {answer["tag"] for answer in stats.values()} == {tag}
    assert repo.on_disk() == repo.everywhere("v1")


def test_F54_a_host_that_lost_its_disk_under_its_old_id_comes_back_by_itself(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")  # what was packed for it starts from v0
    live = repo.place("web1")
    live.unlink()
    shutil.rmtree(live.parent / f".{live.name}.deploy")
    shutil.rmtree(Path(repo.fleet.minion_opts("web1")["cachedir"], "deploy"))
    repo.fleet.salt("web1", "saltutil.refresh_pillar", wait=True)
    done = repo.fleet.salt("web1", "deploy.sync_all")
    assert done.data["status"] == 0, done
    assert repo.on_disk() == repo.everywhere("v1")


def test_status_tells_all_that_is_on_disk(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    commits = [repo.releases.commit(tag) for tag in ("v0", "v1")]
    holdings = repo.call("web1", "status").data["holdings"]
    assert (holdings["live"], holdings["previous"]) == (commits[1], commits[0])
    assert holdings["tags"] == dict(zip(commits, ("v0", "v1"), strict=True))
    everything = repo.fleet.salt("web1", "deploy.status").data
    assert shape(everything[repo.name])["tag"] == "v1"


def test_a_result_is_known_after_the_stage_and_not_before(repo: Repo) -> None:
    deploy = converged(repo.sync("v0")).data["deploy"]
    known = repo.fleet.salt("web1", "deploy.result", deploy, "checkout", repo.name).data
    assert (known["facts"]["known"], known["stage"], known["status"]) == (True, "checkout", 0)
    never = repo.fleet.salt("web1", "deploy.result", deploy, "rollback", repo.name).data
    assert (never["facts"]["known"], never["facts"]["running"]) == (False, False)


def test_verify_names_what_differs_and_the_next_sync_mends_it(repo: Repo) -> None:
    repo.has("v1")
    assert repo.call("web1", "verify", full=True).status == 0
    tree = repo.place("web1").resolve()
    (tree / "lib" / "a").unlink()
    tree.joinpath("extra").write_text("new\n")
    touched = (tree / "VERSION").stat()
    (tree / "VERSION").write_text("9\n")
    found = repo.call("web1", "verify", full=True)
    facts = found.data["facts"]
    named = {kind: facts[kind] for kind in ("missing", "changed", "extra")}
    assert touched.st_size == 2, "the change is one that the size does not tell"
    assert named == {"missing": ["lib/a"], "changed": ["VERSION"], "extra": ["extra"]}
    assert (found.status, found.data["error"]["kind"]) == (1, "corrupt")
    assert repo.call("web2", "verify", full=True).status == 0
    converged(repo.sync("v1"))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.parametrize("function", ["status", "verify"])
def test_F17_salt_shows_people_a_line_and_machines_the_whole_answer(function: str, repo: Repo) -> None:
    repo.has("v1")
    with salt.client.LocalClient(mopts=repo.fleet.opts) as client:
        said = client.cmd("web1", f"deploy.{function}", [repo.name], full_return=True)["web1"]
    assert said["out"] == "deploy"
    assert said["ret"]["holdings"]["live"]
    text = render({"web1": said["ret"]})
    assert text is not None
    assert text.startswith(f"ok        web1: {repo.name}: v1 (")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(each, marks=pytest.mark.repo(layout=each, stat_limit=0))
        for each in ("slots", "releases", "inplace")
    ],
)
def test_F45_the_command_that_a_failed_verification_prints_mends_the_first_time(
    layout: str, repo: Repo
) -> None:
    for tag in ("v0", "v1", "v2"):
        repo.has(tag)
    shared = repo.place("web1") / "lib/b"  # with all its names, in all the trees that have it
    with open(shared, "r+b") as file:
        file.write(b"!")
    found = repo.call("web1", "verify", full=True)
    said = f"salt-run deploy.sync repo={repo.name} tag=v2"
    assert (found.status, found.data["error"]["next"]) == (1, said)
    converged(repo.sync("v2"))
    assert repo.on_disk() == repo.everywhere("v2")
    assert repo.call("web1", "verify", full=True).status == 0


@pytest.mark.parametrize("mend", ["sync_all", "pinned"])
def test_F11_a_damaged_host_is_told_by_the_report_and_converges_by_itself(mend: str, repo: Repo) -> None:
    repo.has("v1")
    repo.fleet.salt("web1", "saltutil.refresh_pillar", wait=True)
    (repo.place("web1") / "VERSION").write_text("spoilt\n")
    assert repo.call("web1", "verify", full=True).status == 1
    report = repo.run("report")
    assert (report.status, report.data["hosts"]["web1"]["state"]) == (1, "damaged")
    assert report.data["hosts"]["web2"]["state"] == "pinned"
    if mend == "pinned":
        [done] = repo.fleet.salt("web1", "state.single", "deploy.pinned", repo.name).data.values()
        assert (done["result"], done["changes"]) == (True, {repo.name: {"old": "v1 (damaged)", "new": "v1"}})
    else:
        assert repo.fleet.salt("web1", "deploy.sync_all").data["status"] == 0
    assert repo.on_disk() == repo.everywhere("v1")
    assert repo.run("report").status == 0


@pytest.mark.repo("test/unchanged", **TREBUCHET)
def test_a_pillar_of_trebuchet_is_read_as_it_is(repo: Repo) -> None:
    repo.has("v0")
    config = repo.call("web1", "get_config").data
    assert config["location"] == str(repo.place("web1"))
    assert config["url"] == "http://127.0.0.1/test/unchanged"
    assert {key: config[key] for key in TREBUCHET if TREBUCHET[key] is not None and key != "upstream"} == {
        key: value for key, value in TREBUCHET.items() if value is not None and key != "upstream"
    }


def test_an_unknown_repo_is_an_answer_too(repo: Repo) -> None:
    done = repo.fleet.salt("web1", "deploy.fetch", "no/such/repo")
    assert (done.status, done.data["error"]["kind"], done.data["error"]["host"]) == (
        1,
        "unknown-repo",
        "web1",
    )
