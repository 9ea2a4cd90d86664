"""Decides everything about a deploy before any host is asked: which releases, for whom, in what order.

:func:`make_plan` decides, and packs nothing; ``deploy.plan`` renders what it returns. :func:`pack` packs what was decided,
and gives the plan that stands in the journal.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from saltdeploy import config
from saltdeploy.config import Repo, transports
from saltdeploy.config.transports import AUTO
from saltdeploy.git.repository import Tag
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import fanouts, survey
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.payloads import packing
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.plan_model import RESTART, Part, Plan, Request, with_another_transport
from saltdeploy.master.planning import guards, once, overrides, plan_hash, terms, transport_choice
from saltdeploy.master.planning.resolve import ResolvedRepo, resolve
from saltdeploy.master.planning.transport_choice import TransportChoice, TransportChooser
from saltdeploy.master.records import checks
from saltdeploy.master.records.checks import Baselines
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.rollout.model import PlannedStep, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, MOST_REPOS, ROLLBACK, Order
from saltdeploy.protocol.seals import Seal

log = logging.getLogger(__name__)
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Draft:
    """What was decided; nothing was packed for it.

    Attributes:
        repos: what was found out about each repo; the first one leads.
        leases: repo to the lock that is held; empty for a plan that is only looked at.
        steps: those that run once.
    """

    request: Request
    repos: tuple[ResolvedRepo, ...]
    leases: Mapping[str, Lease]
    waves: tuple[Wave, ...]
    steps: tuple[PlannedStep, ...] = ()

    @property
    def rules(self) -> Rules:
        """What decides when things go wrong."""
        repos = [one.repo for one in self.repos]
        is_pinned = all(one.is_pinned for one in self.repos)
        rules = terms.rules_of(self.request, repos, self.waves, pinned=is_pinned)
        return replace(rules, steps=self.steps)

    @property
    def lead(self) -> ResolvedRepo:
        """The repo whose name the deploy has."""
        return self.repos[0]

    @property
    def warnings(self) -> list[str]:
        """What an operator should know and what stops nothing."""
        apart = dict.fromkeys(f"left out: {each}" for one in self.repos for each in one.suspended)
        lasting = [text for one in self.repos for text in once.lasting(one)]
        found = [one.way_back.warning for one in self.repos if one.way_back is not None]
        return [text for text in (*lasting, *found, *apart) if text]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Targets that a limit leaves out."""
        return tuple(sorted({host for one in self.repos for host in one.left_out}))


def configured(request: Request, pillar: dict[str, Any], site: str) -> list[Repo]:
    """The configuration of each repo of a request, with what it says for this deploy alone.

    Raises:
        BadArguments: a repo is named twice, or there are too many; or see :func:`saltdeploy.master.planning.overrides.applied`.
        ConfigError, UnknownRepo: see :func:`saltdeploy.config.load`.
    """
    names = [name for name, _ in request.parts]
    if len(set(names)) < len(names) or len(names) > MOST_REPOS:
        raise BadArguments(f"name each repo once, and at most {MOST_REPOS}", repo=names[0])
    lead, *others = [config.load(pillar, name, site) for name in names]
    return [overrides.applied(request, lead), *others]


def make_plan(
    request: Request,
    repos: Sequence[Repo],
    leases: Mapping[str, Lease],
    master: Master,
    needed: tuple[str, ...] = (),
    refuse: guards.Refuse = guards.raise_it,
) -> Draft:
    """Decide everything. No lock is taken and nothing is packed.

    Args:
        repos: the configuration of each repo of the request; the first one leads.
        leases: repo to the lock that is held; empty for a plan that is only looked at.
        needed: repos that must have been deployed before.
        refuse: hears of each guard that refuses; by default the first one is raised.

    Raises:
        DeployError: there is nobody, or no release, to make a plan of; or a guard refuses it.
    """
    asked = guards.requests_of(request, repos, master, is_locking=bool(leases), needed=needed)
    for one in asked:
        guards.ask(guards.OF_REQUEST, one, refuse)
    found = tuple(map(resolve, asked))
    for each in found:
        guards.ask(guards.OF_RELEASE, each, refuse)
    for each in found:
        once.refuse(each)
    hosts = sorted({host for each in found for host in each.hosts})
    waves = terms.waves_of(request, repos[0], hosts, master.targets)
    if request.plan:
        _refuse_moved(request, found, waves)
    log.debug("%s: %s of %s, in %d waves", request.repo, request.action, found[0].release, len(waves))
    return Draft(request, found, leases, waves, once.planned(found, waves))


def _refuse_moved(request: Request, found: Sequence[ResolvedRepo], waves: tuple[Wave, ...]) -> None:
    if len(found) > 1:
        raise BadArguments(
            "a plan is of one repo, and this deploy is about several",
            repo=request.repo,
            next=f"salt-run deploy.plan repo={request.repo} {argument('tag', request.tag)}; then deploy without plan=",
        )
    plan_hash.refuse_moved(found[0], waves)


# -- packing what was decided ---------------------------------------------------------------------------


