"""What is refused before any host is asked: a release without a signature, and one that lacks too much."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from saltdeploy.git.command import git_version
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import Corrupt, TooMuchRemoved, Unavailable, Unsigned
from saltdeploy.master.payloads import source as master_source

from tests.support.guarding import refuse_dangerous
from tests.support.repositories import (
    EXECUTABLE,
    FILE,
    GITLINK,
    Entry,
    Source,
    Tree,
    add_raw,
    git,
    repo,
    tree,
)
from tests.unit.master.worlds import World

FILES = tree(**{f"file{number}": f"content {number}\n" for number in range(10)})
MANY = tree(**{f"file{number}": f"content {number}\n" for number in range(100)})
BIG = {**FILES, b"big": Entry(EXECUTABLE, b"x" * 10_000)}


def without(files: Tree, count: int) -> Tree:
    return dict(list(files.items())[count:])


def moved(files: Tree) -> Tree:
    return {b"elsewhere/" + path: entry for path, entry in files.items()}


def refuse(
    root: Path, source: Source, old: int | None, new: int, force: bool = False, **keys: object
) -> None:
    """Deploy ``v<new>`` where ``v<old>`` is pinned."""
    found = repo(root / "live", source=str(source.git_dir), **keys)
    opened = master_source.Source(found, root)
    tag = opened.tag(f"v{new}")
    before = "" if old is None else source.tag(old).commit
    refuse_dangerous(found, opened, tag, before, force=force)


# -- what is missing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        (FILES, without(FILES, 6), {}),
        (MANY, without(MANY, 20), {"max_removed": "10%"}),
        (FILES, without(FILES, 1), {"max_removed": "0%"}),
        (FILES, without(FILES, 3), {"max_removed": 2}),
        (BIG, FILES, {}),
        (BIG, {**BIG, b"big": Entry(EXECUTABLE, b"")}, {}),
        (FILES, {**tree(other="x" * 10_000)}, {}),
        ({**FILES, b"sub": Entry(GITLINK, b"1" * 40)}, tree(file0="content 0\n"), {}),
    ],
    ids=["files", "share", "any", "count", "bytes", "emptied", "another project", "submodule"],
)
def test_a_release_that_lacks_too_much_is_refused_unless_forced(
    tmp_path: Path, old: Tree, new: Tree, keys: dict[str, object]
) -> None:
    source = Source(tmp_path / "source", old, new)
    with pytest.raises(TooMuchRemoved) as raised:
        refuse(tmp_path, source, 0, 1, **keys)
    assert raised.value.path == "repo_config:demo:max_removed"
    refuse(tmp_path, source, 0, 1, force=True, **keys)


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        (FILES, without(FILES, 5), {}),
        (MANY, without(MANY, 20), {"max_removed": "20%"}),
        (FILES, without(FILES, 2), {"max_removed": 2}),
        (BIG, FILES, {"max_removed": "100%"}),
        (FILES, {**FILES, b"file0": Entry(EXECUTABLE, b"longer than before")}, {"max_removed": "0%"}),
        (FILES, FILES, {"max_removed": "0%"}),
        (FILES, moved(FILES), {"max_removed": "0%"}),
        (FILES, {**moved(FILES), **tree(more="x")}, {"max_removed": 0}),
        (MANY, without(MANY, 5), {"max_removed": "1%"}),
        (tree(file="x" * 100), tree(file="x"), {}),
    ],
    ids=[
        "half",
        "share",
        "count",
        "all allowed",
        "grown",
        "the same files",
        "F49-moved",
        "F49-moved and grown",
        "F10-few files",
        "F10-few bytes",
    ],
)
def test_a_release_that_lacks_no_more_than_is_allowed_passes(
    tmp_path: Path, old: Tree, new: Tree, keys: dict[str, object]
) -> None:
    refuse(tmp_path, Source(tmp_path / "source", old, new), 0, 1, **keys)


def site_with(place: Path, *libraries: Tree) -> Source:
    """A repository of which each release has the next of these trees as its submodule, and little else."""
    library = Source(place / "lib", *libraries)
    modules = b'[submodule "lib"]\npath = lib\nurl = ../lib\n'
    releases = [
        {
            b".gitmodules": Entry(FILE, modules),
            b"lib": Entry(GITLINK, library.tag(number).commit.encode()),
        }
        for number in range(len(libraries))
    ]
    without_it = {b".gitmodules": Entry(FILE, b""), b"lib/one": Entry(FILE, b"x" * 9_000)}
    return Source(place / "site", *releases, without_it)


@pytest.mark.parametrize("transport", ["bundle", "git"])
def test_F10_a_few_bytes_of_gitmodules_are_no_loss(tmp_path: Path, transport: str) -> None:
    source = site_with(tmp_path, tree(one="x" * 9_000))
    refuse(tmp_path, source, 0, 1, checkout_submodules=True, transport=transport)


def test_F10_the_files_of_a_submodule_are_files_of_the_release(tmp_path: Path) -> None:
    source = site_with(tmp_path, {**MANY, **BIG}, without(MANY, 60), without(MANY, 20))
    opened = master_source.Source(
        repo(tmp_path / "live", source=str(source.git_dir), checkout_submodules=True), tmp_path
    )
    for number in (0, 2):  # they were deployed, so the master has their submodules
        with opened.packer(source.tag(number).commit, "bundle"):
            pass
    with pytest.raises(TooMuchRemoved, match="lacks 61 files"):
        refuse(tmp_path, source, 0, 1, checkout_submodules=True)
    refuse(tmp_path, source, 2, 1, checkout_submodules=True)  # 40 of 81


@pytest.mark.parametrize("old", [None, 0], ids=["first deploy", "after another"])
def test_a_release_without_any_file_is_refused_whatever_is_allowed(tmp_path: Path, old: int | None) -> None:
    source = Source(tmp_path / "source", FILES, {})
    with pytest.raises(TooMuchRemoved, match="no file at all"):
        refuse(tmp_path, source, old, 1, max_removed="100%")
    refuse(tmp_path, source, old, 1, force=True)


def test_a_pinned_release_that_the_repository_no_longer_has_is_no_reason_to_refuse(tmp_path: Path) -> None:
    source = Source(tmp_path / "source", FILES)
    found = repo(tmp_path / "live", source=str(source.git_dir))
    opened = master_source.Source(found, tmp_path)
    refuse_dangerous(found, opened, opened.tag("v0"), "1" * 40, force=False)


# -- what cannot be written -----------------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("old", [None, 0])
def test_F50_a_flawed_tree_is_refused_with_its_path_and_force_does_not_help(
    tmp_path: Path, old: int | None, force: bool
) -> None:
    source = Source(tmp_path / "source", FILES)
    add_raw(source, 1, [("40000", b"lib", [("120000", b"link", b"")]), ("100644", b"z", b"x")])
    with pytest.raises(Corrupt, match="its target is empty") as caught:
        refuse(tmp_path, source, old, 1, force)
    assert (caught.value.path, caught.value.repo) == ("lib/link", "demo")


def test_F50_a_partial_repository_is_refused_with_the_path_and_a_command_that_tells_more(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    git_dir = world.source.git_dir
    oid = git(git_dir, "rev-parse", "v2:change").decode().strip()
    (git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(Corrupt, match=f"lacks its blob {oid}") as caught:
        world.plan()
    assert caught.value.path == "change"
    said = subprocess.check_output(shlex.split(caught.value.next.partition(" tells more")[0]), text=True)
    assert f"?{oid}" in said


# -- signatures -----------------------------------------------------------------------------------------

Sign = Callable[..., None]
"""Sign ``v0`` of a repository under a new name: ``sign(source, name)``."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the user that the master runs as."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    return place


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def tag_signed(source: Source, name: str, key: str, *settings: str) -> None:
    options = [
        word for setting in (*settings, "user.name=T", "user.email=t@example.org") for word in ("-c", setting)
    ]
    run(
        "git",
        f"--git-dir={source.git_dir}",
        *options,
        "tag",
        "-f",
        "-s",
        "-u",
        key,
        "-m",
        "release",
        name,
        "v0^{}",
    )


