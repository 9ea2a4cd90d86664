"""The master seals releases: the root of what targets will have, at the cost of what has changed, also without git."""

from __future__ import annotations

import hashlib
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.content.source import Stored
from saltdeploy.lib.errors import ConfigError, Corrupt
from saltdeploy.master.payloads import signing
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.protocol import seals
from saltdeploy.protocol.seals import Seal

from tests.support.repositories import FILE, Entry, Source, Tree, git, tree
from tests.support.signing import generate, public_pem
from tests.support.targets import Target

BLOB = b"what the pointer points to\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
    hashlib.sha256(BLOB).hexdigest().encode(),
    len(BLOB),
)
TREES: list[Tree] = [
    {**tree(a="1", dir__b="2", dir__c="3"), b"blob": Entry(FILE, POINTER)},
    {**tree(a="1", dir__b="other", new__d="4"), b"blob": Entry(FILE, POINTER)},
    {**tree(a="1"), b"blob": Entry(FILE, b"a plain file now\n")},
]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.git", *TREES)


class Bench:
    """A master with a repo.

    Attributes:
        read: how many contents were read of git.
    """

    def __init__(self, place: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = place / "master"
        self.source = source
        self.deployment: dict[str, Any] = {}
        self.keys: dict[str, Any] = {"source": str(source.git_dir)}
        self.read = 0
        bench = self

        class Counted(Stored):
            def need(self, *arguments: Any, **options: Any) -> int:
                raise AssertionError("nothing is written")

            def open(self, changes: Any, oids: Any, basis: Path) -> Any:
                oids.seek(0)
                bench.read += len(oids.readlines())
                return super().open(changes, oids, basis)

        monkeypatch.setattr(signing, "Stored", Counted)

    @property
    def repo(self) -> config.Repo:
        pillar = {"deployment_config": self.deployment, "repo_config": {"demo": self.keys}}
        return config.load(pillar, "demo")

    def seal(self, number: int, transport: str = "bundle") -> Seal | None:
        there = master_source.Source(self.repo, self.root)
        return Sealer(self.repo, self.root).seal(self.source.release(number), there, transport)

    def again(self, number: int) -> Seal | None:
        repo = self.repo
        open_source = lambda: master_source.Source(repo, self.root)  # noqa: E731
        return Sealer(repo, self.root).seal_again(self.source.release(number), open_source, "bundle")


@pytest.fixture
def bench(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, source, monkeypatch)


def test_a_release_costs_what_it_has_other_than_the_one_before(bench: Bench) -> None:
    bench.seal(0)
    assert bench.read == 4
    bench.seal(1)
    assert bench.read == 4 + 2
    bench.seal(0)
    bench.seal(1)
    assert bench.read == 4 + 2, "known ones cost nothing"


def test_the_root_does_not_tell_which_way_one_came(bench: Bench, tmp_path: Path) -> None:
    there = [bench.seal(number) for number in (0, 1, 2)]
    shutil.rmtree(bench.root)
    back = [bench.seal(number) for number in (2, 1, 0)]
    assert there == back[::-1]
    assert len({seal.root for seal in there if seal}) == 3


def test_a_target_that_knows_nothing_of_it_comes_to_the_same_root(
    bench: Bench, source: Source, tmp_path: Path
) -> None:
    target = Target(tmp_path / "target", source)
    for number in (0, 2, 1):
        fetched, _ = target.deploy(number)
        assert Seal(fetched.facts["root"]) == bench.seal(number)


def test_the_root_of_a_pointer_is_that_of_its_content(bench: Bench, tmp_path: Path) -> None:
    bench.keys["blobs"] = {"lfs": ["https://example.org/lfs"]}
    filled = bench.seal(0)
    plain = Source(tmp_path / "plain.git", {**TREES[0], b"blob": Entry(FILE, BLOB)})
    bench.source, bench.keys = plain, {"source": str(plain.git_dir)}
    same = bench.seal(0)
    assert filled is not None
    assert same is not None
    assert (filled.root, filled.shape, same.shape) == (same.root, "lfs", "")


def test_trees_of_another_shape_are_another_matter(bench: Bench) -> None:
    plain = bench.seal(0)
    bench.keys["blobs"] = {"lfs": ["https://example.org/lfs"]}
    assert bench.seal(0) != plain
    names = {path.name for path in (bench.root / "manifests").iterdir()}
    assert {name.partition(".")[0] for name in names} == {"demo+lfs"}, "what nobody asks for any more is gone"


@pytest.mark.parametrize("name", ["demo+.db", "demo+.json"])
def test_what_is_damaged_is_computed_anew(name: str, bench: Bench) -> None:
    seal = bench.seal(1)
    (bench.root / "manifests" / name).write_bytes(b"rubbish" * 1000)
    (bench.root / "manifests" / "demo+.json").write_bytes(b"rubbish")
    assert bench.seal(0) is not None
    assert bench.seal(1) == seal


def test_a_repository_with_other_bytes_than_its_ids_say_is_found_out(bench: Bench) -> None:
    """git itself gives them without a word, where they lie in a pack whose own checksum is right."""
    blob = b"2"
    oid = hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()
    pack = _pack(b"3")
    (bench.source.git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    name = bench.source.git_dir / "objects" / "pack" / "pack-evil.pack"
    name.write_bytes(pack)
    name.with_suffix(".idx").write_bytes(_index(oid, pack))
    assert git(bench.source.git_dir, "cat-file", "blob", oid) == b"3"
    with pytest.raises(Corrupt) as caught:
        bench.seal(0)
    assert oid in caught.value.cause
    assert caught.value.repo == "demo"


def _pack(blob: bytes) -> bytes:
    """A pack with one small blob, see gitformat-pack(5)."""
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes([3 << 4 | len(blob)]) + zlib.compress(blob)
    return body + hashlib.sha1(body).digest()


def _index(oid: str, pack: bytes) -> bytes:
    """The index of such a pack, which says that the blob is another one."""
    raw = bytes.fromhex(oid)
    fanout = b"".join(struct.pack(">I", int(first >= raw[0])) for first in range(256))
    checksum = struct.pack(">I", zlib.crc32(pack[12:-20]))
    body = b"\xfftOc" + struct.pack(">I", 2) + fanout + raw + checksum + struct.pack(">I", 12) + pack[-20:]
    return body + hashlib.sha1(body).digest()


def test_a_release_that_was_deployed_is_sealed_while_git_does_not_work(bench: Bench) -> None:
    seal = bench.seal(0)
    bench.source.release(1)
    shutil.rmtree(bench.source.git_dir)
    assert bench.again(0) == seal
    assert bench.again(1) is None, "it was never sealed: a rollback must work all the same"


def test_a_release_that_was_never_sealed_is_sealed_where_git_works(bench: Bench) -> None:
    assert bench.again(1) == bench.seal(1)


def test_nobody_is_asked_where_targets_would_refuse(bench: Bench, tmp_path: Path) -> None:
    key, other = generate(tmp_path / "key.pem"), generate(tmp_path / "other.pem")
    bench.deployment = {"release_keys": [public_pem(key)]}
    for signing_key in (None, str(other), str(tmp_path / "missing.pem")):
        bench.deployment["signing_key"] = signing_key
        with pytest.raises(ConfigError) as caught:
            bench.seal(0)
        assert caught.value.path == "deployment_config:signing_key"
    bench.deployment["signing_key"] = str(key)
    seals.refuse_unsigned(bench.source.release(0), bench.seal(0), bench.repo.trust.release_keys)


def test_a_key_signs_also_where_nobody_asks_for_it_yet(bench: Bench, tmp_path: Path) -> None:
    key = generate(tmp_path / "key.pem")
    bench.deployment = {"signing_key": str(key)}
    seals.refuse_unsigned(bench.source.release(0), bench.seal(0), [seals.public_key(public_pem(key))])


def test_what_the_master_does_not_have_it_does_not_seal(bench: Bench) -> None:
    """With transport git, targets fetch submodules by themselves."""
    bench.keys["checkout_submodules"] = True
    assert bench.seal(0, "git") is None
    assert bench.seal(0, "bundle") is not None
