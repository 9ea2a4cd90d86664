"""Payloads: packed once, named by their digest, never what their name does not say, gone when nobody needs them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.content import payloads
from saltdeploy.content.payloads import Payloads
from saltdeploy.lib.errors import BadName, Corrupt
from saltdeploy.protocol.orders import Payload

A, B = "a" * 40, "b" * 40
OLD, NOW = 1_000_000.0, 2_000_000.0


class Packer:
    """Packs the same bytes each time and counts."""

    def __init__(self, data: bytes = b"packed") -> None:
        self.data = data
        self.times = 0

    def __call__(self, path: Path) -> None:
        self.times += 1
        path.write_bytes(self.data)


@pytest.fixture
def packer() -> Packer:
    return Packer()


@pytest.fixture
def store(tmp_path: Path) -> Payloads:
    return Payloads(tmp_path / "payloads")


def file_of(store: Payloads, payload: Payload) -> Path:
    path = store.path(payload.sha256)
    assert path is not None
    return path


def test_a_payload_lies_under_its_digest(store: Payloads, packer: Packer) -> None:
    payload = store.find_or_pack("demo", A, B, packer)
    assert payload == Payload(A, hashlib.sha256(b"packed").hexdigest(), 6)
    assert file_of(store, payload).read_bytes() == b"packed"


def test_the_same_way_is_packed_once(store: Payloads, packer: Packer, tmp_path: Path) -> None:
    first = store.find_or_pack("demo", A, B, packer)
    assert store.find_or_pack("demo", A, B, packer) == first
    assert Payloads(tmp_path / "payloads").find_or_pack("demo", A, B, packer) == first
    assert packer.times == 1


@pytest.mark.parametrize("other", [("demo", "", B), ("demo", B, A), ("demo2", A, B), ("demo/2", A, B)])
def test_another_way_is_packed_anew(store: Payloads, packer: Packer, other: tuple[str, str, str]) -> None:
    store.find_or_pack("demo", A, B, packer)
    assert store.find_or_pack(*other, packer).base == other[1]
    assert packer.times == 2


def _shorter(path: Path) -> None:
    path.write_bytes(b"pack")


def _altered(path: Path) -> None:
    """As long as before."""
    path.write_bytes(b"pecked")


def test_what_is_made_of_more_than_two_commits_is_packed_anew_when_that_changes(
    store: Payloads, packer: Packer
) -> None:
    made = [store.find_or_pack("demo", A, B, packer, "urls", state=word) for word in ("one", "two", "one")]
    assert (packer.times, {each.kind for each in made}) == (2, {"urls"})


@pytest.mark.parametrize("damage", [_shorter, _altered, Path.unlink])
def test_a_damaged_payload_is_packed_anew(
    store: Payloads, packer: Packer, damage: Callable[[Path], None]
) -> None:
    payload = store.find_or_pack("demo", A, B, packer)
    damage(file_of(store, payload))
    assert store.find_or_pack("demo", A, B, packer) == payload
    assert file_of(store, payload).read_bytes() == b"packed"
    assert packer.times == 2


@pytest.mark.parametrize(
    "damage", [b"", b"\xff", b"[]", b"7", b'{"base": "", "sha256": "../../x", "size": 1}']
)
def test_a_damaged_note_costs_one_packing(
    store: Payloads, packer: Packer, tmp_path: Path, damage: bytes
) -> None:
    payload = store.find_or_pack("demo", A, B, packer)
    (note,) = (tmp_path / "payloads").rglob("*.json")
    note.write_bytes(damage)
    assert [store.find_or_pack("demo", A, B, packer) for _ in range(2)] == [payload, payload]
    assert packer.times == 2


def test_packing_that_fails_leaves_nothing(store: Payloads, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyError

    with pytest.raises(KeyError):
        store.find_or_pack("demo", A, B, fail)
    assert [path for path in (tmp_path / "payloads").rglob("*") if path.is_file()] == []


@given(
    name=st.text(max_size=70)
    | st.sampled_from(["../secret", "A" * 64, "a" * 63, "a" * 64 + "\n", "pairs", "."])
)
def test_nothing_but_a_digest_is_a_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    place = tmp_path_factory.getbasetemp()
    (place / "secret").write_text("")
    assert Payloads(place / "payloads").path(name) is None


def test_a_name_never_leads_out_of_the_directory(store: Payloads, tmp_path: Path) -> None:
    secret = tmp_path / ("f" * 64)
    secret.write_text("")
    assert store.path(f"../{secret.name}") is None
    assert store.path(str(secret)) is None


@pytest.mark.parametrize(
    "way", [("../demo", A, B), ("demo", "../../x", B), ("demo", A, "HEAD"), ("demo", A, "")]
)
def test_a_way_is_made_of_legal_names(store: Payloads, packer: Packer, way: tuple[str, str, str]) -> None:
    with pytest.raises(BadName):
        store.find_or_pack(*way, packer)
    assert packer.times == 0


def test_only_the_master_can_list_the_names(store: Payloads, packer: Packer, tmp_path: Path) -> None:
    """Who knows a payload's name gets it, so other users of the master must not see the names."""
    store.find_or_pack("demo", A, B, packer)
    assert (tmp_path / "payloads").stat().st_mode & 0o077 == 0


