"""The spine of a target: each stage, once.

A stage is asked for by an order, runs under the repo's lock on this host, and ends in a :class:`Result`
that is stored before it is said. Nothing raises out of :func:`run`.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import disk, layouts, transports
from saltdeploy.carriers import Carrier
from saltdeploy.config import Repo
from saltdeploy.errors import (
    BadArguments,
    Corrupt,
    DeployError,
    HookFailed,
    NoBase,
    NothingToRollBackTo,
    Unsupported,
    from_os,
)
from saltdeploy.manifest import Findings
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK, Order, Result
from saltdeploy.release import Release
from saltdeploy.repository import git_version
from saltdeploy.target.progress import Reporter
from saltdeploy.target.record import Record


@dataclass(frozen=True)
class Host:
    """What a target is, and what it can do through Salt.

    Attributes:
        name: the minion's id.
        cache: a directory that survives restarts.
        carrier: brings payloads.
        send: sends an event to the master.
        call: calls a Salt function with a list of arguments.
        clock: seconds since the epoch.
    """

    name: str
    cache: Path
    carrier: Carrier
    send: Callable[[str, dict[str, Any]], object]
    call: Callable[[str, list[Any]], Any]
    clock: Callable[[], float]


def run(order: Order, repo: Repo, host: Host) -> Result:
    """Do one stage, or give the stored answer when it was done before.

    Args:
        order: checked; its release is of ``repo``.
        repo: this host's configuration of the repo.
        host: the host.
    """
    if order.release.repo != repo.name:
        return _failed(order, repo, host, BadArguments(f"the order is for {order.release.repo}"))
    record = Record(host.cache, repo.name)
    try:
        with disk.locked(record.lock, wait=True):
            known = record.recall(order.deploy, order.stage) if order.deploy != "pin" else None
            if known is not None:
                return known
            record.admit(order)
            result = _attempt(order, repo, host)
            if not isinstance(result.error, NoBase):  # that one asks for a better payload, in the same stage
                _remember(record, result)
            return result
    except (DeployError, OSError) as error:
        return _failed(order, repo, host, _ours(error))


def _attempt(order: Order, repo: Repo, host: Host) -> Result:
    begin = host.clock()
    try:
        facts = _STAGES[order.stage](order, repo, host)
        facts["seconds"] = round(host.clock() - begin, 3)
        return _answer(order, repo, host, facts=facts)
    except Exception as error:  # a fault of ours is an answer as well; silence would explain nothing
        return _failed(order, repo, host, _ours(error))


def _fetch(order: Order, repo: Repo, host: Host) -> dict[str, Any]:
    """Everything that takes time, space or the network; nothing that a user sees."""
    git_version()
    _refuse_unsupported(repo)
    layout = layouts.of(repo)
    holdings = layout.holdings()
    if holdings.live == order.release.commit and holdings.live in holdings.held:
        return {}
    progress = Reporter(order, host.name, host.send, host.clock)
    facts: dict[str, Any] = {}
    if order.release.commit not in holdings.held:
        facts |= layout.open()
        incoming = Record(host.cache, repo.name).incoming
        disk.remove_tree(incoming)  # of a stage that was killed
        arrival = transports.Arrival(repo, layout.store, host.carrier, incoming)
        facts |= transports.of(order.transport).unpack(order, arrival, progress)
    facts |= layout.prepare(order.release, progress)
    _call_hooks(repo.fetch_calls, repo, host)
    return facts


def _checkout(order: Order, repo: Repo, host: Host) -> dict[str, Any]:
    """Switch, by one rename."""
    facts = layouts.of(repo).flip(order.release)
    _call_hooks(repo.checkout_calls, repo, host)
    return facts


def _back(order: Order, repo: Repo, host: Host) -> dict[str, Any]:
    """Switch back, by the same rename; the hooks belong to what runs afterwards, so they run as well."""
    return _checkout(order, repo, host)


_STAGES: dict[str, Callable[[Order, Repo, Host], dict[str, Any]]] = {
    FETCH: _fetch,
    CHECKOUT: _checkout,
    ROLLBACK: _back,
}


def status(repo: Repo, host: Host) -> Result:
    """What this host holds of the repo. Changes nothing."""
    try:
        holdings = layouts.of(repo).holdings()
    except (DeployError, OSError, sqlite3.Error) as error:
        return Result(host.name, repo.name, status=_ours(error).status, error=_ours(error).at(repo=repo.name))
    tag = holdings.tags.get(holdings.live, "")
    return Result(host.name, repo.name, tag=tag, commit=holdings.live, holdings=holdings)


def result(deploy: str, stage: str, repo: Repo, host: Host) -> Result | None:
    """The stored answer to a stage; None while it runs and when it never ran. Does not wait."""
    return Record(host.cache, repo.name).recall(deploy, stage)


def is_running(repo: Repo, host: Host) -> bool:
    """Whether some stage of the repo runs on this host right now."""
    with disk.locked(Record(host.cache, repo.name).lock, wait=False) as free:
        return not free


def epoch(repo: Repo, host: Host) -> int:
    """The last epoch that this host has seen for the repo."""
    return Record(host.cache, repo.name).epoch()


def previous(repo: Repo) -> Release:
    """The release that was live before the present one and is still whole on disk.

    Raises:
        NothingToRollBackTo: there is none.
    """
    holdings = layouts.of(repo).holdings()
    if not holdings.previous:
        raise NothingToRollBackTo(
            "no earlier release is on disk",
            repo=repo.name,
            path=str(repo.location),
            next=f"salt-run deploy.versions repo={repo.name}; then deploy.sync with one of those tags",
        )
    return Release(repo.name, holdings.tags.get(holdings.previous) or "unknown", holdings.previous)


def order_from_disk(tag: str, repo: Repo, host: Host) -> Order | None:
    """An order for a release that is whole on this host's disk, found by its tag; None when it is not."""
    for commit, name in layouts.of(repo).holdings().tags.items():
        if name == tag:
            return Order("pin", epoch(repo, host), FETCH, Release(repo.name, tag, commit), repo.transport)
    return None


