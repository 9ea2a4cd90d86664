"""The lease of one deploy: its epoch, and a sign of life in the store for as long as it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from saltdeploy.lib.errors import DamagedFile, Fenced, Unavailable
from saltdeploy.lib.text import utc
from saltdeploy.master.cache import Records
from saltdeploy.master.locking.model import Lock

#: Seconds without a sign of life after which another master may take over.
LEASE = 60.0
_CONFIRM_AFTER = 0.25  # seconds; see Lease.beat
_ASK_AGAIN_AFTER = 1.0  # seconds; a store that does not answer is not asked at every turn of a loop


class Lease:
    """What a deploy has while it holds its repo. Made by :meth:`saltdeploy.master.locking.locks.Locks.hold`.

    Args:
        claims: where masters that share a store see each other.
        repo: the repo.
        claim: the record that was written there.
        held: what has to be freed at the end.
        elapsed: seconds, by a clock that nobody sets.

    Attributes:
        epoch: the fencing number: greater than that of every earlier deploy of the repo.
        token: tells this taking from every other.
    """

    def __init__(
        self,
        claims: Records,
        repo: str,
        claim: dict[str, Any],
        held: contextlib.ExitStack,
        elapsed: Callable[[], float],
    ) -> None:
        self._claims = claims
        self._repo = repo
        self._claim = claim
        self._held = held
        self.epoch = int(claim["epoch"])
        self.token = str(claim["token"])
        self._elapsed = elapsed
        self._told = float(claim["beat"])  # as it stands in the store, by the clock that masters share
        self._tried = self._told
        self._renewed = elapsed()
        self._due = self._renewed + _CONFIRM_AFTER

    def beat(self, now: float) -> None:
        """Give a sign of life. To be called often; the store is asked every third of the lease time at most.

        The first one comes soon and confirms the taking: two masters that began at the same moment may each have
        read back their own record, and only one of them still stands there now.

        Args:
            now: seconds since the epoch.

        Raises:
            Fenced: another master has taken over, or may have, since the store has not taken our signs for a
                whole lease time. Nobody new may be asked from now on.
        """
        passed = self._elapsed()
        if passed < self._due and self._tried <= now < self._tried + LEASE / 3:
            return  # others go by the clock that can be set: when it has jumped, or this machine slept, it is due
        self._tried = now
        try:
            self._refuse_another(self._seen())
            self._claims.put(self._repo, {**self._claim, "beat": now})
        except Unavailable as error:
            if passed - self._renewed >= LEASE:
                raise Fenced(
                    f"the lease of epoch {self.epoch} ran out at {utc(self._told + LEASE)}: {error.cause}",
                    repo=self._repo,
                    next=f"salt-run deploy.locks; then salt-run deploy.resume repo={self._repo}",
                ) from error
            self._due = passed + _ASK_AGAIN_AFTER
            return
        self._told, self._renewed = now, passed
        self._due = passed + LEASE / 3

    def release(self) -> None:
        """End the lease; the record of somebody who took over is left alone. Twice is once."""
        with self._held:
            # A store that is gone, or a full disk, must not make a failure of a deploy that is done: the lease runs
            # out by itself, and on this master the kernel says that nobody holds it.
            with contextlib.suppress(Unavailable):
                if self._seen().get("token") == self.token:
                    self._claims.put(self._repo, {**self._claim, "token": ""})

    def _seen(self) -> dict[str, Any]:
        """What stands in the store; a record that is damaged tells of nobody, and ours is written again."""
        try:
            return self._claims.get(self._repo)
        except DamagedFile:
            return {}

    def _refuse_another(self, seen: dict[str, Any]) -> None:
        if not seen:  # the store was lost; ours is written again
            return
        if seen.get("token") == self.token and int(seen.get("epoch", 0)) <= self.epoch:
            return
        other = Lock.from_wire(seen)
        taken = f"taken over: {other}" if other.token else f"freed by hand, as {other.scope} was thought dead"
        raise Fenced(
            f"the lock of this deploy (epoch {self.epoch}) was {taken}",
            repo=self._repo,
            next=f"salt-run deploy.watch repo={self._repo}",
        )


def is_fresh(claim: dict[str, Any], now: float) -> bool:
    """Whether a record in the store is of a deploy that has given a sign of life within the lease time."""
    return bool(claim.get("token")) and float(claim.get("beat", 0)) + LEASE > now
