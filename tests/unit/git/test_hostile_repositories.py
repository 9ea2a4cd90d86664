"""A git directory whose owner wants us to run a program of his: a work tree, a store, the repository that a master reads."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.git.repository import Repository
from saltdeploy.layouts.inplace import Inplace
from saltdeploy.lib.errors import DeployError, Unsupported
from saltdeploy.master.payloads import source as master_source

from tests.support.repositories import (
    GITLINK,
    Entry,
    Source,
    Tree,
    bring_bundle,
    deploy,
    git,
    repo,
    snapshot,
    tree,
)

pytestmark = pytest.mark.component("git itself, with all that an owner's repository may have it run")

#: What names a program, or a file that names one. ``@X`` is the program, ``@D`` a directory of hooks and of a file ``more``.
KEYS = {
    "core.fsmonitor": "@X",
    "core.hooksPath": "@D",
    "core.sshCommand": "@X",
    "core.gitProxy": "@X",
    "core.pager": "@X",
    "core.editor": "@X",
    "core.askPass": "@X",
    "core.alternateRefsCommand": "@X",
    "core.attributesFile": "@D/attributes",
    "core.worktree": "@D",
    "credential.helper": "!@X",
    "alias.status": "!@X",
    "pager.status": "@X",
    "diff.external": "@X",
    "diff.f.command": "@X",
    "diff.f.textconv": "@X",
    "merge.f.driver": "@X",
    "filter.f.clean": "@X",
    "filter.f.smudge": "@X",
    "filter.f.process": "@X",
    "gpg.program": "@X",
    "gpg.ssh.program": "@X",
    "gpg.ssh.defaultKeyCommand": "@X",
    "include.path": "@D/more",
    "includeIf.gitdir:/**.path": "@D/more",
    "extensions.worktreeConfig": "true",
    "extensions.partialClone": "evil",
    "uploadpack.packObjectsHook": "@X",
    "remote.evil.vcs": "ext",
    "remote.origin.uploadpack": "@X",
    "url.ext::@X .insteadOf": "file://",
    "url.ssh://127.0.0.1:1/.insteadOf": "file://",
    "protocol.ext.allow": "always",
    "submodule.sub.update": "!@X",
    "submodule.recurse": "true",
    "fetch.recurseSubmodules": "true",
    "gc.auto": "1",
    "maintenance.auto": "true",
    "trace2.normalTarget": "@D/trace",
}
#: The same, in other places than the configuration.
PLACES = ("hooks", "info/attributes", "commondir", "a submodule", "all at once")
_HOOKS = ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "post-rewrite")

TREES = [{**tree(a=str(n), b="same"), b"sub": Entry(GITLINK, b"1" * 40)} for n in range(3)]
FILTERED = [{**each, **tree(**{".gitattributes": "* filter=f diff=f merge=f\n"})} for each in TREES]


class Trap:
    """A program that somebody else wants us to run, and what leads git to it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.program = place / "program"
        self._ran = place / "ran"
        place.mkdir()
        self.program.write_text(f"#!/bin/sh\necho $0 $* >>{self._ran}\ncat\n")
        self.program.chmod(0o755)
        for name in _HOOKS:
            shutil.copy(self.program, place / name)
        (place / "attributes").write_text("* filter=f diff=f merge=f\n")
        all_of_them = {key: value for key, value in KEYS.items() if not key.startswith("include")}
        self._write(place / "more", all_of_them)

    @property
    def ran(self) -> str:
        return self._ran.read_text() if self._ran.exists() else ""

    def lay(self, git_dir: Path, what: str) -> None:
        """Put it into a git directory, as its owner could."""
        filters = {key: self.program.as_posix() for key in KEYS if key.startswith("filter.")}
        if what in ("hooks", "all at once"):
            shutil.copytree(self.place, git_dir / "hooks", dirs_exist_ok=True)
        if what in ("info/attributes", "all at once"):
            (git_dir / "info").mkdir(exist_ok=True)
            shutil.copy(self.place / "attributes", git_dir / "info/attributes")
            self._write(git_dir / "config", filters)
        if what == "commondir":
            shutil.copytree(git_dir, self.place / "common")
            self._write(self.place / "common/config", {"core.fsmonitor": "@X", **filters})
            (git_dir / "commondir").write_text(f"{self.place}/common\n")
        if what == "a submodule" and (git_dir.parent / "sub").is_dir():
            subprocess.run(["git", "init", "-q", str(git_dir.parent / "sub")], check=True)
            git(git_dir.parent / "sub/.git", "commit", "-q", "--allow-empty", "-m", "x")
            self._write(git_dir.parent / "sub/.git/config", {"core.fsmonitor": "@X"})
        if what == "extensions.worktreeConfig":
            self._write(git_dir / "config", {"core.repositoryFormatVersion": "1"})
            shutil.copy(self.place / "more", git_dir / "config.worktree")
        if what == "core.attributesFile":
            self._write(git_dir / "config", filters)
        if what == "extensions.partialClone":
            theirs = {"url": str(self.place), "promisor": "true", "uploadpack": "@X"}
            self._write(git_dir / "config", {f"remote.evil.{key}": value for key, value in theirs.items()})
        self._write(git_dir / "config", KEYS if what == "all at once" else {what: KEYS.get(what, "")})

    def _write(self, file: Path, settings: dict[str, str]) -> None:
        for key, value in settings.items():
            key, value = (
                each.replace("@X", str(self.program)).replace("@D", str(self.place)) for each in (key, value)
            )
            if value:
                subprocess.run(["git", "config", "--file", str(file), key, value], check=True)


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "theirs")


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "live"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Tree]], Source]:
    """Sources that nobody changes."""
    place = tmp_path_factory.mktemp("sources")
    known = {id(trees): Source(place / str(number), *trees) for number, trees in enumerate((TREES, FILTERED))}
    return lambda trees: known[id(trees)]