@pytest.fixture
def ssh(home: Path) -> Sign:
    """Somebody whose SSH key the master trusts, unless ``stranger`` signs."""
    if git_version() < (2, 34) or not shutil.which("ssh-keygen"):
        pytest.skip("git 2.34 and ssh-keygen are needed")
    for who in ("friend", "stranger"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / who)
    allowed = home / "allowed"
    allowed.write_text(f"t@example.org {(home / 'friend.pub').read_text()}")
    (home / ".gitconfig").write_text(f'[gpg "ssh"]\n allowedSignersFile = {allowed}\n')

    def sign(source: Source, name: str = "v9", who: str = "friend") -> None:
        tag_signed(source, name, str(home / f"{who}.pub"), "gpg.format=ssh")

    return sign


@pytest.fixture
def gpg(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sign]:
    """Somebody whose GPG key is in the master's key ring."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is needed")
    ring = Path("/tmp", f"ring{os.getpid()}")  # gpg's agent has a socket there, whose path must be short
    ring.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(ring))
    try:
        run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "t@example.org", "ed25519", "sign")

        def sign(source: Source, name: str = "v9") -> None:
            tag_signed(source, name, "t@example.org", "gpg.format=openpgp")

        yield sign
    finally:
        run("gpgconf", "--kill", "gpg-agent")
        shutil.rmtree(ring)


def refuse_v9(root: Path, source: str, *, force: bool = False) -> None:
    found = repo(root / "live", source=source, require_signed=True)
    opened = master_source.Source(found, root)
    refuse_dangerous(found, opened, opened.tag("v9"), "", force=force)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", FILES, FILES)


@pytest.mark.parametrize("url", ["{}", "file://{}"], ids=["local", "remote"])
@pytest.mark.parametrize("kind", ["ssh", "gpg"])
def test_a_signed_tag_passes(
    tmp_path: Path, source: Source, request: pytest.FixtureRequest, kind: str, url: str
) -> None:
    request.getfixturevalue(kind)(source)
    refuse_v9(tmp_path, url.format(source.git_dir))


def assert_unsigned(root: Path, source: str, cause: str) -> None:
    for force in (False, True):
        with pytest.raises(Unsigned, match=cause) as raised:
            refuse_v9(root, source, force=force)
        assert raised.value.repo == "demo"


@pytest.mark.parametrize("url", ["{}", "file://{}"], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [([], "lightweight"), (["-a", "-m", "release"], "no signature")],
    ids=["lightweight", "annotated"],
)
def test_an_unsigned_tag_is_refused_and_force_does_not_help(
    tmp_path: Path, home: Path, source: Source, options: list[str], cause: str, url: str
) -> None:
    run(
        "git",
        f"--git-dir={source.git_dir}",
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@example.org",
        "tag",
        *options,
        "v9",
        "v0^{}",
    )
    assert_unsigned(tmp_path, url.format(source.git_dir), cause)


def test_a_signature_of_a_stranger_is_refused(tmp_path: Path, ssh: Sign, source: Source) -> None:
    ssh(source, who="stranger")
    assert_unsigned(tmp_path, str(source.git_dir), "no signature that git accepts")


def test_an_old_signed_tag_under_a_new_name_is_refused(tmp_path: Path, ssh: Sign, source: Source) -> None:
    ssh(source, name="v8")
    run("git", f"--git-dir={source.git_dir}", "update-ref", "refs/tags/v9", "refs/tags/v8")
    assert_unsigned(tmp_path, str(source.git_dir), "another name")


def test_whoever_may_push_does_not_choose_whom_the_master_trusts(
    tmp_path: Path, home: Path, ssh: Sign, source: Source
) -> None:
    ssh(source, who="stranger")
    theirs = home / "theirs"
    theirs.write_text(f"t@example.org {(home / 'stranger.pub').read_text()}")
    run("git", f"--git-dir={source.git_dir}", "config", "gpg.ssh.allowedSignersFile", theirs)
    assert_unsigned(tmp_path, str(source.git_dir), "no signature that git accepts")


def test_F31_a_list_of_signers_that_only_the_repository_names_is_told_with_the_command_that_trusts_it(
    tmp_path: Path, home: Path, ssh: Sign, source: Source
) -> None:
    ssh(source)
    own = home / "allowed"
    (home / ".gitconfig").unlink()
    run("git", f"--git-dir={source.git_dir}", "config", "gpg.ssh.allowedSignersFile", own)
    with pytest.raises(Unsigned, match="does not count: whoever may push could name it") as caught:
        refuse_v9(tmp_path, str(source.git_dir))
    *command, file = shlex.split(caught.value.next)
    assert command == ["git", "config", "--system", "gpg.ssh.allowedSignersFile"]
    assert file == str(own)
    run(
        "git", "config", "--global", *command[3:], file
    )  # a test leaves the machine's own configuration alone
    refuse_v9(tmp_path, str(source.git_dir))


@pytest.mark.parametrize("url", ["{}", "file://{}"], ids=["local", "remote"])
def test_F31_a_clone_without_blobs_is_called_a_partial_clone_and_its_origin_helps(
    tmp_path: Path, source: Source, url: str
) -> None:
    partial, whole = tmp_path / "partial.git", tmp_path / "whole.git"
    run("git", f"--git-dir={source.git_dir}", "config", "uploadpack.allowFilter", "true")
    origin = f"file://{source.git_dir}"
    run("git", "clone", "-q", "--bare", "--filter=blob:none", origin, partial)
    with pytest.raises((Corrupt, Unavailable), match="partial clone") as caught:
        refuse_flawed_v0(tmp_path / "master", url.format(partial))
    assert "git clone --mirror" in caught.value.next
    run("git", "clone", "-q", "--mirror", origin, whole)
    refuse_flawed_v0(tmp_path / "master", url.format(whole))


def refuse_flawed_v0(root: Path, source: str) -> None:
    found = repo(root / "live", source=source)
    opened = master_source.Source(found, root)
    refuse_dangerous(found, opened, opened.tag("v0"), "", force=False)


def test_whoever_may_push_does_not_choose_what_the_master_runs(
    tmp_path: Path, home: Path, ssh: Sign, source: Source
) -> None:
    ssh(source)
    program = home / "program"
    program.write_text(f"#!/bin/sh\ntouch {home}/was-run\n")
    program.chmod(0o755)
    run("git", f"--git-dir={source.git_dir}", "config", "gpg.ssh.program", program)
    refuse_v9(tmp_path, str(source.git_dir))
    assert not (home / "was-run").exists()


def test_a_tag_that_was_changed_after_it_was_signed_is_refused(
    tmp_path: Path, ssh: Sign, source: Source
) -> None:
    ssh(source)
    data = subprocess.run(
        ["git", f"--git-dir={source.git_dir}", "cat-file", "tag", "v9"], check=True, capture_output=True
    ).stdout
    evil = data.replace(source.tag(0).commit.encode(), source.tag(1).commit.encode())
    command = ["git", f"--git-dir={source.git_dir}", "hash-object", "-t", "tag", "-w", "--stdin"]
    oid = subprocess.run(command, input=evil, check=True, capture_output=True).stdout.decode().strip()
    run("git", f"--git-dir={source.git_dir}", "update-ref", "refs/tags/v9", oid)
    assert_unsigned(tmp_path, str(source.git_dir), "no signature that git accepts")


def test_where_no_signature_is_required_none_is_looked_for(tmp_path: Path, source: Source) -> None:
    refuse(tmp_path, source, None, 0)


def test_a_tag_that_was_fetched_outlives_housekeeping(tmp_path: Path, ssh: Sign, source: Source) -> None:
    ssh(source)
    found = repo(tmp_path / "live", source=f"file://{source.git_dir}", require_signed=True)
    opened = master_source.Source(found, tmp_path)
    tag = opened.tag("v9")
    run("git", f"--git-dir={opened.repository.git_dir}", "repack", "-q", "-a", "-d")
    run("git", f"--git-dir={opened.repository.git_dir}", "prune", "--expire=now")
    refuse_dangerous(found, opened, tag, "", force=False)


def test_what_was_fetched_with_its_tag_can_be_packed_for_targets(
    tmp_path: Path, ssh: Sign, source: Source
) -> None:
    ssh(source)
    opened = master_source.Source(repo(tmp_path / "live", source=f"file://{source.git_dir}"), tmp_path)
    tag = opened.tag("v9")
    opened.repository.pack(tag, "", tmp_path / "bundle")
    store = Repository(tmp_path / "store.git")
    store.ensure()
    store.unpack(tmp_path / "bundle", tag.commit)
    assert store.has(source.tag(0).commit)
    store.verify(tag)
