"""Whatever process holds a repo's lock file stops its deploys: it is named, and nobody else's process can do it."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltdeploy.lib.errors import Locked
from saltdeploy.master.cache import CLAIMS
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release

from tests.support.stores import Directory, store
from tests.unit.master.masters import person

__all__ = ["store"]
DEPLOY = "20261123120000000000"
REPO = "mediawiki"


@pytest.fixture
def locks(tmp_path: Path, store: Directory) -> Locks:
    return Locks(tmp_path / "root", store, time.time, pause=lambda seconds: None)


@contextmanager
def held_by_flock(path: Path, kind: str) -> Iterator[int]:
    """The program ``flock`` holds a file while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    script = ["flock", kind, "--no-fork", "--", str(path), "sh", "-c", "echo held; exec sleep 60"]
    with subprocess.Popen(script, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["--exclusive", "--shared"])
def test_F42_a_process_that_holds_the_lock_file_and_deploys_nothing_is_named_by_its_pid(
    locks, tmp_path, kind
):
    with held_by_flock(tmp_path / "root" / "lock" / REPO, kind) as pid:
        shown = [(lock.scope, lock.holder.pid, "sleep 60" in lock.holder.reason) for lock in locks.all()]
        assert shown == [(f"repo:{REPO}", pid, True)]
        for refused in (
            lambda: locks.hold(REPO, [], person("ann")).__enter__(),
            lambda: locks.refuse(REPO, [], force=False),
            lambda: locks.unlock(f"repo:{REPO}", person("ann"), force=True, reason="it is in the way"),
        ):
            with pytest.raises(Locked, match=f"pid {pid}.*no deploy") as caught:
                refused()
            assert f"kill {pid}" in caught.value.next
    with locks.hold(REPO, [], person("ann")):
        assert [lock.holder.user for lock in locks.all()] == ["ann"]
    assert locks.all() == []


@pytest.mark.parametrize("note", ["{torn", "", '{"pid": 4194304, "scope": "repo:mediawiki"}'])
def test_a_deploy_whose_note_in_the_lock_file_is_damaged_is_told_as_the_deploy_that_it_is(
    locks, tmp_path, note
):
    """By the store, where the process that holds the file has its claim."""
    with locks.hold(REPO, [], person("ann", DEPLOY)):
        (tmp_path / "root" / "lock" / REPO).write_text(note)
        assert [(lock.holder.user, lock.holder.deploy) for lock in locks.all()] == [("ann", DEPLOY)]
        with pytest.raises(Locked, match=f"locked by ann.*deploy {DEPLOY}") as caught:
            locks.refuse(REPO, [])
        assert "deploy.watch" in caught.value.next
        assert "kill" not in caught.value.next


def test_where_nothing_tells_whose_the_damaged_note_is_nobody_is_told_that_it_is_no_deploy(
    locks, tmp_path, store
):
    with locks.hold(REPO, [], person("ann", DEPLOY)):
        (tmp_path / "root" / "lock" / REPO).write_text("{torn")
        store.flush(CLAIMS)
        with pytest.raises(
            Locked, match=f"pid {os.getpid()}.*may be a deploy, as its note is damaged"
        ) as caught:
            locks.refuse(REPO, [])
        assert f"ps -fp {os.getpid()}; if it is a deploy: salt-run deploy.watch" in caught.value.next


def test_F42_locks_journal_pins_and_control_files_are_their_owners_alone(locks, tmp_path):
    root = tmp_path / "root"
    for directory in ("lock", "journal", "pins"):  # as an older version made them
        (root / directory).mkdir(parents=True, mode=0o755)
    (root / "lock" / REPO).touch(mode=0o644)
    (root / "pins" / f"{REPO}.lock").touch(mode=0o644)
    with locks.hold(REPO, [], person("ann")), Journals(root).write(REPO, DEPLOY, ["other/repo"]) as journal:
        journal.append(events.aborted(DEPLOY, REPO, 0.0, user="ann", reason=""))
        Pins(root).put(Pin(Order("pin", 1, FETCH, Release(REPO, "v1", "1" * 40)), ("web1",)))
        OperatorSignals(root, REPO, DEPLOY).abort("ann", "it is wrong")
    locks.lock("global", "no deploys", person("ann"))
    found = {path: stat.S_IMODE(os.lstat(path).st_mode) for path in root.rglob("*") if not path.is_symlink()}
    assert {path.relative_to(root).parts[0] for path in found} == {"lock", "journal", "pins", "control"}
    assert [path for path, mode in found.items() if path.is_dir() and mode != 0o700] == []
    assert [path for path, mode in found.items() if path.is_file() and mode != 0o600] == []
