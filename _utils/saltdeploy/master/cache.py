"""Where locks and history live: behind the verbs of ``salt.cache``, so that its drivers decide where that is.

A driver gives whole records under a bank and a key, and nothing more: no compare-and-swap, no order of keys, no
durability that one could count on. What stands on it must be right all the same.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from saltdeploy.lib import durable
from saltdeploy.lib.errors import Corrupt, DamagedFile, Unavailable

LOCKS = "deploy/locks"
CLAIMS = "deploy/claims"
LOCK_LOG = "deploy/lock-log"
BASELINES = "deploy/baselines"
_LONGEST_KEY = 60  # bytes; the shortest limit of a driver is 64

T = TypeVar("T")


class Store(Protocol):
    """The part of ``salt.cache.Cache`` that is used here.

    ``contains`` is not: consul's answers for every key that begins in the same way.
    """

    def fetch(self, bank: str, key: str) -> Any:
        """The record, or ``{}``."""

    def store(self, bank: str, key: str, data: Any) -> Any:
        """Write a record."""

    def list(self, bank: str) -> Iterable[str]:
        """The keys of a bank, and whatever else the driver finds there."""

    def flush(self, bank: str, key: str | None = None) -> Any:
        """Remove a record; none there is fine."""


def refuse(error: DamagedFile) -> bool:
    """What becomes of a damaged record where nobody knows better: whoever wants it is told."""
    raise error


class Records:
    """The records of one bank, under names of any length and characters.

    Args:
        store: see :class:`Store`.
        bank: the bank.
        check: raises where a record has another form than ours have.
        damaged: told of a record that cannot be read. It raises; or it returns whether the record is to be read again,
            since it has been mended, or is passed over.
    """

    def __init__(
        self,
        store: Store,
        bank: str,
        check: Callable[[Any], object] = durable.mapping,
        damaged: Callable[[DamagedFile], bool] = refuse,
    ) -> None:
        self._store = store
        self._bank = bank
        self._check = check
        self._damaged = damaged

    def get(self, name: str) -> dict[str, Any]:
        """The record; empty when there is none.

        Raises:
            Unavailable: the store does not answer. So does every method here.
            DamagedFile: what it holds is no record. So does every method here that reads.
        """
        return self._read(key_of(name))

    def put(self, name: str, record: dict[str, Any]) -> None:
        """Write the record."""
        self._ask(lambda: self._store.store(self._bank, key_of(name), record))

    def drop(self, name: str) -> None:
        """Remove the record; none there is fine."""
        self._ask(lambda: self._store.flush(self._bank, key_of(name)))

    def all(
        self, instead: Callable[[str, DamagedFile], dict[str, Any]] | None = None
    ) -> list[dict[str, Any]]:
        """Every record, in the order of the keys; what the driver keeps there for itself is left out.

        Args:
            instead: gives what is shown for a record that cannot be read, by its key; {} for nothing.
        """
        return [record for key in self.keys() if (record := self._shown(key, instead))]

    def _shown(
        self, key: str, instead: Callable[[str, DamagedFile], dict[str, Any]] | None
    ) -> dict[str, Any]:
        try:
            return self._read(key)
        except DamagedFile as error:
            if instead is None:
                raise
            return instead(key, error)

    def keys(self) -> list[str]:
        """The keys, sorted; a short and plain name is its own key."""
        return self._ask(lambda: sorted(self._store.list(self._bank)))

    def _read(self, key: str) -> dict[str, Any]:
        while True:
            try:
                return self._whole(key)
            except DamagedFile as error:
                if not self._damaged(error):
                    return {}

    def _whole(self, key: str) -> dict[str, Any]:
        """The record, checked."""
        where = f"{self._bank}/{key}"
        # in two sorts of quotes: a shell takes the one away, and Salt would take a tag like 1.10 for a number
        following = f"salt-run cache.flush bank={self._bank} key='\"{key}\"', then the same command again"
        try:
            found = self._fetched(key)
        except Unavailable as error:
            if key not in self.keys():
                raise
            # the store answers, and this record does not
            if not _is_of_a_record(error.__cause__):
                raise self._unread(key, error) from error
            raise DamagedFile(f"the record is damaged: {error.cause}", path=where, next=following) from error
        if found:
            durable.parsed(found, self._check, where, following)
        return found

    def _fetched(self, key: str) -> dict[str, Any]:
        try:
            found = self._ask(lambda: self._store.fetch(self._bank, key))
        except Unavailable:  # localfs looks and then opens: the record may have gone in between
            found = self._ask(lambda: self._store.fetch(self._bank, key))
        if not isinstance(found, dict):
            raise self._broken(f"there is {type(found).__name__} under {key}")
        return found

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except Exception as error:  # a driver's own kinds, and those of the libraries below it
            raise self._broken(_said(error)) from error

    def _unread(self, key: str, error: Unavailable) -> Unavailable:
        """Nobody knows that the record is damaged: it is neither rebuilt, nor is anybody told to delete it."""
        return Unavailable(
            f"the store lists the record {key} and fails when it is read, in a way that says nothing of the record: "
            f"{_said(error.__cause__)}",
            path=self._bank,
            next="look for it in the master's log, and at the driver (`cache` in its configuration): salt-run cache.fetch "
            f"{self._bank} key='\"{key}\"' asks for the record alone",
        )

    def _broken(self, why: str) -> Unavailable:
        return Unavailable(
            f"locks and history cannot be read or written: {why}",
            path=self._bank,
            next="see that the cache of the master (`cache` in its configuration) answers: salt-run cache.list "
            f"{self._bank}",
        )


#: What drivers raise of one record, by name, since the package never imports Salt: it cannot be made out, or not be read.
_OF_A_RECORD = ("SaltDeserializationError", "SaltCacheError")


def _is_of_a_record(error: BaseException | None) -> bool:
    """Whether a driver's error tells of what it holds. None: what it gave was no record."""
    if isinstance(error, OSError):  # of a file; those of a network have a kind of their own, or no number
        return error.errno is not None and not isinstance(error, (ConnectionError, TimeoutError))
    is_form = isinstance(error, (ValueError, RecursionError, Corrupt))
    return error is None or is_form or type(error).__name__ in _OF_A_RECORD


def _said(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"


def history_bank(repo: str) -> str:
    """Where the deploys of a repo are told."""
    return f"deploy/history/{key_of(repo)}"


def tags_bank(repo: str) -> str:
    """Where it is told what each tag of a repo meant."""
    return f"deploy/tags/{key_of(repo)}"


def bad_bank(repo: str) -> str:
    """Where the bad releases of a repo are named."""
    return f"deploy/bad/{key_of(repo)}"


def key_of(name: str) -> str:
    """A key that every driver takes: short, without slashes, and without what a URL would change.

    >>> key_of("mediawiki/slot0")
    'mediawiki=2Fslot0'
    """
    quoted = urllib.parse.quote(name, safe="").replace("%", "=")
    if len(quoted) <= _LONGEST_KEY:
        return quoted
    return hashlib.sha256(name.encode()).hexdigest()[:_LONGEST_KEY]


def name_of(key: str) -> str:
    """The name whose key this is; of a long name, which its key does not tell, the key.

    >>> name_of("mediawiki=2Fslot0")
    'mediawiki/slot0'
    """
    name = urllib.parse.unquote(key.replace("=", "%"))
    return name if key_of(name) == key else key
