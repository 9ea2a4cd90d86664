"""Does one thing to the services of a repo on every target, or puts the targets under maintenance: group by group, by batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib.errors import BadArguments, NoTargets
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.fleet.suspended import Suspensions
from saltdeploy.master.waves import Wave, everybody, limited, share_of, waves
from saltdeploy.protocol.result import Result

VERBS = ("start", "stop", "restart", "reload")
_GRACE = 15.0  # seconds beside what the services may take


def services(
    repo: Repo, verb: str, master: Master, *, batch: str, limit: str, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The view ``serviced``: do one thing to the services of a repo, so many hosts at once.

    Where more hosts of a group fail than may, no further one is asked.

    Args:
        batch: how many hosts at once: a count or a share; "" as the pillar says.
        tell: hears of each batch.

    Raises:
        BadArguments: there is no such verb.
        NoTargets: there is nobody to ask.
    """
    if verb not in VERBS:
        raise BadArguments(
            f"services can be told to {', '.join(VERBS)}; not to {verb[:40]!r}",
            repo=repo.name,
            next=f"salt-run deploy.services restart {argument('repo', repo.name)}",
        )
    timeout = (
        repo.hooks.restart.timeout * max(1, len(repo.hooks.restart.services) + len(repo.hooks.restart.ports))
        + _GRACE
    )
    call = ("deploy.service", [repo.name, verb])
    return _rolling(repo, f"{verb} services", call, timeout, master, batch, limit, tell)


def maintenance(
    repo: Repo, master: Master, *, on: bool, why: str, limit: str, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The view ``serviced``: put the targets under maintenance, or end it, all at once."""
    what = "maintenance on" if on else "maintenance off"
    timeout = (repo.hooks.maintenance.timeout if repo.hooks.maintenance else 0) + _GRACE
    call = ("deploy.maintenance", [repo.name, on, why])
    return _rolling(repo, what, call, timeout, master, "100%", limit, tell)


def _rolling(
    repo: Repo,
    what: str,
    call: tuple[str, list[Any]],
    timeout: float,
    master: Master,
    batch: str,
    limit: str,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    asked, left_out = _asked(repo, limit, master)
    answers: dict[str, Result | None] = {}
    stopped = ""
    for wave in asked:
        for those in _batches(wave, batch):
            tell(f"{repo.name}: {what} on {', '.join(those)}")
            heard = gather(master, those, *call, timeout)
            answers |= {host: heard.get(host) for host in those}
            failed = [host for host in wave.hosts if host in answers and not _is_fine(answers[host])]
            if len(failed) > wave.limit:
                stopped = (
                    f"{', '.join(failed[:5])} failed, the limit is {wave.limit}: no further host was asked"
                )
                break
        if stopped:
            break
    hosts = [host for wave in asked for host in wave.hosts]
    return {
        "view": "serviced",
        "retcode": 0 if all(_is_fine(answers.get(host)) for host in hosts) else 1,
        "repo": repo.name,
        "what": what,
        "stopped": stopped,
        "left_out": left_out,
        "hosts": {host: _shown(answers[host]) if host in answers else None for host in hosts},
    }


def _asked(repo: Repo, limit: str, master: Master) -> tuple[tuple[Wave, ...], list[str]]:
    """The waves of those that are asked, and why others are not."""
    hosts = everybody(repo, master.targets)
    suspended = Suspensions(master.root).at(master.bus.now(), repo.name)
    chosen = [host for host in limited(repo, hosts, limit, master.targets) if host not in suspended]
    left_out = [str(suspended[host]) for host in hosts if host in suspended]
    if not chosen:
        raise NoTargets(f"all of them are left out: {'; '.join(left_out)}", repo=repo.name)
    return waves(repo, chosen, lambda group: master.targets(group.targets, group.targets_type)), left_out


def _batches(wave: Wave, batch: str) -> Iterator[list[str]]:
    size = share_of(batch, len(wave.hosts), up=True) if batch else wave.window
    left = iter(wave.hosts)
    while those := list(islice(left, max(1, size))):
        yield those


def _is_fine(answer: Result | None) -> bool:
    return answer is not None and answer.ok


def _shown(answer: Result | None) -> dict[str, Any]:
    if answer is None:
        return {"state": "silent"}
    if answer.error is not None:
        return {"state": "failed", "error": answer.error.to_wire()}
    return {"state": "ok"}
