"""Brings the payloads of a release to fanouts, and to targets if asked, before anybody deploys it.

It takes no lock and changes no release: a deploy of the same repo may run meanwhile, and it may be repeated. A later
deploy packs the same, finds it packed, and its targets find it on their fanout or on their own disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from saltdeploy.blobs import annex_urls
from saltdeploy.config import Repo
from saltdeploy.download.http import Http
from saltdeploy.lib.errors import ConfigError, Unavailable, Unsupported
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import fanouts
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.fleet.ssh.advice import SshAdvice
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.master.payloads.swarm import ahead
from saltdeploy.master.plan_model import with_another_transport
from saltdeploy.master.planning import release_guards, transport_choice
from saltdeploy.master.planning.transport_choice import TransportChooser
from saltdeploy.master.records.history import history_of
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import PRESEED, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result
from saltdeploy.transports import bundle

_TICK = 0.25  # seconds
_SAY_EVERY = 3.0  # seconds
_MOST_NAMED = 5
_AT_ONCE = 16  # fanouts that are asked at the same time
_PATIENCE = Limits(connect=3.0, answer=5.0)
_NOTHING = Holdings()


def preseed(
    repo: Repo, tag: str, deploy: str, master: Master, *, targets: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The view ``preseed``: pack a release, let the fanouts fetch it, and then the targets if they are meant too.

    The return code is 0 when every host that was asked has all that it should have.

    Args:
        deploy: an id for it, as for a deploy.
        tell: hears, in words, how far it is.

    Raises:
        NoSuchTag, Unavailable, MovedTag: for no release.
        Unsupported: the repo's transport packs nothing.
        ConfigError: there is nobody to bring it to.
    """
    sources = fanouts.sources(repo, master.targets)
    minions = fanouts.minions(sources)
    if not minions and not targets:
        raise ConfigError(
            "no minion is a fanout of this repo",
            repo=repo.name,
            path="deployment_config:fanouts",
            next="name minions with `targets` there; or bring it to the targets themselves: targets=True",
        )
    tell(f"{repo.name}: packing {tag}")
    held = _held(repo, master)
    offers = _packed(repo, tag, deploy, fanouts.servers(sources), held, master)
    asked = _Asked(repo, deploy, master, tell)
    asked.ask({offers.order: minions})
    if targets:
        numbers = fanouts.turns(held, sources, master.targets)
        lacking = _lacking(offers, held, set(minions))
        with ahead(deploy, repo, list(lacking), offers, master, lambda text: tell(f"Warning: {text}")):
            asked.ask(_of_targets(offers, sources, lacking, repo, master), numbers)
    unserved = _unserved(sources, asked.heard, offers.order, tell)
    return _view(repo, offers.order, asked.heard, unserved)


def _held(repo: Repo, master: Master) -> dict[str, Holdings]:
    """What each target was last seen to hold."""
    seen = Pins(master.root).holdings(repo.name)
    return {
        host: seen.get(host, _NOTHING) for host in master.targets(repo.targets.expression, repo.targets.type)
    }


def _packed(
    repo: Repo, name: str, deploy: str, sources: Any, held: dict[str, Holdings], master: Master
) -> Packing:
    source = master_source.Source(repo, master.root)
    tag = source.release(source.tag(name))
    release = Release(repo.name, tag.name, tag.commit)
    release_guards.refuse_moved(release, _history(repo, master), source)
    held = held or {"": _NOTHING}
    wanted = transport_choice.of_each("", repo, list(held), master.targets)
    travels = transport_choice.ways(wanted, TransportChooser(repo, source, tag, held, master).choose)
    transport = transport_choice.most(travels)
    Sealer(repo, master.root).seal(release, source, transport)  # so that the deploy finds its root known
    order = Order(deploy, 0, PRESEED, release, transport, sources=sources)
    others = with_another_transport(travels, transport)
    offers = Packing(order, tag, repo, master.payloads, lambda: source, others)
    offers.pack(held.items())
    brings = any(payload.kind != annex_urls.KIND for payload in offers.order.payloads)
    if not brings and any(release.commit not in each.held for each in held.values()):
        raise Unsupported(
            f"transport {transport} packs nothing that could be brought ahead",
            repo=repo.name,
            path=f"repo_config:{repo.name}:transport",
            next=f"salt-run deploy.fetch repo={repo.name} {argument('tag', name)}",
        )
    return offers


def _history(repo: Repo, master: Master) -> Any:
    return history_of(repo.name, master.root, master.store, running=is_held(master.root, repo.name))


