"""The spine of a target: each stage, once.

A stage is asked for by an order, or by one for each of several repos; it runs under the repos' locks on this host,
and ends in a :class:`Result` that is stored before it is said. Nothing raises out of :func:`run`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shlex
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.verify import Findings
from saltdeploy.git.repository import no_progress
from saltdeploy.lib import flock, programs
from saltdeploy.lib.errors import (
    BadArguments,
    Corrupt,
    DeployError,
    NoBase,
)
from saltdeploy.lib.free_space import free_space
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.minion import (
    configuration,
    downloads,
    maintenance,
    once,
    own_log,
    services,
    signature,
)
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.configuration import Configurations
from saltdeploy.minion.context import Host, Task
from saltdeploy.minion.fetch import fetch, summed
from saltdeploy.minion.progress import Reporter
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Steps
from saltdeploy.minion.switch import switch
from saltdeploy.protocol.holdings import YOUNG
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ONCE, PRESEED, ROLLBACK
from saltdeploy.protocol.result import Result

log = logging.getLogger(__name__)


def run(tasks: Sequence[Task], host: Host) -> Result:
    """Do one stage, of one repo or of several as one, or give the stored answer when it was done before.

    Args:
        tasks: orders of the same stage and deploy, the repo that leads first; each order is checked.
        host: the host.
    """
    lead = tasks[0]
    for task in tasks:
        if task.order.release.repo != task.repo.name:
            return _failed(tasks, host, BadArguments(f"the order is for {task.order.release.repo}"))
    records = {task.repo.name: Record(host.cache, task.repo.name) for task in tasks}
    record, order = records[lead.repo.name], lead.order
    try:
        with contextlib.ExitStack() as held:
            for name in sorted(records):  # always in this order: nobody waits for one who waits for him
                held.enter_context(flock.locked(records[name].lock, wait=True))
            known = record.recall(order.deploy, order.stage, order.attempt) if order.deploy != "pin" else None
            if known is not None:
                log.debug(
                    "%s of deploy %s was done before: its answer is told again", order.stage, order.deploy
                )
                return known
            for task in tasks:
                records[task.repo.name].admit(task.order)
            log.info("%s", begun := _named(tasks))
            with own_log.listening() as heard:
                tasks = [configuration.as_begun(task, host) for task in tasks]
                result = _attempt(tasks, host)
            result = dataclasses.replace(result, lines=heard.lines, lines_cut=heard.cut)
            log.info("%s: %s", begun, _ended(result))
            if not isinstance(result.error, NoBase):  # that one asks for a better payload, in the same stage
                _remember(record, result)
            return result
    except (DeployError, OSError) as error:
        return _failed(tasks, host, as_ours(error))


def _attempt(tasks: Sequence[Task], host: Host) -> Result:
    begin = host.clock()
    steps = Steps(Reporter(tasks[0].order, host.name, host.send, host.clock), host.clock)
    try:
        signature.refuse(tasks)
        stage = tasks[0].order.stage
        if stage in (CHECKOUT, ROLLBACK):
            configuration.note(tasks, host, switches=True)
        facts = summed(_STAGES[stage](tasks, host, steps))
        if stage == FETCH:
            configuration.note(tasks, host, switches=False)
        facts |= configuration.facts(tasks, host)
        facts |= {**steps.facts(), "seconds": round(host.clock() - begin, 3)}
        return _answer(tasks, host, facts=facts)
    except Exception as error:  # a fault of ours is an answer as well; silence would explain nothing
        if not isinstance(error, (DeployError, OSError)):
            log.exception("%s failed by a fault of this package", _named(tasks))
        return with_facts(_failed(tasks, host, as_ours(error)), **steps.facts(), **_room(tasks[0].repo))


def _room(repo: Repo) -> dict[str, int]:
    """What was left of the disk when a stage failed: who may not come to this host reads it in the report."""
    try:
        free, inodes = free_space(repo.paths.location)
    except OSError:
        return {}
    return {"free_bytes": free, **({"free_inodes": inodes} if inodes >= 0 else {})}


def _named(tasks: Sequence[Task]) -> str:
    """A stage, for the log."""
    order = tasks[0].order
    releases = ", ".join(f"{task.order.release.repo} {task.order.release.tag}" for task in tasks)
    return (
        f"{order.stage} of {releases} (deploy {order.deploy}, epoch {order.epoch}, attempt {order.attempt})"
    )


def _ended(result: Result) -> str:
    why = public(str(result.error)) if result.error is not None else "done"
    return f"{why} after {result.facts.get('seconds', '?')} seconds"


def _switch_all(tasks: Sequence[Task], host: Host, steps: Steps) -> list[dict[str, Any]]:
    for task in tasks:
        downloads.leave(task.repo, host)
    facts = switch(tasks, host, steps)
    for task in tasks:
        Configurations(host.cache, task.repo.name).note_place(task.repo)
        if task.order.stage == CHECKOUT:
            Record(host.cache, task.repo.name).brought(task.order)
    return facts


_STAGES: dict[str, Callable[[Sequence[Task], Host, Steps], list[dict[str, Any]]]] = {
    FETCH: fetch,
    CHECKOUT: _switch_all,
    ROLLBACK: _switch_all,
    ONCE: lambda tasks, host, steps: [once.run(task, host, steps) for task in tasks],
}


def status(repo: Repo, host: Host) -> Result:
    """What this host holds of the repo, and the last epoch that it has seen. Changes nothing."""
    try:
        holdings = layouts.of(repo).holdings()
    except (DeployError, OSError, sqlite3.Error) as error:
        return Result(
            host.name, repo.name, status=as_ours(error).status, error=as_ours(error).at(repo=repo.name)
        )
    holdings = dataclasses.replace(
        holdings,
        unsettled=Record(host.cache, repo.name).is_unsettled(),
        programs=tuple(filter(programs.is_installed, config_transports.programs())),
        knows=YOUNG,
    )
    tag, seen = holdings.tags.get(holdings.live, ""), _told(Record(host.cache, repo.name).epoch)
    return Result(host.name, repo.name, epoch=seen, tag=tag, commit=holdings.live, holdings=holdings)


def look(repo: Repo, host: Host) -> Result:
    """As :func:`status`; with the fact ``stale`` where what runs seems to be older than what is live."""
    answer = status(repo, host)
    is_live = answer.ok and answer.holdings.live
    told = {
        "stale": services.stale(repo.hooks.restart, Path(repo.paths.location)) if is_live else "",
        "left_behind": configuration.left_behind(repo, host),
        "maintenance": _under_maintenance(repo, host),
    }
    return with_facts(answer, **{key: text for key, text in told.items() if text})


def _under_maintenance(repo: Repo, host: Host) -> str:
    try:
        return maintenance.told(Record(host.cache, repo.name), repo.hooks.maintenance)
    except (DeployError, OSError):
        return ""  # a record that cannot be read is told by whoever admits an order


def result(deploy: str, stage: str, repo: Repo, host: Host, attempt: int = 1) -> Result | None:
    """The stored answer to a stage; None while it runs and when it never ran. Does not wait."""
    return Record(host.cache, repo.name).recall(deploy, stage, attempt)


def is_running(stage: str, repo: Repo, host: Host) -> bool:
    """Whether some stage of the repo runs on this host right now; for ``preseed``, whether that one does."""
    record = Record(host.cache, repo.name)
    with flock.locked(record.preseeding if stage == PRESEED else record.lock, wait=False) as free:
        return not free


def epoch(repo: Repo, host: Host) -> int:
    """The last epoch that this host has seen for the repo."""
    return Record(host.cache, repo.name).epoch()


def restart(repo: Repo, host: Host) -> dict[str, Any]:
    """Only restart the repo's processes, and wait for their ports: no switch, no checks, no hooks.

    It waits for a stage that is under way. Whether the host is settled stays as it is.

    Returns:
        Trebuchet's answer, whose ``status`` is True or False (and not a number); {} where nothing is to restart.
    """
    if not repo.hooks.restart:
        return {}
    steps = Steps(no_progress, host.clock)
    answer: dict[str, Any] = {"status": True, "repo": repo.name, "dependencies": []}
    with flock.locked(Record(host.cache, repo.name).lock, wait=True):
        try:
            steps.run(services.steps(repo.hooks.restart, host, CheckSite(repo, host).place))
        except (DeployError, OSError) as error:
            failed = as_ours(error).at(repo=repo.name, host=host.name)
            answer |= {"status": False, "error": failed.to_wire()}
    return {**answer, **steps.facts()}


def verify(repo: Repo, host: Host, *, full: bool, part: PathSlice | None = None) -> Findings:
    """Compare what is live with what it should be; see :meth:`saltdeploy.content.manifest.Manifest.verify`.

    It waits for a stage that is under way: a tree that is found to be wrong is noted not to be trusted.
    """
    with flock.locked(Record(host.cache, repo.name).lock, wait=True):
        return layouts.of(repo).verify(full=full, part=part)


def differing(answer: Result, findings: Findings, repo: Repo) -> Result:
    """The answer of a host whose live tree is not what it should be."""
    others_only = repo.layout.name == "inplace" and not findings.missing and not findings.changed
    mend = f"salt-run deploy.sync repo={answer.repo} {argument('tag', answer.tag)}"
    look = f"git -C {shlex.quote(str(repo.paths.location))} clean -ndx lists them: with layout inplace a deploy lets them stay"
    named = ", ".join([*findings.missing, *findings.changed, *findings.misowned, *findings.extra][:3])
    error = Corrupt(
        f"{findings.wrong} files differ ({named})",
        repo=answer.repo,
        host=answer.host,
        next=look if others_only else mend,
    )
    return dataclasses.replace(answer, status=error.status, error=error)


def _answer(tasks: Sequence[Task], host: Host, **more: Any) -> Result:
    lead, *others = (_part(task, host) for task in tasks)
    facts = {**lead.facts, **more.pop("facts", {})}
    return dataclasses.replace(lead, also=tuple(others), facts=facts, **more)


def _part(task: Task, host: Host) -> Result:
    holdings = status(task.repo, host).holdings
    heard = _told(Record(host.cache, task.repo.name).heard) if task.order.stage == FETCH else 0
    facts = {"heard": heard} if heard else {}
    return Result.of(task.order, host.name, repo=task.repo.name, holdings=holdings, facts=facts)


def _told(epoch: Callable[[], int]) -> int:
    """What the record tells; 0 where it cannot be read: whoever admits an order says so."""
    try:
        return epoch()
    except (DeployError, OSError):
        return 0


def _failed(tasks: Sequence[Task], host: Host, error: DeployError) -> Result:
    placed = error.at(repo=tasks[0].repo.name, host=host.name)
    return _answer(tasks, host, status=placed.status, error=placed)


def as_ours(error: Exception) -> DeployError:
    """Whatever went wrong, as an error of this project."""
    if isinstance(error, DeployError):
        return error
    if isinstance(error, OSError):
        return from_os(error)
    return DeployError(f"{type(error).__name__}: {error}")


def _remember(record: Record, result: Result) -> None:
    """Store the answer; where even that fails (a full disk), the answer is all there is."""
    try:
        record.remember(result)
    except OSError:
        return


def with_facts(result: Result, **facts: Any) -> Result:
    """The same answer with more facts."""
    return dataclasses.replace(result, facts={**result.facts, **facts})
