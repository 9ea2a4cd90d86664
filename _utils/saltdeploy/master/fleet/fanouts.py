"""Which fanouts a repo has: what the pillar says, with each minion's own URL."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from saltdeploy.config import Repo
from saltdeploy.config.delivery import HOST
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.fanout import MOST, FanoutServer
from saltdeploy.protocol.orders import Order

Targets = Callable[[str, str], list[str]]


def sources(repo: Repo, targets: Targets) -> tuple[FanoutServer, ...]:
    """All of them, each once.

    Args:
        targets: ``(expression, type)`` to minion ids.

    Raises:
        ConfigError: there are too many for an order.
    """
    found: dict[str, FanoutServer] = {}
    for fanout in repo.delivery.fanouts:
        if not fanout.targets:
            found.setdefault(fanout.url, FanoutServer(fanout.url, fanout.site))
            continue
        for host in targets(fanout.targets, fanout.targets_type):
            url = fanout.url.replace(HOST, host)
            found.setdefault(url, FanoutServer(url, fanout.site, host))
    if len(found) > MOST:
        raise ConfigError(
            f"{len(found)} fanouts are more than the {MOST} that an order can name",
            repo=repo.name,
            path="deployment_config:fanouts",
            next="name fewer of them for all, and others under repo_config:<repo>:fanouts",
        )
    return tuple(found.values())


def servers(found: tuple[FanoutServer, ...]) -> tuple[FanoutServer, ...]:
    """Those that are no minion: they may have a payload before any minion has it."""
    return tuple(source for source in found if not source.host)


def minions(found: tuple[FanoutServer, ...]) -> list[str]:
    """The minions among them."""
    return sorted({source.host for source in found if source.host})


def turns(hosts: Iterable[str], found: tuple[FanoutServer, ...], targets: Targets) -> dict[str, int]:
    """Host to its number, by which equally near fanouts are shared out evenly; {} where there is nothing to share.

    Hosts of one site have numbers that follow each other, in the order in which they are asked: so those who fetch at the same
    time are spread as well.
    """
    if len(found) < 2:
        return {}
    site_of = {
        host: site
        for site in dict.fromkeys(source.site for source in found if source.site)
        for host in targets(f"site:{site}", "grain")
    }
    ordered = sorted(hosts, key=lambda host: site_of.get(host, ""))
    return {host: number for number, host in enumerate(ordered)}


def with_turns(order: Order, hosts: Iterable[str], numbers: Mapping[str, int]) -> Order:
    """The order as it goes to these hosts."""
    return dataclasses.replace(order, turns=tuple((host, numbers[host]) for host in hosts if host in numbers))
