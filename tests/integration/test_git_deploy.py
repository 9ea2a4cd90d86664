"""A deployer at a terminal of the deployment server, who types ``git deploy`` as in Trebuchet's days; real hosts."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import IS_WELL, journal, unwell
from tests.integration.saltapi import SECRET
from tests.integration.terminal import Terminal, terminal
from tests.unit.trebuchet.deployers import COMMAND, Deployer

PROMPT = "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): "
GATE = {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}}
GOLDEN = Path(__file__).with_name("golden") / "git-deploy-day.txt"
#: What differs from day to day, in the order in which it is replaced.
_OF_TODAY = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "HH:MM:SS"),
    (r"\d{8}-\d{6}", "YYYYMMDD-HHMMSS"),
    (r"\b[0-9a-f]{12}\.\.", "0123456789ab.."),
    (r"(?m)^[0-9a-f]{7} ", "0123456 "),
    (r"(?m)^.* stage\(s\): +\d{1,2}% .*\n", ""),  # a machine that is slow tells more often
    (r"\b[0-9a-f]{7}(?=[\])])", "0123456"),
    (r"\d\dm \d\ds", "00m 00s"),
    (r"received: [0-9.]+ \w+", "received: some"),
    (r"\b[0-9] mins ago", "0 mins ago"),
)


def deployer(repo: Repo, home: Path, name: str = "alice", **settings: str) -> Deployer:
    """Somebody in the staging repository of a repo, which is what the master reads."""
    if not (repo.git_dir / ".git").exists():
        shutil.rmtree(repo.git_dir)
    own = {"salt_run": shlex.join(salt_run(repo.fleet)), **settings}
    person = Deployer(name, home / name, repo.git_dir, **own)
    person.git("config", "deploy.repo-name", repo.name)
    return person


def salt_run(fleet: Fleet) -> list[str]:
    """The words of ``salt-run`` for this fleet."""
    return fleet.command("no.function")[:-1]


def shown(repo: Repo) -> dict[str, str]:
    """Host to the text that its users see."""
    pages = {host: repo.place(host) / "index.html" for host in repo.hosts}
    return {host: page.read_text().strip() if page.exists() else "" for host, page in pages.items()}


class Day:
    """All that one person types, and all that they see, on one terminal after the other."""

    def __init__(self, person: Deployer, directory: Path) -> None:
        self._person = person
        self._directory = directory
        self.transcript = ""

    def types(self, *words: str, answers: tuple[str, ...] = (), prompt: str = PROMPT) -> int:
        """``git deploy <words>`` to its end, with an answer at each prompt; the exit code."""
        with self.at_terminal(*words) as person:
            for answer in answers:
                person.until(prompt)
                person.type(answer)
            return self.ends(person)

    def at_terminal(self, *words: str) -> object:
        self.transcript += f"$ {shlex.join(['git', 'deploy', *words])}\n"
        path = os.pathsep.join([str(Path(sys.executable).parent), str(COMMAND.parent), os.environ["PATH"]])
        sits = self._person.at_home()
        sits["environment"] = {**sits["environment"], "PATH": path}
        return terminal(["git", "deploy", *words], **sits)

    def ends(self, person: Terminal) -> int:
        code = person.end()
        self.transcript += f"{person.seen}[{code}]\n"
        return code

    def read_back(self) -> str:
        """The transcript, without what is of this day and of this machine."""
        text = self.transcript.replace(str(self._directory), "/DIRECTORY").replace("by root", "by operator")
        for pattern, instead in _OF_TODAY:
            text = re.sub(pattern, instead, text)
        return text


@pytest.mark.repo("test/testrepo", **GATE)
def test_S02_S03_S38_a_whole_day_reads_as_the_golden_file_says(
    repo: Repo, tmp_path: Path, short_directory: Path
) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    day = Day(alice, short_directory)
    assert day.types("start") == 0
    assert day.types("sync", "-m", "The first one", answers=("y", "y")) == 0
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")

    assert day.types("start") == 0
    assert day.types("start") == 100
    alice.commits("two")
    assert day.types("log") == 0
    with day.at_terminal("sync") as person:
        with repo.refusing("web2"):
            assert "1/2 minions completed fetch" in person.until(PROMPT)
            person.type("d")
            assert "web2: \n\tfetch status: 159 " in person.until(PROMPT)
        person.type("r")
        assert "2/2 minions completed fetch" in person.until(PROMPT)
        assert shown(repo) == dict.fromkeys(repo.hosts, "one"), "nobody has switched yet"
        person.type("y")
        assert "2/2 minions completed checkout" in person.until(PROMPT)
        person.type("y")
        assert day.ends(person) == 0
    assert shown(repo) == dict.fromkeys(repo.hosts, "two")
    assert day.types("report", "sync") == 0
    assert day.types("report", "sync", "--detailed") == 0
    assert day.types("status") == 0

    before, after = (tag for tag in alice.tags() if "-sync-" in tag)
    assert alice.deploy_file()["tag"] == after
    assert day.types("revert", answers=("",), prompt=f"Revert to ({before}): ") == 0
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    assert (alice.place / "index.html").read_text() == "one\n"
    assert alice.deploy_file()["tag"] == before
    assert day.types("show") == 0
    assert day.types("finish") == 160

    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(day.read_back())
    assert day.read_back() == GOLDEN.read_text()


@pytest.mark.repo(**GATE)
def test_who_says_no_keeps_the_lock_and_nobody_has_switched(repo: Repo, tmp_path: Path) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    alice.deploys("start")
    said = alice.deploys("sync", typing="n\n")
    assert said.code == 163
    assert said.told.splitlines()[-2] == (
        "Not continuing to checkout phase. A deployment is still underway, please finish, sync, or abort."
    )
    assert said.printed == PROMPT
    assert shown(repo) == dict.fromkeys(repo.hosts, "")
    assert alice.deploys("start").code == 100
    silent = alice.deploys("sync")  # nobody types: as in a pipeline
    assert (silent.code, alice.lock.exists()) == (163, True)
    assert alice.deploys("abort").code == 0


@pytest.mark.repo(**GATE)
def test_F04_trebuchets_own_forms_take_the_tag_that_was_written_down(repo: Repo, tmp_path: Path) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    refused = repo.fleet.run_here("deploy.fetch", repo.name)
    assert refused.data["error"]["cause"] == "missing a required argument: 'tag'"
    alice.deploys("start")
    alice.deploys("sync", typing="n\n")
    tag = alice.deploy_file()["tag"]
    fetched = repo.fleet.run_here("deploy.fetch", repo.name)
    assert (fetched.status, fetched.data["tag"], fetched.data["said"]) == (0, tag, "Fetch completed")
    heading = f"Repo: {repo.name}; checking tag: {tag}\n\n"
    pending = [
        f"{host}: \n\tcheckout status: None [started: None mins ago, last-return: None mins ago]\n"
        for host in repo.hosts
    ]
    for words, told in (
        ((), "2 minions pending (2 reporting)\n"),
        (("--fetch",), "0 minions pending (2 reporting)\n"),
        (("--detailed", "--nodeps"), f"2 minions pending (2 reporting)\n\n{''.join(pending)}"),
        (("--tag", tag, "--full-report"), f"2 minions reporting\n\n{''.join(pending)}"),
    ):
        said = alice.asks("deploy-info", f"--repo={repo.name}", *words)
        assert (said.code, said.printed) == (0, heading + told), (words, said)
    switched = repo.fleet.run_here("deploy.checkout", f"{repo.name},True")
    assert switched.data["said"] == "Checkout completed"
    assert (switched.status, switched.data["tag"], switched.data["outcome"]) == (0, tag, "CONVERGED")
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")


@pytest.mark.repo()
def test_S64_what_is_staged_is_deployed_without_a_tag_and_then_there_is_nothing(
    repo: Repo, tmp_path: Path
) -> None:
    alice = deployer(repo, tmp_path)
    commit = alice.commits("one")
    plan = repo.run("plan")
    assert (plan.status, plan.data["commit"]) == (0, commit)
    assert alice.tags() == [], "a plan makes none"
    done = converged(repo.run("sync", reason="the first"))
    assert (done.data["tag"], done.data["commit"]) == (plan.data["tag"], commit)
    assert re.fullmatch(r"release/\d{4}-\d\d-\d\d/1", done.data["tag"])
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    again = repo.run("sync")
    assert (again.status, again.data["view"]) == (0, "nothing")
    alice.commits("two")
    second = converged(repo.run("sync"))
    assert (second.data["tag"][-2:], second.data["previous"]) == ("/2", done.data["tag"])
    assert shown(repo) == dict.fromkeys(repo.hosts, "two")
    assert alice.tags() == [], "the tags are the master's"


@pytest.mark.repo(checks={"well": IS_WELL}, restart_command=["true"])
def test_F04_a_service_restarts_so_many_hosts_at_once_and_goes_past_no_guard(
    repo: Repo, tmp_path: Path
) -> None:
    alice = deployer(repo, tmp_path)
    alice.commits("one")
    alice.deploys("start")
    assert alice.deploys("sync", typing="y\ny\n").code == 0
    done = alice.deploys("service", "restart", "--batch", "1")
    assert (done.code, done.told.splitlines()[-2:]) == (0, ["web1: True", "web2: True"]), done.told
    assert journal(repo)[0]["once"] == {"batch": 1}
    again = repo.fleet.run_here("deploy.restart", f"{repo.name},50%")
    assert (again.status, again.data["said"]) == (0, "Restart completed")
    assert journal(repo)[0]["once"] == {"batch": "50%"}, "a batch, and no force"
    with unwell(repo, "web2"):
        failed = alice.deploys("service", "restart")
    assert failed.code == 201
    assert "web2: False\n" in failed.told and "Check 'well' failed" in failed.told
    assert "Next: " in failed.told.splitlines()[-1]


@pytest.fixture(params=["peer", "api"])
def door(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What is configured for a door that leads from another host to the master."""
    name: str = request.param
    common = {"door": name, "salt_run": "no-such-salt-run"}
    if name == "peer":
        yield {**common, "salt_call": shlex.join(fleet.hosts["web8"].salt_call)}
        return
    token = {
        "api_token_file": str(tmp_path / "keys" / "token"),
        "api_user": "deployer",
        "api_eauth": "sharedsecret",
    }
    with fleet.api() as url:
        yield {**common, **token, "api_url": url}


