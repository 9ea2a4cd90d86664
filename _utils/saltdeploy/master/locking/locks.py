"""Who may deploy a repo: one deploy at a time, unless an operator has locked it; and the epoch of each deploy.

On one master the lock is ``flock``, held by the deploying process for its life: when it dies, the kernel frees it.
What is written in the file that is locked is for people.
Masters that share a store see each other by records with a sign of life. ``docs/locks.md`` says what is certain.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.lib import disk, durable, flock
from saltdeploy.lib.errors import BadArguments, DamagedFile, Locked, Unavailable
from saltdeploy.master.cache import CLAIMS, Records, Store
from saltdeploy.master.locking.claims import as_claim, is_torn, named_in, refusal_of_process, unreadable
from saltdeploy.master.locking.lease import LEASE, Lease, is_fresh
from saltdeploy.master.locking.model import (
    GLOBAL,
    Holder,
    Lock,
    command,
    parts_of,
    process,
    scope_of,
    started,
)
from saltdeploy.master.locking.operator_locks import OperatorLocks, refusal, refuse_without_reason
from saltdeploy.master.records import rebuild
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.holdings import legal
from saltdeploy.protocol.release import file_name, repo_of

log = logging.getLogger(__name__)

_EPOCHS = ".epochs"  # no name of a repo begins with a dot
_POLL = 0.2  # seconds
_NAME_TRIES = 100
_NAME_PAUSE = 0.01  # seconds


class Locks:
    """Every lock of a master.

    Args:
        root: the master's directory for deploys.
        store: shared by all masters of the fleet, if there are several.
        clock: seconds since the epoch.
        pause: waits for so many seconds.
        elapsed: seconds, by a clock that nobody sets.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._directory = root / "lock"
        self._epochs = self._directory / _EPOCHS
        self._claims = Records(store, CLAIMS, as_claim)
        self._manual = OperatorLocks(self._directory, store, clock)
        self._clock = clock
        self._pause = pause
        self._elapsed = elapsed

    # -- deploys ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def hold(
        self,
        repo: str,
        groups: Iterable[str],
        holder: Holder,
        *,
        wait: float = 0.0,
        force: bool = False,
        above: int = 0,
        waiting: Callable[[Locked], None] | None = None,
    ) -> Iterator[Lease]:
        """Hold a repo for a deploy while the block runs.

        Args:
            repo: the repo.
            groups: names of the groups that the deploy is about; a lock on one of them stops it.
            holder: who deploys, with the deploy's id and the reason.
            wait: seconds to wait for whatever is in the way.
            force: go past locks by hand, which is recorded; never past another deploy.
            above: the epoch shall be greater than this as well.
            waiting: told what is in the way, whenever that changes.

        Yields:
            The lease. Its epoch is greater than that of every earlier deploy.

        Raises:
            Locked: another deploy or a lock by hand is in the way; it says whose, since when and why.
            Unavailable: the store does not answer.
        """
        groups = tuple(groups)
        lease = self._patiently(lambda: self._take(repo, groups, holder, force, above), wait, waiting)
        log.info("%s is locked by deploy %s of %s, epoch %d", repo, holder.deploy, holder.user, lease.epoch)
        try:
            yield lease
        finally:
            lease.release()
            log.info("%s is free: deploy %s has ended", repo, holder.deploy)

    def running(self, scope: str = GLOBAL) -> list[Lock]:
        """The deploys that run, of everything or of one repo. Deploys of this master whose process died do not."""
        repo, _ = parts_of(scope)
        now = self._clock()
        files = [path for path in sorted(self._directory.glob("*")) if path.name[0] != "."]
        names = [name for path in files if (name := legal(path.name, repo_of))]
        foreign = [lock for name in names if (lock := self._foreign(name))]
        claims = [claim for name in names if self._is_taken(name) and (claim := self._claim_of(name))]
        claims = [claim for claim in claims if claim.get("scope") not in [lock.scope for lock in foreign]]
        others = self._claims.all(unreadable)
        claims += [claim for claim in others if not self._is_ours(claim) and is_fresh(claim, now)]
        found = [*foreign, *map(Lock.from_wire, claims)]
        return [lock for lock in found if repo in ("", parts_of(lock.scope)[0])]

    def refuse(self, repo: str, groups: Iterable[str], *, force: bool = False) -> None:
        """Raise what :meth:`hold` would raise now; nothing is taken.

        Raises:
            Locked: another deploy or a lock by hand is in the way.
            Unavailable: the store does not answer.
        """
        if self._is_taken(repo) or self._foreign(repo):
            raise self._refusal_of_deploy(repo)
        claim = self._claims.get(repo)
        if not self._is_ours(claim) and is_fresh(claim, self._clock()):
            raise self._refusal_of_master(claim)
        in_the_way = self._manual.over(repo, groups)
        if in_the_way and not force:
            raise refusal(in_the_way[0])

    # -- by hand ----------------------------------------------------------------------------------------

    def lock(self, scope: str, reason: str, holder: Holder, until: float | None = None) -> Lock:
        """Lock everything, a repo or a group by hand.

        A deploy that runs already goes on (:meth:`running` tells which); none begins after this returns.

        Args:
            scope: see :func:`saltdeploy.master.locking.model.scope_of`.
            reason: why; shown to everybody who is refused.
            holder: who locks it.
            until: when it ends by itself, in seconds since the epoch.

        Raises:
            Locked: it is locked by hand already.
            BadArguments: no reason, or an end in the past.
        """
        return self._manual.lock(scope, reason, holder, until)

    def unlock(self, scope: str, holder: Holder, force: bool = False, reason: str = "") -> Lock:
        """Remove a lock by hand.

        Args:
            scope: the lock's scope.
            holder: who unlocks it.
            force: also if it is somebody else's; or free a repo whose deploy died with another master.
            reason: why it is forced; recorded.

        Returns:
            The lock that was removed.

        Raises:
            Locked: it is somebody else's, or it belongs to a deploy that runs.
            BadArguments: there is no such lock; or force without a reason.
        """
        removed = self._manual.unlock(scope, holder, force=force, reason=reason)
        if removed is None and not parts_of(scope)[1]:
            removed = self._free_claim(scope, holder, force, reason)
        if removed is None:
            raise BadArguments(f"{scope} is not locked", next="salt-run deploy.locks")
        return removed

    def all(self) -> list[Lock]:
        """The locks by hand, and the deploys that run (those have a ``holder.deploy``)."""
        return [*self._manual.all(), *self.running()]

    def log(self) -> list[dict[str, Any]]:
        """What was forced, newest first: ``time, act, scope, by, reason, lock``."""
        return self._manual.log()

    # -- taking -----------------------------------------------------------------------------------------

    def _patiently(
        self, take: Callable[[], Lease], wait: float, waiting: Callable[[Locked], None] | None
    ) -> Lease:
        deadline = self._elapsed() + wait
        told = ""
        while True:
            try:
                return take()
            except Locked as error:
                left = deadline - self._elapsed()
                if left <= 0:
                    waited = f"; waited {wait:g} seconds" if wait else ""
                    raise Locked(error.cause + waited, repo=error.repo, next=error.next) from None
                log.debug("waits for %s: %s", error.repo, error.cause)
                if waiting and error.cause != told:
                    waiting(error)
                    told = error.cause
            self._pause(min(_POLL, left))

    def _take(self, repo: str, groups: tuple[str, ...], holder: Holder, force: bool, above: int) -> Lease:
        with contextlib.ExitStack() as trial:
            durable.private_directory(self._directory)
            if not trial.enter_context(flock.taken(self._lock_file(repo))):
                raise self._refusal_of_deploy(repo)
            in_the_way = self._manual.over(repo, groups)
            if in_the_way and not force:
                raise refusal(in_the_way[0])
            trial.callback(os.truncate, self._lock_file(repo), 0)  # nobody is named any more
            claim = self._claim(repo, groups, holder, above)
            for lock in in_the_way:
                self._manual.record("deployed past", lock, holder, holder.reason)
            return Lease(self._claims, repo, claim, trial.pop_all(), self._elapsed)

    def _claim(self, repo: str, groups: tuple[str, ...], holder: Holder, above: int) -> dict[str, Any]:
        """Note the taking, with its epoch; for everybody who shares the store as well."""
        seen = self._claims.get(repo)
        now = self._clock()
        if not self._is_ours(seen) and is_fresh(seen, now):
            raise self._refusal_of_master(seen)
        taken = Lock(scope_of(repo), holder, now, token=secrets.token_hex(16))
        claim = {
            **taken.to_wire(),
            "groups": list(groups),
            "epoch": self._next_epoch(repo, seen, now, above),
            "beat": now,
            "domain": self._domain(),
        }
        self._lock_file(repo).write_text(json.dumps(claim))
        self._claims.put(repo, claim)
        seen = self._claims.get(repo)
        if seen.get("token") != taken.token:
            raise self._refusal_of_master(seen)
        return claim

    def _next_epoch(self, repo: str, claim: dict[str, Any], now: float, above: int) -> int:
        """Above every one that is known, and not below the time: a master that lost its state goes on upwards.

        In microseconds, so that two masters that begin together do not get the same one. Durable when this returns:
        no host may hear of an epoch that could be given again.
        """
        note = self._epochs / f"{file_name(repo)}.json"
        known = max(self._last_epoch(repo, note, claim), int(claim.get("epoch", 0)), above)
        epoch = max(known + 1, int(now * 1e6))
        durable.private_directory(self._epochs)
        disk.fsync_dir(self._directory)
        durable.write(note, epoch)
        return epoch

    def _last_epoch(self, repo: str, note: Path, claim: dict[str, Any]) -> int:
        """The last epoch that was given here; of a damaged note, the highest one that anything else tells."""
        try:
            return durable.read(note, durable.whole_number, 0, repo=repo)
        except DamagedFile as error:
            others = [int(claim.get("epoch", 0)), *Pins(self._root).epochs(repo)]
            found = rebuild.epoch(repo, Journals(self._root), others, error)
            durable.mend(note, found)
            return found

    def _free_claim(self, scope: str, holder: Holder, force: bool, reason: str) -> Lock | None:
        """Take a repo from a deploy of another master; from one of this master only its end frees it."""
        repo, _ = parts_of(scope)
        if repo and (self._is_taken(repo) or self._foreign(repo)):
            raise self._refusal_of_deploy(repo)
        claim = self._claims.get(repo) if repo else {}
        if self._is_ours(claim) or not is_fresh(claim, self._clock()):
            return None
        if not force:
            raise self._refusal_of_master(claim)
        refuse_without_reason(scope, reason)
        self._manual.record("freed", Lock.from_wire(claim), holder, reason)
        self._claims.put(repo, {**claim, "token": ""})
        return Lock.from_wire(claim)

    # -- who it is --------------------------------------------------------------------------------------

    def _refusal_of_deploy(self, repo: str) -> Locked:
        if foreign := self._foreign(repo):
            return refusal_of_process(foreign, repo, self._lock_file(repo))
        return Locked(
            str(self._deploying(repo)),
            repo=repo,
            next=f"salt-run deploy.watch repo={repo}; or salt-run deploy.abort repo={repo}",
        )

    def _refusal_of_master(self, claim: dict[str, Any]) -> Locked:
        lock = Lock.from_wire(claim)
        age = max(0.0, self._clock() - float(claim.get("beat", 0)))
        forced = f'{command("unlock", lock.scope)} force=True reason="..."' if lock.scope else ""
        return Locked(
            f"{lock}; that master's last sign of life was {age:.0f} s ago",
            repo=parts_of(lock.scope)[0] if lock.scope else "",
            next=f"wait; when that master is dead, it is free after {LEASE:.0f} s; or {forced}",
        )

    def _deploying(self, repo: str) -> Lock:
        """Who holds the repo; a winner of this very moment is waited for until its name is there."""
        for _ in range(_NAME_TRIES):
            found = named_in(self._lock_file(repo))
            if Path(f"/proc/{found.get('pid')}").exists() or not self._is_taken(repo):
                break
            self._pause(_NAME_PAUSE)
        return Lock.from_wire({"scope": scope_of(repo), **self._claim_of(repo)})

    def _foreign(self, repo: str) -> Lock | None:
        """A process that holds the repo's lock file and does not deploy it; who only looks holds it for a moment."""
        file = self._lock_file(repo)
        pids = flock.holders(file)
        for _ in range(_NAME_TRIES):
            if not pids or named_in(file).get("pid") in pids:
                return None
            self._pause(_NAME_PAUSE)
            pids &= flock.holders(file)
        if not pids or self._claim_of(repo).get("pid") in pids:
            return None
        return Lock(scope_of(repo), process(min(pids), torn=is_torn(file)), started(min(pids)))

    def _claim_of(self, repo: str) -> dict[str, Any]:
        """What the lock file says, or the store where it has that of the process that holds the file; {} for nothing."""
        noted, pids = named_in(self._lock_file(repo)), flock.holders(self._lock_file(repo))
        if noted.get("pid") in pids:
            return noted
        with contextlib.suppress(DamagedFile, Unavailable):
            stored = self._claims.get(repo)
            if stored.get("pid") in pids and self._is_ours(stored):
                return stored
        return noted

    def _is_taken(self, repo: str) -> bool:
        return flock.is_taken(self._lock_file(repo))

    def _is_ours(self, claim: dict[str, Any]) -> bool:
        """Whether it was made where our flock is the truth, and so is dead when we get that."""
        return not claim or claim.get("domain") == self._domain()

    def _domain(self) -> str:
        """The name of this directory's locks, made at first use."""
        known = self._noted_domain()
        if not known:
            durable.private_directory(self._directory)
            with flock.alone(self._directory / ".domain.lock"):
                known = self._noted_domain() or secrets.token_hex(8)
                durable.write(self._directory / ".domain", known)
        return known

    def _noted_domain(self) -> str:
        """The name; "" where there is none. One that is damaged is lost: what bears it counts as another master's."""
        try:
            return durable.read(self._directory / ".domain", _as_name, "")
        except DamagedFile:
            return ""

    def _lock_file(self, repo: str) -> Path:
        return self._directory / file_name(repo)


def last_epoch(root: Path, repo: str) -> int:
    """The last epoch that this master has given; 0 where it remembers none. The next deploy mends a damaged note."""
    try:
        note = root / "lock" / _EPOCHS / f"{file_name(repo)}.json"
        return durable.read(note, durable.whole_number, 0, repo=repo)
    except (DamagedFile, OSError):
        return 0


def is_held(root: Path, repo: str) -> bool:
    """Whether a process of this master deploys the repo right now."""
    return flock.is_taken(root / "lock" / file_name(repo))


def running_here(root: Path, repo: str) -> Lock | None:
    """The deploy of the repo that a process of this master runs right now; what its lock does not tell is not known."""
    if not is_held(root, repo):
        return None
    return Lock.from_wire(named_in(root / "lock" / file_name(repo)))


def _as_name(data: Any) -> str:
    if not isinstance(data, str) or not data:
        raise ValueError("no name stands there")
    return data
