"""What a host frees when it is asked to, and what it never touches."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from saltdeploy.content.payloads import alias
from saltdeploy.lib import flock
from saltdeploy.minion import downloads, gc
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import CHECKOUT
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, snapshot, tree
from tests.support.targets import Target

pytestmark = pytest.mark.component("deploys in every layout, before and after what they left is deleted")

LAYOUTS = ["slots", "releases", "inplace"]
LONG_AGO = 1_000.0


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "s.git", *(tree(a=str(n), b="x" * 50_000) for n in range(6)))


@pytest.fixture
def host(tmp_path: Path, source: Source, request: pytest.FixtureRequest) -> Target:
    layout = getattr(request, "param", "releases")
    return Target(tmp_path / "host", source, layout=layout, slots=3, keep_releases=4)


def collect(host: Target, *, test: bool = False, wanted: list[str] | None = None) -> Result:
    return gc.collect([host.repo], host.host, whole=True, test=test, wanted=wanted)


def everything(host: Target) -> dict[bytes, tuple[object, ...]]:
    """All that is on the host's disk; the locks of a repo may be made by whoever asks for them."""
    found = snapshot(host.location.parent) | snapshot(host.cache)
    return {path: what for path, what in found.items() if not path.endswith(b"lock")}


def shelve(host: Target, data: bytes, used: float) -> str:
    """A payload that somebody has brought ahead."""
    place = downloads.place(host.repo, host.host)
    place.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(data).hexdigest()
    (place / name).write_bytes(data)
    os.utime(place / name, (used, used))
    return name


@pytest.mark.parametrize("host", LAYOUTS, indirect=True)
def test_a_host_is_as_good_after_as_before(host: Target) -> None:
    for number in range(3):
        host.deploy(number)
    answer = collect(host)
    assert answer.ok, answer.error
    assert "skipped" not in answer.facts
    assert snapshot(host.location).items() >= host.source.checked_out(2).items()
    for number in (1, 3):
        for result in host.deploy(number):
            assert result.ok, result.error


@pytest.mark.parametrize("host", LAYOUTS, indirect=True)
def test_a_test_changes_nothing_and_names_as_many_bytes_as_are_freed(host: Target) -> None:
    for number in range(4):
        host.deploy(number)
    record = Record(host.cache, "demo")
    for place in (record.partial, record.incoming):
        place.mkdir(exist_ok=True)
        (place / "left").write_bytes(bytes(100_000))
    shelve(host, b"old", LONG_AGO)
    before = everything(host)
    told = collect(host, test=True)
    assert everything(host) == before
    done = collect(host)
    freed = {kind: size for kind, size in done.facts.items() if kind not in ("freed", "objects")}
    assert freed == {kind: size for kind, size in told.facts.items() if kind != "freed"}
    assert freed["incoming"] >= 200_000
    assert not record.partial.exists()


@pytest.mark.parametrize("host", LAYOUTS, indirect=True)
def test_what_a_deploy_has_fetched_and_not_switched_to_yet_stays(host: Target) -> None:
    """The fleet waits at its barrier: a checkout must not find its release gone."""
    for number in range(5):
        host.deploy(number)
    assert host.run(host.order(5, deploy=77)).ok
    collect(host)
    assert host.run(host.order(5, CHECKOUT, deploy=77)).ok
    assert snapshot(host.location).items() >= host.source.checked_out(5).items()


@pytest.mark.parametrize("lock", ["lock", "preseeding"])
def test_a_repo_is_left_out_while_a_stage_of_it_runs(host: Target, lock: str) -> None:
    host.deploy(0)
    record = Record(host.cache, "demo")
    record.partial.mkdir()
    old = shelve(host, b"old", LONG_AGO)
    with flock.locked(getattr(record, lock), wait=True):
        answer = collect(host)
    assert answer.facts == {"freed": 0, "skipped": "demo: a stage of it runs here"}
    assert record.partial.exists()
    assert (downloads.place(host.repo, host.host) / old).exists()


def test_payloads_that_the_master_has_stay_and_so_do_fresh_ones(host: Target) -> None:
    host.now = 2_000_000_000.0
    old, kept = shelve(host, b"old", LONG_AGO), shelve(host, b"kept", LONG_AGO)
    fresh = shelve(host, b"fresh", host.now - 60)
    collect(host, wanted=[alias(kept)])
    place = downloads.place(host.repo, host.host)
    assert {path.name for path in place.iterdir()} == {kept, fresh}
    assert old not in {kept, fresh}


def test_payloads_of_other_repos_are_not_judged_by_one(host: Target) -> None:
    old = shelve(host, b"old", LONG_AGO)
    gc.collect([host.repo], host.host, whole=False)
    assert (downloads.place(host.repo, host.host) / old).exists()


def test_a_host_that_never_heard_of_a_repo_makes_nothing_for_it(host: Target) -> None:
    assert collect(host).facts == {"freed": 0}
    assert not host.cache.exists()
    assert not host.location.parent.exists()


def test_fewer_releases_in_the_pillar_free_those_that_nobody_needs(host: Target, tmp_path: Path) -> None:
    for number in range(5):
        host.deploy(number)
    few = Target(tmp_path / "host", host.source, layout="releases", keep_releases=2)
    answer = collect(few)
    assert answer.facts["trees"] > 0
    assert {path.name for path in (few.repo.paths.area / "releases").iterdir()} == {"v3", "v4"}
