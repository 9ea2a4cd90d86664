"""Groups of the pillar and hosts of the fleet -> waves with numbers: who switches after whom, how many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.config.rollout import Group
from saltdeploy.lib.errors import NoTargets

_MOST_AT_ONCE = (
    500  # hosts, unless an operator counts them: a master that takes their answers slower loses some
)


@dataclass(frozen=True)
class Wave:
    """Hosts that switch before the next wave may begin.

    Attributes:
        name: as operators see it: the group's name, with a number behind it where the group is split; "" where
            the repo has no groups.
        group: the group's name; parts of a split group share one, and one failure limit.
        hosts: in the order in which they switch.
        window: how many of them may be switching at once.
        limit: how many hosts of the group may fail.
        hold: what happens behind the last part of the group: "", seconds, or ``ask``.
        back: how many of its hosts may be switching back at once; 0: as many as forth.
        on_inconclusive: what follows when it cannot be told whether too many of the group failed; "" as when they did.
    """

    name: str
    group: str
    hosts: tuple[str, ...]
    window: int
    limit: int
    hold: str = ""
    back: int = 0
    on_inconclusive: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The wave as plain data; a version that does not know the last field reads one in which nothing is said there."""
        said = {key: value for key, value in self.__dict__.items() if value or key != "on_inconclusive"}
        return {**said, "hosts": list(self.hosts)}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Wave:
        """Rebuild a wave."""
        return cls(**{**data, "hosts": tuple(data["hosts"])})


def waves(
    repo: Repo, hosts: list[str], members: Callable[[Group], list[str]], *, back: bool = False
) -> tuple[Wave, ...]:
    """The waves of a deploy to ``hosts``; together they hold each host once.

    Args:
        hosts: sorted.
        members: the minions that match a group's target expression.
        back: it is a roll back: each group goes as a whole, and nothing is waited for behind it.
    """
    found: list[Wave] = []
    for group, taken in assigned(repo.rollout.groups or (Group(""),), hosts, members):
        whole = _inherited(group, repo)
        found += _split(_on_the_way_back(whole) if back else whole, taken)
    return tuple(found)


def _inherited(group: Group, repo: Repo) -> Group:
    """The group with what the repo says where it says nothing itself."""
    return replace(
        group,
        batch=group.batch or repo.rollout.batch,
        rollback_batch=group.rollback_batch or repo.rollout.rollback_batch,
        failure_limit=group.failure_limit or repo.rollout.failure_limit,
        on_inconclusive=group.on_inconclusive or repo.rollout.on_inconclusive,
    )


def _on_the_way_back(group: Group) -> Group:
    return replace(group, batch=group.rollback_batch, size=0, hold="")


def everybody(repo: Repo, targets: Callable[[str, str], list[str]]) -> list[str]:
    """All targets of a repo.

    Args:
        targets: ``(expression, type)`` to minion ids.

    Raises:
        NoTargets: no minion takes it.
    """
    hosts = targets(repo.targets.expression, repo.targets.type)
    if not hosts:
        raise NoTargets(
            f"no minion matches {repo.targets.expression!r} ({repo.targets.type})",
            repo=repo.name,
            next=f"salt '*' grains.append deployment_target {repo.name}; or set repo_config:{repo.name}:targets; "
            "after a change of grains: salt '*' saltutil.refresh_grains",
        )
    return hosts


def limited(repo: Repo, hosts: list[str], limit: str, targets: Callable[[str, str], list[str]]) -> list[str]:
    """Those of the targets that the operator means.

    Args:
        hosts: all targets, sorted.
        limit: the name of a group, or a compound target expression; "" for all.
        targets: ``(expression, type)`` to minion ids.

    Raises:
        NoTargets: it matches none of them.
    """
    if not limit:
        return hosts
    if any(group.name == limit for group in repo.rollout.groups):
        parts = waves(repo, hosts, lambda each: targets(each.targets, each.targets_type))
        chosen = {host for wave in parts if wave.group == limit for host in wave.hosts}
    else:
        chosen = set(targets(limit, "compound"))
    found = [host for host in hosts if host in chosen]
    if not found:
        raise NoTargets(
            f"none of the {len(hosts)} targets matches limit={limit}",
            repo=repo.name,
            next=f"salt-run deploy.targets repo={repo.name}",
        )
    return found


def groups_of(repo: Repo, limit: str) -> list[str]:
    """The names of the groups that a deploy is about; a lock on one of them stops it."""
    names = [group.name for group in repo.rollout.groups]
    return [limit] if limit in names else names


def group_of(repo: Repo, matches: Callable[[str, str], bool]) -> str:
    """The group of one of the targets; "" where there is none.

    Args:
        matches: whether the host matches ``(expression, type)``.
    """
    named = (
        group.name
        for group in repo.rollout.groups
        if group.targets and matches(group.targets, group.targets_type)
    )
    rest = (group.name for group in repo.rollout.groups if not group.targets)
    return next(named, next(rest, ""))


def assigned(
    groups: tuple[Group, ...], hosts: list[str], members: Callable[[Group], list[str]]
) -> list[tuple[Group, list[str]]]:
    """Each group with its hosts: a host is in the first group that matches it, else in the one for the rest."""
    left = hosts
    taken: dict[str, list[str]] = {}
    for group in groups:
        if group.targets:
            found = set(members(group))
            taken[group.name] = [host for host in left if host in found]
            left = [host for host in left if host not in found]
    return [(group, taken.get(group.name, left)) for group in groups]


def _split(group: Group, hosts: list[str]) -> list[Wave]:
    limit = share_of(group.failure_limit, len(hosts), up=False)
    size = group.size or len(hosts) or 1
    parts = [tuple(hosts[at : at + size]) for at in range(0, len(hosts), size)]
    return [
        Wave(
            name=group.name if len(parts) == 1 else f"{group.name}{number}",
            group=group.name,
            hosts=part,
            window=share_of(group.batch, len(part), up=True),
            limit=limit,
            hold=group.hold,
            back=share_of(group.rollback_batch, len(part), up=True),
            on_inconclusive=group.on_inconclusive,
        )
        for number, part in enumerate(parts, 1)
    ]


def share_of(setting: str, total: int, *, up: bool) -> int:
    """A setting such as ``3`` or ``25%`` as a number of hosts.

    Args:
        up: round shares up, to at least 1 and at most 500 (windows); else down (limits).
    """
    if not setting.endswith("%"):
        return int(setting)
    exact = int(setting[:-1]) * total
    return min(max(1, -(-exact // 100)), _MOST_AT_ONCE) if up else exact // 100
