"""Every transport brings the same releases to the same trees, and answers the same."""

from __future__ import annotations

import filecmp
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import Corrupt
from saltdeploy.minion import stages
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal

from tests.support.repositories import Source, git, tree
from tests.support.travels import APART, TRANSPORTS, Traveller
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("rsync's daemon, and payloads of every kind with their programs")

#: first install, upgrade, one that skips one, one that removes much and swaps files with directories, downgrades; from
#: the fourth on each slot is recycled
WAY = [0, 1, 3, 2, 0, 1, 2]
#: each transport follows each other one, and itself
TURNS = ["bundle", "bundle", "tar", "tar", "delta", "delta", "rsync", "rsync", "bundle", "delta", "tar", "rsync", "delta",
         "bundle", "rsync", "tar", "bundle"]  # fmt: skip
_OF_THE_WAY = ("bytes", "base", "seconds", "source", "why", "left")
_answers: dict[str, list[dict[str, Any]]] = {}


@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_release_is_what_git_would_check_out(traveller: Travellers, transport: str, layout: str) -> None:
    target = traveller(transport, layout=layout, keep_releases=2)
    answers = []
    for number in WAY:
        for result in target.travel(number):
            assert result.ok, result.error
            answers.append(_plain(result))
        assert target.shows(number), number
        assert _root_here(target, number) == _root_on_the_master(target, number)
    assert not list(target.cache.rglob("incoming/*"))
    assert answers == _answers.setdefault(layout, answers)  # those of the transport that came first


def _root_here(target: Traveller, number: int) -> str:
    return stages.status(target.repo, target.host).holdings.roots[target.source.tag(number).commit]


def _root_on_the_master(target: Traveller, number: int) -> str:
    seal = target.seal(number)
    assert seal is not None
    return seal.root


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_tree_with_another_root_than_the_masters_is_not_taken(
    traveller: Travellers, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if somebody had found two contents with the same id of git's."""
    target = traveller(transport)
    assert all(result.ok for result in target.travel(0))
    true = target.seal(1)
    assert true is not None
    monkeypatch.setattr(target, "seal", lambda number: Seal(true.root[::-1]))
    fetched, switched = target.travel(1)
    assert isinstance(fetched.error, Corrupt)
    assert true.root[:16] in fetched.error.cause
    assert true.root[::-1][:16] in fetched.error.cause
    assert not switched.ok
    assert target.shows(0)
    monkeypatch.undo()
    assert all(result.ok for result in target.travel(1))
    assert target.shows(1)


def _plain(result: Result) -> dict[str, Any]:
    wire = {
        key: value for key, value in result.to_wire().items() if key not in ("lines", "lines_cut")
    }  # of moments
    return {**wire, "facts": {k: v for k, v in wire["facts"].items() if k not in _OF_THE_WAY}}


def test_a_host_goes_from_any_transport_to_any_other(traveller: Travellers) -> None:
    """Trees without contents are never taken for a release that others can build upon."""
    target = traveller("bundle")
    for step, target.transport in enumerate(TURNS):
        for result in target.travel(step % 4):
            assert result.ok, (step, target.transport, result.error)
        assert target.shows(step % 4), (step, target.transport)


@pytest.mark.parametrize("transport", APART)
def test_the_way_back_needs_nobody(traveller: Travellers, transport: str) -> None:
    target = traveller(transport)
    target.travel(0)
    target.travel(1)
    target.carrier.spoil = lambda path: pytest.fail("the network was used")  # type: ignore[assignment]
    assert target.go_back(0).ok
    assert target.shows(0)
    assert target.go_back(1).ok
    assert target.shows(1)


@pytest.mark.parametrize("transport", APART)
def test_a_release_that_is_on_disk_is_not_brought_again(traveller: Travellers, transport: str) -> None:
    target = traveller(transport)
    for number in (0, 1):
        target.travel(number)
    target.carrier.fetched.clear()
    assert target.travel(0)[0].facts["files"] == 0
    assert target.carrier.fetched == []


@pytest.mark.parametrize("transport", APART)
def test_a_tree_that_somebody_damaged_is_brought_again(traveller: Travellers, transport: str) -> None:
    target = traveller(transport)
    for number in (0, 1):
        target.travel(number)
    damaged = target.location.parent / ".demo.deploy/slots/0/plain"
    damaged.write_bytes(b"not what it was")
    for result in target.travel(0):
        assert result.ok, result.error
    assert target.shows(0)


@pytest.mark.parametrize("transport", APART)
def test_a_repository_whose_hash_is_sha256(traveller: Travellers, tmp_path: Path, transport: str) -> None:
    place = str(tmp_path / "other.git")
    subprocess.run(["git", "init", "--quiet", "--bare", "--object-format=sha256", place], check=True)
    source = Source(Path(place), tree(a="1", b="same"), tree(a="2", b="same", dir__c="new"))
    target = traveller(transport, source)
    for number in (0, 1):
        for result in target.travel(number):
            assert result.ok, result.error
        assert target.shows(number)


@pytest.mark.skipif(
    "DEPLOY_TEST_GIGABYTE" not in os.environ, reason="set DEPLOY_TEST_GIGABYTE: it takes minutes"
)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_file_of_a_gigabyte(traveller: Travellers, tmp_path: Path, transport: str) -> None:
    source = Source(tmp_path / "big.git", tree(a="1"))
    files = [_sparse(tmp_path / f"big{n}", n) for n in (1, 2)]
    for number, file in enumerate(files, 1):
        _add_file(source, number, file)
    target = traveller(transport, source)
    for number, file in enumerate(files, 1):
        for result in target.travel(number):
            assert result.ok, result.error
        assert filecmp.cmp(target.location / "big", file, shallow=False)


def _sparse(path: Path, number: int) -> Path:
    """A gigabyte that is mostly nothing."""
    with open(path, "wb") as file:
        for megabyte in range(0, 1024, 64):
            file.seek(megabyte << 20)
            file.write(b"%d of %d" % (megabyte, number) * 1000)
        file.truncate(1 << 30)
    return path


def _add_file(source: Source, number: int, file: Path) -> None:
    """Add ``v<number>``, whose only file is this one."""
    with open(file, "rb") as data:
        blob = git(source.git_dir, "hash-object", "-w", "--stdin", stdin=data).decode().strip()
    made = git(source.git_dir, "mktree", input=f"100644 blob {blob}\tbig\n".encode()).decode().strip()
    who = {f"GIT_{role}_{what}": "t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    commit = git(source.git_dir, "commit-tree", "-m", "v", made, env={**os.environ, **who}).decode().strip()
    git(source.git_dir, "update-ref", f"refs/tags/v{number}", commit)
