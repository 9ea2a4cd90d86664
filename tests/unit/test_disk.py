"""Files: a link is switched in one step, nothing found is deleted, locks die with their holders."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy import disk
from saltdeploy.errors import Corrupt, DiskFull

PACKAGE = Path(disk.__file__).parents[1]
#: link -> .live.deploy/slots/0, and beside it slots/1
SLOTS = ".live.deploy/slots"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A directory with two releases; ``live`` shows none of them yet."""
    for number in "01":
        slot = tmp_path / SLOTS / number
        slot.mkdir(parents=True)
        (slot / "release").write_text(number)
    return tmp_path


def flip(host: Path, number: int) -> str:
    return disk.flip(host / "live", host / SLOTS / str(number))


def shown(host: Path) -> str:
    return (host / "live" / "release").read_text()


# -- the switch -----------------------------------------------------------------------------------------


def test_a_flip_shows_the_new_release_and_nothing_is_left_beside_it(host: Path) -> None:
    assert flip(host, 0) == ""
    assert shown(host) == "0"
    assert flip(host, 1) == ""
    assert shown(host) == "1"
    assert sorted(os.listdir(host)) == [".live.deploy", "live"]


def test_readers_never_miss_the_link_while_it_is_flipped(host: Path) -> None:
    """One rename: there is no moment without the link, whoever looks."""
    flip(host, 0)
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(shown(host))

    readers = [threading.Thread(target=_noting(read, seen)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round_ in range(300):
        flip(host, round_ % 2)
    done.set()
    for reader in readers:
        reader.join()
    assert seen <= {"0", "1"}


def _noting(read: Callable[[], None], seen: set[str]) -> Callable[[], None]:
    def run() -> None:
        try:
            read()
        except OSError as error:
            seen.add(str(error))

    return run


def test_the_link_holds_when_its_parent_is_moved(host: Path) -> None:
    flip(host, 0)
    moved = host.rename(host.with_name("moved"))
    assert shown(moved) == "0"


def _directory(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "theirs").write_text("precious")


def _file(path: Path) -> None:
    path.write_text("precious")


def _foreign_link(path: Path) -> None:
    path.symlink_to("/somewhere/else")


def _broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))


FOUND = [_directory, _file, _foreign_link, _broken_link, _socket]


def look(path: Path) -> object:
    if path.is_symlink():
        return os.readlink(path)
    if path.is_dir():
        return sorted(each.name for each in path.rglob("*"))
    return os.lstat(path).st_ino


@pytest.mark.parametrize("exchange", [True, False], ids=["the kernel exchanges", "no exchange"])
@pytest.mark.parametrize("put", FOUND, ids=lambda put: put.__name__)
def test_what_is_found_in_place_of_the_link_is_kept_under_a_name_with_the_time(
    host: Path, put: Callable[[Path], None], exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(host)
    if not exchange:  # a stand-in for file systems that cannot do it
        monkeypatch.setattr(disk, "_exchange", lambda one, other: False)
    put(host / "live")
    before = look(host / "live")
    kept = Path(flip(host, 0))
    assert shown(host) == "0"
    assert re.fullmatch(r"live\.\d{8}T\d{6}Z", kept.name)
    assert look(kept) == before
    assert sorted(os.listdir(host)) == sorted([".live.deploy", "live", kept.name])


def test_a_second_find_within_a_second_is_kept_too(host: Path) -> None:
    kept = []
    for _ in range(3):
        (host / "live").unlink(missing_ok=True)
        _file(host / "live")
        kept.append(flip(host, 0))
    assert len(set(kept)) == 3
    assert all(Path(each).read_text() == "precious" for each in kept)


def test_what_an_interrupted_exchange_left_is_kept(host: Path) -> None:
    """Killed between the exchange and the rename: what was at ``live`` lies where the next link is made."""
    _directory(host / ".live.deploy-next")
    (host / "live").symlink_to(f"{SLOTS}/0")
    kept = Path(flip(host, 1))
    assert (kept / "deep" / "theirs").read_text() == "precious"
    assert shown(host) == "1"


def test_a_link_that_an_interrupted_flip_left_is_in_nobodys_way(host: Path) -> None:
    flip(host, 0)
    (host / ".live.deploy-next").symlink_to("nowhere")
    assert flip(host, 1) == ""
    assert shown(host) == "1"
    assert sorted(os.listdir(host)) == [".live.deploy", "live"]


@pytest.mark.parametrize("exchange", [True, False], ids=["the kernel exchanges", "no exchange"])
def test_a_directory_takes_the_place_of_another(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(disk, "_exchange", lambda one, other: False)
    for name in ("new", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    kept = Path(disk.install(tmp_path / "new", tmp_path / "place"))
    assert (tmp_path / "place" / "which").read_text() == "new"
    assert (kept / "which").read_text() == "place"
    assert not (tmp_path / "new").exists()


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
from saltdeploy import disk
with disk.locked(Path(sys.argv[1]), wait=True):
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
    with disk.locked(tmp_path / "lock", wait=False) as held:
        assert not held


def test_a_killed_holder_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with disk.locked(tmp_path / "lock", wait=False) as held:
        assert held


def test_who_waits_gets_the_lock_when_its_holder_dies(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    got = threading.Event()

    def wait() -> None:
        with disk.locked(tmp_path / "lock", wait=True):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.is_set()
    holder.kill()
    waiting.join()
    assert got.is_set()


def test_a_lock_is_free_after_its_block_even_one_that_failed(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), disk.locked(tmp_path / "deep" / "lock", wait=False) as held:
            assert held
            raise KeyError
    assert os.listdir(tmp_path / "deep") == ["lock"]
