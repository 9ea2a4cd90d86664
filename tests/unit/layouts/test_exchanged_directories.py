"""A local user owns a directory inside the trees and exchanges what is in it with links while releases are written."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config, layouts
from saltdeploy.git.shield import work_tree_git
from saltdeploy.lib import landlock
from saltdeploy.lib.errors import DeployError

from tests.support.exchanging import exchanging
from tests.support.repositories import Entry, Source, Tree, deploy, prepare, repo, snapshot

pytestmark = pytest.mark.component("an attacker who writes while releases are written")

_ROUNDS = 200_000  # far more than the deploys of one test can see
_DEPLOYS = 12
_FILES = 40


def _release(number: int) -> Tree:
    """Every release has other files in the directory, so each deploy writes and deletes there."""
    names = [f"{number % 3}-{file}" for file in range(_FILES)]
    busy = {f"app/busy/{name}".encode(): Entry("100644", f"{number}".encode()) for name in names}
    deeper = {f"app/busy/{number % 2}/{name}".encode(): Entry("100644", b"x") for name in names}
    return {**busy, **deeper, b"app/calm": Entry("100644", f"{number}".encode())}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Releases that differ in one directory."""
    directory = tmp_path_factory.mktemp("exchanged") / "source"
    return Source(directory, *(_release(number) for number in range(4)))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that is nobody's business here, with files of the same names as those of the releases."""
    place = tmp_path / "outside"
    for number in range(3):
        for directory in (place, place / str(number)):
            directory.mkdir(exist_ok=True)
            for file in range(_FILES):
                (directory / f"{number}-{file}").write_text("theirs")
    return place


Act = Callable[[Any, Source, config.Repo], None]


def _deploys(layout: Any, source: Source, _repo: config.Repo) -> None:
    for number in range(_DEPLOYS):
        with contextlib.suppress(
            DeployError
        ):  # it may fail: the tree is not the release while it is exchanged
            deploy(layout, source, number % 4)


def _verifies_and_deploys(layout: Any, source: Source, _repo: config.Repo) -> None:
    for number in range(_DEPLOYS):
        with contextlib.suppress(DeployError):
            layout.verify(full=bool(number % 2))
        with contextlib.suppress(DeployError):
            deploy(layout, source, number % 4)


def _fails_and_starts_anew(layout: Any, source: Source, found: config.Repo) -> None:
    """Trees are deleted as a whole and written anew."""
    for number in range(_DEPLOYS):
        for record in found.paths.area.glob("*/*.json"):
            record.unlink(missing_ok=True)
        with contextlib.suppress(DeployError):
            deploy(layout, source, number % 4)


ACTS: dict[str, Act] = {
    "deploys": _deploys,
    "verifies and deploys": _verifies_and_deploys,
    "writes whole trees anew": _fails_and_starts_anew,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_F40_nothing_outside_is_written_or_removed(
    layout: str, act: Act, location: Path, source: Source, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    found = repo(location, layout=layout)
    deploy(layouts.of(found), source, 0)
    deploy(layouts.of(found), source, 1)
    before = snapshot(outside)

    with exchanging(found.paths.area, "*/*/app/busy", outside, _ROUNDS):
        act(layouts.of(found), source, found)

    assert snapshot(outside) == before


@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_F40_once_nobody_exchanges_anything_the_next_deploy_brings_the_release(
    layout: str, location: Path, source: Source, outside: Path
) -> None:
    found = repo(location, layout=layout)
    deploy(layouts.of(found), source, 0)
    with exchanging(found.paths.area, "*/*/app/busy", outside, _ROUNDS):
        _deploys(layouts.of(found), source, found)

    for number in (
        0,
        1,
        2,
    ):  # what is live when the user stops may show his link: a tree in use is left alone
        deploy(layouts.of(found), source, number)

    assert snapshot(location) == source.checked_out(2)
    assert layouts.of(found).verify(full=True).ok


@pytest.mark.skipif(
    not landlock.version(), reason="this kernel has no Landlock, so git is kept in by nothing"
)
def test_F40_git_writes_nothing_outside_of_a_work_tree_in_which_directories_are_exchanged(
    location: Path, source: Source, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    found = repo(location, layout="inplace")
    deploy(layouts.of(found), source, 0)
    before = snapshot(outside)

    with exchanging(location, "app/busy", outside, _ROUNDS):
        _deploys(layouts.of(found), source, found)

    assert snapshot(outside) == before


@pytest.mark.skipif(
    not landlock.version(), reason="this kernel has no Landlock, so git is kept in by nothing"
)
def test_F40_a_git_directory_that_became_a_link_is_not_written_through(
    location: Path, source: Source, tmp_path: Path
) -> None:
    layout = layouts.of(repo(location, layout="inplace"))
    deploy(layout, source, 0)
    prepare(layout, source, 1)
    moved = tmp_path / "moved"
    (location / ".git").rename(moved)
    before = snapshot(moved)

    def put_a_link() -> None:
        (location / ".git").symlink_to(moved)
        work_tree_git(location, ["checkout", "--force", "--quiet", "--detach", source.tag(1).commit])

    with pytest.raises(DeployError):
        put_a_link()

    assert snapshot(moved) == before
