"""A slot that a process uses is not recycled, whatever the way in which it uses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from saltdeploy.layouts.slots import Slots
from saltdeploy.lib.errors import SlotsBusy
from saltdeploy.lib.open_files import users_of

from tests.support.repositories import Source, deploy, prepare, repo, snapshot, tree

User = Callable[[str, Path], subprocess.Popen[str]]

WAYS = {
    "stands in it": "os.chdir(tree)",
    "stands in a directory of it": "os.chdir(os.path.join(tree, 'lib'))",
    "has a file open": "file = open(os.path.join(tree, 'lib/a'))",
    "has the directory open": "fd = os.open(tree, os.O_DIRECTORY)",
    # Python's own mmap keeps the file open as well
    "has a file mapped": (
        "fd = os.open(os.path.join(tree, 'lib/a'), os.O_RDONLY); mmap = ctypes.CDLL(None).mmap;"
        "assert mmap(None, ctypes.c_size_t(1), 1, 2, fd, ctypes.c_long(0)) != -1; os.close(fd)"
    ),
    "has a file open that was deleted": "file = open(os.path.join(tree, 'lib/a')); os.unlink(file.name)",
}


@pytest.fixture
def use() -> Iterator[User]:
    """Starts a process that uses a tree until it is told to end."""
    users: list[subprocess.Popen[str]] = []

    def start(way: str, tree: Path) -> subprocess.Popen[str]:
        program = (
            f"import ctypes, os, sys; tree = sys.argv[1]; {WAYS[way]}; print('here', flush=True); input()"
        )
        user = subprocess.Popen(
            [sys.executable, "-c", program, str(tree)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        users.append(user)
        assert user.stdout is not None and user.stdout.readline() == "here\n"
        return user

    yield start
    for user in users:
        user.kill()
        user.communicate()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(
        tmp_path_factory.mktemp("source") / "source", *[tree(lib__a=f"{n}", b=f"{n}") for n in range(5)]
    )


def end(user: subprocess.Popen[str]) -> None:
    user.communicate("\n")


@pytest.mark.parametrize("way", WAYS)
def test_a_slot_in_use_is_not_recycled(
    way: str, use: User, source: Source, location: Path, tmp_path: Path
) -> None:
    layout = Slots(repo(location, slots=3))
    deploy(layout, source, 0)
    user = use(way, location)
    used = snapshot(location)
    for number in (1, 2):
        deploy(layout, source, number)
    with pytest.raises(SlotsBusy) as caught:
        prepare(layout, source, 3)
    program = Path(f"/proc/{user.pid}/comm").read_text().strip()
    assert f"pid {user.pid} ({program})" in caught.value.cause
    assert snapshot(tmp_path / ".live.deploy/slots/0") == used
    assert snapshot(location) == source.checked_out(2)
    end(user)
    deploy(layout, source, 3)
    assert snapshot(location) == source.checked_out(3)


def test_another_slot_is_taken_instead(use: User, source: Source, location: Path, tmp_path: Path) -> None:
    layout = Slots(repo(location, slots=4))
    deploy(layout, source, 0)
    use("has a file open", location)
    for number in (1, 2, 3, 4):
        deploy(layout, source, number)
    assert snapshot(location) == source.checked_out(4)
    assert snapshot(tmp_path / ".live.deploy/slots/0") == source.checked_out(0)


def test_a_slot_in_use_holds_its_release_and_can_go_live(use: User, source: Source, location: Path) -> None:
    layout = Slots(repo(location, slots=3))
    deploy(layout, source, 0)
    use("stands in it", location)
    (location / "written by its user").touch()
    deploy(layout, source, 1)
    assert deploy(layout, source, 0)["files"] == 0
    assert (location / "written by its user").exists()


def test_a_neighbour_with_a_longer_name_is_somebody_else(use: User, tmp_path: Path) -> None:
    for name in ("1", "12", "1 (deleted)"):
        (tmp_path / name / "lib").mkdir(parents=True)
    use("stands in it", tmp_path / "12")
    assert users_of([tmp_path / "1", tmp_path / "missing"]) == {}


def test_the_user_is_found_through_a_link(use: User, tmp_path: Path) -> None:
    (tmp_path / "real/1").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    use("stands in it", tmp_path / "real/1")
    assert users_of([tmp_path / "link/1"]).keys() == {tmp_path / "link/1"}
