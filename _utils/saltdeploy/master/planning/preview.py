"""Shows what a deploy would do. The plan is that of :mod:`saltdeploy.master.planning.plan`: nothing is decided here.

Nothing is asked of any host but what it holds. What is packed to tell its size is kept, as the deploy will need it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from saltdeploy.config import Repo, transports
from saltdeploy.config.purpose import CODE, DEFAULTS
from saltdeploy.config.rollout import AROUND, Restart
from saltdeploy.config.schema import REPO_KEYS
from saltdeploy.config.signal_kinds import PluggedSignal
from saltdeploy.git.objects import Difference
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.lib.errors import BadChecks, Corrupt, DeployError, GitFailed, Locked
from saltdeploy.lib.forcing import GUARDS
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import survey
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.plan_model import Request
from saltdeploy.master.planning import (
    check_places,
    config_differences,
    dependencies,
    derived,
    once,
    plan_hash,
    transport_choice,
    untracked,
)
from saltdeploy.master.planning.plan import Draft, configured, make_plan, ways
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.master.planning.terms import policies_of
from saltdeploy.master.planning.transport_choice import TransportChoice
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order

_WITHOUT_EFFECT = {
    "shadow_reference": "what releases share on a host's disk follows from the layout",
    "automated": "nothing deploys by itself; a host that was away converges by the state deploy.pinned",
    "sync_script": "git deploy sync does what it did; steps of your own are checks and module calls",
    "deployment_repo_group": "the group and the umask of who commits are those of the staging repository's files",
}
_OF_THE_MASTER = "Restarts and checks are those that the pillar gives the master; a host follows its own pillar, and may have others"


def preview(request: Request, pillar: dict[str, Any], site: str, master: Master) -> dict[str, Any]:
    """What ``deploy.sync`` would do with the same request, and why it would refuse it.

    Args:
        pillar, site: see :func:`saltdeploy.config.load`.

    Raises:
        DeployError: there is nobody, or no release, to make a plan of.
    """
    refusals: list[DeployError] = []
    needed = dependencies.of(request, pillar, site)
    draft = make_plan(request, configured(request, pillar, site), {}, master, needed, refusals.append)
    return render(draft, refusals, master)


def render(draft: Draft, refusals: Sequence[DeployError], master: Master) -> dict[str, Any]:
    """The view ``plan`` of the repo that leads. Its return code is 1 when a guard refuses it.

    Args:
        refusals: what the guards said.

    Raises:
        Corrupt, GitFailed: what would change cannot be told, since the repository lacks a part of the release.
    """
    one, repo = draft.lead, draft.lead.repo
    source = one.open_source()
    held, silent = survey.asked(repo, one.hosts, master)
    facts = plan_hash.facts_of(one, draft.waves, held)
    travels = ways(one, held)
    try:
        changes = _changes(one, held, silent, travels)
    except (GitFailed, Corrupt) as error:  # a guard that looked at the trees has said it better
        raise next((said for said in refusals if isinstance(said, Corrupt)), error) from None
    gone = untracked.asked(one, held, silent)
    places = check_places.of(repo, source.repository, one.tag.commit)
    restarts = list(_told(repo.hooks.restart))
    of_the_master = restarts or any(each["source"] == "pillar" for each in places)
    return {
        "view": "plan",
        "retcode": 1 if refusals else 0,
        "repo": repo.name,
        "tag": one.release.tag,
        "commit": one.release.commit,
        "revision": one.request.revision,
        "untagged": one.untagged is not None,
        "limit": draft.request.limit,
        "once": draft.request.transport,
        "overrides": dict(draft.request.overrides),
        "previous": one.previous,
        "hash": plan_hash.keep(facts, repo, master),
        "waves": facts["waves"],
        "policies": list(_policies(draft)),
        "transport": facts["transport"],
        "ways": [way.to_wire() for way in travels],
        "hosts": changes,
        "restarts": restarts,
        "checks": [each["check"] for each in places],
        "places": places,
        "guards": list(map(_reason, refusals)),
        "refusals": [error.to_wire() for error in refusals],
        "forced_by": _forced_by(refusals),
        "untracked": gone,
        "remarks": [
            *_naming(one),
            *derived.remarks(one),
            *_without_effect(repo),
            *_purpose(repo),
            *_shared(repo),
            *_once(draft),
            *_apart(draft),
            *_over_ssh(one),
            *untracked.remarks(gone, repo),
            *([_OF_THE_MASTER] if of_the_master else []),
        ],
        "left_out": one.left_out,
        **(
            {"config": config_differences.of(repo, source.repository, one.release, one.hosts, master)}
            if repo.paths.config_files
            else {}
        ),
    }


def _naming(one: ResolvedRepo) -> Iterator[str]:
    """What a commit is called that is deployed without a tag."""
    if one.untagged is not None:
        yield (
            f"{one.request.revision} is {one.tag.as_made.commit} now. It has no tag yet: the deploy makes one on this master, "
            f"{one.release.tag} if nobody takes that before; this plan makes none"
        )
    elif one.request.revision:
        yield f"{one.request.revision} is {one.tag.as_made.commit} now, which was tagged {one.release.tag} on this master before"


def _without_effect(repo: Repo) -> Iterator[str]:
    """Trebuchet's keys that are accepted and change nothing, where the pillar sets them."""
    for key, instead in _WITHOUT_EFFECT.items():
        said = repo.pillar.trebuchet.get(key)
        if said and said != REPO_KEYS[key][0]:
            yield f"{key} of the pillar is accepted and changes nothing: {instead}"