def work(layout: layouts.Layout, source: Source, location: Path) -> None:
    """Whatever is done in the git directory of a target."""
    store = layout.store
    assert store.fetch(f"file://{source.git_dir}", "v1") == source.tag(1).commit
    for url in ("ssh://127.0.0.1:1/x", "git://127.0.0.1:1/x"):
        with contextlib.suppress(DeployError):
            store.fetch(url, "v1")
    bring_bundle(layout, source, 2, source.tag(1).commit)
    for number in (1, 2, 0):
        layout.prepare(source.release(number), progress=lambda *_: None)
        layout.activate(source.release(number))
        assert layout.holdings().live == source.tag(number).commit
        assert layout.read(source.tag(number).commit, "a", 99) == str(number).encode()
    seen = {p: e for p, e in snapshot(location).items() if not p.startswith((b".git/", b"sub/"))}
    assert {p: e for p, e in seen.items() if p != b".git"} == source.checked_out(0)
    (location / "a").touch()
    for full in (False, True):
        assert layout.verify(full=full).changed in ([], ["sub"])  # there is another commit in there
    store.compact()


@pytest.mark.parametrize("key", [*KEYS, *PLACES])
def test_F39_what_the_owner_of_a_work_tree_configures_is_not_run(
    key: str, made: Callable[[list[Tree]], Source], trap: Trap, location: Path
) -> None:
    source = made(FILTERED)
    layout = Inplace(repo(location, layout="inplace"))
    bring_bundle(layout, source, 0, "")
    layout.activate(source.release(0))
    trap.lay(location / ".git", key)
    work(layout, source, location)
    assert trap.ran == ""


