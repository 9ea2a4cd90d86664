"""What a deploy writes down when it takes a repo: in the file that is locked, and for masters that share a store."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import BadName, DamagedFile, Locked
from saltdeploy.master.cache import name_of
from saltdeploy.master.locking.model import Lock, parts_of, scope_of


def named_in(lock_file: Path) -> dict[str, Any]:
    """The claim that is written in a lock file; empty while its winner has not written it whole."""
    try:
        return durable.read(lock_file, as_claim, {})
    except DamagedFile:  # it is for people: the lock itself is the kernel's
        return {}


def is_torn(lock_file: Path) -> bool:
    """Whether what is written in a lock file is no claim, so that nobody can tell by it who holds the file."""
    try:
        durable.read(lock_file, as_claim, None)
    except DamagedFile:
        return lock_file.stat().st_size > 0
    return False


def as_claim(data: Any) -> dict[str, Any]:
    """``data`` when it is a claim; raises where it is not."""
    claim = durable.mapping(data)
    parts_of(Lock.from_wire(claim).scope)
    durable.whole_number(claim.get("epoch", 0))
    float(claim.get("beat", 0))
    return claim


def unreadable(key: str, error: DamagedFile) -> dict[str, Any]:
    """Shown for a claim that cannot be read, as nobody can deploy its repo until it is mended."""
    try:
        scope = scope_of(name_of(key))
    except BadName:  # none of ours
        return {}
    return {
        "scope": scope,
        "reason": f"its record is damaged. {error.next}",
        "token": "damaged",
        "beat": math.inf,
    }


def refusal_of_process(lock: Lock, repo: str, lock_file: Path) -> Locked:
    """The error for whoever wants to deploy a repo whose lock file is held by a process that nothing names."""
    pid = lock.holder.pid
    end = f"end it (kill {pid}), then run the same command again"
    if is_torn(lock_file):
        end = f"if it is a deploy: salt-run deploy.watch repo={repo}; or, if it is none, {end}"
    return Locked(str(lock), repo=repo, path=str(lock_file), next=f"see what it is: ps -fp {pid}; {end}")