# -- garbage --------------------------------------------------------------------------------------------


def aged(store: Payloads, payload: Payload) -> Payload:
    os.utime(file_of(store, payload), (OLD, OLD))
    return payload


def test_what_a_pin_names_is_kept_however_old(store: Payloads) -> None:
    kept = aged(store, store.find_or_pack("demo", A, B, Packer(b"kept")))
    dropped = aged(store, store.find_or_pack("demo", "", B, Packer(b"dropped")))
    store.collect({kept.sha256}, NOW)
    assert store.path(kept.sha256)
    assert store.path(dropped.sha256) is None


def test_what_was_used_lately_is_kept(store: Payloads, packer: Packer) -> None:
    payload = aged(store, store.find_or_pack("demo", A, B, packer))
    store.find_or_pack("demo", A, B, packer)  # used again
    store.collect(set(), NOW)
    assert store.path(payload.sha256)
    assert packer.times == 1


def test_what_was_dropped_is_packed_anew_when_it_is_needed(store: Payloads, packer: Packer) -> None:
    payload = aged(store, store.find_or_pack("demo", A, B, packer))
    store.collect(set(), NOW)
    assert store.find_or_pack("demo", A, B, packer) == payload
    assert packer.times == 2


def test_notes_and_half_packed_files_do_not_pile_up(store: Payloads, packer: Packer, tmp_path: Path) -> None:
    store.find_or_pack("demo", A, B, packer)
    (tmp_path / "payloads" / ".0123456789abcdef").write_bytes(b"half, by a master that was killed")
    for path in (tmp_path / "payloads").rglob("*"):
        os.utime(path, (OLD, OLD))
    store.collect(set(), NOW)
    assert [path for path in (tmp_path / "payloads").rglob("*") if path.is_file()] == []


def test_there_is_nothing_to_collect_before_the_first_deploy(store: Payloads) -> None:
    store.collect(set(), NOW)


# -- what was received ----------------------------------------------------------------------------------


def test_what_was_received_whole_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"packed")
    payloads.check(tmp_path / "file", Payload("", hashlib.sha256(b"packed").hexdigest(), 6))
    assert (tmp_path / "file").exists()


@pytest.mark.parametrize("data", [b"", b"pecked", b"packed and more"])
def test_what_is_not_what_its_name_says_is_thrown_away(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    wanted = hashlib.sha256(b"packed").hexdigest()
    with pytest.raises(Corrupt) as caught:
        payloads.check(tmp_path / "file", Payload("", wanted, 6))
    assert not (tmp_path / "file").exists()
    assert wanted in caught.value.cause
    assert hashlib.sha256(data).hexdigest() in caught.value.cause
