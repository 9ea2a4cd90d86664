"""Decides everything about a deploy before any host is asked: which releases, for whom, in what order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saltdeploy import config
from saltdeploy.config import load, transports
from saltdeploy.config.transports import AUTO
from saltdeploy.git.repository import Tag
from saltdeploy.lib.errors import BadArguments, ConfigError, NothingToRestart
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.threads import meanwhile
from saltdeploy.master import (
    checks,
    fanouts,
    guards,
    minions,
    packing,
    preview,
    terms,
    transport_choice,
)
from saltdeploy.master import (
    source as master_source,
)
from saltdeploy.master import (
    way_back as master_way_back,
)
from saltdeploy.master.checks import Baselines
from saltdeploy.master.context import Master
from saltdeploy.master.history import History, history_of
from saltdeploy.master.packing import Packing
from saltdeploy.master.pin import Pin
from saltdeploy.master.pins import Pins
from saltdeploy.master.plan_model import RESTART, Part, Plan, Request
from saltdeploy.master.signing import Sealer
from saltdeploy.master.transport_choice import TransportChoice, TransportChooser
from saltdeploy.master.waves import Wave, limited
from saltdeploy.master.way_back import WayBack
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.seals import Seal


@dataclass(frozen=True)
class _Found:
    """What was found out about one repo.

    Attributes:
        everybody: all its targets; ``hosts``: those that the deploy is for.
        history: complete: our own lock is held, so the newest journal is that of a deploy that is over.
        way_back: of a roll back.
    """

    repo: config.Repo
    pin: Pin | None
    everybody: list[str]
    hosts: list[str]
    source: master_source.Source | None
    tag: Tag
    release: Release
    history: History
    way_back: WayBack | None = None

    @property
    def previous(self) -> str:
        """The tag of what the fleet should be running before this deploy."""
        if self.way_back is not None and self.way_back.warning:  # then it is not what this master has pinned
            return self.way_back.left.tag if self.way_back.left else ""
        return self.pin.release.tag if self.pin else ""

    @property
    def is_pinned(self) -> bool:
        """Whether the fleet should be running the release already."""
        return self.pin is not None and self.pin.release == self.release

    @property
    def left_out(self) -> list[str]:
        """Targets that a limit leaves out."""
        chosen = set(self.hosts)
        return [host for host in self.everybody if host not in chosen]


def _to_nobody(text: str) -> None:
    return


def prepare(
    wish: Request,
    repos: Sequence[config.Repo],
    deploy: str,
    epochs: Mapping[str, int],
    master: Master,
    warn: Callable[[str], None] = _to_nobody,
) -> tuple[Plan, dict[str, Packing]]:
    """Decide everything.

    Args:
        repos: the configuration of each repo of the wish; the first one leads.
        epochs: repo to the epoch of its lock.
        warn: hears what an operator should know and what stops nothing.

    Returns:
        The script, and what can be packed for hosts of each repo.

    Raises:
        DeployError: a guard refuses it; nothing was asked of any host.
    """
    found = [
        _find(wish, repo, tag, repos[0], master) for repo, (_, tag) in zip(repos, wish.parts, strict=True)
    ]
    for one in found:
        if one.way_back is not None and one.way_back.warning:
            warn(one.way_back.warning)
        _refuse(wish, one)
    hosts = sorted({host for one in found for host in one.hosts})
    groups = terms.waves_of(wish, repos[0], hosts, master.targets)
    if wish.plan:
        _refuse_moved(wish, found, groups, master)
    travels = {one.repo.name: _ways(wish, one, master) for one in found}
    offers = {
        one.repo.name: _offers(wish, one, travels[one.repo.name], deploy, epochs[one.repo.name], master)
        for one in found
    }
    script = Plan(
        action=wish.action,
        user=master.user,
        reason=wish.reason,
        parts=tuple(_part(wish, one, offers[one.repo.name], travels[one.repo.name], master) for one in found),
        waves=groups,
        rules=terms.rules_of(wish, repos, groups, pinned=all(one.is_pinned for one in found)),
        left_out=tuple(sorted({host for one in found for host in one.left_out})),
        timeout=float(sum(repo.timeout for repo in repos)),
        question_timeout=repos[0].question_timeout,
    )
    return script, offers


def offers_of(part: Part, repo: config.Repo, master: Master) -> Packing:
    """What can be packed for hosts of a deploy that is gone on with."""
    tag = Tag(part.release.tag, part.release.commit, part.release.commit)
    return Packing(part.order, tag, repo, master.payloads, lambda: _source(repo, master), part.transports)


# -- one repo -------------------------------------------------------------------------------------------


def _find(wish: Request, repo: config.Repo, tag: str, lead: config.Repo, master: Master) -> _Found:
    pin = Pins(master.root).get(repo.name)
    everybody = master.targets(repo.targets, repo.targets_type)
    guards.refuse_bad_targets(repo, everybody, pin, set(master.accepted()), force=wish.force)
    hosts = limited(lead, everybody, wish.limit, master.targets)
    history = history_of(repo.name, master.root, master.store, running=False)
    back = master_way_back.find(repo, tag, hosts, history, master) if wish.action == ROLLBACK else None
    source, found, release = _known(back.release) if back else _resolve(wish, repo, tag, hosts, master)
    return _Found(repo, pin, everybody, hosts, source, found, release, history, back)


def _resolve(
    wish: Request, repo: config.Repo, name: str, hosts: list[str], master: Master
) -> tuple[master_source.Source | None, Tag, Release]:
    """The release; of a restart from what is known alone, as of a rollback: they work while git does not."""
    if wish.action == RESTART:
        return _known(_pinned(repo, hosts, master))
    source = _source(repo, master)
    tag = source.tag(name)
    return source, tag, Release(repo.name, tag.name, tag.commit)


def _known(release: Release) -> tuple[None, Tag, Release]:
    return None, Tag(release.tag, release.commit, release.commit), release


def _pinned(repo: config.Repo, hosts: list[str], master: Master) -> Release:
    """The one release that these hosts should be running."""
    pins = Pins(master.root).of_hosts(repo.name, hosts).values()
    found = list(dict.fromkeys(pin.release for pin in pins if pin))
    if len(found) > 1:
        raise BadArguments(
            f"these hosts are to run different releases: {', '.join(release.tag for release in found)}",
            repo=repo.name,
            next="name those of one release: limit=... (salt-run deploy.report tells whose pin is whose)",
        )
    if not found:
        raise NothingToRestart(
            "no release of it is pinned, so nothing of it should be running",
            repo=repo.name,
            next=f"salt-run deploy.sync repo={repo.name} tag=...",
        )
    if not repo.restart:
        raise NothingToRestart(
            "its pillar names nothing to restart",
            repo=repo.name,
            path=f"repo_config:{repo.name}:service_name",
            next="name its services there (or restart, signal, command); see docs/configuration.md",
        )
    return found[0]


def _refuse(wish: Request, one: _Found) -> None:
    if one.source is not None:
        guards.refuse_moved(one.release, one.history)
    guards.refuse_bad(one.release, one.history, force=wish.force or wish.action in (ROLLBACK, RESTART))
    if one.source is not None:
        before = one.pin.release.commit if one.pin else ""
        guards.refuse_dangerous(one.repo, one.source, one.tag, before, force=wish.force)


def _ways(wish: Request, one: _Found, master: Master) -> tuple[TransportChoice, ...]:
    wanted = transport_choice.of_each(wish.transport, one.repo, one.hosts, master.targets)
    if (
        one.source is None or wish.action == CHECKOUT or AUTO not in wanted.values()
    ):  # nothing is to be packed
        return transport_choice.ways(wanted, lambda host: (transports.usual(AUTO, one.repo.layout), ""))
    chosen = [host for host, transport in wanted.items() if transport == AUTO]
    known = minions.known(one.repo, chosen, master)
    return transport_choice.ways(
        wanted, TransportChooser(one.repo, one.source, one.tag, known, master).choose
    )


def _offers(
    wish: Request, one: _Found, travels: tuple[TransportChoice, ...], deploy: str, epoch: int, master: Master
) -> Packing:
    anew = wish.action == RESTART
    repo, source = one.repo, one.source
    served = fanouts.sources(repo, master.targets)
    transport = transport_choice.most(travels)
    seal = meanwhile(lambda: _seal(one, transport, master))
    order = Order(deploy, epoch, FETCH, one.release, transport, anew=anew, sources=served)
    offers = Packing(
        order,
        one.tag,
        repo,
        master.payloads,
        lambda: source or _source(repo, master),
        transport_choice.others(travels, order.transport),
    )
    if wish.action != CHECKOUT:
        offers.pack(_held(one, master))
    offers.seal(seal.result())
    return offers


def _held(one: _Found, master: Master) -> list[tuple[str, Holdings]]:
    """The hosts of which it is known what they hold, with that. A repo that is new is held by nobody."""
    known = Pins(master.root).holdings(one.repo.name)
    if not known and one.source is not None:
        return [(host, Holdings()) for host in one.hosts]
    return [(host, known[host]) for host in one.hosts if host in known]


def _seal(one: _Found, transport: str, master: Master) -> Seal | None:
    sealer = Sealer(one.repo, master.root)
    if one.source is not None:
        return sealer.seal(one.release, one.source, transport)
    return sealer.seal_again(one.release, lambda: _source(one.repo, master), transport)


def _part(
    wish: Request, one: _Found, offers: Packing, travels: tuple[TransportChoice, ...], master: Master
) -> Part:
    return Part(
        order=offers.order,
        ways=travels,
        hosts=tuple(one.hosts),
        previous=one.previous,
        partial=bool(one.left_out),
        baselines=_baselines(wish, one, master),
        swarm=packing.by_swarm(wish.transport, one.repo),
    )


def _baselines(wish: Request, one: _Found, master: Master) -> dict[str, float | None]:
    """Nothing is compared in a roll back, and what is slow to measure must not keep it waiting."""
    if wish.action == ROLLBACK:
        return {}
    return checks.measure(one.repo, master.place, Baselines(master.store).of(one.release))


def _source(repo: config.Repo, master: Master) -> master_source.Source:
    return master_source.Source(repo, master.root)


# -- all of them ----------------------------------------------------------------------------------------


def _refuse_moved(wish: Request, found: Sequence[_Found], groups: tuple[Wave, ...], master: Master) -> None:
    if len(found) > 1:
        raise BadArguments(
            "a plan is of one repo, and this deploy is about several",
            repo=wish.repo,
            next=f"salt-run deploy.plan repo={wish.repo} {argument('tag', wish.tag)}; then deploy without plan=",
        )
    preview.refuse_moved(wish, found[0].repo, found[0].release, groups, master)


def dependencies(pillar: dict[str, Any], repo: str, site: str) -> list[str]:
    """The repos that one needs, in the order in which they are to be deployed.

    Raises:
        ConfigError: they need each other.
    """
    found: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigError(
                f"repos need each other: {' -> '.join([*above, name])}",
                repo=repo,
                path=f"repo_config:{name}:dependencies",
                next="take one of these dependencies out",
            )
        for needed in load(pillar, name, site).dependencies:
            visit(needed, (*above, name))
        if name not in found:
            found.append(name)

    visit(repo, ())
    return found[:-1]
