"""What a bundle brings over the release before it travels squeezed, to whoever has zstd; to all others as git made it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.content import compressed
from saltdeploy.content.payloads import Payloads
from saltdeploy.content.source import Stored
from saltdeploy.git import recompress
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull
from saltdeploy.master.payloads import packing
from saltdeploy.minion import stages
from saltdeploy.protocol.holdings import YOUNG, Holdings
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports import bundle, shared_trees
from saltdeploy.transports.bundle import Bundle, taken
from saltdeploy.transports.tar import write_tar

from tests.support.damage import flip_a_bit, truncate
from tests.support.repositories import FILE, Entry, Source, Tree, git, snapshot, tree
from tests.support.travels import Traveller
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("zstd and rsync's daemon")

_RANDOM = random.Random(11)
_WORDS = [b"%x" % _RANDOM.getrandbits(16) for _ in range(400)]


def _sentences(count: int) -> list[bytes]:
    return [b" ".join(_RANDOM.choices(_WORDS, k=20)) for _ in range(count)]


def _tables(sentences: list[bytes]) -> Tree:
    """One big file for each of some languages, which have many sentences in common."""
    return {
        b"cache/%d" % language: Entry(
            FILE, b"".join(b"+%d:%s\n" % (n * language, each) for n, each in enumerate(sentences))
        )
        for language in (3, 7, 9)
    }


_OLD = _sentences(3000)
_NEW = [
    other if n % 150 < 5 else old for n, (old, other) in enumerate(zip(_OLD, _sentences(3000), strict=True))
]
_TEXTS = {b"lib/%d/t%d" % (n % 20, n): b"".join(_RANDOM.choices(_WORDS, k=300)) for n in range(200)}
_TEXT: Tree = {path: Entry(FILE, data) for path, data in _TEXTS.items()}

#: two releases of each kind
CHANGES: dict[str, tuple[Tree, Tree]] = {
    "big files that change a little": (_tables(_OLD), _tables(_NEW)),
    "files that are new": (tree(a="1"), {**tree(a="2"), **_TEXT}),
    "files that change at their end": (
        _TEXT,
        {**_TEXT, **{path: Entry(FILE, _TEXT[path].data + b" and more") for path in list(_TEXT)[:20]}},
    ),
    "a small change": (_TEXT, {**_TEXT, b"lib/3/t3": Entry(FILE, b"other")}),
    "what cannot be compressed": (tree(a="1"), {b"noise": Entry(FILE, _RANDOM.randbytes(1 << 18))}),
}  # fmt: skip


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Three releases, which all differ by much that is like what is there."""
    old, new = CHANGES["big files that change a little"]
    return Source(tmp_path_factory.mktemp("blob") / "source.git", old, new, {**new, **_TEXT})


