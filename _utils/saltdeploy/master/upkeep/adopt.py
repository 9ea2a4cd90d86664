"""Lets the targets of a repo take over what is to be shared; each does it by itself, the master tells of all."""

from __future__ import annotations

from typing import Any

from saltdeploy.config import Repo
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.waves import everybody, limited


def adopt(repo: Repo, master: Master, *, path: str, source: str, limit: str, wait: float) -> dict[str, Any]:
    """The view ``adopted``: the answer of each host to ``deploy.adopt``; None of one that gave none in time.

    Args:
        path, source: see ``deploy.adopt`` of a minion.
        limit: a target expression, or the name of a group: only those of the targets.
        wait: seconds until a host that has not answered is left out.

    Raises:
        NoTargets: no minion takes the repo.
        Unsupported: its layout shares nothing.
    """
    refuse_contents(repo)
    hosts = everybody(repo, master.targets)
    hosts = limited(repo, hosts, limit, master.targets)
    answers = gather(master, hosts, "deploy.adopt", [repo.name, path, source], wait)
    fine = len(answers) == len(hosts) and all(answer.ok for answer in answers.values())
    return {
        "view": "adopted",
        "retcode": 0 if fine else 1,
        "repo": repo.name,
        "wait": wait,
        "hosts": {host: answers[host].to_wire() if host in answers else None for host in hosts},
    }
