"""A tag is made for a commit that has none: its name is free, whoever else makes one at the same moment."""

from __future__ import annotations

import multiprocessing
import subprocess
from collections.abc import Collection
from datetime import datetime, timezone
from pathlib import Path

import pytest
from saltdeploy.git.naming import NamingRepository
from saltdeploy.lib.errors import GitFailed, Unsigned
from saltdeploy.staging.next_tag import next_tag
from saltdeploy.staging.tagging import TagText, make_tag

from tests.support.repositories import Source, configure, git, tree
from tests.support.rounds import rounds

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


@pytest.mark.component(f"{CALLERS} processes that race")
def test_a_thousand_tags_of_racing_callers_are_a_thousand_names_without_a_gap(
    mirror: NamingRepository,
) -> None:
    """In ``make fault`` as many; else some of them, since each is two processes of git."""
    each = rounds(1000) // CALLERS
    fork = multiprocessing.get_context("fork")
    gate, names = fork.Barrier(CALLERS), fork.Queue()

    def call() -> None:
        gate.wait(60)
        names.put([make(mirror, "release") for _ in range(each)])

    callers = [fork.Process(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    got = [[int(name.rpartition("/")[2]) for name in names.get(timeout=500)] for _ in callers]
    for caller in callers:
        caller.join(60)
    assert all(mine == sorted(mine) for mine in got), "each caller's later tag has a greater number"
    assert sorted(number for mine in got for number in mine) == list(range(1, CALLERS * each + 1))


def test_S66_a_tag_is_signed_where_gits_configuration_of_the_host_names_a_key(
    mirror: NamingRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "allowed").write_text(f"alice@master.example.org {key.with_suffix('.pub').read_text()}")
    configure(
        monkeypatch,
        tmp_path / "home",
        f'[gpg]\nformat = ssh\n[gpg "ssh"]\nallowedSignersFile = {tmp_path / "allowed"}\n'
        f"[user]\nsigningKey = {key}\n[tag]\ngpgSign = true\n",
    )
    first, second = make(mirror, "release"), make(mirror, "release")
    assert (first, second) == ("release/2015-06-10/1", "release/2015-06-10/2")
    mirror.verify(mirror.tag(second))
    said = git(mirror.git_dir, "cat-file", "tag", first).decode()
    assert "tagger alice <alice@master.example.org> 1433930400 +0000" in said
    assert f"\n\n{first}\n\nrepo: wiki\nreason: a hotfix\n-----BEGIN SSH SIGNATURE-----\n" in said
    key.unlink()
    with pytest.raises(Unsigned):
        make(mirror, "release")
    assert sorted(mirror.tags()) == [first, second], "none is left that is not signed"


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
