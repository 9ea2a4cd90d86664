"""A bundle that is decompressed and closed again brings the same objects; what was not decompressed is refused."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.git import recompress
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import Corrupt

from tests.support.repositories import FILE, Entry, Source, Tree, git

_RANDOM = random.Random(7)
_WORDS = [b"%x" % _RANDOM.getrandbits(40) for _ in range(2000)]
_BIG = b" ".join(_RANDOM.choices(_WORDS, k=30_000))
_MANY: Tree = {b"d%d/f%d" % (n % 9, n): Entry(FILE, b"line %d\n" % n * n) for n in range(300)}
OLD: Tree = {**_MANY, b"big": Entry(FILE, _BIG), b"noise": Entry(FILE, _RANDOM.randbytes(70_000))}
NEW: Tree = {
    **{path: Entry(FILE, entry.data + b"more") for path, entry in _MANY.items()},
    b"big": Entry(FILE, _BIG[:90_000] + b"in the middle" + _BIG[90_100:]),
    b"empty": Entry(FILE, b""),
    b"noise": Entry(FILE, _RANDOM.randbytes(70_000)),
}


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    place = tmp_path_factory.mktemp("gitpack") / "source.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--object-format={request.param}", str(place)], check=True
    )
    return Source(place, OLD, NEW)


def bundle(source: Source, place: Path, number: int, base: str) -> bytes:
    source.repository.pack(source.tag(number), base, place)
    return place.read_bytes()


def decompressed(data: bytes) -> bytes:
    out = io.BytesIO()
    recompress.decompress(io.BytesIO(data), out)
    return out.getvalue()


def closed(data: bytes, most: int = 1 << 30) -> bytes:
    out = io.BytesIO()
    recompress.close(io.BytesIO(data), most, out)
    return out.getvalue()


@pytest.fixture(scope="module")
def opened(source: Source, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The second release over the first."""
    return decompressed(bundle(source, tmp_path_factory.mktemp("opened") / "bundle", 1, source.tag(0).commit))


def test_git_takes_what_was_decompressed_and_closed(source: Source, tmp_path: Path) -> None:
    store, base = Repository(tmp_path / "store.git"), ""
    store.ensure()
    for number in (0, 1):
        place = tmp_path / f"v{number}"
        place.write_bytes(closed(decompressed(bundle(source, tmp_path / "bundle", number, base))))
        base = source.tag(number).commit
        store.unpack(place, base)
    git(store.git_dir, "fsck", "--strict")
    listed = [git(where, "ls-tree", "-r", base) for where in (store.git_dir, source.git_dir)]
    assert listed[0] == listed[1]
    assert git(store.git_dir, "cat-file", "blob", f"{base}:big") == NEW[b"big"].data


def test_a_store_takes_as_much_as_of_the_bundle_that_git_made(source: Source, tmp_path: Path) -> None:
    data = bundle(source, tmp_path / "bundle", 1, source.tag(0).commit)
    assert abs(len(closed(decompressed(data))) - len(data)) <= len(data) / 20


def test_nothing_is_compressed_any_more(opened: bytes) -> None:
    assert b"in the middle" in opened


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: b"", "ends in the middle"),
        (lambda data: data[:-1], "ends in the middle"),
        (lambda data: data[: len(data) // 2], "ends in the middle"),
        (lambda data: data + b"x", "behind the last object"),
        (lambda data: data.replace(b"PACK", b"KCAP", 1), "no pack"),
        (lambda data: _with_objects(data, b"\xff" * 20), "senseless length"),
        (lambda data: _with_objects(data, b"\x60\x01"), "not there"),
        (lambda data: _with_objects(data, b"\x60\x00"), "not there"),
        (lambda data: _with_objects(data, b"\xbf\xff\xff\xff\x7f"), "ends in the middle"),
        (lambda data: b"x" * (5 << 20), "senseless length"),
    ],
)
def test_what_was_not_decompressed_is_refused(
    opened: bytes, harm: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(Corrupt, match=said):
        closed(harm(opened))


def test_more_than_it_should_have_is_not_read(opened: bytes) -> None:
    with pytest.raises(Corrupt, match=f"larger than the {len(opened) - 1} bytes"):
        closed(opened, len(opened) - 1)


@pytest.mark.parametrize("harm", [lambda data: data[:-5000], lambda data: data[:5000] + bytes(len(data))])
def test_a_damaged_bundle_is_not_decompressed(
    source: Source, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    data = bundle(source, tmp_path / "bundle", 1, source.tag(0).commit)
    with pytest.raises(Corrupt):
        decompressed(harm(data))


def _with_objects(data: bytes, objects: bytes) -> bytes:
    """The same head, and one object after it."""
    head, _, _ = data.partition(b"PACK")
    return head + b"PACK" + bytes([0, 0, 0, 2, 0, 0, 0, 1]) + objects
