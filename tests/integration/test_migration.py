"""Fleets as Trebuchet, scap and an rsync leave them are taken over and handed back by the commands of docs/migration.md,
as they stand there, while a reader looks at every live path."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import CHECKOUT
from tests.integration.fleet import PATIENCE, Run
from tests.integration.repo import Repo
from tests.support.repositories import git

PAGE = CHECKOUT / "docs" / "migration.md"
ON_MASTER, ON_HOSTS = "# on the master", "# on each host"
#: The first line of a file and a link of one release, for as long as it looks; each finding is told once.
READER = """
import json, os, sys
seen = set()
while True:
    for place in sys.argv[1:]:
        try:
            tree = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            with open(os.open("index", os.O_RDONLY, dir_fd=tree)) as file:
                found = (file.readline().strip(), os.readlink("current", dir_fd=tree))
            os.close(tree)
        except OSError as error:
            found = (str(error), place)
        if found not in seen:
            seen.add(found)
            print(json.dumps(found), flush=True)
"""
V0, V2 = ("one", "lib/a"), ("three", "lib/b")


class Walk:
    """One section of the page, block by block.

    Args:
        begin: the heading of the section.
        said: what the page says, to what it is here.
    """

    def __init__(self, repo: Repo, begin: str, **said: str) -> None:
        text = PAGE.read_text().partition(f"\n## {begin}\n")[2].partition("\n## ")[0]
        self._blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
        self._repo = repo
        self._said = said

    def __call__(self) -> list[Run]:
        """Run the next block; every command of it must succeed."""
        head, _, block = self._blocks.pop(0).partition("\n")
        for word, here in self._said.items():
            block = block.replace(word, here)
        if head == ON_HOSTS:
            return [self._on(host, block) for host in self._repo.hosts]
        assert head == ON_MASTER
        return [self._on_master(line) for line in block.splitlines()]

    @property
    def is_over(self) -> bool:
        return not self._blocks

    def _on_master(self, line: str) -> Run:
        command, function, *words = shlex.split(line)
        assert command == "salt-run"
        named = dict(word.split("=", 1) for word in words if "=" in word)
        positional = [word for word in words if "=" not in word]
        done = self._repo.fleet.run_here(function, *positional, **named)
        assert done.status == 0, (line, done)
        return done

    def _on(self, host: str, block: str) -> Run:
        disk = self._repo.fleet.hosts[host].disk
        script = block.replace("/srv/deployment", f"{disk}/srv/deployment")
        done = subprocess.run(
            ["bash", "-euc", script], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, (host, script, done.stderr)
        return Run(0, done.stdout, done.stderr)


@contextlib.contextmanager
def reading(repo: Repo) -> Iterator[set[tuple[str, str]]]:
    """A process that reads all live paths without a pause; what it has found is there when it ends."""
    found: set[tuple[str, str]] = set()
    places = [str(repo.place(host)) for host in repo.hosts]
    with subprocess.Popen(
        [sys.executable, "-c", READER, *places], stdout=subprocess.PIPE, text=True
    ) as reader:
        try:
            yield found
        finally:
            reader.terminate()
            assert reader.stdout is not None
            found |= {tuple(json.loads(line)) for line in reader.stdout}


def run_git(place: Path, *words: str) -> str:
    """Git in a directory of a host."""
    done = subprocess.run(["git", "-C", str(place), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def kept(done: Run) -> dict[str, Path]:
    """Host to the name under which the outcome says that its old directory is kept."""
    return {name: Path(host["moved_aside"]) for name, host in done.data["hosts"].items()}


# -- Trebuchet ------------------------------------------------------------------------------------------

SITE = {
    "one": "site-sync-20261120-101500",
    "two": "site-sync-20261121-093000",
    "three": "site-sync-20261122-1",
}


def trebuchet_deploys(source: Path, place: Path, tag: str) -> None:
    """What a host of Trebuchet's does: a clone at first, then a fetch, and in each case a checkout of the tag."""
    if not (place / ".git").is_dir():
        subprocess.run(["git", "clone", "--quiet", str(source), str(place)], check=True)
    run_git(place, "fetch", "--quiet", "origin", "--tags")
    run_git(place, "reset", "--quiet", "--hard", f"tags/{tag}")
    run_git(place, "checkout", "--force", "--quiet", f"tags/{tag}")


