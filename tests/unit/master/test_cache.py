"""Records: every name is a key, and what a store's driver raises is one error that operators can read."""

from __future__ import annotations

import errno
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import DamagedFile, DeployError, Unavailable
from saltdeploy.master.cache import Records, key_of

from tests.support.stores import Directory, StoreContract, store

__all__ = ["store"]

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


class TestDirectory(StoreContract):
    """The tests' own store is one."""


@given(_NAMES, _NAMES)
def test_a_key_fits_every_driver_and_no_two_names_share_one(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.~=-]{1,60}", key_of(one))
    assert (key_of(one) == key_of(other)) == (one == other)


class _Driver:
    """A driver that says what a test wants, one answer after the other."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def fetch(self, bank: str, key: str) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def store(self, bank: str, key: str, data: Any) -> None:
        raise OSError("no space left")

    def list(self, bank: str) -> list[str]:
        return ["tmp3xk2", "b", "a"]

    def flush(self, bank: str, key: str | None = None) -> None:
        raise RuntimeError("read-only")


def test_a_record_that_goes_while_the_driver_looks_is_not_there() -> None:
    assert Records(_Driver(FileNotFoundError(), {}), "bank").get("x") == {}


def test_what_the_driver_keeps_for_itself_in_a_bank_is_left_out() -> None:
    assert Records(_Driver({"n": 1}, {"n": 2}, {}), "bank").all() == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "act",
    [
        lambda records: records.get("x"),
        lambda records: records.put("x", {}),
        lambda records: records.drop("x"),
    ],
    ids=["get", "put", "drop"],
)
def test_a_driver_that_fails_is_an_error_that_names_the_bank(act: Any) -> None:
    records = Records(_Driver(ValueError("once"), ValueError("twice")), "deploy/locks")
    with pytest.raises(Unavailable, match="ValueError: twice|no space left|read-only") as caught:
        act(records)
    assert caught.value.path == "deploy/locks" and caught.value.next


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no JSON"), DamagedFile),
        (OSError(errno.EIO, "Input/output error"), DamagedFile),
        (type("SaltDeserializationError", (Exception,), {})("msgpack"), DamagedFile),
        (type("SaltCacheError", (Exception,), {})("reading the cache file"), DamagedFile),
        (RuntimeError("pool is closed"), Unavailable),
        (TimeoutError("timed out"), Unavailable),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Unavailable),
    ],
)
def test_a_record_is_called_damaged_only_where_the_drivers_error_is_of_the_record(
    error: Exception, kind: type[DeployError]
) -> None:
    with pytest.raises(kind, match=type(error).__name__) as caught:
        Records(_Driver(error, error), "bank").get("a")
    assert type(caught.value) is kind
    assert ("cache.flush" in caught.value.next) == (kind is DamagedFile)


def test_what_is_no_record_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(Unavailable, match="str"):
        Records(_Driver("nonsense"), "bank").get("x")


def test_a_store_that_is_away_does_not_look_empty(store: Directory) -> None:
    store.broken = True
    with pytest.raises(Unavailable, match="the store is away"):
        Records(store, "bank").all()
