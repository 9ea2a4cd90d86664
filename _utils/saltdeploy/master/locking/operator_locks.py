"""Locks by hand: an operator closes everything, a repo or a group, and says why; and the log of what was forced."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.lib import durable, flock
from saltdeploy.lib.errors import BadArguments, DamagedFile, Locked
from saltdeploy.master.cache import LOCK_LOG, LOCKS, Records, Store, name_of
from saltdeploy.master.locking.model import Holder, Lock, command, line, parts_of, scopes_over

log = logging.getLogger(__name__)

_LOG_KEPT = 1000


class OperatorLocks:
    """The locks by hand.

    Args:
        directory: for the mutex of those who lock and unlock on this master.
        store: holds the locks.
        clock: seconds since the epoch.
    """

    def __init__(self, directory: Path, store: Store, clock: Callable[[], float]) -> None:
        self._mutex = directory / ".manual"
        self._locks = Records(store, LOCKS, _as_lock)
        self._log = Records(store, LOCK_LOG)
        self._clock = clock

    def lock(self, scope: str, reason: str, holder: Holder, until: float | None = None) -> Lock:
        """See :meth:`saltdeploy.master.locking.locks.Locks.lock`."""
        repo, _ = parts_of(scope)
        now = self._clock()
        if not line(reason):
            raise BadArguments("a lock needs a reason", next=f'{command("lock", scope)} reason="..."')
        if until is not None and until <= now:
            raise BadArguments("the lock would end before it begins", repo=repo)
        taken = Lock(
            scope,
            dataclasses.replace(holder, deploy="", reason=line(reason)),
            now,
            until,
            secrets.token_hex(16),
        )
        with self._alone():
            self.refuse([scope])
            self._locks.put(scope, taken.to_wire())
            self.refuse([scope], unless=taken.token)  # another master may have written after us
        log.info("%s", taken)
        return taken

    def unlock(self, scope: str, holder: Holder, *, force: bool, reason: str) -> Lock | None:
        """Remove the lock; None when there is none. See :meth:`saltdeploy.master.locking.locks.Locks.unlock`."""
        with self._alone():
            found = self.get(scope)
            if found is None:
                return None
            if found.holder.user != holder.user:
                if not force:
                    raise Locked(
                        str(found),
                        repo=parts_of(scope)[0],
                        next=f'{found.holder.user} unlocks it; or {command("unlock", scope)} force=True reason="..."',
                    )
                refuse_without_reason(scope, reason)
                self.record("unlocked", found, holder, reason)
            self._locks.drop(scope)
            log.info("%s is unlocked by %s; it was locked by %s", scope, holder.user, found.holder.user)
            return found

    def get(self, scope: str) -> Lock | None:
        """The lock that holds now on exactly this scope."""
        record = self._locks.get(scope)
        return self._holding(Lock.from_wire(record)) if record else None

    def all(self) -> list[Lock]:
        """All locks that hold now; one that cannot be read holds, since it may."""
        locks = map(Lock.from_wire, self._locks.all(_unreadable))
        return [lock for lock in locks if self._holding(lock)]

    def over(self, repo: str, groups: Iterable[str]) -> list[Lock]:
        """Every lock that stops a deploy of these groups of the repo."""
        return [lock for scope in scopes_over(repo, groups) if (lock := self.get(scope))]

    def refuse(self, scopes: Iterable[str], unless: str = "") -> None:
        """Raise :class:`Locked` when there is a lock on one of the scopes whose token is another one."""
        for scope in scopes:
            found = self.get(scope)
            if found is not None and found.token != unless:
                raise refusal(found)

    def record(self, act: str, lock: Lock, by: Holder, reason: str) -> None:
        """Write down that somebody went over another's lock: ``unlocked``, ``deployed past`` or ``freed`` it."""
        now = self._clock()
        entry = {
            "time": now,
            "act": act,
            "scope": lock.scope,
            "by": dataclasses.asdict(by),
            "reason": line(reason),
            "lock": lock.to_wire(),
        }
        self._log.put(f"{int(now * 1e6):017d}-{secrets.token_hex(4)}", entry)
        for key in self._log.keys()[:-_LOG_KEPT]:
            self._log.drop(key)

    def log(self) -> list[dict[str, Any]]:
        """What was forced, newest first: ``time, act, scope, by, reason, lock``."""
        return self._log.all(lambda key, error: {})[::-1]

    def _holding(self, lock: Lock) -> Lock | None:
        return lock if lock.until is None or self._clock() < lock.until else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        durable.private_directory(self._mutex.parent)
        with flock.alone(self._mutex):
            yield


def _as_lock(data: dict[str, Any]) -> None:
    parts_of(Lock.from_wire(data).scope)


def _unreadable(key: str, error: DamagedFile) -> dict[str, Any]:
    return {"scope": name_of(key), "user": "somebody", "reason": f"its record is damaged. {error.next}"}


def refuse_without_reason(scope: str, reason: str) -> None:
    """Raise :class:`BadArguments` when somebody forces an unlock and does not say why."""
    if not line(reason):
        raise BadArguments(
            "force needs a reason, which is recorded",
            repo=parts_of(scope)[0],
            next=f'{command("unlock", scope)} force=True reason="..."',
        )


def refusal(lock: Lock) -> Locked:
    """The error for whoever wants to deploy, or lock, what is locked by hand."""
    unlock = command("unlock", lock.scope)
    return Locked(
        str(lock),
        repo=parts_of(lock.scope)[0],
        next=f'{lock.holder.user}: {unlock}; others: {unlock} force=True reason="..."',
    )