@pytest.mark.repo("site", location=None, tag_scheme="sync")
def test_S04_a_fleet_of_trebuchets_is_taken_over_and_handed_back_and_no_reader_misses_a_file(
    repo: Repo,
) -> None:
    for tag, release in zip(SITE.values(), ("v0", "v2", "v3"), strict=True):
        git(repo.git_dir, "tag", tag, f"{release}^{{commit}}")
    for host in repo.hosts:
        trebuchet_deploys(repo.git_dir, repo.place(host), SITE["one"])
    edited = repo.place("web2")
    (edited / "lib/b").write_text("edited by hand\n")
    (edited / "debug").write_text("left here\n")

    step = Walk(repo, "From Trebuchet")
    with reading(repo) as found:
        assert [each.data.split("\n", 1)[0] for each in step()] == [SITE["one"]] * 2
        _, done, _ = step()
        aside = kept(done)
        assert repo.on_disk() == repo.everywhere("v0")
        assert (aside["web2"] / "lib/b").read_text() == "edited by hand\n"
        assert (aside["web2"] / "debug").exists() and not (edited / "debug").exists()
        done, back, again = step()
        assert [each.data["outcome"] for each in (done, back, again)] == ["CONVERGED"] * 3
        assert (back.data["tag"], back.data["previous"]) == (SITE["one"], SITE["two"])
        assert repo.on_disk() == repo.everywhere("v2")

        step()
        assert repo.sync(SITE["one"]).status == 1, "nobody deploys to a fleet that is handed back"
        step()
        assert {host: repo.place(host).resolve() for host in repo.hosts} == aside
        assert repo.on_disk() == repo.everywhere("v2")
        assert run_git(edited, "show", "stash@{0}:lib/b") == "edited by hand"
        step()
        assert step.is_over
    assert found == {V0, V2}

    for host in repo.hosts:  # Trebuchet goes on as if nothing had been
        trebuchet_deploys(repo.git_dir, repo.place(host), SITE["three"])
    assert repo.on_disk() == repo.everywhere("v3")


@pytest.mark.repo("inplace-site", location=None, layout="inplace")
def test_S04_a_checkout_is_taken_over_where_it_is_if_the_pillar_wants_it_there(repo: Repo) -> None:
    for host in repo.hosts:
        trebuchet_deploys(repo.git_dir, repo.place(host), "v0")
    for host in repo.hosts:
        told = repo.call(host, "status").data
        assert repo.releases.commit("v0") in json.dumps(told), told
    repo.has("v2")
    assert {(repo.place(host) / ".git").is_dir() for host in repo.hosts} == {True}
    assert repo.run("rollback").data["tag"] == "v0"
    assert repo.on_disk() == repo.everywhere("v0")


# -- a plain directory ----------------------------------------------------------------------------------


