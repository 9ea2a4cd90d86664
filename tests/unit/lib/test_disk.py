"""Files are replaced as a whole, damage is named, room is looked for, locks die with their holders."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib import disk, flock
from saltdeploy.lib.errors import Corrupt, DiskFull

PACKAGE = Path(disk.__file__).parents[2]


def _directory(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "theirs").write_text("precious")


def _file(path: Path) -> None:
    path.write_text("precious")


def _foreign_link(path: Path) -> None:
    path.symlink_to("/somewhere/else")


# -- writing and reading --------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    disk.write_atomically(file, b"old")
    reader = open(file, "rb")
    disk.write_atomically(file, b"new")
    with reader:
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    disk.write_atomically(tmp_path / "file", b"old")
    with pytest.raises(TypeError):
        disk.write_atomically(tmp_path / "file", "no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_at_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "file").symlink_to("theirs")
    disk.write_atomically(tmp_path / "file", b"ours")
    assert (tmp_path / "theirs").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
        max_leaves=5,
    )
)
def test_plain_data_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "data.json"
    disk.write_json(file, value)
    assert disk.read_json(file) == value


def test_no_file_is_the_default(tmp_path: Path) -> None:
    assert disk.read_json(tmp_path / "file", {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"{", b'{"a": 1}x', b"\0" * 4096, b"[" * 100_000, b"1" * 5000],
    ids=lambda data: repr(data[:9]),
)
def test_a_damaged_file_is_named_with_a_way_out(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(Corrupt) as caught:
        disk.read_json(file)
    assert caught.value.path == str(file)
    assert f"mv -- {file} " in caught.value.next


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_directories_can_be_read_by_all_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        disk.make_directory(tmp_path / "a" / "b")
        disk.make_directory(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("put", [_directory, _file, _foreign_link, lambda path: None])
def test_whatever_it_is_it_is_gone(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "it")
    disk.remove_tree(tmp_path / "it")
    assert not os.path.lexists(tmp_path / "it")


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    _directory(tmp_path / "theirs")
    (tmp_path / "link").symlink_to("theirs")
    disk.remove_tree(tmp_path / "link")
    assert (tmp_path / "theirs" / "deep" / "theirs").exists()


def test_what_killed_writers_left_is_collected_and_nothing_else(tmp_path: Path) -> None:
    for name in (".file.0123abcd", ".file.json", ".file.0123abc", ".other.0123abcd", "file.0123abcd"):
        (tmp_path / name).write_text("")
    (tmp_path / ".file.deadbeef").mkdir()
    disk.clear_asides(tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == [".file.0123abc", ".file.json", ".other.0123abcd", "file.0123abcd"]


@pytest.mark.parametrize("count", [3, disk.FSYNC_EACH_LIMIT * 2])
def test_whatever_was_written_can_be_made_durable_though_some_of_it_is_gone_again(
    tmp_path: Path, count: int
) -> None:
    unsynced = disk.Unsynced(tmp_path)
    (tmp_path / "link").symlink_to("nowhere")
    for number in range(count):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "file").write_text("")
        unsynced.written(f"d{number}/file".encode())
    unsynced.written(b"link")
    unsynced.written(b"gone/file")
    unsynced.sync()


# -- space and places -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 40])
def test_each_file_and_its_directory_is_synced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    unsynced = disk.Unsynced(tmp_path)
    files = [tmp_path / f"d{number}" / "file" for number in range(count)]
    for file in files:
        file.parent.mkdir()
        file.write_text("new")
        unsynced.written(os.fsencode(file.relative_to(tmp_path)))
    unsynced.sync()
    assert sorted(synced) == sorted(str(path) for file in files for path in (file, file.parent))


@pytest.mark.parametrize("count", [1, 40])
def test_a_file_that_cannot_be_synced_is_an_error_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    sync = os.fsync

    def fail_for_the_first(fd: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("/f0"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)

    unsynced = disk.Unsynced(tmp_path)
    for number in range(count):
        (tmp_path / f"f{number}").write_text("new")
        unsynced.written(b"f%d" % number)
    monkeypatch.setattr(os, "fsync", fail_for_the_first)
    with pytest.raises(OSError, match="Input/output"):
        unsynced.sync()


def test_missing_space_is_named_in_bytes(tmp_path: Path) -> None:
    disk.refuse_without_space(tmp_path, 0)
    with pytest.raises(DiskFull) as caught:
        disk.refuse_without_space(tmp_path, 1 << 60)
    assert str(1 << 60) in caught.value.cause
    assert re.search(r"free \d+ bytes", caught.value.next)


def test_missing_inodes_are_named() -> None:
    counted = [
        place for place in ("/tmp", "/dev/shm", "/") if os.path.isdir(place) and os.statvfs(place).f_files
    ]
    assert counted, "there is no such file system here to try it on"
    with pytest.raises(DiskFull, match="inodes"):
        disk.refuse_without_space(Path(counted[0]), 0, inodes=1 << 60)


def test_a_file_system_that_counts_no_inodes_is_not_refused() -> None:
    uncounted = [
        place for place in ("/proc", "/sys") if os.path.isdir(place) and not os.statvfs(place).f_files
    ]
    assert uncounted, "there is no such file system here to try it on"
    disk.refuse_without_space(Path(uncounted[0]), 0, inodes=10)


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/srv/a", "/srv", True),
        ("/srv/a/b", "/srv/a/", True),
        ("/srv", "/srv", False),
        ("/srv/ab", "/srv/a", False),
        ("/srv/a/../b", "/srv/a", False),
        ("/srv/a/./b", "/srv/a", True),
        ("//srv/a", "/srv", True),
        ("/srv/a", "//srv", True),
        ("/srv", "/", True),
        ("/", "/", False),
    ],
)
def test_what_is_below_is_read_from_the_names_alone(path: str, root: str, below: bool) -> None:
    assert disk.is_below(Path(path), Path(root)) is below


parts = st.lists(st.sampled_from(["a", "b", "a.", "..", ".", ""]), max_size=5).map("/".join)


@given(path=parts, root=parts)
def test_nothing_is_below_what_is_not_its_parent(path: str, root: str) -> None:
    path, root = f"/{path}", f"/{root}"
    expected = Path(disk.literal(root)) in Path(disk.literal(path)).parents
    assert disk.is_below(path, root) is expected


# -- locks ----------------------------------------------------------------------------------------------

_HOLDER = """
import sys, time
from pathlib import Path
from saltdeploy.lib import flock
with flock.locked(Path(sys.argv[1]), wait=True):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock ``tmp_path/lock``."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path / "lock")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lock_has_one_holder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with flock.locked(tmp_path / "lock", wait=False) as held:
        assert not held


def test_a_killed_holder_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with flock.locked(tmp_path / "lock", wait=False) as held:
        assert held


def test_who_waits_gets_the_lock_when_its_holder_dies(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    got = threading.Event()

    def wait() -> None:
        with flock.locked(tmp_path / "lock", wait=True):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.is_set()
    holder.kill()
    waiting.join()
    assert got.is_set()


def test_a_lock_is_free_after_its_block_even_one_that_failed(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), flock.locked(tmp_path / "deep" / "lock", wait=False) as held:
            assert held
            raise KeyError
    assert os.listdir(tmp_path / "deep") == ["lock"]