def _purpose(repo: Repo) -> Iterator[str]:
    """What follows on a host because of what the repo is deployed for."""
    if repo.hooks.purpose != CODE:
        restart = repo.hooks.restart
        told = restart.services or restart.signals or restart.command
        nobody = (
            "" if told else ". The pillar names no service, signal or command: nobody is told of a release"
        )
        yield f"Purpose {repo.hooks.purpose}: unless the pillar says otherwise {DEFAULTS[repo.hooks.purpose]}{nobody}"


def _shared(repo: Repo) -> Iterator[str]:
    """What of a release no host takes."""
    if repo.paths.shared.paths:
        yield (
            f"Shared on each host, at {repo.paths.shared_place}, and no part of a release: {', '.join(repo.paths.shared.paths)}. What is "
            "there stays as it is; what the live tree has at these paths is taken over in the switch"
        )
    if repo.contents.exclude:
        yield f"Left out on each host, though counted among the files here: {', '.join(repo.contents.exclude.paths)}"


def _apart(draft: Draft) -> Iterator[str]:
    """Who is suspended, and why."""
    yield from dict.fromkeys(f"Left out: {each}" for one in draft.repos for each in one.suspended)


def _once(draft: Draft) -> Iterator[str]:
    """Which steps run once, and what of them no roll back undoes."""
    yield from once.remarks(draft.steps, [one.repo for one in draft.repos])
    for one in draft.repos:
        yield from once.lasting(one)


def _over_ssh(one: ResolvedRepo) -> Iterator[str]:
    """Who has no minion, and who is in the roster for nothing."""
    if hosts := [host for host in one.hosts if host in one.master.over_ssh]:
        yield f"Without a minion, asked over ssh: {', '.join(hosts)}. They match by their ids, and by grains of the roster"
    if twice := [host for host in one.hosts if host in one.master.twice]:
        yield f"In the roster as well, asked as the minions that they are: {', '.join(twice)}"


def _policies(draft: Draft) -> Iterator[str]:
    """What follows when things go wrong; the default as well, of which the pillar says nothing."""
    failed, untold = policies_of(draft.request, draft.lead.repo)
    yield f"More hosts fail than may: {failed}"
    yield f"That cannot be told (hosts are silent, checks have no verdict): {untold or f'{failed}, as if they had failed'}"
    for wave in {wave.group: wave for wave in draft.waves}.values():
        if wave.on_inconclusive != untold:
            yield f"That cannot be told of {wave.group}: {wave.on_inconclusive or failed}"


def _reason(error: DeployError) -> str:
    """Why a guard refuses; a file of the release is named, since its author is to mend it."""
    return f"{error.path}: {error.cause}" if isinstance(error, (BadChecks, Corrupt)) else error.cause


def _forced_by(refusals: Sequence[DeployError]) -> str:
    """What ``force=`` has to name so that none of these refuses; "" where one cannot be forced."""
    names: list[str] = []
    for error in refusals:
        forced = "lock" if isinstance(error, Locked) else error.next.rpartition(" force=")[2]
        named = forced.split(",")
        if not {*named} <= {*GUARDS}:
            return ""
        names += named
    return ",".join(dict.fromkeys(names))


# -- what would change ----------------------------------------------------------------------------------


def _changes(
    one: ResolvedRepo,
    held: dict[str, Holdings],
    silent: set[str],
    travels: tuple[TransportChoice, ...],
) -> dict[str, dict[str, Any]]:
    # what the others bring by themselves is not known here; it is about what a bundle would
    known = {host: _sized_as(way, one.repo.layout.name) for way in travels for host in way.hosts}
    order = Order("pin", 0, FETCH, one.release, "bundle")
    offers = Packing(order, one.tag, one.repo, one.master.payloads, one.open_source, known)
    offers.pack(held.items())
    repository = one.open_source().repository
    starts = {each.live for each in held.values()}
    differences = {start: _difference(repository, start, one.tag) for start in starts}
    return {
        host: {
            "from": holdings.tags.get(holdings.live) or holdings.live,
            **_counts(differences[holdings.live]),
            "bytes": _bytes(offers.order_for(host), holdings),
            "unreachable": host in silent,
        }
        for host, holdings in held.items()
    }


def _sized_as(way: TransportChoice, layout: str) -> str:
    # an image of a whole release is made for a deploy, and not to tell its size
    is_packed = transports.row(way.transport).sized or (way.why and layout != "overlay")
    return way.transport if is_packed else "bundle"


def _difference(repository: Repository, start: str, tag: Tag) -> Difference | None:
    """None where the repository no longer has what a host runs."""
    known = not start or repository.has(start)
    return repository.difference(start, tag.commit) if known else None


def _counts(found: Difference | None) -> dict[str, int | None]:
    return {key: getattr(found, key, None) for key in ("added", "changed", "removed")}


def _bytes(order: Order, holdings: Holdings) -> int:
    """What the host will receive."""
    return (
        0 if order.release.commit in holdings.held else transport_choice.needed(order.payloads, holdings)[0]
    )


def _told(restart: Restart) -> Iterator[str]:
    for service in restart.services:
        action = (
            "stopped before the switch, started behind it" if service.action == AROUND else service.action
        )
        yield f"service {service.name} ({action})"
    for signal in restart.signals:
        if isinstance(signal, PluggedSignal):
            yield f"signal {signal}"
        else:
            yield f"signal {signal.name} to {signal.unit or signal.pidfile}"
    if restart.command:
        yield shlex.join(restart.command)
    for port in restart.ports:
        yield f"wait for port {port}"