def verify(repo: Repo, *, full: bool) -> Findings:
    """Compare what is live with what it should be; see :meth:`saltdeploy.manifest.Manifest.verify`."""
    return layouts.of(repo).verify(full=full)


def differing(answer: Result, findings: Findings) -> Result:
    """The answer of a host whose live tree is not what it should be."""
    named = ", ".join([*findings.missing, *findings.changed, *findings.extra][:3])
    error = Corrupt(
        f"{findings.wrong} files differ ({named})",
        repo=answer.repo,
        host=answer.host,
        next=f"salt-run deploy.sync repo={answer.repo} tag={answer.tag}",
    )
    return dataclasses.replace(answer, status=error.status, error=error)


def _refuse_unsupported(repo: Repo) -> None:
    for key in ("checkout_submodules", "gitfat_enabled"):
        if repo.trebuchet[key]:
            raise Unsupported(
                f"{key} is not supported yet: the release would be incomplete",
                path=f"repo_config:{repo.name}:{key}",
                next="set it to false if the release is whole without",
            )


def _call_hooks(calls: dict[str, list[Any]], repo: Repo, host: Host) -> None:
    """Trebuchet's module calls; ``__REPO__`` among the arguments stands for the repo's name.

    Raises:
        HookFailed: when one raises, answers False, or answers a status other than 0 and True.
    """
    for function, arguments in calls.items():
        try:
            answer = host.call(function, [repo.name if a == "__REPO__" else a for a in arguments])
        except Exception as error:  # whatever the function of somebody else raises, it failed
            raise HookFailed(f"{function} failed: {error}", next=f"salt '{host.name}' {function}") from error
        if not _says_success(answer):
            raise HookFailed(
                f"{function} answered {str(answer)[:200]}", next=f"salt '{host.name}' {function}"
            )


def _says_success(answer: object) -> bool:
    status = answer.get("status", True) if isinstance(answer, dict) else answer is not False
    return status is True or (status is not False and status == 0)  # 1 == True, and is a failure


def _answer(order: Order, repo: Repo, host: Host, **more: Any) -> Result:
    known = status(repo, host)
    return Result(
        host=host.name,
        repo=repo.name,
        deploy=order.deploy,
        epoch=order.epoch,
        stage=order.stage,
        tag=order.release.tag,
        commit=order.release.commit,
        holdings=known.holdings,
        **more,
    )


def _failed(order: Order, repo: Repo, host: Host, error: DeployError) -> Result:
    return _answer(order, repo, host, status=error.status, error=error.at(repo=repo.name, host=host.name))


def _ours(error: Exception) -> DeployError:
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
