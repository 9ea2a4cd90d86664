"""The page in a real browser, on a real salt-api, of real deploys."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.browser import PHONE, Page, browsing
from tests.integration.fleet import Fleet, wait_for
from tests.integration.impostor import Impostor
from tests.integration.pillar import Pillar
from tests.integration.repo import Repo
from tests.integration.rollouts import ALL, asking, detached, ended, journal, told
from tests.integration.saltapi import LOOKED_AT, SaltApi
from tests.support.simulated_deploy import simulated, write

GATE = {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}}
#: No two deploys have the same id, of whatever repos they are.
ID, SECRET_ID, HOSTILE_ID = (f"2026112310111200000{number}" for number in range(3))
HOSTILE = """'"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>javascript:window.hurt=1"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures of the page are kept; ``SALTDEPLOY_PICTURES`` names a place that stays."""
    return Path(os.environ.get("SALTDEPLOY_PICTURES") or tmp_path / "pictures")


@pytest.fixture
def page(fleet: Fleet, pictures: Path) -> Iterator[Page]:
    with fleet.api() as url, browsing(url, pictures) as page:
        yield page


@pytest.mark.repo(**GATE)
def test_S34_a_deploy_that_is_started_on_the_page_is_seen_while_it_runs_and_converges(
    repo: Repo, page: Page
) -> None:
    repo.has("v0")
    page.log_in("deployer")
    page.open("start", repo.name)
    page.write("[name=tag]", "v1")
    page.press(".start button.main")
    page.reads("v0 → v1")
    page.picture("plan")
    with repo.held("web1"):
        page.press('[data-name="go"]')
        repo.wait_until_held("web1")
        page.reads("ready 1")
        page.reads("running")
        page.picture("running")
        assert repo.on_disk() == repo.everywhere("v0")
    page.reads("CONVERGED 2/2")
    assert repo.on_disk() == repo.everywhere("v1")
    assert journal(repo)[0]["user"] == "deployer"
    page.picture("converged")
    assert page.complaints() == []


@pytest.mark.repo(**ALL)
def test_S73_a_question_is_answered_by_its_button_and_all_see_who_did(repo: Repo, page: Page) -> None:
    asking(repo)
    detached(repo, "v1")
    told(repo, "question")
    page.log_in("deployer")
    page.reads("asks you something")
    page.picture("attention")
    page.press(f'[data-name="open {repo.name}"]')
    page.reads("live 1")
    page.look(PHONE)
    page.picture("question-phone")
    page.look(dark=True)
    page.picture("question-dark")
    page.press('[data-name="answer yes"]')
    page.reads("CONVERGED 7/7")
    page.reads("deployer: yes")
    assert (told(repo, "answered")["choice"], told(repo, "answered")["user"]) == ("yes", "deployer")