def as_files(releases: Any, source: Path, tag: str, place: Path) -> None:
    """A release as plain files, as an rsync brings them."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    archive = git(source, "archive", tag)
    subprocess.run(["tar", "-x", "-C", str(place)], input=archive, check=True)


@pytest.mark.repo("pages", location=None, stage={}, shared={"dirs": ["uploads"]})
def test_a_plain_directory_is_taken_over_with_what_users_own_and_handed_back(
    repo: Repo, tmp_path: Path
) -> None:
    repository = repo.git_dir.rename(tmp_path / "repository.git")
    as_files(repo.releases, repository, "v2", repo.git_dir)
    for host in repo.hosts:
        as_files(repo.releases, repository, "v0", repo.place(host))
        (repo.place(host) / "uploads").mkdir()
        (repo.place(host) / "uploads" / "cat").write_text(host)
        (repo.place(host) / "stray").write_text("nobody knows why")

    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    step = Walk(repo, "From a plain directory", **{"2026-11-23": today})
    with reading(repo) as found:
        staged, done = step()
        assert staged.data["new"]
        for host, place in kept(done).items():
            assert (repo.place(host) / "uploads" / "cat").read_text() == host
            assert (place / "stray").exists() and not (repo.place(host) / "stray").exists()
        step()
        for host in repo.hosts:
            assert (repo.place(host) / "uploads" / "cat").read_text() == host
            assert (repo.place(host) / "stray").exists(), "what lay there is there again"
        assert step.is_over
    assert found == {V0, V2}


# -- scap -----------------------------------------------------------------------------------------------

SERVICE = {"scap/sync/2026-11-20/0001": "v0", "scap/sync/2026-11-21/0001": "v2"}


def scap_deploys(source: Path, place: Path, commit: str) -> None:
    """What scap does on a host: fetch into a cache, a clone of it for the revision, links to that, and done."""
    home = place.with_name(f"{place.name}-cache")
    if not (home / "cache").exists():
        subprocess.run(["git", "clone", "--quiet", "--bare", str(source), str(home / "cache")], check=True)
    tree = home / "revs" / commit
    if not tree.exists():
        subprocess.run(["git", "clone", "--quiet", "--shared", str(home / "cache"), str(tree)], check=True)
        run_git(tree, "checkout", "--force", "--quiet", commit)
    for link in (home / "current", place, home / ".done"):
        link.unlink(missing_ok=True)  # scap has a moment without
        link.symlink_to(tree.relative_to(link.parent))


@pytest.mark.repo("service", location=None, tag_scheme="scap", on_failure="ask", batch=80)
def test_S04_a_fleet_of_scaps_is_taken_over_and_handed_back_and_no_reader_misses_a_file(
    repo: Repo, tmp_path: Path
) -> None:
    for tag, release in SERVICE.items():
        git(repo.git_dir, "tag", tag, f"{release}^{{commit}}")
    old, new = (repo.releases.commit(release) for release in SERVICE.values())
    for host in repo.hosts:
        scap_deploys(repo.git_dir, repo.place(host), old)
    revision = {host: repo.place(host).resolve() for host in repo.hosts}
    staging = tmp_path / "service"
    (staging / "scap" / "environments" / "production").mkdir(parents=True)
    (staging / "scap" / "scap.cfg").write_text(
        "[global]\ngit_repo: service\ndsh_targets: hosts\nssh_user: x\n"
    )
    (staging / "scap" / "environments" / "production" / "hosts").write_text("\n".join(repo.hosts))

    step = Walk(repo, "From scap", **{"/srv/staging/service": str(staging)})
    with reading(repo) as found:
        (read,) = step()
        section = yaml.safe_load(read.data["pieces"][0]["text"])["repo_config"]["service"]
        assert section["location"] == "/srv/deployment/service"
        assert {key: section[key] for key in ("targets", "tag_scheme", "on_failure", "batch")} == {
            "targets": ",".join(repo.hosts),
            "tag_scheme": "scap",
            "on_failure": "ask",
            "batch": 80,
        }, "what this repo of the fleet has as well"
        assert [each["key"] for each in read.data["left"]] == ["ssh_user"]
        first, _, back = step()
        assert {host: place.resolve() for host, place in kept(first).items()} == revision
        assert (back.data["tag"], back.data["outcome"]) == ("scap/sync/2026-11-20/0001", "CONVERGED")
        assert repo.on_disk() == repo.everywhere("v0")
        for host in repo.hosts:
            home = repo.place(host).with_name("service-cache")
            assert {(home / name).resolve() for name in ("current", ".done")} == {revision[host]}
        step()
        assert {host: repo.place(host).resolve() for host in repo.hosts} == revision
        assert step.is_over
    assert found == {V0, V2}

    for host in repo.hosts:  # scap goes on as if nothing had been
        scap_deploys(repo.git_dir, repo.place(host), new)
    assert repo.on_disk() == repo.everywhere("v2")
