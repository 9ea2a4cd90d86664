"""F12: in each situation the command that is printed is typed as it was printed, and what it leads to is looked at."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest
import salt.utils.args
from saltdeploy.protocol.release import file_name

from tests.integration.fleet import Run
from tests.integration.repo import Repo, converged
from tests.integration.rollouts import asking, detached, ended, kill_deployer, told

_PROGRAM = re.compile(r"(?:^|[ (])(salt-run |salt |mv |git )")


def commands(printed: str) -> list[list[str]]:
    """The words of each command in what was printed, one after the other."""
    found = []
    for part in printed.replace("), then", ";").split(";"):
        begin = _PROGRAM.search(part)
        if begin:
            found.append(shlex.split(part[begin.start(1) :].removesuffix(")")))
    return found


def typed(repo: Repo, words: list[str]) -> Run:
    """Do what an operator types."""
    if words[0] in ("mv", "git"):
        done = subprocess.run(words, capture_output=True, text=True)
        return Run(done.returncode, done.stdout, done.stderr)
    host, function, *rest = words[1:] if words[0] == "salt" else ["", *words[1:]]
    positional, named = salt.utils.args.parse_input(rest, condition=False)
    if host:
        return repo.fleet.salt(host, function, *positional, **named)
    return repo.fleet.run_here(function, *positional, **named)


def says(run: Run) -> str:
    """The commands that a refusal or an outcome names."""
    assert run.status != 0, run
    error = run.data.get("error")
    text = error["next"] if error else run.data.get("next") or next(iter(shown_errors(run)))
    assert text, run.data
    return str(text)


def shown_errors(run: Run) -> list[str]:
    return [host["error"]["next"] for host in run.data["hosts"].values() if "error" in host]


def printed_by(repo: Repo, function: str) -> str:
    """What a person reads behind the last ``Next:``."""
    lines = [line for line in repo.shown(function).splitlines() if line.startswith("Next: ")]
    assert lines, repo.shown(function)
    return lines[-1].removeprefix("Next: ")


def follow(repo: Repo, printed: str, number: int = -1) -> Run:
    """Type one of the commands; the last one where nothing else is said."""
    return typed(repo, commands(printed)[number])


# -- what refuses a deploy ------------------------------------------------------------------------------


def bad_release(repo: Repo) -> Run:
    repo.has("v1")
    converged(repo.run("rollback"))
    return repo.sync("v1")


def much_removed(repo: Repo) -> Run:
    repo.configure(max_removed="1%")
    repo.has("v4")
    return repo.sync("v1")


def no_such_argument(repo: Repo) -> Run:
    return repo.run("sync", tag="v1", forse=True)


def never_fetched(repo: Repo) -> Run:
    return repo.run("checkout", tag="v1")


def locked_by_hand(repo: Repo) -> Run:
    assert repo.run("lock", reason="a migration").status == 0
    return repo.sync("v1")


@pytest.mark.parametrize(
    "refused", [bad_release, much_removed, no_such_argument], ids=lambda each: each.__name__
)
def test_F12_the_command_of_a_refusal_deploys_what_was_refused(
    repo: Repo, refused: Callable[[Repo], Run]
) -> None:
    repo.has("v0")
    converged(follow(repo, says(refused(repo))))
    assert repo.on_disk() == repo.everywhere("v1")


@pytest.mark.parametrize("refused", [never_fetched, locked_by_hand], ids=lambda each: each.__name__)
def test_F12_behind_the_command_of_a_refusal_the_same_command_works(
    repo: Repo, refused: Callable[[Repo], Run]
) -> None:
    repo.has("v0")
    error = refused(repo)
    assert follow(repo, says(error), 0).status == 0
    converged(repo.run("checkout" if refused is never_fetched else "sync", tag="v1"))
    assert repo.on_disk() == repo.everywhere("v1")


def test_F12_a_damaged_file_is_moved_away_by_its_command_and_the_next_one_deploys(repo: Repo) -> None:
    repo.has("v1")
    pins = repo.fleet.root / "pins" / f"{file_name(repo.name)}.json"
    journals = repo.fleet.root / "journal" / file_name(repo.name)
    journals.rename(journals.with_name(f"{journals.name}.lost"))
    pins.write_bytes(b"")
    away, again, *_ = commands(says(repo.run("report")))
    assert typed(repo, away).status == 0
    assert again[:2] == ["salt-run", "deploy.sync"]
    converged(typed(repo, [word.replace("tag=...", "tag=v1") for word in again]))
    assert repo.run("report").status == 0


# -- what a report says ---------------------------------------------------------------------------------


def test_F12_the_command_of_a_report_brings_every_host_to_its_pin(repo: Repo) -> None:
    repo.has("v0")
    repo.has("v1")
    assert repo.call("web1", "rollback").status == 0
    assert repo.run("report").status == 1
    converged(follow(repo, printed_by(repo, "report"), 0))
    assert repo.run("report").status == 0
    assert repo.on_disk() == repo.everywhere("v1")


def test_F12_the_command_while_a_deploy_waits_answers_it(repo: Repo) -> None:
    asking(repo)
    deploy = detached(repo, "v1")
    told(repo, "question")
    assert follow(repo, printed_by(repo, "report"), 0).status == 0
    converged(ended(repo, deploy))
    assert repo.on_disk() == repo.everywhere("v1")


def test_F12_the_command_behind_a_deploy_that_died_resumes_it(repo: Repo) -> None:
    asking(repo)
    detached(repo, "v1", on_failure="hold")
    told(repo, "question")
    kill_deployer(repo)
    printed = printed_by(repo, "report")
    assert commands(printed) == [["salt-run", "deploy.resume", f"repo={repo.name}"]]
    process = repo.fleet.begin("deploy.resume", repo=repo.name)
    told(repo, "resumed")
    assert follow(repo, printed_by(repo, "report"), 0).status == 0
    converged(repo.fleet.wait(process))


def test_F12_of_an_unknown_deploy_all_deploys_are_told(repo: Repo) -> None:
    repo.has("v0")
    refused = repo.fleet.run_here("deploy.resume", id="20200101000000000000")
    told_of = follow(repo, says(refused), 0)
    assert told_of.status == 0
