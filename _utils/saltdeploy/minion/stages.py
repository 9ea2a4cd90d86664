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

from saltdeploy import layouts, transports
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.config.paths import refuse_on_disk
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.verify import Findings
from saltdeploy.git import credentials
from saltdeploy.git.repository import git_version, no_progress
from saltdeploy.lib import disk, flock, priority, programs
from saltdeploy.lib.errors import (
    BadArguments,
    Corrupt,
    DeployError,
    GitFailed,
    NoBase,
    Unavailable,
)
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.minion import (
    checks,
    config_files,
    configuration,
    downloads,
    maintenance,
    once,
    own_log,
    services,
    signature,
    untracked,
)
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.configuration import Configurations
from saltdeploy.minion.context import Host, Task
from saltdeploy.minion.progress import Reporter
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Steps
from saltdeploy.minion.switch import switch
from saltdeploy.protocol.holdings import YOUNG, Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ONCE, PRESEED, ROLLBACK, Order, Result

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
        facts = _summed(_STAGES[stage](tasks, host, steps))
        if stage == FETCH:
            configuration.note(tasks, host, switches=False)
        facts |= configuration.facts(tasks, host)
        facts |= {**steps.facts(), "seconds": round(host.clock() - begin, 3)}
        return _answer(tasks, host, facts=facts)
    except Exception as error:  # a fault of ours is an answer as well; silence would explain nothing
        if not isinstance(error, (DeployError, OSError)):
            log.exception("%s failed by a fault of this package", _named(tasks))
        return with_facts(_failed(tasks, host, as_ours(error)), **steps.facts())


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


def _summed(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The facts of all repos as one: what can be counted is added up; of the rest the first word stands, or each one's."""
    total: dict[str, Any] = {}
    for each in facts:
        for key, value in each.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[key] = total.get(key, 0) + value
            elif key in _OF_EACH and key in total:
                total[key] += f"; {value}"
            else:
                total.setdefault(key, value)
    return total


_OF_EACH = ("untracked",)


def _fetch_all(tasks: Sequence[Task], host: Host, steps: Steps) -> list[dict[str, Any]]:
    facts = []
    for task in tasks:
        try:
            facts.append(_fetch(task.order, task.repo, host, steps))
        except DeployError as error:
            raise error.at(repo=task.repo.name) from None
    return untracked.of_each(facts, [task.repo for task in tasks])


def _fetch(order: Order, repo: Repo, host: Host, steps: Steps) -> dict[str, Any]:
    """Everything that takes time, space or the network; nothing that a user sees."""
    repo = downloads.booking(repo, host)
    git_version()
    refuse_on_disk(repo.name, repo.paths.location, Configurations(host.cache, repo.name).others())
    refuse_contents(repo)
    configuration.refuse_shared_left(repo, host)
    layout = layouts.of(repo)
    holdings = layout.holdings()
    is_live = holdings.live == order.release.commit and holdings.live in holdings.held
    is_live = is_live and not holdings.damaged and signature.is_sealed(order, repo, holdings)
    if order.seal is not None:
        Record(host.cache, repo.name).keep_seal(order.release, order.seal)
    if is_live and not Record(host.cache, repo.name).is_unsettled():
        return {}
    live = layout.tree(holdings.live) if holdings.live else None
    before = checks.left_by(order, holdings, unsettled=Record(host.cache, repo.name).is_unsettled())
    site = CheckSite(repo, host, order.group, None, live, order, before)
    steps.run(checks.at("before fetch", repo.hooks.checks, site))
    with priority.gentle(repo.delivery.nice):
        facts = _arrive(order, layout, holdings, repo, host, steps)
    disk.remove_tree(Record(host.cache, repo.name).partial)  # of a payload that nobody needs any more
    site = dataclasses.replace(site, tree=layout.tree(order.release.commit))
    facts |= config_files.bring(repo, order.release, layout, site, as_it_was=order.as_it_was)
    known = (*repo.hooks.checks, *checks.of_release(layout, repo, order.release.commit))
    steps.run([*checks.calls(repo.hooks.fetch_calls, site), *checks.at("after fetch", known, site)])
    return {**facts, **untracked.look(repo, layout, order.release.commit)}


def _arrive(
    order: Order, layout: layouts.Layout, holdings: Holdings, repo: Repo, host: Host, steps: Steps
) -> dict[str, Any]:
    """Bring the release; once more, from nothing, where a store on this host turns out to be damaged."""
    try:
        return _bring(order, layout, holdings, repo, host, steps)
    except (Corrupt, GitFailed, Unavailable) as error:
        mended = [facts for store in (layout.store, layout.trees) if store and (facts := store.mend())]
        if not mended:
            raise
        log.info("%s is brought once more, after: %s", order.release.tag, public(str(error)))
    return _summed([*mended, _bring(order, layout, holdings, repo, host, steps)])


def _bring(
    order: Order, layout: layouts.Layout, holdings: Holdings, repo: Repo, host: Host, steps: Steps
) -> dict[str, Any]:
    """Bring the release, unless it is here already, and let its tree be whole."""
    root, pinned = order.seal.root if order.seal else "", host.pinned(repo.name)
    incoming = Record(host.cache, repo.name).incoming
    disk.remove_tree(incoming)  # of a stage that was killed
    carrier = downloads.carrier(order, repo, host)
    noted = downloads.noted(order, repo, holdings, carrier, incoming)
    try:
        if order.release.commit in holdings.held:
            try:
                prepared = layout.prepare(order.release, steps.progress, None, root, pinned, noted)
                return _summed([carrier.facts(), prepared, _came(prepared)])
            except Corrupt:  # its tree is damaged, and the contents are not in the store
                pass
        config_transports.refuse_unfit(
            order.transport, repo.layout.name, repo.name
        )  # it may have been chosen for once
        opened = layout.open()
        store, trees = layout.store, layout.trees
        access = credentials.access_of(repo, host.cache)
        arrival = transports.Arrival(
            repo, store, carrier, incoming, trees, layout.tree, holdings.held, access
        )
        brought = transports.of(order.transport).unpack(order, arrival, steps.progress)
        prepared = layout.prepare(order.release, steps.progress, brought.contents, root, pinned, noted)
    finally:
        disk.remove_tree(incoming)
    return _summed(
        [{**opened, **brought.facts, **carrier.facts(), **prepared}, brought.beside, _came(prepared)]
    )


def _came(prepared: dict[str, Any]) -> dict[str, Any]:
    """What came for a tree besides the payload: the contents of pointers."""
    return {"bytes": prepared["blob_bytes"]} if "blob_bytes" in prepared else {}


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
    FETCH: _fetch_all,
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
