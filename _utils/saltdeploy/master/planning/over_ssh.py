"""What a repo wants of its hosts that one without a minion cannot do: there is no Salt on it. Found before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterator

from saltdeploy.config import Repo, check_kinds
from saltdeploy.config.signal_kinds import PluggedSignal
from saltdeploy.lib.errors import Unsupported
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.protocol.orders import ROLLBACK

_MOST = 5  # things that are named


def refuse(one: ResolvedRepo) -> None:
    """Refuse a deploy in which such a host would have to do what it cannot. The way back is always open.

    Raises:
        Unsupported: naming the keys of the pillar and the hosts.
    """
    hosts = [host for host in one.hosts if host in one.master.over_ssh]
    wanted = list(_of_salt(one.repo)) if hosts and one.request.action != ROLLBACK else []
    if not wanted:
        return
    more = f" and {len(wanted) - _MOST} more" if len(wanted) > _MOST else ""
    raise Unsupported(
        f"there is no Salt on {_some(hosts)}, and the repo wants {'; '.join(wanted[:_MOST])}{more}",
        repo=one.repo.name,
        path=f"repo_config:{one.repo.name}",
        next="let commands do it (docs/ssh-hosts.md), or take these hosts out of its targets",
    )


def remarks(one: ResolvedRepo) -> Iterator[str]:
    """Which hosts of a plan are asked over ssh, and which are in the roster for nothing."""
    hosts = [host for host in one.hosts if host in one.master.over_ssh]
    if hosts:
        yield f"Without a minion, asked over ssh: {_some(hosts)}. They match by their ids, and by grains of the roster"
    twice = [host for host in one.hosts if host in one.master.twice]
    if twice:
        yield f"In the roster as well, asked as the minions that they are: {_some(twice)}"


def _of_salt(repo: Repo) -> Iterator[str]:
    """What of a pillar calls functions of Salt on hosts, or what a package on them brings."""
    hooks = repo.hooks
    named = [*((check.name, check) for check in hooks.checks if not check.master)]
    named += [(key, check) for key in ("depool", "repool") if (check := getattr(hooks, key)) is not None]
    for name, check in named:
        if check.kind == "salt":
            yield f"a function of Salt by {name}"
        elif check.kind not in check_kinds.TABLE.built_in:
            yield f"check type {check.kind} of a package by {name}"
    for key, calls in (("fetch", hooks.fetch_calls), ("checkout", hooks.checkout_calls)):
        if calls:
            yield f"{', '.join(calls)} by {key}_module_calls"
    if repo.paths.config_files:
        yield "files rendered by Salt by config_files"
    for signal in hooks.restart.signals:
        if isinstance(signal, PluggedSignal):
            yield f"signal type {signal.kind} of a package"


def _some(hosts: list[str]) -> str:
    more = f" and {len(hosts) - _MOST} more" if len(hosts) > _MOST else ""
    return f"{', '.join(hosts[:_MOST])}{more}"
