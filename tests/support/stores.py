"""A store for tests that may not import Salt, and what every store must do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib import disk
from saltdeploy.master.cache import Records, Store


class Directory:
    """A store of JSON files that processes can share, as Salt's ``localfs`` is one.

    Attributes:
        broken: while it is set, every question fails as an unreachable server would.
        asked: how often it was asked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.broken = False
        self.asked = 0

    def fetch(self, bank: str, key: str) -> Any:
        return disk.read_json(self._file(bank, key), {})

    def store(self, bank: str, key: str, data: Any) -> None:
        file = self._file(bank, key)
        file.parent.mkdir(parents=True, exist_ok=True)
        disk.write_json(file, data)

    def list(self, bank: str) -> list[str]:
        self._answer()
        return [path.stem for path in (self._path / bank).glob("*.json")]

    def flush(self, bank: str, key: str | None = None) -> None:
        if key is None:
            disk.remove_tree(self._path / bank)
        else:
            self._file(bank, key).unlink(missing_ok=True)

    def _file(self, bank: str, key: str) -> Path:
        self._answer()
        return self._path / bank / f"{key}.json"

    def _answer(self) -> None:
        self.asked += 1
        if self.broken:
            raise ConnectionRefusedError("the store is away")


#: Names that a driver could stumble over: slashes, case, what URLs change, what is too long for a file.
NAMES = ["plain", "mediawiki/slot0", "group:a/b", "a+b", "50%", "été", ".hidden", "x" * 200, "x" * 199 + "y"]


class StoreContract:
    """What locks and history expect of a store; a class of tests inherits it and has a fixture ``store``."""

    def test_what_is_written_is_read(self, store: Store) -> None:
        records = Records(store, "deploy/test")
        for name in NAMES:
            records.put(name, {"name": name, "epoch": 1_795_428_672_123_456, "time": 1.5, "until": None})
        for name in NAMES:
            read = {"name": name, "epoch": 1_795_428_672_123_456, "time": 1.5, "until": None}
            assert records.get(name) == read
        assert sorted(record["name"] for record in records.all()) == sorted(NAMES)

    def test_a_record_is_replaced(self, store: Store) -> None:
        records = Records(store, "deploy/test")
        records.put("mediawiki", {"n": 1, "old": True})
        records.put("mediawiki", {"n": 2})
        assert records.all() == [{"n": 2}]

    def test_a_record_that_was_dropped_is_gone_and_the_others_stay(self, store: Store) -> None:
        records = Records(store, "deploy/test")
        for name in NAMES:
            records.put(name, {"name": name})
        for name in NAMES[::2]:
            records.drop(name)
        assert [records.get(name) for name in NAMES[::2]] == [{}] * len(NAMES[::2])
        assert sorted(record["name"] for record in records.all()) == sorted(NAMES[1::2])

    def test_a_bank_where_nothing_was_written_is_empty(self, store: Store) -> None:
        records = Records(store, "deploy/never")
        records.drop("nothing")
        assert (records.get("nothing"), records.all(), records.keys()) == ({}, [], [])

    def test_a_bank_below_a_bank_is_not_a_record_of_it(self, store: Store) -> None:
        Records(store, "deploy/test/below").put("inner", {"n": 1})
        Records(store, "deploy/test").put("outer", {"n": 2})
        assert Records(store, "deploy/test").all() == [{"n": 2}]


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    """A store of the test's own; imported where it is wanted."""
    return Directory(tmp_path / "store")
