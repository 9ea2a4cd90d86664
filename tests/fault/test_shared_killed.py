"""Killed at each step of a deploy that makes, takes over or links what trees share: nothing of the users' is ever lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.lib import mounts
from saltdeploy.protocol.orders import ROLLBACK, Order

from tests.fault.conftest import Start
from tests.fault.test_killed_at_every_step import kill_at
from tests.support.repositories import Source, tree
from tests.support.targets import Target

STRIDE = int(os.environ.get("SALTDEPLOY_STRIDE", "9"))  # 1: every step
STRIDE_OF_MOUNTS = STRIDE * 4  # each round mounts and unmounts
SHARED = {"dirs": ["uploads", "var/cache"], "files": ["config/local"]}
_chance = random.SystemRandom()  # forked processes would draw the same numbers from any other source
THEIRS = {"uploads/cat": "their cat", "uploads/deep/dog": "their dog", "config/local": "their secret"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(index=str(n), uploads__README="git's", config__local="git's") for n in range(4)]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


def write_theirs(location: Path) -> None:
    for name, text in THEIRS.items():
        (location / name).parent.mkdir(parents=True, exist_ok=True)
        (location / name).write_text(text)


def a_plain_directory(host: Target, plain: Target) -> None:
    write_theirs(host.location)


def a_release_without_shared_paths(host: Target, plain: Target) -> None:
    take(plain, 0)
    write_theirs(host.location)


def releases_that_share(host: Target, plain: Target) -> None:
    for number in (0, 1, 2):
        take(host, number)
    write_theirs(host.location)


def take(host: Target, number: int) -> None:
    for result in host.deploy(number, deploy=_chance.getrandbits(60)):
        assert result.ok, result.error


def theirs(host: Target) -> dict[str, set[str]]:
    """What can be read of each of their files: at the live path, and where it is shared."""
    found: dict[str, set[str]] = {}
    for name in THEIRS:
        places = (host.location / name, host.repo.paths.area / "shared" / name)
        found[name] = {path.read_text() for path in places if path.is_file()}
    return found


@pytest.mark.parametrize("aside", [False, True], ids=["what is live", "what was moved aside"])
def test_what_an_operator_takes_over_is_whole_or_not_there_after_each_kill(
    aside: bool, tmp_path: Path, source: Source, start: Start
) -> None:
    host = Target(tmp_path / "host", source, shared=SHARED)
    old = tmp_path / "host" / "old" if aside else host.location
    write_theirs(old)
    shutil.copytree(tmp_path / "host", tmp_path / "begin", symlinks=True)

    def take_over() -> None:
        layouts.of(host.repo).adopt((), str(old) if aside else "")  # type: ignore[attr-defined]

    step, kills, ended_by_itself = 0, 0, False
    while not ended_by_itself:
        step += 1
        process = start(kill_at(step, take_over))
        process.join()
        ended_by_itself = process.exitcode == 0
        kills += not ended_by_itself
        for name, text in THEIRS.items():
            assert (old / name).read_text() == text, f"{name} at step {step}"
            top = name if name in SHARED["files"] else name.partition("/")[0]
            if aside and (host.repo.paths.area / "shared" / top).exists():
                assert (host.repo.paths.area / "shared" / name).read_text() == text, f"{name} at step {step}"
        take_over()
        for name, text in THEIRS.items():
            assert (host.repo.paths.area / "shared" / name).read_text() == text, f"{name} at step {step}"
        assert [path.name for path in (host.repo.paths.area / "shared").rglob(".*")] == [], f"at step {step}"
        shutil.rmtree(tmp_path / "host")
        shutil.copytree(tmp_path / "begin", tmp_path / "host", symlinks=True)
    assert kills > 10, "the hook has not seen what it should"


@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("begin", [a_plain_directory, a_release_without_shared_paths, releases_that_share])
def test_what_users_wrote_is_there_after_each_kill_and_the_next_deploy_goes_on(
    begin: object, layout: str, tmp_path: Path, source: Source, start: Start
) -> None:
    host = Target(tmp_path / "host", source, layout=layout, shared=SHARED)
    plain = Target(tmp_path / "host", source, layout=layout)
    for number in range(4):
        host.payload(number)
    begin(host, plain)  # type: ignore[operator]
    shutil.copytree(tmp_path / "host", tmp_path / "begin", symlinks=True)
    step, kills, ended_by_itself = 0, 0, False
    while not ended_by_itself:
        step += STRIDE
        process = start(kill_at(step, lambda: take(host, 3)))
        process.join()
        ended_by_itself = process.exitcode == 0
        kills += not ended_by_itself
        assert process.exitcode in (0, -signal.SIGKILL)
        for name, text in THEIRS.items():
            assert text in theirs(host)[name], f"{name} at step {step}"
        take(host, 2)
        for name, text in THEIRS.items():
            assert (host.location / name).read_text() == text, f"{name} at step {step}"
        assert (host.location / "index").read_text() == "2"
        assert layouts.of(host.repo).verify(full=True).ok
        rubbish = [path.name for path in (host.repo.paths.area / "shared").rglob(".*")]
        assert rubbish == [], f"at step {step}"
        shutil.rmtree(tmp_path / "host")
        shutil.copytree(tmp_path / "begin", tmp_path / "host", symlinks=True)
    assert kills > 10, "the hook has not seen what it should"


# -- layout overlay: a layer of links ---------------------------------------------------------------------


def forth_from_a_directory(host: Target, plain: Target) -> Callable[[], None]:
    """The first release comes, and takes over what the directory has."""
    write_theirs(host.location)
    return lambda: take(host, 3)


def back_to_a_time_without_links(host: Target, plain: Target) -> Callable[[], None]:
    """A roll back gives a release its links that never had any."""
    take(plain, 0)
    take(host, 1)
    write_theirs(host.location)
    back = Order("9" * 20, 1, ROLLBACK, host.source.release(0))
    return lambda: go_back(host, back)


def go_back(host: Target, order: Order) -> None:
    result = host.run(order)
    assert result.ok, result.error


def unmount_all(root: Path) -> None:
    for directory in (*root.rglob("mounts"), *root.rglob("layers")):
        for name in mounts.mounted(directory):
            subprocess.run(["umount", str(directory / name)], check=True)


@pytest.mark.images
@pytest.mark.parametrize("begin", [forth_from_a_directory, back_to_a_time_without_links])
def test_of_mounted_releases_as_well_nothing_of_the_users_is_lost_and_the_next_deploy_goes_on(
    begin: Callable[[Target, Target], Callable[[], None]], tmp_path: Path, source: Source, start: Start
) -> None:
    kills, step, ended_by_itself = 0, 0, False
    while not ended_by_itself:
        step += STRIDE_OF_MOUNTS
        root = tmp_path / str(step)
        host = Target(root, source, layout="overlay", transport="bundle", shared=SHARED)
        act = begin(host, Target(root, source, layout="overlay", transport="bundle"))
        for number in range(4):
            host.payload(number)
        process = start(kill_at(step, act))
        process.join()
        ended_by_itself = process.exitcode == 0
        kills += not ended_by_itself
        assert process.exitcode in (0, -signal.SIGKILL)
        for name, text in THEIRS.items():
            assert text in theirs(host)[name], f"{name} at step {step}"
        act()
        take(host, 2)
        for name, text in THEIRS.items():
            assert (host.location / name).read_text() == text, f"{name} at step {step}"
        assert (host.location / "index").read_text() == "2"
        assert layouts.of(host.repo).verify(full=True).ok
        assert [path.name for path in (host.repo.paths.area / "shared").rglob(".*")] == [], f"at step {step}"
        unmount_all(root)
        shutil.rmtree(root)
    assert kills > 4, "the hook has not seen what it should"
