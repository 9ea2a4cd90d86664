"""What is between two releases, of repositories that git itself has made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config import Repo
from saltdeploy.lib.errors import NoSuchDeploy, NoSuchTag
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.records.history import History
from saltdeploy.master.records.pins import Pin, Pins
from saltdeploy.master.reports.changes import MOST_COMMITS, changes
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release
from saltdeploy.watch.console import results

from tests.support.repositories import repo as configured
from tests.unit.master.pasts import Past

HOSTILE = "\x1b[2Jowned\x07"


class Upstream:
    """A repository in which people commit."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, author: str = "Alice") -> str:
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", author), ("EMAIL", f"{author.split()[0].lower()}@example.org"))}  # fmt: skip
        command = ["git", "-C", str(self.place), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **who})
        return done.stdout.strip()

    def commit(self, subject: str, author: str = "Alice", **files: str | None) -> str:
        for name, text in files.items():
            if text is None:
                (self.place / name).unlink()
            else:
                (self.place / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject, author=author)
        return self.git("rev-parse", "HEAD")

    def commit_many(self, count: int) -> None:
        """So many commits by one process of git; each changes nothing."""
        who = "committer Alice <alice@example.org> 1795428672 +0000"
        head = self.git("rev-parse", "HEAD")
        stream = "".join(
            f"commit refs/heads/main\n{who}\ndata {len(text)}\n{text}\n{'' if number else f'from {head}' + chr(10)}"
            for number, text in enumerate(f"number {number}" for number in range(count))
        )
        subprocess.run(
            ["git", "-C", str(self.place), "fast-import", "--quiet"], input=stream, text=True, check=True
        )

    def tag(self, name: str, *options: str) -> None:
        self.git("tag", *options, "-a", "-m", name, name)


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    found = Upstream(tmp_path / "upstream")
    found.commit("first", a="1\n", b="b\n")
    found.tag("v1")
    found.commit("change a", "Bob", a="2\n")
    found.commit("add c, drop b", "Carol", c="c" * 2000, b=None)
    found.tag("v2")
    return found


@pytest.fixture(params=["local", "remote", "remote that leaves out files"])
def told(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Any:
    """``deploy.changes`` as a function of the two tags, where the repository lies here, and where it is fetched."""
    past = Past(tmp_path / "master")
    place = str(upstream.place)
    upstream.git("config", "uploadpack.allowFilter", str("leaves out" in request.param).lower())
    repo: Repo = configured(
        tmp_path / "live", source=place if request.param == "local" else f"file://{place}"
    )

    def call(old: str = "", new: str = "") -> dict[str, Any]:
        return changes(repo, old, new, past.master.root, History(past.master.store))

    call.past = past  # type: ignore[attr-defined]
    return call


def pin(past: Past, upstream: Upstream, tag: str) -> None:
    commit = upstream.git("rev-parse", f"{tag}^{{commit}}")
    order = Order("pin", 1, FETCH, Release("demo", tag, commit), "bundle")
    Pins(past.master.root).put(Pin(order, ("web1",)))


def test_commits_authors_and_files_are_told(told: Any) -> None:
    view = told("v1", "v2")
    assert [each["subject"] for each in view["brings"]["listed"]] == ["add c, drop b", "change a"]
    assert view["brings"]["authors"] == {"Carol": 1, "Bob": 1}
    assert view["takes_back"]["count"] == 0
    files = view["files"]
    assert (files["added"], files["changed"], files["removed"]) == (1, 1, 1)
    assert {each["path"]: each["kind"] for each in files["listed"]} == {
        "a": "changed",
        "b": "removed",
        "c": "added",
    }
    assert files["grown"] == 2000 - len("b\n")


def test_without_old_it_is_what_is_pinned(told: Any, upstream: Upstream) -> None:
    pin(told.past, upstream, "v1")
    view = told(new="v2")
    assert (view["old"]["tag"], view["brings"]["count"]) == ("v1", 2)
    assert view["next"] == "salt-run deploy.plan repo=demo tag=v2"


def test_the_first_release_brings_all_that_led_to_it(told: Any) -> None:
    view = told(new="v2")
    assert (view["old"], view["brings"]["count"], view["files"]["added"]) == (None, 3, 2)


def test_a_release_that_is_no_descendant_takes_commits_back(told: Any, upstream: Upstream) -> None:
    upstream.git("checkout", "-q", "v1")
    upstream.commit("hotfix", "Dave", a="1.1\n")
    upstream.tag("v1.1")
    view = told("v2", "v1.1")
    assert [each["subject"] for each in view["brings"]["listed"]] == ["hotfix"]
    assert (view["takes_back"]["count"], view["takes_back"]["authors"]) == (2, {"Carol": 1, "Bob": 1})
    assert "it takes back 2 commits by Carol (1), Bob (1), which v2 has" in str(results.render(view))


def test_a_tag_that_is_not_there_is_an_error(told: Any) -> None:
    with pytest.raises(NoSuchTag):
        told("v1", "v9")


def test_only_commits_are_fetched_where_the_server_can_leave_out_files(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.git("config", "uploadpack.allowFilter", "true")
    repo = configured(tmp_path / "live", source=f"file://{upstream.place}")
    commits = Source(repo, tmp_path / "master").history("v1", "v2")
    assert all(commits.knows(upstream.git("rev-parse", f"{tag}^{{commit}}")) for tag in ("v1", "v2"))
    assert commits.missing([upstream.git("rev-parse", "v2^{tree}")])


def test_before_the_first_deploy_there_is_nothing_to_compare_with(told: Any) -> None:
    with pytest.raises(NoSuchDeploy, match="nothing is pinned yet"):
        told()


def test_many_commits_are_counted_and_the_newest_are_listed(told: Any, upstream: Upstream) -> None:
    upstream.commit_many(MOST_COMMITS + 1)
    upstream.tag("v3")
    view = told("v2", "v3")
    assert (view["brings"]["count"], len(view["brings"]["listed"])) == (MOST_COMMITS + 1, MOST_COMMITS)
    assert "and 171 more" in str(results.render(view))


def test_a_tag_that_was_moved_is_what_it_is_now(told: Any, upstream: Upstream) -> None:
    assert told("v1", "v2")["brings"]["count"] == 2
    upstream.commit("one more")
    upstream.tag("v2", "--force")
    assert told("v1", "v2")["brings"]["count"] == 3


def test_hostile_names_and_subjects_move_no_cursor(told: Any, upstream: Upstream) -> None:
    upstream.commit(HOSTILE, f"Eve {HOSTILE}", **{"x\x1b[2J": "x"})
    upstream.tag("v3")
    assert "\x1b" not in str(results.render(told("v2", "v3")))


def test_a_shallow_clone_says_that_it_may_know_less(upstream: Upstream, tmp_path: Path) -> None:
    place = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", "--branch=v2", f"file://{upstream.place}", str(place)], check=True, capture_output=True)  # fmt: skip
    past = Past(tmp_path / "master")
    view = changes(
        configured(tmp_path / "live", source=str(place)),
        "",
        "v2",
        past.master.root,
        History(past.master.store),
    )
    assert view["cut_off"]
    assert "shallow clone" in str(results.render(view))


def test_of_a_release_that_runs_already_nothing_is_to_be_done(told: Any, upstream: Upstream) -> None:
    pin(told.past, upstream, "v2")
    view = told(old="v1")
    assert (view["new"]["tag"], view["next"]) == ("v2", "")
    assert "it is the same commit" in str(results.render(told(new="v2")))
