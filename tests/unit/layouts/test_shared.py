"""What all trees share is the host's own: made once, taken over as it is, never deleted, and no part of any digest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.content import release_root
from saltdeploy.content.source import Stored
from saltdeploy.layouts.symlinked import shared as shared_area
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt, NotReady, Unsupported

from tests.support.repositories import EXECUTABLE, Entry, Source, deploy, link, prepare, repo, tree

DIRS, FILES = ["uploads", "var/cache"], ["config/local.ini"]
V = [
    {
        **tree(index=f"v{n}", uploads__README="from git", config__local_ini="", **{f"only{n}": "x"}),
        b"config/local.ini": Entry("100644", b"secret = release\n"),
        b"uploads/bin/run": Entry(EXECUTABLE, b"#!/bin/sh\n"),
    }
    for n in range(5)
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    for each in V:
        each.pop(b"config/local_ini", None)
    return Source(tmp_path_factory.mktemp("source") / "source", *V)


@pytest.fixture(params=["slots", "releases"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return repo(tmp_path / "srv/demo", layout=request.param, shared={"dirs": DIRS, "files": FILES})


def release(layout: Any, source: Source, number: int) -> Any:
    return deploy(layout, source, number)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# -- made once, and the same from then on ---------------------------------------------------------------


def test_they_are_made_from_the_releases_copy_and_linked_before_the_tree_is_ready(
    made: Repo, source: Source
) -> None:
    layout = layouts.of(made)
    facts = prepare(layout, source, 0)
    place = made.paths.area / "shared"
    assert facts["shared"] == "config/local.ini, uploads, var/cache"
    assert contents(place) == {
        "config/local.ini": b"secret = release\n",
        "uploads/README": b"from git",
        "uploads/bin/run": b"#!/bin/sh\n",
    }
    assert (place / "uploads/bin/run").stat().st_mode & 0o777 == 0o755
    assert (place / "var/cache").is_dir()
    here = layout.tree(source.release(0).commit)
    assert here is not None
    for path in (*DIRS, *FILES):
        assert (here / path).is_symlink()
        assert not os.path.isabs(os.readlink(here / path)), "it holds wherever the area is seen"
        assert os.path.realpath(here / path) == os.path.realpath(place / path)
    assert not made.paths.location.exists(), "nothing is live yet"


def test_what_users_write_is_there_in_every_release_forth_and_back(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    release(layout, source, 0)
    (made.paths.location / "uploads/cat.png").write_bytes(b"cat")
    (made.paths.location / "config/local.ini").write_text("secret = mine\n")
    for number in (1, 2, 3, 4, 3, 0, 1):
        release(layout, source, number)
        assert (made.paths.location / "index").read_text() == f"v{number}"
        assert (made.paths.location / "uploads/cat.png").read_bytes() == b"cat"
        assert (made.paths.location / "config/local.ini").read_text() == "secret = mine\n"
        assert layout.verify(full=False).ok
        assert layout.verify(full=True).ok
        (made.paths.location / f"uploads/{number}").write_text("new")
    layout.collect(Cleanup(), ())
    assert len(contents(made.paths.area / "shared")) == 3 + 1 + 5


def test_they_are_no_part_of_the_digest_of_a_host_nor_of_the_masters(
    made: Repo, source: Source, tmp_path: Path
) -> None:
    layout = layouts.of(made)
    facts = release(layout, source, 0)
    commit = source.release(0).commit
    reader = source.repository
    wanted = release_root.root_of(tmp_path / "a.db", commit, reader, Stored(reader), (), made.left_out)
    whole = release_root.root_of(tmp_path / "b.db", commit, reader, Stored(reader))
    assert facts["root"] == wanted != whole
    (made.paths.location / "uploads/more").write_text("x")
    assert layout.holdings().roots[commit] == wanted
    assert not layout.holdings().damaged


def test_without_any_nothing_is_different(tmp_path: Path, source: Source) -> None:
    plain = repo(tmp_path / "demo")
    assert plain.shape == ""
    release(layouts.of(plain), source, 0)
    assert not (plain.paths.area / "shared").exists()
    assert (plain.paths.location / "uploads/README").is_file()


def test_they_can_be_at_a_place_of_their_own(tmp_path: Path, source: Source) -> None:
    place = tmp_path / "data/demo"
    made = repo(tmp_path / "srv/demo", shared={"dirs": DIRS, "files": FILES, "place": str(place)})
    release(layouts.of(made), source, 0)
    assert (place / "uploads/README").is_file()
    assert os.readlink(made.paths.location / "uploads") == str(place / "uploads")


def test_what_is_there_stays_whatever_the_release_brings(made: Repo, source: Source, tmp_path: Path) -> None:
    place = made.paths.area / "shared"
    (place / "config").mkdir(parents=True)
    (place / "config/local.ini").write_text("mine")
    os.chmod(place / "config/local.ini", 0o600)
    elsewhere = tmp_path / "nfs"
    elsewhere.mkdir()
    (place / "uploads").symlink_to(elsewhere)
    facts = release(layouts.of(made), source, 0)
    assert facts["shared"] == "var/cache"
    assert (place / "config/local.ini").read_text() == "mine"
    assert (place / "config/local.ini").stat().st_mode & 0o777 == 0o600
    assert list(elsewhere.iterdir()) == []
    (made.paths.location / "uploads/x").touch()
    assert (elsewhere / "x").exists()


def test_a_file_that_is_nowhere_is_asked_for_before_anything_is_switched(
    tmp_path: Path, source: Source
) -> None:
    made = repo(tmp_path / "demo", shared={"files": ["LocalSettings.php"]})
    layout = layouts.of(made)
    with pytest.raises(NotReady) as caught:
        prepare(layout, source, 0)
    place = made.paths.area / "shared/LocalSettings.php"
    assert caught.value.path == str(place)
    assert f"install -D -m 640 FILE {place}" in caught.value.next
    place.write_text("<?php")
    release(layout, source, 0)
    assert (made.paths.location / "LocalSettings.php").read_text() == "<?php"


# -- taking over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["a plain directory", "a release without shared paths"])
def test_what_the_live_tree_has_there_moves_as_it_is(made: Repo, source: Source, before: str) -> None:
    if before == "a plain directory":
        made.paths.location.mkdir(parents=True)
    else:
        deploy(layouts.of(repo(made.paths.location, layout=made.layout.name)), source, 0)
    for path, text in (("uploads/cat.png", "cat"), ("config/local.ini", "mine"), ("stray", "other")):
        (made.paths.location / path).parent.mkdir(exist_ok=True)
        (made.paths.location / path).write_text(text)
    os.chmod(made.paths.location / "uploads", 0o2775)
    inode = (made.paths.location / "uploads/cat.png").stat().st_ino
    old = Path(os.path.realpath(made.paths.location))
    layout = layouts.of(made)
    prepare(layout, source, 1)
    assert not (made.paths.location / "uploads").is_symlink(), "nothing that users see has changed"
    (made.paths.location / "uploads/late.png").write_text("late")
    facts = layout.activate(source.release(1))
    assert facts["taken_over"] == "config/local.ini, uploads"
    shared = made.paths.area / "shared"
    assert (made.paths.location / "uploads/late.png").read_text() == "late"
    assert (made.paths.location / "uploads/cat.png").stat().st_ino == inode
    assert (shared / "uploads").stat().st_mode & 0o7777 == 0o2775
    assert (made.paths.location / "config/local.ini").read_text() == "mine"
    aside = Path(facts["moved_aside"]) if before == "a plain directory" else old
    assert (aside / "uploads/late.png").read_text() == "late", "the tree that was left goes on with it"
    assert (aside / "stray").read_text() == "other"
    assert layout.verify(full=True).ok


def test_a_roll_back_to_the_time_before_goes_on_with_what_is_shared(made: Repo, source: Source) -> None:
    plain = layouts.of(repo(made.paths.location, layout=made.layout.name))
    deploy(plain, source, 0)
    (made.paths.location / "uploads/cat.png").write_text("cat")
    layout = layouts.of(made)
    release(layout, source, 1)
    (made.paths.location / "uploads/dog.png").write_text("dog")
    plain.activate(source.release(0), back=True)
    assert (made.paths.location / "index").read_text() == "v0"
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat"
    assert (made.paths.location / "uploads/dog.png").read_text() == "dog"


def test_a_link_of_the_operators_in_the_old_tree_is_followed(
    made: Repo, source: Source, tmp_path: Path
) -> None:
    (tmp_path / "nfs").mkdir()
    made.paths.location.mkdir(parents=True)
    (made.paths.location / "uploads").symlink_to("../../nfs")
    release(layouts.of(made), source, 0)
    (made.paths.location / "uploads/x").touch()
    assert (tmp_path / "nfs/x").exists()


# -- what is refused ------------------------------------------------------------------------------------


def test_a_layout_without_links_refuses_them_by_name(tmp_path: Path) -> None:
    made = repo(tmp_path / "demo", layout="inplace", shared={"dirs": ["uploads"]})
    with pytest.raises(Unsupported, match="layout inplace has no shared paths") as caught:
        refuse_contents(made)
    assert caught.value.path == "repo_config:demo:shared"
    assert "slots, releases or overlay" in caught.value.next


def test_a_kind_that_is_not_what_the_pillar_says_is_named(made: Repo, source: Source) -> None:
    (made.paths.area / "shared").mkdir(parents=True)
    (made.paths.area / "shared/uploads").write_text("a file")
    with pytest.raises(Unsupported, match="uploads cannot be shared"):
        prepare(layouts.of(made), source, 0)
    assert (made.paths.area / "shared/uploads").read_text() == "a file"


def test_a_link_of_the_release_above_a_shared_path_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    source = Source(tmp_path / "source", {**tree(a="1"), b"var": link(str(tmp_path / "victim"))})
    made = repo(tmp_path / "srv/demo", shared={"dirs": ["var/cache"]})
    with pytest.raises((Unsupported, Corrupt), match="var"):
        prepare(layouts.of(made), source, 0)
    assert list((tmp_path / "victim").iterdir()) == []


def test_what_somebody_put_in_place_of_a_link_is_kept_and_named(made: Repo, source: Source) -> None:
    layout = layouts.of(made)
    release(layout, source, 0)
    (made.paths.location / "uploads").unlink()
    (made.paths.location / "uploads").mkdir()
    (made.paths.location / "uploads/precious").write_text("mine")
    with pytest.raises(Unsupported, match="somebody has put something") as caught:
        prepare(layout, source, 0)
    assert "mv -- " in caught.value.next
    assert (made.paths.location / "uploads/precious").read_text() == "mine"


# -- power and full disks -------------------------------------------------------------------------------


class PowerCut(BaseException):
    """The process ends here."""


def cut(*_: object, **__: object) -> bool:
    raise PowerCut


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_move_that_was_cut_short_is_finished(
    made: Repo, source: Source, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    made.paths.location.mkdir(parents=True)
    (made.paths.location / "uploads").mkdir()
    (made.paths.location / "uploads/cat.png").write_text("cat")
    layout = layouts.of(made)
    prepare(layout, source, 0)
    if not can_exchange:
        monkeypatch.setattr(shared_area.disk, "exchange_at", lambda *_: False)
    with monkeypatch.context() as patch:
        patch.setattr(shared_area.disk, "exchange_at", cut) if can_exchange else patch.setattr(
            shared_area.os, "rename", cut
        )
        with pytest.raises(PowerCut):
            layout.activate(source.release(0))
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat"
    prepare(layout, source, 0)
    layout.activate(source.release(0))
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat"
    assert (made.paths.area / "shared/uploads/cat.png").read_text() == "cat"
    assert not [path for path in (made.paths.area / "shared").iterdir() if path.name.startswith(".")]
    assert not (made.paths.area / "taking.json").exists()


def test_a_move_whose_link_is_missing_gets_it(
    made: Repo, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.paths.location.mkdir(parents=True)
    (made.paths.location / "uploads").mkdir()
    (made.paths.location / "uploads/cat.png").write_text("cat")
    layout = layouts.of(made)
    prepare(layout, source, 0)
    symlink = os.symlink

    def cut_at_the_second(*arguments: Any, **named: Any) -> None:
        nonlocal links
        links += 1
        if links == 2:
            raise PowerCut
        symlink(*arguments, **named)

    links = 0
    with monkeypatch.context() as patch:
        patch.setattr(shared_area.disk, "exchange_at", lambda *_: False)
        patch.setattr(shared_area.os, "symlink", cut_at_the_second)
        with pytest.raises(PowerCut):
            layout.activate(source.release(0))
    assert not (made.paths.location / "uploads").exists()
    prepare(layout, source, 0)
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat", (
        "at once, and not only with the switch"
    )
    layout.activate(source.release(0))
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat"


def test_a_changed_list_makes_trees_new_and_loses_nothing(made: Repo, source: Source) -> None:
    release(layouts.of(made), source, 0)
    (made.paths.location / "uploads/cat.png").write_text("cat")
    fewer = replace(
        made, paths=replace(made.paths, shared=replace(made.paths.shared, dirs=("uploads",), files=()))
    )
    layout = layouts.of(fewer)
    release(layout, source, 1)
    assert (made.paths.location / "uploads/cat.png").read_text() == "cat"
    assert (made.paths.location / "config/local.ini").read_text() == "secret = release\n"
    assert not (made.paths.location / "config/local.ini").is_symlink()
    assert (made.paths.area / "shared/config/local.ini").exists(), "what is no longer shared is not deleted"
    assert layout.verify(full=True).ok