@pytest.mark.repo(**GATE)
def test_by_another_door_the_same_is_done_and_seen(repo: Repo, tmp_path: Path, door: dict[str, str]) -> None:
    alice = deployer(repo, tmp_path, **door)
    alice.commits("one")
    assert alice.deploys("start").code == 0
    if door["door"] == "api":
        refused = alice.deploys("sync")
        assert refused.code == 163
        assert (
            f"path {door['api_token_file']}: there is no token for salt-api. Next: git deploy login"
            in refused.told
        )
        log_in(alice)
    with repo.refusing("web2"):
        held = alice.deploys("sync", typing="d\nn\n")
    assert held.code == 163
    assert "1/2 minions completed fetch" in held.told and "web2: \n\tfetch status: 159 " in held.told
    assert "Check 'gate.wait' failed" in held.told
    done = alice.deploys("sync", typing="y\ny\n")
    assert done.code == 0, done.told
    assert "2/2 minions completed fetch" in done.told and "2/2 minions completed checkout" in done.told
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    # a host of a busy machine may not answer within the seconds that a report waits; then the report says that
    reports = (alice.deploys("report", "sync", "--detailed").told for _ in range(4))
    assert any("2/2 minions completed fetch; 2/2 minions completed checkout" in told for told in reports)

    alice.commits("two")
    assert alice.deploys("start").code == 0
    assert alice.deploys("sync", typing="y\ny\n").code == 0
    assert shown(repo) == dict.fromkeys(repo.hosts, "two")
    back = alice.deploys("revert", typing="\n")
    assert back.code == 0, back.told
    assert shown(repo) == dict.fromkeys(repo.hosts, "one")
    assert alice.deploys("status").code == 0
    if door["door"] == "peer":
        assert {each["user"] for each in repo.run("versions").data["versions"]} == {"minion:web8"}


def log_in(person: Deployer) -> None:
    """``git deploy login`` with the password that the fleet knows."""
    with terminal([sys.executable, str(COMMAND), "login"], **person.at_home()) as sitting:
        sitting.until("Password of deployer: ")
        sitting.type(SECRET)
        assert sitting.end() == 0, sitting.seen
    assert SECRET not in sitting.seen
