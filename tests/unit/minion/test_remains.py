"""A repo changes its layout: what the old one left is unmounted and deleted by ``gc``, which says beforehand how much it is."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from saltdeploy.config.layouts import LAYOUTS
from saltdeploy.layouts import remains as layout_remains
from saltdeploy.lib import mounts
from saltdeploy.minion import gc
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, repo, tree
from tests.support.targets import Target

pytestmark = pytest.mark.component("deploys in one layout after another, and what the kernel has mounted")

UNMOUNTED = ["slots", "releases", "inplace"]
OWN = {
    "slots": {"slots"},
    "releases": {"releases", "records"},
    "overlay": {"mounts", "layers", "catalogue.db"},
    "inplace": {"first"},
}
_SIZE = 100_000  # bytes of a release, at least


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "s.git", *(tree(a=str(n), b="x" * _SIZE) for n in range(4)))


@pytest.fixture
def host(tmp_path: Path, source: Source) -> Target:
    return Target(tmp_path / "host", source)


def deployed(host: Target, number: int, layout: str) -> None:
    host.repo = repo(host.location, layout=layout)
    for result in host.deploy(number):
        assert result.ok, result.error


def collect(host: Target, *, test: bool = False) -> Result:
    return gc.collect([host.repo], host.host, whole=True, test=test)


def remains(host: Target) -> set[str]:
    """What of other layouts than today's is in the area."""
    others = set().union(*(own for layout, own in OWN.items() if layout != host.repo.layout.name))
    return {path.name for path in host.repo.paths.area.iterdir()} & others


def change(host: Target, old: str, new: str) -> None:
    for number in (0, 1):
        deployed(host, number, old)
    for number in (2, 3):
        deployed(host, number, new)


def assert_all_is_freed(host: Target, old: str) -> None:
    told = collect(host, test=True)
    assert "skipped" not in told.facts
    if old != "inplace":  # a work tree that was live is kept under the name that the deploy has told
        assert remains(host) == OWN[old]
        assert told.facts["remains"] >= _SIZE

    freed = collect(host)

    assert remains(host) == set()
    assert freed.facts.get("remains", 0) >= told.facts.get("remains", 0) - 4096 * 4
    assert (host.location / "a").read_text() == "3"
    assert collect(host, test=True).facts.get("remains", 0) == 0


@pytest.mark.parametrize(
    ("old", "new"), list(itertools.permutations(UNMOUNTED, 2)), ids=lambda each: str(each)
)
def test_F29_gc_tells_and_frees_what_the_old_layout_left(host: Target, old: str, new: str) -> None:
    change(host, old, new)
    assert_all_is_freed(host, old)
    deployed(host, 0, new)
    assert (host.location / "a").read_text() == "0"


@pytest.mark.images
@pytest.mark.parametrize("new", UNMOUNTED)
def test_F29_gc_unmounts_what_layout_overlay_left(host: Target, new: str) -> None:
    change(host, "overlay", new)
    assert mounts.mounted(host.repo.paths.area / "mounts")
    assert_all_is_freed(host, "overlay")
    assert not mounts.mounted(host.repo.paths.area / "mounts")


@pytest.mark.images
@pytest.mark.parametrize("old", ["slots", "releases"])
def test_F29_gc_frees_what_was_left_when_releases_are_mounted_now(host: Target, old: str) -> None:
    change(host, old, "overlay")
    assert_all_is_freed(host, old)


def test_gc_knows_what_each_layout_leaves() -> None:
    assert set(layout_remains.OWN) == set(LAYOUTS)


def test_F29_what_is_live_stays_until_the_new_layout_has_a_release(host: Target) -> None:
    deployed(host, 0, "slots")
    deployed(host, 1, "slots")
    host.repo = repo(host.location, layout="releases")
    assert "remains" not in collect(host).facts
    assert (host.location / "a").read_text() == "1"


def test_F29_what_a_process_uses_stays_and_gc_says_who_it_is(host: Target) -> None:
    change(host, "slots", "releases")
    old = next(path for path in (host.repo.paths.area / "slots").iterdir() if path.is_dir())
    command = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    with subprocess.Popen(command, cwd=old, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        told = collect(host)
        process.kill()
    assert f"{host.repo.paths.area / 'slots'} is in use by pid {process.pid}" in told.facts["skipped"]
    assert (old / "a").exists()
    collect(host)
    assert not old.exists()


def test_F56_gc_names_a_place_that_was_left(host: Target) -> None:
    deployed(host, 0, "slots")
    host.repo = repo(host.location.with_name("elsewhere"))
    for result in host.deploy(1):
        assert result.ok, result.error
    assert str(host.location) in collect(host, test=True).facts["left_behind"]
    assert (host.location / "a").read_text() == "0"


@pytest.mark.images
def test_F56_the_command_that_cleans_a_place_unmounts_what_is_mounted_there(host: Target) -> None:
    for number in (0, 1):
        deployed(host, number, "overlay")
    area = host.repo.paths.area
    host.repo = repo(host.location.with_name("elsewhere"))
    for result in host.deploy(2):
        assert result.ok, result.error
    told = collect(host).facts["left_behind"]
    subprocess.run(["sh", "-c", told.partition(": ")[2]], check=True)
    assert not area.exists()
    assert "left_behind" not in collect(host).facts
