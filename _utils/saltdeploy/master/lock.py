"""Who may deploy a repo: one process at a time; and the epoch, which grows with every taking of the lock.

The lock is ``flock`` on a file of the master, held by the deploying process for its life: when it dies, the
kernel frees it. What is written in the file is for people.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy import disk
from saltdeploy.errors import Locked
from saltdeploy.release import file_name


@contextlib.contextmanager
def hold(root: Path, repo: str, holder: dict[str, Any]) -> Iterator[int]:
    """Hold the repo's lock while the block runs.

    Args:
        root: the master's directory for deploys.
        holder: who takes it: ``user``, ``pid``, ``deploy``, ``since`` (text).

    Yields:
        The epoch of this taking: greater than that of every earlier one.

    Raises:
        Locked: somebody else holds it; the message says who.
    """
    directory = root / "lock"
    note = directory / f"{file_name(repo)}.json"
    with disk.locked(directory / file_name(repo), wait=False) as mine:
        known = disk.read_json(note) or {"epoch": 0}
        if not mine:
            who = known.get("holder", {})
            raise Locked(
                f"{who.get('user', 'somebody')} is deploying it since {who.get('since', '?')} "
                f"(deploy {who.get('deploy', '?')}, pid {who.get('pid', '?')})",
                repo=repo,
                next=f"salt-run deploy.watch repo={repo}",
            )
        epoch = int(known["epoch"]) + 1
        disk.write_json(note, {"epoch": epoch, "holder": holder})
        yield epoch


def is_held(root: Path, repo: str) -> bool:
    """Whether somebody deploys the repo right now."""
    with disk.locked(root / "lock" / file_name(repo), wait=False) as free:
        return not free
