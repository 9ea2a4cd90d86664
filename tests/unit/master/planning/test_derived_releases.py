"""A part of a repository is deployed, or what git's attributes make of it: whole deploys, without Salt, by every layout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.git.packer import Packer
from saltdeploy.lib.errors import BadRelease, ConfigError, MovedTag, Unsupported
from saltdeploy.master.payloads.source import Source as Origin

from tests.support.repositories import EXECUTABLE, FILE, GITLINK, Entry, Source, Tree, git, link, repo, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet

WAYS = [
    ("slots", "bundle"),
    ("slots", "delta"),
    ("releases", "tar"),
    ("inplace", "bundle"),
    pytest.param("overlay", "bundle", marks=pytest.mark.images),
    pytest.param("overlay", "squashfs", marks=pytest.mark.images),
]


def files(place: Path) -> dict[str, bytes]:
    """What a reader finds, links as what they lead to."""
    root = place.resolve()
    found = [path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts]
    return {
        str(path.relative_to(root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in found
        if path.is_symlink() or path.is_file()
    }


def sites(n: int) -> Tree:
    return {
        **tree(README=f"{n}", web__index=f"v{n}", web__lib__a="a", web2__x="x"),
        b"web/run": Entry(EXECUTABLE, b"#!/bin/sh\n"),
        b"web/alias": link("index"),
        b"linked": link("web"),
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [*(sites(n) for n in range(3)), tree(README="no directory")]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.mark.parametrize(("layout", "transport"), WAYS)
def test_what_lies_below_the_directory_is_deployed_forth_and_back(
    tmp_path: Path, source: Source, layout: str, transport: str
) -> None:
    keys: dict[str, Any] = {"source": str(source.git_dir)} if transport == "bundle" else {}  # else by a URL
    fleet = Fleet(
        tmp_path, source, ("web1",), layout=layout, transport=transport, subdirectory="web/", **keys
    )
    place = fleet.minions["web1"].location
    for tag in ("v0", "v2", "v1"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
        assert files(place) == {
            "index": f"v{tag[1:]}".encode(),
            "lib/a": b"a",
            "run": b"#!/bin/sh\n",
            "alias": b"index",
        }
        assert os.access(place / "run", os.X_OK)
        told = yaml.safe_load((fleet.minions["web1"].repo.paths.area / "DEPLOY_HEAD").read_text())
        assert told["commit"] == source.tag(int(tag[1:])).commit
        assert (fleet.minions["web1"].repo.paths.area / "REVISION").read_text().strip() == told["commit"]
    assert fleet.roll_back().outcome.word == "CONVERGED"
    assert files(place)["index"] == b"v2"


# -- what git's attributes make -----------------------------------------------------------------------------

CRLF = b"dos.txt text eol=crlf\n"
ATTRIBUTES = (
    CRLF
    + b"*.id ident\n*.utf16 working-tree-encoding=UTF-16LE-BOM\nnotes export-ignore\nVERSION export-subst\n"
    b"*.f filter=wild\n.gitattributes export-ignore\n"
)


def attributed(n: int, attributes: bytes = ATTRIBUTES) -> Tree:
    return {
        **tree(**{"plain": f"{n}\n", "notes__a": f"{n}", "sub__x.f": "as it is\n", "sub__same.id": "$Id$\n"}),
        b"dos.txt": Entry(FILE, b"one\n%d\n" % n),
        b"a.id": Entry(FILE, b"$Id$ %d\n" % n),
        b"sub/t.utf16": Entry(FILE, f"grün {n}\n".encode()),
        b'q"uo\\te\xff\n.txt': Entry(FILE, b"x"),
        b"VERSION": Entry(FILE, b"$Format:%H %ct$\n"),
        b"bin": Entry(EXECUTABLE, b"\0\1"),
        b".gitattributes": Entry(FILE, attributes),
    }


@pytest.fixture(scope="module")
def with_attributes(tmp_path_factory: pytest.TempPathFactory) -> Source:
    no_subst = ATTRIBUTES.replace(b"VERSION export-subst\n", b"")
    trees = [
        attributed(0),
        attributed(1),
        attributed(2, no_subst),
        {
            **attributed(3, no_subst),
            b"notes": Entry(FILE, b"now a file"),
            b"dos.txt/x": Entry(FILE, b"now below\n"),
        },
        attributed(4, CRLF + b"*.id ident\n*.utf16 working-tree-encoding=UTF-16LE-BOM\n"),
    ]
    for gone in (b"notes/a", b"dos.txt"):
        del trees[3][gone]
    return Source(tmp_path_factory.mktemp("attributes") / "source", *trees)


def archived(source: Source, tag: str, room: Path) -> dict[str, bytes]:
    """What git itself makes of a release, asked in the way of its manual."""
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    tar = git(source.git_dir, "-c", "core.attributesFile=/dev/null", "archive", tag)
    subprocess.run(["tar", "-x", "-C", str(room)], input=tar, check=True)
    return files(room)


@pytest.mark.parametrize(("layout", "transport"), WAYS)
def test_hosts_get_the_files_that_git_makes_forth_and_back(
    tmp_path: Path, with_attributes: Source, layout: str, transport: str
) -> None:
    fleet = Fleet(
        tmp_path,
        with_attributes,
        ("web1",),
        layout=layout,
        transport=transport,
        attributes="checkout",
        max_removed="100%",
    )
    place = fleet.minions["web1"].location
    for tag in ("v0", "v1", "v2", "v3", "v4"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
        assert files(place) == archived(with_attributes, tag, tmp_path / "archived"), tag
    assert b"one\r\n" in (place / "dos.txt").read_bytes()
    assert (place / "sub/t.utf16").read_bytes().startswith(b"\xff\xfe")
    assert (place / "sub/x.f").read_bytes() == b"as it is\n"
    assert os.access(place / "bin", os.X_OK)


def test_a_small_release_lets_git_make_the_files_that_changed_and_no_others(
    tmp_path: Path, with_attributes: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    archive = Packer.archive
    monkeypatch.setattr(
        Packer,
        "archive",
        lambda self, commit, paths, out: (asked.append(len(paths)), archive(self, commit, paths, out)),
    )
    made = repo(tmp_path / "live", source=str(with_attributes.git_dir), attributes="checkout")
    trees = []
    for root, tags in (("one", ("v2", "v3")), ("other", ("v3",))):
        for tag in tags:
            origin = Origin(made, tmp_path / root)
            found = origin.release(origin.tag(tag))
            assert origin.release(origin.tag(tag)) == found
        trees.append(found.commit)
    assert asked == [0, 5, 0], "all, what v3 changed, and all again where nothing was made before"
    assert trees[0] == trees[1], "and it is the same release, however it was made"


# -- what is said, and what is refused ------------------------------------------------------------------------


def remarks(fleet: Fleet, tag: str) -> str:
    return "\n".join(fleet.plan(tag)["remarks"])


def test_the_plan_names_files_of_which_git_would_make_others(tmp_path: Path, with_attributes: Source) -> None:
    fleet = Fleet(tmp_path, with_attributes, ("web1",), max_removed="100%")
    said = remarks(fleet, "v0")
    assert "other files of 8 that the release brings" in said
    for each in (
        ".gitattributes (export-ignore)",
        "VERSION (export-subst)",
        "a.id (ident)",
        "dos.txt (eol)",
        "notes/a (export-ignore)",
        "and 3 more",
    ):
        assert each in said
    assert fleet.sync("v0").outcome.word == "CONVERGED"
    assert (fleet.minions["web1"].location / "dos.txt").read_bytes() == b"one\n0\n"
    said = remarks(fleet, "v1")  # what did not change is not told again
    assert "other files of 4 that" in said
    assert "VERSION" not in said
    assert "git would make" not in remarks(
        Fleet(tmp_path, with_attributes, ("web1",), repo="other", attributes="checkout"), "v1"
    )


def test_where_no_attributes_say_so_nothing_is_said(tmp_path: Path, source: Source) -> None:
    fleet = Fleet(tmp_path, source, ("web1",))
    assert "git would make" not in remarks(fleet, "v0")


def test_the_plan_tells_the_commit_of_the_repository_and_the_one_that_is_made(
    tmp_path: Path, source: Source
) -> None:
    fleet = Fleet(tmp_path, source, ("web1",), subdirectory="web")
    plan = fleet.plan("v0")
    assert plan["commit"] != source.tag(0).commit
    assert f"v0 is commit {source.tag(0).commit}" in "\n".join(plan["remarks"])
    assert plan["hosts"]["web1"]["added"] == 4, "files of the directory, and no others"


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        ("web/none", "has no web/none"),
        ("linked", "is a symbolic link"),
        ("README", "is no directory"),
        ("linked/lib", "symbolic link"),
    ],
)
def test_a_release_without_the_directory_is_refused_before_any_host_is_asked(
    tmp_path: Path, source: Source, directory: str, said: str
) -> None:
    fleet = Fleet(tmp_path, source, ("web1",), subdirectory=directory)
    with pytest.raises(BadRelease, match=said) as caught:
        fleet.sync("v0")
    assert directory in str(caught.value.cause)
    assert caught.value.repo == REPO
    assert "ls-tree" in caught.value.next
    assert not any(path.startswith(("area:", "minion:")) for path in fleet.seen)


@pytest.mark.parametrize("said", ["/web", "a/../b", "..", ".git", "a//b", 1, ["web"]])
def test_what_is_no_path_within_the_repository_is_refused(tmp_path: Path, said: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(tmp_path / "demo", subdirectory=said)
    assert caught.value.path == "repo_config:demo:subdirectory"


@pytest.mark.parametrize("keys", [{"subdirectory": "web"}, {"attributes": "checkout"}])
def test_with_transport_git_it_is_refused_by_name(
    tmp_path: Path, source: Source, keys: dict[str, str]
) -> None:
    fleet = Fleet(tmp_path, source, ("web1",), transport="git", url=f"file://{source.git_dir}", **keys)
    with pytest.raises(ConfigError, match="fetch from the repository itself") as caught:
        fleet.sync("v0")
    assert caught.value.path == f"repo_config:{REPO}:transport"


def test_attributes_of_submodules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="not in those of submodules"):
        refuse_contents(repo(tmp_path / "demo", attributes="checkout", checkout_submodules=True))


def test_a_change_of_the_directory_is_another_release_of_the_tag_and_a_moved_tag_is_none(
    tmp_path: Path, source: Source
) -> None:
    own = source.copy(tmp_path / "own")
    fleet = Fleet(tmp_path, own, ("web1",), max_removed="100%")
    for directory, index in (("web", "index"), ("", "web/index"), ("web", "index")):
        fleet.configure(subdirectory=directory)
        assert fleet.sync("v0").outcome.word == "CONVERGED"
        assert (fleet.minions["web1"].location / index).read_text() == "v0"
    git(own.git_dir, "update-ref", "refs/tags/v0", own.tag(1).commit)
    with pytest.raises(MovedTag, match=own.tag(1).commit):
        fleet.sync("v0")


def test_what_is_shared_left_out_and_owned_is_named_as_seen_from_the_directory(
    tmp_path: Path, source: Source
) -> None:
    fleet = Fleet(
        tmp_path,
        source,
        ("web1",),
        subdirectory="web",
        exclude=["lib"],
        shared={"files": ["run"]},
        owner={"file_mode": "0640"},
    )
    for tag in ("v0", "v1", "v0"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
    place = fleet.minions["web1"].location
    assert set(files(place)) == {"index", "alias", "run"}
    assert (place / "run").is_symlink()
    assert (place / "index").stat().st_mode & 0o777 == 0o640


def test_a_commit_and_a_branch_are_tagged_as_they_are_and_the_directory_is_deployed(
    tmp_path: Path, source: Source
) -> None:
    fleet = Fleet(tmp_path, source, ("web1",), subdirectory="web")
    done = fleet.deploy(commit=source.tag(1).commit[:12])
    assert done.outcome.word == "CONVERGED"
    assert (fleet.minions["web1"].location / "index").read_text() == "v1"
    (part,) = done.course.script.parts
    mirror = fleet.root / "mirrors" / "demo%2Fsite.git"
    tagged = git(mirror, "rev-parse", f"{part.release.tag}^{{commit}}").decode().strip()
    assert tagged == source.tag(1).commit
    (again,) = fleet.deploy(commit=source.tag(1).commit).course.script.parts
    assert again.release == part.release


def test_submodules_below_the_directory_are_deployed_and_others_are_not_fetched(tmp_path: Path) -> None:
    part = Source(tmp_path / "part", tree(inner="of the part"))
    modules = f'[submodule "a"]\npath = web/ext/a\nurl = {part.git_dir}\n[submodule "b"]\npath = other\nurl = {tmp_path}/not-there\n'
    commit = part.tag(0).commit.encode()
    links = {b"web/ext/a": Entry(GITLINK, commit), b"other": Entry(GITLINK, b"1" * 40)}
    top = Source(
        tmp_path / "top", {**tree(web__index="v0"), **links, b".gitmodules": Entry(FILE, modules.encode())}
    )
    urls = {str(tmp_path): f"file://{tmp_path}"}
    fleet = Fleet(tmp_path, top, ("web1",), subdirectory="web", checkout_submodules=True, submodule_urls=urls)
    assert fleet.sync("v0").outcome.word == "CONVERGED"
    assert files(fleet.minions["web1"].location) == {"index": b"v0", "ext/a/inner": b"of the part"}