def without_zstd(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """From now on git is all that there is."""
    place.mkdir()
    (place / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(place))


def kinds(order: Order) -> list[str]:
    return kinds_of(order.payloads)


def kinds_of(payloads: tuple[Payload, ...]) -> list[str]:
    return [payload.kind for payload in payloads]


# -- how much travels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_not_much_larger_than_the_difference_of_the_archives(kind: str, tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", *CHANGES[kind])
    offered = Bundle().pack(
        Payloads(tmp_path / "payloads"), source.repository, "demo", source.tag(1), source.tag(0).commit
    )
    smallest = min(payload.size for payload in offered)
    assert smallest <= 1.2 * _patch(source, tmp_path) + 4096


def _patch(source: Source, place: Path) -> int:
    """Bytes of zstd's patch from one archive to the other."""
    for number in (0, 1):
        with open(place / f"v{number}.tar", "wb") as out:
            write_tar(source.repository, source.tag(number).commit, Stored(source.repository), place, out)
    command = [
        "zstd",
        "-q",
        "-19",
        "--long=27",
        "-c",
        f"--patch-from={place / 'v0.tar'}",
        str(place / "v1.tar"),
    ]
    return len(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


@pytest.mark.parametrize("kind", ["a small change", "what cannot be compressed"])
def test_where_it_saves_nothing_the_bundle_travels_as_git_made_it(kind: str, tmp_path: Path) -> None:
    source = Source(tmp_path / "source.git", *CHANGES[kind])
    payloads = Payloads(tmp_path / "payloads")
    offered = Bundle().pack(payloads, source.repository, "demo", source.tag(1), source.tag(0).commit)
    assert [payload.kind for payload in offered] == ["bundle"]


def test_a_first_install_travels_as_git_made_it(traveller: Travellers, blob: Source) -> None:
    assert kinds(traveller("bundle", blob).order_for(0)) == ["bundle"]


# -- who gets it ----------------------------------------------------------------------------------------


def test_a_host_with_zstd_gets_nothing_else(traveller: Travellers, blob: Source) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    for number in (1, 2, 0):
        for result in target.travel(number):
            assert result.ok, result.error
        assert target.shows(number)
    git(target.repo.paths.area / "store.git", "fsck", "--strict")
    order = target.order_for(1)
    assert kinds(order) in ([], ["squeezed"])
    assert not list(target.cache.rglob("incoming/*"))


def test_its_store_is_as_large_as_by_the_bundle(traveller: Travellers, blob: Source, tmp_path: Path) -> None:
    sizes = []
    for name in ("squeezed", "as git made it"):
        target = traveller("bundle", blob, name)
        target.travel(0)
        order = target.order_for(1)
        if name != "squeezed":
            order = dataclasses.replace(order, payloads=_both(target)[:1])
        assert target.run(order).ok
        sizes.append(
            sum(path.stat().st_size for path in (target.repo.paths.area / "store.git").rglob("*.pack"))
        )
    assert abs(sizes[0] - sizes[1]) <= sizes[1] / 50


def _both(target: Traveller) -> tuple[Payload, ...]:
    source = target.source
    return Bundle().pack(target.payloads, source.repository, "demo", source.tag(1), source.tag(0).commit)


def test_a_host_without_zstd_gets_the_bundle(
    traveller: Travellers, blob: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    _both(target)  # another host has made the master squeeze it
    without_zstd(monkeypatch, tmp_path / "bin")
    assert kinds(target.order_for(1)) == ["bundle"]
    for result in target.travel(1):
        assert result.ok, result.error
    assert target.shows(1)


def test_a_host_that_has_lost_zstd_asks_for_another_payload(
    traveller: Travellers, blob: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    order = target.order_for(1)
    assert kinds(order) == ["squeezed"]
    for module in ("transports.bundle.is_installed", "lib.programs.is_installed"):
        monkeypatch.setattr(f"saltdeploy.{module}", lambda program: False)
    answer = target.run(order)
    assert answer.error is not None
    assert answer.error.kind == "no-base"
    assert target.fetch(1).ok
    assert target.received[-1]["base"] == blob.tag(0).commit


def test_hosts_with_zstd_and_without_are_served_by_one_deploy(
    traveller: Travellers, blob: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    base = blob.tag(0).commit
    bare = Holdings(live=base, held=(base,))
    able = dataclasses.replace(bare, programs=("zstd",), knows=("squeezed",))
    found = packing.pack(
        target.order_for(1), target.repo, target._there(), target.payloads, blob.tag(1), [bare, able]
    )
    assert [payload.kind for payload in found] == ["bundle", "squeezed"]
    assert [payload.kind for payload in taken(found, able)] == ["squeezed"]
    assert [payload.kind for payload in taken(found, bare)] == ["bundle"]
    order = dataclasses.replace(target.order_for(1), payloads=found)
    assert target.run(order).facts["bytes"] == found[1].size


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts have zstd, and are of a version that knew nothing of squeezed bundles."""
    monkeypatch.setattr(stages, "YOUNG", ())
    monkeypatch.setattr(
        bundle, "_choose", lambda order, store: shared_trees.choose(order, "bundle", store.has)
    )


@pytest.mark.usefixtures("older")
def test_a_host_of_an_older_version_gets_the_bundle(traveller: Travellers, blob: Source) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    assert kinds(target.order_for(1)) == ["bundle"]
    for result in target.travel(1):
        assert result.ok, result.error
    assert target.shows(1)
    assert target.received[-1]["base"] == blob.tag(0).commit


@pytest.mark.usefixtures("older")
def test_it_finds_the_bundle_beside_the_squeezed_one_that_others_get(
    traveller: Travellers, blob: Source
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    told = stages.status(target.repo, target.host).holdings.to_wire()
    del told["knows"]
    old = Holdings.from_wire(told)
    young = dataclasses.replace(old, knows=YOUNG)
    offered = packing.pack(
        target.order_for(1), target.repo, target._there(), target.payloads, blob.tag(1), [young, old]
    )
    assert (kinds_of(offered), kinds_of(taken(offered, old))) == (["bundle", "squeezed"], ["bundle"])
    assert (
        target.run(dataclasses.replace(target.order_for(1), payloads=offered)).facts["bytes"]
        == offered[0].size
    )


# -- what arrives is hostile ----------------------------------------------------------------------------


def refused(target: Traveller, order: Order, kind: type[DeployError] = Corrupt) -> str:
    """The fetch fails, nothing is left of it, and the next one brings the release."""
    result = target.run(order)
    assert isinstance(result.error, kind), result.error
    assert result.error.next
    assert snapshot(target.location) == target.source.checked_out(0)
    assert not list(target.cache.rglob("incoming/*"))
    assert not list(target.repo.paths.area.rglob("tmp_*"))
    for again in target.travel(1):
        assert again.ok, again.error
    assert target.shows(1)
    return str(result.error)


@pytest.mark.parametrize("spoil", [flip_a_bit, truncate])
def test_what_arrives_damaged_is_refused(
    traveller: Travellers, blob: Source, spoil: Callable[[Path], None]
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    order = target.order_for(1)

    def once(path: Path) -> None:
        target.carrier.spoil = lambda path: None
        spoil(path)

    target.carrier.spoil = once  # type: ignore[assignment]
    assert "sha256" in refused(target, order)


def _bomb(line: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
    plain = subprocess.run(["zstd", "-d", "-c"], input=body, check=True, stdout=subprocess.PIPE).stdout
    huge = plain.partition(b"PACK")[0] + b"PACK\0\0\0\2\0\0\0\1\xb0\x80\x80\x80\x10" + bytes(64 << 20)
    return {**line, "size": 1 << 20}, _squeeze(huge)


def _squeeze(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, check=True, stdout=subprocess.PIPE).stdout


HOSTILE: dict[str, tuple[Callable[[dict[str, object], bytes], tuple[dict[str, object], bytes]], str]] = {
    "a bomb": (_bomb, "larger than the 1048576 bytes"),
    "a part": (lambda line, body: (line, body[: len(body) // 2]), "zstd ended with"),
    "a flipped bit": (lambda line, body: (line, body[:5000] + bytes([body[5000] ^ 1]) + body[5001:]), "zstd ended|cannot be read"),
    "no zstd": (lambda line, body: (line, b"no zstd" * 100), "zstd ended with"),
    "no bundle": (lambda line, body: (line, _squeeze(b"x" * 1000)), "ends in the middle"),
    "another line": (lambda line, body: ({**line, "form": "evil"}, body), "no packed archive"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_payload_is_refused(traveller: Travellers, blob: Source, kind: str) -> None:
    """Its digest is right: whoever can write on the master has made it."""
    target = traveller("bundle", blob)
    target.travel(0)
    harm, said = HOSTILE[kind]
    found = refused(target, _with(target, harm))
    assert any(part in found for part in said.split("|")), found


def test_room_for_the_bundle_is_looked_for_before_it_is_made(traveller: Travellers, blob: Source) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    order = _with(target, lambda line, body: ({**line, "base_size": 1 << 50}, body))
    assert f"{3 << 50} bytes are needed" in refused(target, order, DiskFull)


def _with(
    target: Traveller, harm: Callable[[dict[str, object], bytes], tuple[dict[str, object], bytes]]
) -> Order:
    """An order whose payload is another file, with its own digest."""
    order = target.order_for(1)
    [honest] = order.payloads
    place = target.payloads.path(honest.sha256)
    assert place is not None
    head, _, body = place.read_bytes().partition(b"\n")
    line, body = harm(json.loads(head), body)
    data = json.dumps(line).encode() + b"\n" + body
    sha256 = hashlib.sha256(data).hexdigest()
    place.with_name(sha256).write_bytes(data)
    payload = dataclasses.replace(honest, sha256=sha256, size=len(data))
    return dataclasses.replace(order, payloads=(payload,))


def test_objects_of_another_release_are_not_taken_for_it(traveller: Travellers, blob: Source) -> None:
    def other(line: dict[str, object], body: bytes) -> tuple[dict[str, object], bytes]:
        bundle, opened = target.cache.parent / "other", io.BytesIO()
        blob.repository.pack(blob.tag(2), blob.tag(0).commit, bundle)
        with open(bundle, "rb") as file:
            recompress.decompress(file, opened)
        return {**line, "size": len(opened.getvalue())}, _squeeze(opened.getvalue())

    target = traveller("bundle", blob)
    target.travel(0)
    assert "is not in what was received" in refused(target, _with(target, other))


def test_killed_while_it_is_expanded_and_run_again(
    traveller: Travellers, blob: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = traveller("bundle", blob)
    target.travel(0)
    order = target.order_for(1)
    child = os.fork()
    if child == 0:  # it dies when all is read and the bundle is not whole yet
        try:
            recompress._Pack.end = lambda pack: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
            target.run(order)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert snapshot(target.location) == blob.checked_out(0)
    for result in target.travel(1):
        assert result.ok, result.error
    assert target.shows(1)
    assert not list(target.cache.rglob("incoming/*"))


def test_what_was_squeezed_is_found_and_not_made_again(traveller: Travellers, blob: Source) -> None:
    target = traveller("bundle", blob)
    made = _both(target)
    assert [payload.kind for payload in made] == ["bundle", "squeezed"]
    place = target.payloads.path(made[1].sha256)
    assert place is not None
    written = place.stat().st_ino
    assert _both(target) == made
    assert place.stat().st_ino == written
    assert compressed.head_of(place).base_size == made[0].size
