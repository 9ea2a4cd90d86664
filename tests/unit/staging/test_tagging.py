"""A tag is made for a commit that has none: its name is free, whoever else makes one at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection
from datetime import datetime, timezone
from pathlib import Path

import pytest
from saltdeploy.git.naming import NamingRepository
from saltdeploy.lib.errors import GitFailed
from saltdeploy.staging.next_tag import next_tag
from saltdeploy.staging.tagging import TagText, make_tag

from tests.support.repositories import Source, git, tree

NOW = datetime(2015, 6, 10, 10, 0, 0, tzinfo=timezone.utc)
TEXT = TagText(
    "alice", "master.example.org", NOW.timestamp(), {"repo": "wiki", "reason": "a hotfix", "previous": ""}
)
SCHEMES = ("release", "semver", "scap", "sync", "timestamp")
CALLERS = 8


@pytest.fixture
def mirror(tmp_path: Path) -> NamingRepository:
    source = Source(tmp_path / "source", tree(a="0"))
    made = NamingRepository(tmp_path / "mirror.git")
    made.bring_commit(str(source.git_dir), source.tag(0).commit, "refs/heads/main")
    return made


def make(mirror: NamingRepository, scheme: str, text: TagText = TEXT) -> str:
    (commit,) = mirror.kept()

    def choose(made: Collection[str]) -> str:
        return next_tag("wiki", made, scheme, "", NOW)

    return make_tag(mirror, commit, choose, text).name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_callers_at_once_never_get_the_same_name(mirror: NamingRepository, scheme: str) -> None:
    fork = multiprocessing.get_context("fork")
    gate, names = fork.Barrier(CALLERS), fork.Queue()

    def call() -> None:
        gate.wait(60)
        names.put(make(mirror, scheme))

    callers = [fork.Process(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    got = [names.get(timeout=60) for _ in callers]
    for caller in callers:
        caller.join(60)
    assert len(set(got)) == CALLERS
    assert sorted(got) == sorted(mirror.tags())


def test_the_tag_tells_who_why_and_of_what(mirror: NamingRepository) -> None:
    name = make(mirror, "release")
    said = git(mirror.git_dir, "cat-file", "tag", name).decode()
    assert f"object {mirror.kept()[0]}\ntype commit\ntag {name}\n" in said
    assert "tagger alice <alice@master.example.org> 1433930400 +0000" in said
    assert said.endswith(f"\n\n{name}\n\nrepo: wiki\nreason: a hotfix\n"), "what is not known is left out"
    git(mirror.git_dir, "fsck", "--strict")


@pytest.mark.parametrize("user", ["", "a\nb", "<x> y", "sudo_bob", "🙂"])
def test_whatever_users_are_called_git_takes_the_tag(mirror: NamingRepository, user: str) -> None:
    facts = {"reason": "one\ntwo\x00\n\ntagger nobody"}
    make(mirror, "release", TagText(user, "host", 1.0, facts))
    git(mirror.git_dir, "fsck", "--strict")
    said = git(mirror.git_dir, "for-each-ref", "--format=%(contents:body)", "refs/tags").decode()
    assert len(said.strip().splitlines()) == 1


def test_a_mirror_that_takes_no_tag_is_told_of(mirror: NamingRepository) -> None:
    git(mirror.git_dir, "pack-refs", "--all")
    (mirror.git_dir / "refs/tags").rmdir()
    (mirror.git_dir / "refs/tags").touch()
    with pytest.raises(GitFailed):
        make(mirror, "release")
