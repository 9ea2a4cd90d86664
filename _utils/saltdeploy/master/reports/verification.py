"""Whether each host of a fleet holds what it should: every host compares its files, the master tells them all."""

from __future__ import annotations

from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.waves import everybody
from saltdeploy.protocol.result import Result

_ARGUMENTS = "invalid arguments"  # Salt's words


def _strange(repo: Repo, host: str, error: DeployError, part: str) -> Result:
    """What is told of a host whose package gave no answer of ours: it is older, or does not load."""
    told = error
    if part and _ARGUMENTS in error.cause:
        cause = f"its package is older than this master's, and knows no part=: {error.cause}"
        told = DeployError(
            cause, next=f"{error.next}; or without part=: salt-run deploy.verify repo={repo.name}"
        )
    return Result(host, repo.name, status=told.status, error=told.at(repo=repo.name, host=host))


def verify(repo: Repo, master: Master, *, full: bool, part: str, wait: float) -> dict[str, Any]:
    """The view ``verified``: the answer of each host to ``deploy.verify``; None of one that gave none in time.

    Args:
        full, part: what is read on each host, see ``deploy.verify`` of a minion.
        wait: seconds until a host that has not answered is left out.

    Raises:
        NoTargets: no minion takes the repo.
    """
    hosts = everybody(repo, master.targets)
    # a host of an older version knows no parts, and has to be asked only for what it knows
    asked = [repo.name, full, part] if part else [repo.name, full]
    odd: dict[str, DeployError] = {}
    answers = gather(master, hosts, "deploy.verify", asked, wait, odd)
    answers |= {host: _strange(repo, host, error, part) for host, error in odd.items()}
    fine = len(answers) == len(hosts) and all(answer.ok for answer in answers.values())
    return {
        "view": "verified",
        "retcode": 0 if fine else 1,
        "repo": repo.name,
        "full": full,
        "part": part,
        "wait": wait,
        "hosts": {host: answers[host].to_wire() if host in answers else None for host in hosts},
    }