def _lacking(offers: Packing, held: dict[str, Holdings], fanouts_too: set[str]) -> dict[str, Holdings]:
    """The targets that have not got the release; a fanout has all payloads already."""
    commit = offers.order.release.commit
    return {host: has for host, has in held.items() if commit not in has.held and host not in fanouts_too}


def _of_targets(
    offers: Packing, sources: Any, lacking: dict[str, Holdings], repo: Repo, master: Master
) -> dict[Order, list[str]]:
    """For each target the payloads that start from what it holds."""
    source = master_source.Source(repo, master.root)
    asked: dict[Order, list[str]] = {}
    for host, holdings in lacking.items():
        base = packing.base_of(holdings, source.repository, sound=repo.contents.submodules)
        order = offers.order_for(host)
        fitting = packing.fitting(bundle.taken(order.payloads, holdings), base)
        asked.setdefault(dataclasses.replace(order, payloads=fitting, sources=sources), []).append(host)
    return asked


class _Asked:
    """Hosts that are asked, each for its order.

    Attributes:
        heard: their answers, a word for the silent among them.
    """

    def __init__(self, repo: Repo, deploy: str, master: Master, tell: Callable[[str], None]) -> None:
        self.heard: dict[str, Result] = {}
        self._repo = repo
        self._bus = master.bus
        self._tell = tell
        self._told = 0.0
        self._fleet = Fleet(
            master.bus,
            deploy,
            Authenticator.of(master),
            float(repo.rollout.timeout),
            lambda text: tell(f"Warning: {text}"),
            SshAdvice(master.over_ssh),
        )

    def ask(self, asked: dict[Order, list[str]], numbers: Mapping[str, int] = MappingProxyType({})) -> None:
        """Ask these, and wait for all of them.

        Args:
            numbers: see :func:`saltdeploy.master.fleet.fanouts.turns`.
        """
        waiting: dict[str, str] = {}  # host to how far it is
        for order, hosts in asked.items():
            if hosts and order.payloads:
                waiting |= dict.fromkeys(hosts, "")
                self._fleet.ask(hosts, (fanouts.with_turns(order, hosts, numbers),))
        while waiting:
            heard = self._fleet.hear(_TICK)
            for event in heard.progress:
                if event["host"] in waiting:
                    waiting[event["host"]] = f" ({event['percent']} %)"
            for answer in heard.answers:
                waiting.pop(answer.host, None)
                self.heard[answer.host] = answer
            self._say(waiting)

    def _say(self, waiting: dict[str, str]) -> None:
        if waiting and self._bus.elapsed() - self._told >= _SAY_EVERY:
            self._told = self._bus.elapsed()
            named = ", ".join(f"{host}{far}" for host, far in list(waiting.items())[:_MOST_NAMED])
            more = len(waiting) - _MOST_NAMED
            self._tell(f"{self._repo.name}: waits for {named}{f' and {more} more' if more > 0 else ''}")


def _unserved(
    sources: tuple[FanoutServer, ...],
    heard: Mapping[str, Result],
    order: Order,
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Ask each fanout for what was brought to it, as a target will: on its disk is not yet on the network.

    Returns:
        Host to why it serves nothing; as it looks from the master.
    """
    asked = [each for each in sources if each.host in heard and heard[each.host].ok]
    if not asked or not order.payloads:
        return {}
    tell(f"{order.release.repo}: asking {len(asked)} fanouts for what was brought to them")
    smallest = min(order.payloads, key=lambda payload: payload.size)
    with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
        causes = pool.map(lambda source: _why_not(source, smallest), asked)
    return {source.host: why for source, why in zip(asked, causes, strict=True) if why}


def _why_not(source: FanoutServer, payload: Payload) -> str:
    try:
        Http(source, _PATIENCE).offer(payload)
    except Unavailable as error:
        return f"{public(source.url)} {error.cause}"
    return ""


def _view(repo: Repo, order: Order, heard: dict[str, Result], unserved: Mapping[str, str]) -> dict[str, Any]:
    return {
        "view": "preseed",
        "retcode": 0 if all(result.ok for result in heard.values()) else 1,
        "repo": repo.name,
        "tag": order.release.tag,
        "commit": order.release.commit,
        "payloads": len(order.payloads),
        "size": sum(payload.size for payload in order.payloads),
        "hosts": {
            host: {**_of_host(heard[host]), **({"unserved": unserved[host]} if host in unserved else {})}
            for host in sorted(heard)
        },
    }


def _of_host(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {
        key: result.facts[key] for key in ("bytes", "source", "why", "left") if key in result.facts
    }
    if result.error is not None:
        told["error"] = result.error.to_wire()
        return {"state": "unreachable" if result.error.kind == "unreachable" else "failed", **told}
    return {"state": "fetched" if result.facts.get("new") else "held", **told}
