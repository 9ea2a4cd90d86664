"""Repositories, a store, and a disk of a few megabytes that can really be full.

Tests with the marks ``small_disk`` and ``images`` run in a process with mounts of its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from saltdeploy.git.repository import Repository

from tests.support import memory, mounts
from tests.support.objectstores import THREE
from tests.support.repositories import FILE, Entry, Source, tree


def pytest_configure() -> None:
    memory.keep_temporary_files()


def pytest_itemcollected(item: pytest.Item) -> None:
    marker = item.get_closest_marker("component")
    if marker and not (marker.args and isinstance(marker.args[0], str)):
        raise pytest.UsageError(f"{item.nodeid}: let its mark ``component`` say why it is not in `make unit`")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not {"small_disk", "images"} & {mark.name for mark in item.iter_markers()}:
        return None
    if not mounts.possible():
        item.add_marker(pytest.mark.skip("this machine does not let us mount"))
        return None
    if item.get_closest_marker("images") and os.geteuid() != 0:
        item.add_marker(pytest.mark.skip("only root may mount images: run this test as root"))
        return None
    mounts.run_apart(item, nextitem)
    return True


class SmallDisk:
    """A file system of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def mount(self, options: str = "size=8m") -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", "--", str(self.path)], check=True)

    def change(self, options: str) -> None:
        """Make it larger, smaller, or read-only."""
        subprocess.run(["mount", "-o", f"remount,{options}", "--", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> SmallDisk:
    """Only for tests with the mark ``small_disk``."""
    assert request.node.get_closest_marker("small_disk"), "its mounts would be ours"
    small = SmallDisk(tmp_path / "disk")
    small.mount()
    return small


@pytest.fixture
def plain(tmp_path: Path) -> Source:
    """A repository with three releases."""
    return Source(tmp_path / "plain.git", *THREE)


@pytest.fixture(scope="session")
def _large(tmp_path_factory: pytest.TempPathFactory) -> Source:
    files = {b"f%d" % n: Entry(FILE, os.urandom(1 << 20)) for n in range(6)}
    return Source(tmp_path_factory.mktemp("large") / "large.git", tree(a="1"), files)


@pytest.fixture
def large(tmp_path: Path, _large: Source) -> Source:
    """A small release, and one of six files of a megabyte."""
    return _large.copy(tmp_path / "large.git")


@pytest.fixture
def store(tmp_path: Path) -> Repository:
    """An empty object store of a target."""
    made = Repository(tmp_path / "store.git")
    made.ensure()
    return made


@pytest.fixture(params=["sha1", "sha256"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """The same three releases, in a repository of either hash."""
    place = str(tmp_path / "source.git")
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--object-format={request.param}", place], check=True
    )
    return Source(Path(place), *THREE)