@pytest.mark.repo(**GATE)
def test_S71_a_deploy_is_stopped_on_the_page(repo: Repo, page: Page) -> None:
    repo.has("v0")
    with repo.held("web1"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web1")
        page.log_in("deployer")
        page.open("deploy", repo.name, deploy)
        page.press('[data-name="abort"]')
        page.press("dialog button.danger")
        told(repo, "aborted")
        page.reads("HELD")  # in a fetch nothing has to be waited for
    page.reads("stopped by deployer")
    assert repo.on_disk() == repo.everywhere("v0")


@pytest.mark.repo(**GATE)
def test_an_outcome_that_a_minion_forges_is_not_shown(repo: Repo, page: Page) -> None:
    with repo.held("web1"):
        deploy = detached(repo, "v1")
        repo.wait_until_held("web1")
        page.log_in("deployer")
        page.open("deploy", repo.name, deploy)
        page.reads("ready 1")
        page.run(
            "window.forged = false; new MutationObserver(() => {"
            " window.forged = window.forged || document.body.innerText.includes('FORGED') })"
            ".observe(document.body, {subtree: true, childList: true, characterData: true})"
        )
        fields = {"deploy": deploy, "repo": repo.name, "time": time.time(), "v": 1, "event": "finished"}
        lie = {
            **fields,
            "outcome": "FORGED",
            "ok": 2,
            "total": 2,
            "reason": "FORGED",
            "next": "",
            "tag": "v1",
        }
        tag = f"deploy/{deploy}/finished"
        with repo.fleet.bus() as bus:
            Impostor(repo.fleet, "web5").put_on_the_bus((tag, lie), (tag, {**lie, "data": lie}))
            bus.until(lambda seen, data: seen == tag and "FORGED" in str(data))
        page.reads("running")
    page.reads("CONVERGED 2/2")
    assert page.run("return window.forged") is False


@pytest.mark.repo(LOOKED_AT)
def test_who_has_rights_on_one_repo_sees_no_other_and_the_server_refuses_what_he_may_not(
    repo: Repo, pillar: Pillar, page: Page
) -> None:
    pillar.add("secret", {})
    write(repo.fleet.root, simulated("secret", SECRET_ID, time.time(), 4))
    repo.has("v0")
    page.log_in("onlooker")
    page.reads(repo.name, "table")
    assert "secret" not in page.text("body")
    page.open("deploy", "secret", SECRET_ID)
    page.reads("The server refuses it: onlooker has no right to deploy.story of secret.")
    page.picture("refused")
    page.open("start", repo.name)
    page.write("[name=tag]", "v1")
    page.press(".start button.main")
    page.press('[data-name="go"]')
    page.reads(f"onlooker has no right to deploy.sync of {repo.name}.")
    api = SaltApi(page.url, "onlooker")
    for function, arguments in (
        ("deploy.story", {"repo": "secret"}),
        ("deploy.overview", {}),
        ("deploy.abort", {"repo": repo.name}),
    ):
        with pytest.raises(requests.HTTPError, match="401"):
            api.run(function, arguments)
    assert repo.on_disk() == repo.everywhere("v0")


def committed(repo: Repo, tag: str, word: str) -> None:
    """A tag of a commit whose message and author are this word."""
    git = ["git", f"--git-dir={repo.git_dir}", "-c", f"user.name={word}", "-c", "user.email=a@example.org"]
    made = subprocess.run(
        [*git, "commit-tree", "v1^{tree}", "-p", "v1^{commit}", "-m", word],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run([*git, "tag", tag, made.stdout.strip()], check=True)


@pytest.mark.repo()
def test_hostile_names_messages_and_outputs_run_no_script(repo: Repo, page: Page) -> None:
    hostile = simulated(repo.name, HOSTILE_ID, time.time() - 100, 12, failing=3, word=HOSTILE)
    write(repo.fleet.root, hostile)
    repo.has("v0")
    committed(repo, "v9", HOSTILE)
    repo.run("lock", reason=HOSTILE)
    page.log_in("deployer")
    for view in ("deploy", "history", "fleet", "start", ""):
        page.open(view, repo.name, *([HOSTILE_ID] if view == "deploy" else []))
        if view == "deploy":
            page.reads("MIXED 9/12")
            page.press('.cell[data-state="fail"]')
            page.press(".host button")
            page.press(".replay button")
            page.reads("Pause")
            page.reads(HOSTILE, ".host")
            page.reads(f"output {HOSTILE}", ".lines")
            page.reads(f"its own log {HOSTILE}", ".lines")
            page.picture("hostile")
        elif view == "start":
            page.write("[name=tag]", "v9")
            page.press(".start button.main")
            page.reads(HOSTILE, ".commits")
            page.picture("hostile-plan")
        elif view == "":
            page.reads(f"\N{LEFT DOUBLE QUOTATION MARK}{HOSTILE}\N{RIGHT DOUBLE QUOTATION MARK}")
        else:
            wait_for(lambda: page.text("main"))
        assert page.run("return document.querySelectorAll('main img, main script, main iframe').length") == 0
    assert page.run("return window.hurt === undefined")
    assert page.complaints() == []
    entries = page.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [each for each in entries if not each.startswith(page.url)] == []


@pytest.mark.repo(**GATE)
def test_salt_api_restarts_and_the_page_goes_on_with_nothing_missed_and_nothing_twice(
    repo: Repo, fleet: Fleet, pictures: Path
) -> None:
    def lines() -> Any:
        return page.run("return [...document.querySelectorAll('.lines li')].map((each) => each.innerText)")

    with contextlib.ExitStack() as stack:
        api = stack.enter_context(contextlib.ExitStack())
        page = stack.enter_context(browsing(api.enter_context(fleet.api()), pictures))
        page.log_in("deployer")
        with repo.held("web1"):
            deploy = detached(repo, "v1")
            repo.wait_until_held("web1")
            page.open("deploy", repo.name, deploy)
            page.reads("ready 1")
            api.close()
            page.reads("No answer from salt-api", ".trouble")
            page.picture("cut-off")
        assert ended(repo, deploy).data["outcome"] == "CONVERGED"
        stack.enter_context(fleet.api())
        page.reads("Log in again", "dialog")
        page.picture("log-in-again")
        page.log_in("deployer")
        page.reads("CONVERGED 2/2")
        wait_for(lambda: len(lines()) > 3)
        seen = lines()
        page.driver.refresh()
        page.reads("CONVERGED 2/2")
        wait_for(lambda: lines() == seen)
        wait_for(lambda: page.text(".stream") == "live")


@pytest.mark.repo()
def test_two_thousand_hosts_are_shown_and_replayed(repo: Repo, page: Page, pictures: Path) -> None:
    def cells(more: str = "") -> int:
        return int(page.run("return document.querySelectorAll(arguments[0]).length", f".cell{more}"))

    write(repo.fleet.root, simulated(repo.name, ID, time.time() - 100, 2000, failing=7, word="mw"))
    page.log_in("deployer")
    page.run(
        "window.frames_ = []; let last = performance.now(); const step = (now) => {"
        " window.frames_.push(now - last); last = now; requestAnimationFrame(step) }; requestAnimationFrame(step)"
    )
    page.open("deploy", repo.name, ID)
    page.reads("MIXED 1993/2000")
    wait_for(lambda: cells() == 2000 and cells('[data-state="fail"]') == 7)
    page.picture("fleet")
    figures = {"shown": page.run(_FIGURES)}
    page.press(".replay button")
    page.run("window.frames_.length = 0")
    page.reads("Pause", ".replay")
    page.reads("switching")
    page.look(dark=True)
    page.picture("fleet-dark")
    page.reads("MIXED 1993/2000")
    figures["replayed"] = page.run(_FIGURES)
    (pictures / "figures.json").write_text(json.dumps(figures, indent=1))
    wait_for(lambda: cells() == 2000 and cells('[data-state="fail"]') == 7)


_FIGURES = """
const frames = window.frames_.slice().sort((one, other) => one - other);
const at = (part) => Math.round(frames[Math.floor(part * (frames.length - 1))] * 10) / 10;
return {frames: frames.length, median: at(.5), p95: at(.95), p99: at(.99), longest: at(1),
  heap: performance.memory.usedJSHeapSize, elements: document.querySelectorAll('*').length};
"""
