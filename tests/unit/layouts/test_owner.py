"""A tree has the owner and the modes that the pillar says, before it is ready; what somebody changes is found and mended."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.layouts.symlinked import clone
from saltdeploy.lib import reflink
from saltdeploy.lib.errors import Unsupported

from tests.support.repositories import EXECUTABLE, GITLINK, Entry, Source, deploy, link, prepare, repo, tree

#: Nobody may give files away but root.
UID, GID = (4711, 4712) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
OWNER = {"user": UID, "group": GID, "umask": "0027", "writable": ["var"]}
MODES = {
    "": 0o750,
    "index": 0o640,
    "bin": 0o750,
    "bin/run": 0o750,
    "var": 0o770,
    "var/deep": 0o770,
    "var/deep/x": 0o640,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [
        {
            **tree(index=f"v{n}", same="same", var__deep__x=f"x{n}"),
            b"bin/run": Entry(EXECUTABLE, b"#!/bin/sh\n"),
            b"alias": link("index"),
            b"sub": Entry(GITLINK, b"1" * 40),
        }
        for n in range(5)
    ]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.fixture(params=["slots", "releases"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return repo(tmp_path / "srv/demo", layout=request.param, owner=OWNER)


def owners(root: Path) -> set[tuple[int, int]]:
    root = root.resolve()
    return {(seen.st_uid, seen.st_gid) for seen in map(os.lstat, [root, *root.rglob("*")])}


def modes(root: Path) -> dict[str, int]:
    return {name: stat.S_IMODE((root / name).stat().st_mode) for name in MODES}


def test_every_release_has_them_forth_and_back(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    for number in (0, 1, 2, 3, 4, 1, 0):
        deploy(layout, source, number)
        assert owners(made.paths.location) == {(UID, GID)}, number
        assert modes(made.paths.location) == MODES, number
        assert (made.paths.location / "index").read_text() == f"v{number}"
        assert layout.verify(full=True).ok


@pytest.mark.parametrize("way", [reflink.COPY, reflink.LINK])
def test_a_file_of_somebody_elses_is_never_shared_with_another_tree(
    made: Repo, source: Source, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clone.reflink, "way", lambda _: way)
    layout = layouts.of(made)
    deploy(layout, source, 0)
    deploy(layout, source, 1)
    first, second = (layout.tree(source.release(number).commit) for number in (0, 1))
    assert first is not None
    assert second is not None
    assert (first / "same").stat().st_ino != (second / "same").stat().st_ino or os.geteuid() == UID
    assert owners(second) == {(UID, GID)}


def test_the_root_is_that_of_a_tree_without_owner(made: Repo, source: Source, tmp_path: Path) -> None:
    plain = repo(tmp_path / "plain")
    assert prepare(layouts.of(made), source, 0)["root"] == prepare(layouts.of(plain), source, 0)["root"]


def change_mode(root: Path) -> str:
    os.chmod(root / "same", 0o600)
    return "same"


def change_directory(root: Path) -> str:
    os.chmod(root / "bin", 0o777)
    return "bin/"


def change_owner(root: Path) -> str:
    os.chown(root / "same", os.geteuid(), os.getegid())
    if os.geteuid() == UID:  # nobody can give it away
        os.chmod(root / "same", 0o660)
    return "same"


@pytest.mark.parametrize("change", [change_mode, change_directory, change_owner])
@pytest.mark.parametrize("full", [False, True])
def test_what_somebody_has_changed_is_named_and_the_next_fetch_mends_it(
    made: Repo, source: Source, change: Any, full: bool
) -> None:
    layout = layouts.of(made)
    deploy(layout, source, 0)
    named = change(made.paths.location)
    findings = layout.verify(full=full)
    assert (findings.misowned, findings.changed, findings.missing) == ([named], [], [])
    assert layout.holdings().damaged
    deploy(layout, source, 0)
    assert modes(made.paths.location) == MODES
    assert owners(made.paths.location) == {(UID, GID)}
    assert layout.verify(full=True).ok


def test_a_change_of_the_owner_makes_trees_new(made: Repo, source: Source) -> None:
    plain = repo(made.paths.location, layout=made.layout.name)
    deploy(layouts.of(plain), source, 0)
    assert owners(made.paths.location) == {(os.geteuid(), os.getegid())}
    deploy(layouts.of(made), source, 0)
    assert owners(made.paths.location) == {(UID, GID)}
    deploy(layouts.of(plain), source, 0)
    assert owners(made.paths.location) == {(os.geteuid(), os.getegid())}
    assert layouts.of(plain).verify(full=True).ok


def test_what_is_made_for_shared_paths_has_them_too(tmp_path: Path, source: Source) -> None:
    shared = {"dirs": ["uploads", "var"]}
    made = repo(tmp_path / "demo", owner={**OWNER, "writable": ["uploads", "var"]}, shared=shared)
    deploy(layouts.of(made), source, 0)
    place = made.paths.area / "shared"
    for name, mode in (("uploads", 0o770), ("var", 0o770), ("var/deep", 0o770), ("var/deep/x", 0o640)):
        seen = (place / name).stat()
        assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (UID, GID, mode), name
    assert layouts.of(made).verify(full=True).ok


@pytest.mark.parametrize("who", ["user", "group"])
def test_who_is_not_on_the_host_is_named_before_anything_is_written(
    tmp_path: Path, source: Source, who: str
) -> None:
    made = repo(tmp_path / "demo", owner={who: "no-such-one"})
    with pytest.raises(Unsupported, match=f"there is no {who} no-such-one") as caught:
        prepare(layouts.of(made), source, 0)
    assert caught.value.path == f"repo_config:demo:owner:{who}"
    assert not list((made.paths.area / "slots").glob("[0-9]"))