def pack(draft: Draft, deploy: str, master: Master) -> tuple[Plan, dict[str, Packing]]:
    """Pack what is known to be needed, seal the releases, and measure what metric checks compare with.

    Args:
        deploy: the id of the deploy.

    Returns:
        The plan, and what can be packed for hosts of each repo; none where nothing is to be fetched.
    """
    request = draft.request
    travels = [ways(one, _known(one)) for one in draft.repos]
    offers = [
        _offers(one, way, deploy, draft.leases[one.repo.name].epoch)
        for one, way in zip(draft.repos, travels, strict=True)
    ]
    plan = Plan(
        action=request.action,
        user=master.user,
        reason=request.reason,
        parts=tuple(map(_part, draft.repos, offers, travels)),
        waves=draft.waves,
        rules=draft.rules,
        left_out=draft.left_out,
        suspended=tuple(dict.fromkeys(str(each) for one in draft.repos for each in one.suspended)),
        timeout=float(sum(one.repo.rollout.timeout for one in draft.repos)),
        question_timeout=0.0 if request.unattended else draft.lead.repo.rollout.question_timeout,
    )
    if request.action == CHECKOUT:
        return plan, {}
    return plan, {one.repo.name: packed for one, packed in zip(draft.repos, offers, strict=True)}


def offers_of(plan: Plan, repos: Sequence[Repo], master: Master) -> dict[str, Packing]:
    """What can be packed for hosts of a deploy that is resumed."""
    return {
        part.repo: _offers_again(part, repo, master) for part, repo in zip(plan.parts, repos, strict=True)
    }


def _offers_again(part: Part, repo: Repo, master: Master) -> Packing:
    tag = Tag(part.release.tag, part.release.commit, part.release.commit)
    return Packing(part.order, tag, repo, master.payloads, lambda: Source(repo, master.root), part.transports)


def ways(one: ResolvedRepo, held: Mapping[str, Holdings]) -> tuple[TransportChoice, ...]:
    """How the release travels to whom; where it is ``auto``, what fits each host best is packed to compare it.

    Args:
        held: what those hosts hold.
    """
    if one.source is None or one.request.action == CHECKOUT:  # nothing is to be packed
        return transport_choice.ways(
            one.wanted, lambda host: (transports.usual(AUTO, one.repo.layout.name), "")
        )
    chooser = TransportChooser(one.repo, one.source, one.tag, held, one.master)
    return transport_choice.ways(one.wanted, chooser.choose)


def _known(one: ResolvedRepo) -> dict[str, Holdings]:
    """What the hosts hold for which a transport is to be chosen."""
    chosen = [host for host, transport in one.wanted.items() if transport == AUTO]
    if one.source is None or one.request.action == CHECKOUT or not chosen:
        return {}
    return survey.known(one.repo, chosen, one.master)


def _offers(one: ResolvedRepo, travels: tuple[TransportChoice, ...], deploy: str, epoch: int) -> Packing:
    repo, master, action = one.repo, one.master, one.request.action
    served = fanouts.sources(repo, master.targets)
    transport = transport_choice.most(travels)
    seal = _meanwhile(lambda: _seal(one, transport))
    order = Order(deploy, epoch, FETCH, one.release, transport, anew=action == RESTART, sources=served,
                  user=master.user, as_it_was=action == ROLLBACK and bool(repo.paths.config_files))  # fmt: skip
    others = with_another_transport(travels, order.transport)
    offers = Packing(order, one.tag, repo, master.payloads, one.open_source, others)
    if action != CHECKOUT:
        offers.pack(_held(one))
    offers.seal(seal.result())
    return offers


def _held(one: ResolvedRepo) -> list[tuple[str, Holdings]]:
    """The hosts of which it is known what they hold, with that. A repo that is new is held by nobody."""
    known = Pins(one.master.root).holdings(one.repo.name)
    if not known and one.source is not None:
        return [(host, Holdings()) for host in one.hosts]
    return [(host, known[host]) for host in one.hosts if host in known]


def _seal(one: ResolvedRepo, transport: str) -> Seal | None:
    sealer = Sealer(one.repo, one.master.root)
    if one.source is not None:
        return sealer.seal(one.release, one.source, transport)
    return sealer.seal_again(one.release, one.open_source, transport)


def _part(one: ResolvedRepo, offers: Packing, travels: tuple[TransportChoice, ...]) -> Part:
    return Part(
        order=offers.order,
        ways=travels,
        hosts=tuple(one.hosts),
        previous=one.previous,
        partial=bool(one.left_out),
        baselines=_baselines(one),
        swarm=packing.by_swarm(one.request.transport, one.repo),
    )


def _baselines(one: ResolvedRepo) -> dict[str, float | None]:
    """Nothing is compared in a roll back, and what is slow to measure must not keep it waiting."""
    if one.request.action == ROLLBACK:
        return {}
    return checks.measure(one.repo, one.master.place, Baselines(one.master.store).of(one.release))


def _meanwhile(do: Callable[[], _Done]) -> Future[_Done]:
    """Call ``do`` in a thread of its own; a process that ends does not wait for it, as it would for an executor's.

    Returns:
        What it will return, or raise.
    """
    future: Future[_Done] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # whatever it is, it is the caller's
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
