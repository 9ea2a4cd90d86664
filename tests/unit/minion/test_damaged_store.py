"""A store of objects on a host that is damaged: the next fetch sets it aside, and brings the release from nothing."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy import layouts
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt
from saltdeploy.minion import stages

from tests.support.damage import flip_a_bit
from tests.support.repositories import Source, git, snapshot
from tests.support.targets import Target
from tests.support.travels import Traveller

pytestmark = pytest.mark.component("git upon stores that are damaged in every way")


def only_pack(store: Path) -> Path:
    packs = list(store.glob("objects/pack/*.pack"))
    assert len(packs) == 1
    packs[0].chmod(0o644)
    return packs[0]


def cut_the_pack(store: Path) -> None:
    with open(only_pack(store), "r+b") as file:
        file.truncate(10)


def cut_the_end_of_the_pack(store: Path) -> None:
    pack = only_pack(store)
    with open(pack, "r+b") as file:
        file.truncate(pack.stat().st_size // 2)


def flip_a_byte_of_each_object(store: Path) -> None:
    pack = only_pack(store)
    listed = git(store, "verify-pack", "-v", str(pack.with_suffix(".idx"))).decode()
    rows = [line.split() for line in listed.splitlines()]
    data = bytearray(pack.read_bytes())
    for row in rows:
        if len(row) >= 5 and row[1] in ("commit", "tree", "blob"):
            data[int(row[4]) + int(row[3]) - 1] ^= 0xFF
    pack.write_bytes(data)


def remove_the_objects(store: Path) -> None:
    """All but the commit and its tree: git takes it for a store that has the release."""
    (kept,) = git(store, "for-each-ref", "--format=%(objectname)", "refs/deploy/").decode().split()
    wanted = git(store, "rev-parse", kept, f"{kept}^{{tree}}")
    pack = only_pack(store)
    small = (
        git(store, "pack-objects", "--quiet", str(store / "objects/pack/pack"), input=wanted).decode().strip()
    )
    for path in store.glob("objects/pack/pack-*"):
        if small not in path.name:
            path.unlink()
    assert not pack.exists()


def empty_the_head(store: Path) -> None:
    (store / "HEAD").write_bytes(b"")


DAMAGES = [
    cut_the_pack,
    cut_the_end_of_the_pack,
    flip_a_byte_of_each_object,
    remove_the_objects,
    empty_the_head,
]


def store_of(host: Target, name: str) -> Path:
    (found,) = host.location.parent.rglob(name)
    return found


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    ("transport", "name"), [("bundle", "store.git"), ("git", "store.git"), ("tar", "trees.git")]
)
def test_F35_one_fetch_brings_the_release_whatever_is_damaged_in_the_store(
    transport: str, name: str, damage: Callable[[Path], None], tmp_path: Path, source: Source
) -> None:
    host = Traveller(tmp_path, source, transport)
    for result in host.travel(0):
        assert result.ok, result.error
    damage(store_of(host, name))
    for result in host.travel(2):
        assert result.ok, result.error
    assert snapshot(host.location) == source.checked_out(2)


def test_F35_facts_and_log_name_where_the_damaged_store_is_and_only_the_last_one_is_kept(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    host = Traveller(tmp_path, source, transport="git")
    host.travel(0)
    for number, damage in [(1, flip_a_byte_of_each_object), (2, empty_the_head)]:
        damage(store_of(host, "store.git"))
        fetched, _ = host.travel(number)
        assert fetched.facts["store"] == "rebuilt"
        aside = Path(fetched.facts["damaged_store"])
        assert aside == store_of(host, "store.git.damaged")
        assert str(aside) in caplog.text
        caplog.clear()
    assert not (aside / "HEAD").read_bytes()


def test_F35_cleanup_deletes_the_damaged_store(tmp_path: Path, source: Source) -> None:
    host = Traveller(tmp_path, source, transport="git")
    host.travel(0)
    empty_the_head(store_of(host, "store.git"))
    host.travel(1)
    aside = store_of(host, "store.git.damaged")
    layouts.of(host.repo).collect(Cleanup(), ())
    assert not aside.exists()


def test_F35_cleanup_deletes_the_damaged_store_of_layout_overlay(tmp_path: Path, source: Source) -> None:
    layout = layouts.of(Target(tmp_path, source, layout="overlay", transport="squashfs").repo)
    layout.open()
    empty_the_head(layout.store.git_dir)
    assert layout.open()["store"] == "rebuilt"
    assert layout.store.aside.is_dir()
    layout.collect(Cleanup(), ())
    assert not layout.store.aside.exists()


def test_F35_a_sound_store_stays_when_a_fetch_fails_for_another_reason(
    tmp_path: Path, source: Source
) -> None:
    host = Traveller(tmp_path, source, transport="bundle")
    host.travel(0)
    before = snapshot(store_of(host, "store.git") / "objects")
    host.carrier.spoil = flip_a_bit
    assert not host.fetch(1).ok
    assert snapshot(store_of(host, "store.git") / "objects") == before
    assert not list(host.location.parent.rglob("store.git.damaged"))


def test_F35_the_command_that_a_damaged_work_tree_is_given_mends_it(tmp_path: Path, source: Source) -> None:
    host = Traveller(tmp_path, source, transport="git", layout="inplace")
    for result in host.travel(0):
        assert result.ok, result.error
    flip_a_byte_of_each_object(host.location / ".git")
    error = host.fetch(2).error
    assert isinstance(error, Corrupt), error
    command, _, _ = error.next.partition(";")
    subprocess.run(shlex.split(command), check=True)
    for result in host.travel(2):
        assert result.ok, result.error
    assert stages.verify(host.repo, host.host, full=True).ok
    assert (host.location / "a").read_text() == "2"
