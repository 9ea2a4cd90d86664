"""How git is run: nobody's environment, hooks or programs have a say; what it reports is heard; how it fails is told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.git import command as git_command
from saltdeploy.git.command import git_version, run
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import GitFailed, GitUnusable, Unavailable

from tests.support.repositories import Source, git, tree


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.git", tree(a="1"), tree(a="2", b="3"))


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def bring(source: Source, store: Repository, number: int, place: Path) -> str:
    """A release travels from the source to the store; the text of its file ``a`` there."""
    tag = source.repository.tag(f"v{number}")
    source.repository.pack(tag, "", place / "bundle")
    store.unpack(place / "bundle", tag.commit)
    return git(store.git_dir, "show", f"{tag.commit}:a").decode()


# -- who has no say -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "/nowhere"},
        {"GIT_WORK_TREE": "/nowhere"},
        {"GIT_INDEX_FILE": "/nowhere"},
        {"GIT_OBJECT_DIRECTORY": "/nowhere"},
        {"GIT_NAMESPACE": "theirs"},
        {"GIT_EXEC_PATH": "/nowhere"},
        {"GIT_TEMPLATE_DIR": "/nowhere"},
        {"GIT_DEFAULT_HASH": "sha256"},
        {"GIT_SHALLOW_FILE": "/nowhere"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "nonsense"},
        {"GIT_CONFIG_PARAMETERS": "'core.bare=nonsense'"},
        {"GIT_TRACE": "/nowhere/trace"},
        {"GIT_QUARANTINE_PATH": "/nowhere"},
        {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_the_environment_of_the_minion_changes_nothing(
    source: Source, tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hostile:
        for name, value in variables.items():
            hostile.setenv(name, value)
        store = Repository(tmp_path / "store.git")
        store.ensure()
        tag = source.repository.tag("v1")
        source.repository.pack(tag, "", tmp_path / "bundle")
        store.unpack(tmp_path / "bundle", tag.commit)
        assert store.kept() == [tag.commit]
    assert git(store.git_dir, "show", f"{tag.commit}:a") == b"2"


@pytest.mark.parametrize(
    "where", ["hooks", "a directory that the configuration names", "an included configuration"]
)
def test_no_hook_runs(source: Source, store: Repository, tmp_path: Path, where: str) -> None:
    ran = tmp_path / "ran"
    hooks = store.git_dir / "hooks" if where == "hooks" else tmp_path / "theirs"
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-rewrite"):
        program(hooks / name, f"touch {ran}")
    if where == "a directory that the configuration names":
        git(store.git_dir, "config", "core.hooksPath", str(hooks))
    if where == "an included configuration":
        (tmp_path / "more").write_text(f"[core]\n hooksPath = {hooks}\n")
        git(store.git_dir, "config", "include.path", str(tmp_path / "more"))
    assert bring(source, store, 0, tmp_path) == "1"
    assert not ran.exists()
    git(store.git_dir, "update-ref", "refs/heads/x", source.tag(0).commit)
    assert ran.exists()  # it does run where somebody lets it


def test_a_repository_cannot_have_a_program_of_its_owner_run(source: Source, tmp_path: Path) -> None:
    """The master reads repositories of others as root; git would fetch a missing object as their config says."""
    ran = tmp_path / "ran"
    theirs = program(tmp_path / "theirs", f"touch {ran}")
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.url": str(tmp_path),
        "remote.evil.promisor": "true",
        "remote.evil.uploadpack": str(theirs),
    }.items():
        git(source.git_dir, "config", key, value)
    assert not source.repository.has("a" * 40)
    assert not ran.exists()
    command = ["git", f"--git-dir={source.git_dir}", "cat-file", "-e", "a" * 40]
    subprocess.run(command, check=False, capture_output=True)
    assert ran.exists()  # git does so where nobody forbids it


@pytest.mark.parametrize("url", ["ext::sh -c touch% {ran}", "ssh://-oProxyCommand=touch%20{ran}/x"])
def test_no_url_runs_a_program(store: Repository, tmp_path: Path, url: str) -> None:
    with pytest.raises(Unavailable):
        store.fetch(url.format(ran=tmp_path / "ran"), "v1")
    assert not (tmp_path / "ran").exists()


def test_what_the_administrator_configured_for_the_user_counts(
    source: Source, store: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text(
        f'[url "file://{tmp_path}/"]\n insteadOf = https://git.example.org/\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.fetch("https://git.example.org/source.git", "v1") == source.tag(1).commit


# -- what is heard --------------------------------------------------------------------------------------


class Heard(list[tuple[str, int, int, str]]):
    """A progress that remembers."""

    def __call__(self, phase: str, done: int, total: int, unit: str) -> None:
        self.append((phase, done, total, unit))

    def phases(self) -> list[str]:
        return list(dict.fromkeys(phase for phase, *_ in self))


@pytest.fixture
def similar(tmp_path: Path) -> Source:
    """Files that git packs as deltas of each other."""
    text = "\n".join(map(str, range(2000)))
    return Source(tmp_path / "similar.git", tree(**{f"f{n}": f"{text}\n{n}" for n in range(50)}))


@pytest.fixture
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress of commands that take no time is told as well."""
    monkeypatch.setattr(git_command, "_WORTH_TELLING", 0.0)


