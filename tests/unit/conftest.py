"""Repositories, a store, and a disk of a few megabytes that can really be full.

Tests with the marks ``small_disk`` and ``images`` run in a mount namespace of their own, so that they can mount without being
root, and that nothing stays mounted whatever happens.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from saltdeploy.git.repository import Repository

from tests.support.objectstores import THREE
from tests.support.repositories import FILE, Entry, Source, tree

_INSIDE = "SALTDEPLOY_TEST_MOUNTS"
_OWN_MOUNTS = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "small_disk: runs where it may mount a disk of a few megabytes")
    config.addinivalue_line("markers", "images: runs where it may mount images; only root may")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    images = pyfuncitem.get_closest_marker("images") is not None
    if not images and pyfuncitem.get_closest_marker("small_disk") is None or _INSIDE in os.environ:
        return None
    if images and os.geteuid() != 0:
        pytest.skip("only root may mount images: run this test as root")
    possible = [*_OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(possible, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine does not let us mount")
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", pyfuncitem.nodeid]
    environment = {**os.environ, _INSIDE: "1"}
    done = subprocess.run([*_OWN_MOUNTS, *test], cwd=pyfuncitem.config.rootpath, env=environment,
                          stdout=subprocess.PIPE, text=True)  # fmt: skip
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)
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
def disk(tmp_path: Path) -> SmallDisk:
    """Only for tests with the mark ``small_disk``."""
    small = SmallDisk(tmp_path / "disk")
    if _INSIDE in os.environ:
        small.mount()
    return small


@pytest.fixture
def plain(tmp_path: Path) -> Source:
    """A repository with three releases."""
    return Source(tmp_path / "plain.git", *THREE)


@pytest.fixture
def large(tmp_path: Path) -> Source:
    """A small release, and one of six files of a megabyte."""
    return Source(
        tmp_path / "large.git", tree(a="1"), {b"f%d" % n: Entry(FILE, os.urandom(1 << 20)) for n in range(6)}
    )


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
