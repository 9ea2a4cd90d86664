"""Holds all repos of one deploy at once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence

from saltdeploy.config import Repo
from saltdeploy.lib.errors import Locked
from saltdeploy.lib.forcing import EPOCH
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import survey
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder
from saltdeploy.master.plan_model import Request
from saltdeploy.master.records.recorder import tell_preparing
from saltdeploy.master.waves import groups_of

log = logging.getLogger(__name__)

Leases = Mapping[str, Lease]
"""Repo to the lock on it."""


_ANSWER_WITHIN = 5.0  # seconds


def _seen(repo: Repo, master: Master) -> int:
    """The newest epoch that a target of the repo has seen; 0 where none answers."""
    hosts = master.targets(repo.targets.expression, repo.targets.type)
    answers = survey(master, hosts, repo.name, _ANSWER_WITHIN)
    found = max((answer.epoch for answer in answers.values()), default=0)
    log.info("%s: hosts have seen epoch %d", repo.name, found)
    return found


@contextlib.contextmanager
def hold(request: Request, repos: Sequence[Repo], deploy: str, master: Master) -> Iterator[Leases]:
    """Hold the repos while the block runs; always in the same order, so that no two deploys wait for each other.

    Raises:
        Locked: another deploy or a lock by hand prevents it, and did so for as long as the request waits.
    """
    locks = Locks(master.root, master.store, master.bus.now, elapsed=master.bus.elapsed)
    holder = Holder.here(master.user, deploy=deploy, reason=request.reason)

    def tell(locked: Locked) -> None:
        tell_preparing(request, deploy, master, f"waits: {locked.cause}")

    with contextlib.ExitStack() as held:
        leases = {}
        for repo in sorted(repos, key=lambda repo: repo.name):
            groups = groups_of(repo, request.limit)
            force = request.forces("lock")
            above = _seen(repo, master) if request.forces(EPOCH) else 0
            lock = locks.hold(
                repo.name, groups, holder, wait=request.wait, force=force, above=above, waiting=tell
            )
            leases[repo.name] = held.enter_context(lock)
            log.info("deploy %s: holds the lock of %s, epoch %d", deploy, repo.name, leases[repo.name].epoch)
        yield leases
    log.info("deploy %s: freed its locks", deploy)