@pytest.mark.usefixtures("told_at_once")
def test_a_fetch_tells_what_it_receives_and_unpacks(similar: Source, store: Repository) -> None:
    heard = Heard()
    store.fetch(f"file://{similar.git_dir}", "v0", progress=heard)
    assert heard.phases() == ["receive", "unpack"]
    received = [each for each in heard if each[0] == "receive"]
    assert received[-1] == ("receive", 52, 52, "objects")  # commit, tree and files
    assert [done for _, done, _, _ in received] == sorted(done for _, done, _, _ in received)


@pytest.mark.usefixtures("told_at_once")
@pytest.mark.skipif(git_version() < (2, 36), reason="this git tells nothing while it takes in a bundle")
def test_taking_in_a_bundle_is_told(similar: Source, store: Repository, tmp_path: Path) -> None:
    heard = Heard()
    similar.repository.pack(similar.tag(0), "", tmp_path / "bundle")
    store.unpack(tmp_path / "bundle", similar.tag(0).commit, heard)
    assert heard.phases() == ["unpack"]
    assert ("unpack", 52, 52, "objects") in heard


@pytest.mark.usefixtures("told_at_once")
def test_a_listener_that_fails_ends_the_command_and_harms_nothing(similar: Source, store: Repository) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.fetch(f"file://{similar.git_dir}", "v0", progress=fail)
    store.recover()
    assert store.fetch(f"file://{similar.git_dir}", "v0") == similar.tag(0).commit


# -- how it fails ---------------------------------------------------------------------------------------


def talk(script: str) -> list[str]:
    """A git command that does what ``script`` says."""
    return ["-c", f"alias.talk=!f() {{ {script}; }}; f", "talk"]


@pytest.mark.parametrize("progress", [None, Heard()], ids=["silent", "heard"])
def test_a_failure_has_gits_own_number_and_last_words(progress: Heard | None) -> None:
    with pytest.raises(GitFailed) as caught:
        run(
            talk("yes a long story | head -c 5000000 >&2; echo; echo the end >&2; exit 77"), progress=progress
        )
    assert caught.value.status == 77
    assert caught.value.cause.endswith("the end")
    assert len(caught.value.cause) < 3500


@pytest.mark.parametrize("progress", [None, Heard()], ids=["silent", "heard"])
def test_a_line_without_an_end_is_cut_short(progress: Heard | None) -> None:
    with pytest.raises(GitFailed) as caught:
        run(talk("head -c 3000000 /dev/zero | tr '\\\\0' x >&2; exit 1"), progress=progress)
    assert len(caught.value.cause) <= 1500


def test_an_error_with_a_percent_sign_is_not_taken_for_progress() -> None:
    with pytest.raises(GitFailed) as caught:
        run(talk("echo 'fatal: cannot read /srv/100%/x' >&2; exit 128"), progress=Heard())
    assert caught.value.cause == "fatal: cannot read /srv/100%/x"


def test_lines_that_count_are_no_part_of_an_error() -> None:
    script = "echo 'remote: Counting objects:  50% (1/2)' >&2; echo fatal: sorry >&2; exit 128"
    with pytest.raises(GitFailed) as caught:
        run(talk(script), progress=Heard())
    assert caught.value.cause == "fatal: sorry"


def test_a_killed_git_has_a_number_of_gits(tmp_path: Path) -> None:
    """Not -9, and not 137 or 143, which mean something else."""
    with pytest.raises(GitFailed) as caught:
        run(talk("kill -9 $PPID"))
    assert caught.value.status == 128
    assert "killed by signal 9" in caught.value.cause


def test_output_and_input_of_any_size_do_not_block_each_other() -> None:
    data = os.urandom(1 << 20)
    assert run(talk("cat; cat /dev/null >&2"), input=data).stdout == data


# -- which git ------------------------------------------------------------------------------------------


@pytest.fixture
def unknown_version() -> Iterator[None]:
    git_version.cache_clear()
    yield
    git_version.cache_clear()


@pytest.mark.usefixtures("unknown_version")
@pytest.mark.parametrize("left", ["nothing", "a file that cannot be run", "a file in place of a directory"])
def test_a_host_without_git_says_so(tmp_path: Path, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bin"
    if left == "a file in place of a directory":
        path.write_text("")
    else:
        path.mkdir()
    if left == "a file that cannot be run":
        (path / "git").write_text("#!/bin/sh\n")
        (path / "git").chmod(0o644)
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(GitUnusable) as caught:
        git_version()
    assert "install git" in caught.value.next


@pytest.mark.usefixtures("unknown_version")
@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("git version 2.25.0", (2, 25, 0)),
        ("git version 2.39.5 (Apple Git-154)", (2, 39, 5)),
        ("git version 2.47.0.rc1", (2, 47, 0)),
        ("git version 3.0", (3, 0, 0)),
    ],
)
def test_a_git_that_is_new_enough_is_known_by_its_version(
    tmp_path: Path, said: str, version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, said, monkeypatch)
    assert git_version() == version


@pytest.mark.usefixtures("unknown_version")
@pytest.mark.parametrize("said", ["git version 2.24.9", "git version 1.8.3.1", "gibberish"])
def test_a_git_that_is_too_old_is_refused(tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(tmp_path, said, monkeypatch)
    with pytest.raises(GitUnusable) as caught:
        git_version()
    assert "too old" in caught.value.cause
    assert ".".join(map(str, git_command.MIN_GIT)) in caught.value.cause


def _stand_in(place: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that says what another git would say of its version."""
    program(place / "bin" / "git", f"echo '{said}'")
    monkeypatch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")
