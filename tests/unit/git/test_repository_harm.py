"""Damaged bundles, hostile ones, and no room for good ones: a store stays as it was."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull, GitFailed

from tests.support.objectstores import THREE, bring, content, files, is_sound, objects, pack
from tests.support.repositories import Source
from tests.support.rounds import rounds
from tests.unit.conftest import SmallDisk

MEGABYTE = 1 << 20


# -- hostile and damaged bundles ------------------------------------------------------------------------


def _truncated(data: bytes) -> bytes:
    return data[: len(data) - 30]


def _altered(data: bytes) -> bytes:
    middle = data.index(b"PACK") + 20
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


def _without_pack(data: bytes) -> bytes:
    return data[: data.index(b"PACK")]


def _many_objects(data: bytes) -> bytes:
    """A pack that says that it holds four thousand million objects."""
    start = data.index(b"PACK")
    return data[: start + 8] + b"\xff\xff\xff\xff" + data[start + 12 :]


SPOILS: list[Callable[[bytes], bytes]] = [
    _truncated,
    _altered,
    _without_pack,
    _many_objects,
    lambda data: b"",
    lambda data: b"\0" * 100_000,
    lambda data: b"# v2 git bundle\n" + b"-" * 100_000,
    lambda data: b"# v2 git bundle\n-\n" + data[16:],
    lambda data: b"# v2 git bundle\n-\xff\xfe \n" + data[16:],
    lambda data: b"# v9 git bundle\n" + data[16:],
    lambda data: data[data.index(b"PACK") :],
]


@pytest.mark.parametrize("base", [None, 0], ids=["whole", "thin"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_bundle_is_refused_and_leaves_nothing(
    plain: Source, store: Repository, tmp_path: Path, spoil: Callable[[bytes], bytes], base: int | None
) -> None:
    bring(plain, 0, None, store, tmp_path)
    before = objects(store)
    tag = pack(plain, 1, base, tmp_path / "bundle")
    whole = (tmp_path / "bundle").read_bytes()
    (tmp_path / "bundle").write_bytes(spoil(whole))
    with pytest.raises((Corrupt, GitFailed)):
        store.unpack(tmp_path / "bundle", tag.commit)
    assert objects(store) == before
    assert store.kept() == [plain.tag(0).commit]
    assert is_sound(store)
    (tmp_path / "bundle").write_bytes(whole)
    store.unpack(tmp_path / "bundle", tag.commit)  # and the next try works
    assert content(store, tag.commit) == files(THREE[1])


@settings(max_examples=rounds(40))
@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: b"# v2 git bundle\n" + rest))
def test_garbage_is_refused_as_garbage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp()
    store = Repository(place / "garbage.git")
    store.ensure()
    (place / "garbage").write_bytes(data)
    with pytest.raises((Corrupt, GitFailed)):
        store.unpack(place / "garbage", "a" * 40)
    assert objects(store) == set()


def test_a_bundle_of_another_commit_is_refused(plain: Source, store: Repository, tmp_path: Path) -> None:
    pack(plain, 1, None, tmp_path / "bundle")
    with pytest.raises(Corrupt, match=plain.tag(2).commit):
        store.unpack(tmp_path / "bundle", plain.tag(2).commit)
    assert store.kept() == []
    assert is_sound(store)


# -- no room --------------------------------------------------------------------------------------------


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writes beyond that size fail, for us and for git: what an administrator's limit does, whoever we are."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_pack_that_cannot_be_written_leaves_nothing_half(
    large: Source, store: Repository, tmp_path: Path
) -> None:
    kept = bring(large, 0, None, store, tmp_path)
    tag = pack(large, 1, None, tmp_path / "bundle")
    with no_file_above(2 * MEGABYTE), pytest.raises(DeployError):
        store.unpack(tmp_path / "bundle", tag.commit)
    assert store.kept() == [kept]
    assert is_sound(store)
    assert sum(path.stat().st_size for path in store.git_dir.rglob("*")) < MEGABYTE
    store.unpack(tmp_path / "bundle", tag.commit)
    assert content(store, tag.commit) == files(large.trees[1])


@pytest.mark.small_disk
def test_a_disk_that_fills_up_while_a_bundle_is_taken_in_is_empty_again(
    disk: SmallDisk, large: Source, tmp_path: Path
) -> None:
    disk.change("size=4m")
    store = Repository(disk.path / "store.git")
    store.ensure()
    tag = pack(large, 1, None, tmp_path / "bundle")
    with pytest.raises(DiskFull) as caught:
        store.unpack(tmp_path / "bundle", tag.commit)
    assert "df -h" in caught.value.next
    assert shutil.disk_usage(disk.path).used < MEGABYTE
    disk.change("size=32m")
    store.unpack(tmp_path / "bundle", tag.commit)
    assert store.kept() == [tag.commit]