@pytest.mark.parametrize("name", ["slots", "releases"])
def test_F39_the_owner_of_a_store_has_nothing_run_either(
    name: str, made: Callable[[list[Tree]], Source], trap: Trap, location: Path
) -> None:
    source = made(TREES)
    layout = layouts.of(repo(location, layout=name))
    bring_bundle(layout, source, 0, "")
    trap.lay(layout.store.git_dir, "all at once")
    work(layout, source, location)
    assert trap.ran == ""


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.f.clean", "hooks", "commondir", "a submodule"])
def test_F39_git_does_run_it_where_nobody_forbids_it(
    key: str, made: Callable[[list[Tree]], Source], trap: Trap, location: Path
) -> None:
    deploy(Inplace(repo(location, layout="inplace")), made(FILTERED), 0)
    trap.lay(location / ".git", key)
    for path in (location / "a", location / "b"):
        path.write_text("x")
    for command in (["status"], ["checkout", "--force", "--quiet", "HEAD"]):
        subprocess.run(["git", "-C", str(location), *command], check=False, capture_output=True)
    assert trap.ran


@pytest.fixture(scope="module")
def staging(made: Callable[[list[Tree]], Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployer's clone, with a work tree."""
    place = tmp_path_factory.mktemp("staging") / "source"
    subprocess.run(["git", "clone", "-q", str(made(FILTERED).git_dir), str(place)], check=True)
    return place


@pytest.mark.parametrize("key", [*KEYS, *PLACES])
def test_F39_the_owner_of_the_masters_source_has_nothing_run(
    key: str, staging: Path, trap: Trap, tmp_path: Path
) -> None:
    place = tmp_path / "source"
    shutil.copytree(staging, place, symlinks=True)
    trap.lay(place / ".git", key)
    opened = master_source.Source(repo(tmp_path / "live", source=str(place)), tmp_path / "master")
    old, new = (opened.tag(name) for name in ("v0", "v1"))
    repository = opened.repository
    assert repository.difference(old.commit, new.commit).changed == 1
    assert repository.file(new.commit, "a", 9) == b"1"
    assert len(list(repository.sizes(new.commit))) == 4
    assert not repository.has("a" * 40)
    repository.pack(new, "", tmp_path / "whole")
    repository.pack(new, old.commit, tmp_path / "thin")
    with contextlib.suppress(DeployError):
        repository.verify(new)
    store = Repository(tmp_path / "store.git")
    store.ensure()
    store.unpack(tmp_path / "whole", new.commit)
    assert store.fetch(f"file://{place}", "v0") == old.commit
    with contextlib.suppress(DeployError):
        store.fetch(str(place), "v9", "a" * 40)
    assert trap.ran == ""


def test_F39_a_filter_of_the_administrators_is_not_run_on_a_tree(
    made: Callable[[list[Tree]], Source], trap: Trap, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git-lfs's would read the configuration of the tree's owner."""
    trap.lay(trap.place, "filter.f.smudge")
    monkeypatch.setenv("HOME", str(trap.place))
    os.rename(trap.place / "config", trap.place / ".gitconfig")
    layout = Inplace(repo(location, layout="inplace"))
    deploy(layout, made(FILTERED), 0)
    assert layout.verify(full=True).ok
    assert trap.ran == ""


@pytest.mark.parametrize("what", ["a pipe", "a directory", "a huge file", "rubbish"])
def test_F39_a_configuration_that_is_none_is_named_and_keeps_nobody_waiting(
    what: str, made: Callable[[list[Tree]], Source], location: Path
) -> None:
    layout = Inplace(repo(location, layout="inplace"))
    deploy(layout, made(TREES), 0)
    config = location / ".git/config"
    config.unlink()
    if what == "a pipe":
        os.mkfifo(config)
    elif what == "a directory":
        config.mkdir()
    else:
        config.write_text("[" if what == "rubbish" else "# \n" * 400_000)
    with pytest.raises(DeployError) as caught:
        layout.verify(full=False)
    assert caught.value.path == str(config)


def test_F39_a_git_directory_that_is_a_link_is_refused(
    made: Callable[[list[Tree]], Source], location: Path, tmp_path: Path
) -> None:
    layout = Inplace(repo(location, layout="inplace"))
    deploy(layout, made(TREES), 0)
    os.rename(location / ".git", tmp_path / "elsewhere")
    (location / ".git").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    with pytest.raises(Unsupported) as caught:
        deploy(layout, made(TREES), 1)
    assert caught.value.path == str(location / ".git")
    assert snapshot(tmp_path / "elsewhere") == before
