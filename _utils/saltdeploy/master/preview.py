"""The plan of a deploy: what it would change on each host, and a hash that holds as long as that is true.

Nothing is asked of any host but what it holds. What is packed to tell its size is kept, as the deploy will need it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo, transports
from saltdeploy.config.rollout import Restart
from saltdeploy.git.reader import Difference
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile, DeployError, PlanMoved
from saltdeploy.lib.spelling import argument
from saltdeploy.master import check_places, guards, minions, packing, transport_choice
from saltdeploy.master import source as master_source
from saltdeploy.master.context import Master
from saltdeploy.master.history import history_of
from saltdeploy.master.locking.locks import Locks, is_held
from saltdeploy.master.packing import Packing
from saltdeploy.master.pins import Pins
from saltdeploy.master.plan_model import Request
from saltdeploy.master.transport_choice import TransportChoice, TransportChooser
from saltdeploy.master.waves import Wave, groups_of, limited, waves
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release, file_name

_KEPT = 7 * 86_400.0  # seconds
_HASH = re.compile(r"[0-9a-f]{64}")
_WAVE = ("name", "hosts", "window", "limit", "hold")

Facts = dict[str, Any]
"""Everything that the hash is about, as plain data."""


def forecast(wish: Request, repo: Repo, master: Master) -> dict[str, Any]:
    """The view ``plan``: what ``deploy.sync`` would do with the same wish.

    The return code is 1 when a guard would refuse it.

    Raises:
        NoTargets: for nobody.
        NoSuchTag, Unavailable: for no release.
    """
    pin = Pins(master.root).get(repo.name)
    everybody = master.targets(repo.targets, repo.targets_type)
    if not everybody:
        guards.refuse_bad_targets(repo, everybody, pin, set(), force=wish.force)
    hosts = limited(repo, everybody, wish.limit, master.targets)
    groups = waves(repo, hosts, lambda group: master.targets(group.targets, group.targets_type))
    source = master_source.Source(repo, master.root)
    tag = source.tag(wish.tag)
    release = Release(repo.name, tag.name, tag.commit)
    wanted = transport_choice.of_each(wish.transport, repo, hosts, master.targets)
    holds, silent = minions.asked(repo, hosts, master)
    facts = _facts(repo, release, groups, holds, wanted, packing.by_swarm(wish.transport, repo))
    travels = transport_choice.ways(wanted, TransportChooser(repo, source, tag, holds, master).choose)
    standing, unreadable = check_places.of(repo, source.repository, tag.commit)
    refusals = [*_refusals(wish, repo, source, tag, everybody, master), *unreadable]
    return {
        "view": "plan",
        "retcode": 1 if refusals else 0,
        "repo": repo.name,
        "tag": tag.name,
        "commit": tag.commit,
        "limit": wish.limit,
        "once": wish.transport,
        "previous": pin.release.tag if pin else "",
        "hash": _keep(facts, repo, master),
        "waves": facts["waves"],
        "transport": facts["transport"],
        "ways": [way.to_wire() for way in travels],
        "hosts": _changes(repo, source, tag, holds, silent, travels, master),
        "restarts": list(_told(repo.restart)),
        "checks": [each["check"] for each in standing],
        "places": standing,
        "guards": refusals,
        "left_out": [host for host in everybody if host not in set(hosts)],
    }


def refuse_moved(
    wish: Request, repo: Repo, release: Release, groups: tuple[Wave, ...], master: Master
) -> None:
    """See to it that a plan is still true.

    Args:
        wish: knows the plan's hash.
        release, groups: what would be deployed now.

    Raises:
        PlanMoved: it is not; the cause says what is different.
    """
    hosts = [host for wave in groups for host in wave.hosts]
    known = wish.plan
    wanted = transport_choice.of_each(wish.transport, repo, hosts, master.targets)
    swarm = packing.by_swarm(wish.transport, repo)
    facts = _facts(repo, release, groups, minions.asked(repo, hosts, master)[0], wanted, swarm)
    if _hash_of(facts) == known:
        return
    raise PlanMoved(
        _what_moved(repo, known, facts, master),
        repo=repo.name,
        next=f"salt-run deploy.plan repo={repo.name} {argument('tag', release.tag)}",
    )


def _what_moved(repo: Repo, known: str, facts: Facts, master: Master) -> str:
    try:
        note = _note(repo, known, master)
        then: Facts = durable.read(note, _as_facts, {}, repo=repo.name) if _HASH.fullmatch(known) else {}
    except DamagedFile as error:
        return f"what was planned is not known: {error.cause} ({error.path})"
    return "; ".join(_moved(then, facts)) if then else "no plan of this repo has this hash"


_as_facts = durable.fields(
    tag=str, commit=str, transport=str, hosts=dict, waves=list, restarts=dict, checks=list
)


# -- what the hash is about -----------------------------------------------------------------------------


def _facts(
    repo: Repo,
    release: Release,
    groups: tuple[Wave, ...],
    held: dict[str, Holdings],
    wanted: dict[str, str],
    swarm: bool,
) -> Facts:
    facts = {
        "tag": release.tag,
        "commit": release.commit,
        "transport": ", ".join(sorted(set(wanted.values()))) + (" by swarm" if swarm else ""),
        "transports": wanted,
        "waves": [{key: getattr(wave, key) for key in _WAVE} for wave in groups],
        "hosts": {host: held[host].live for host in held},
        "restarts": dataclasses.asdict(repo.restart),
        "checks": [dataclasses.asdict(check) for check in (repo.depool, *repo.checks, repo.repool) if check],
    }
    plain: Facts = json.loads(json.dumps(facts, default=str))
    return plain


def _hash_of(facts: Facts) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _keep(facts: Facts, repo: Repo, master: Master) -> str:
    """Note what the plan was, so that later it can be told what has moved; return its hash."""
    known = _hash_of(facts)
    note = _note(repo, known, master)
    note.parent.mkdir(parents=True, exist_ok=True)
    durable.write(note, facts)
    for old in note.parent.glob("*.json"):
        if old.stat().st_mtime < note.stat().st_mtime - _KEPT:
            old.unlink(missing_ok=True)
    return known


def _note(repo: Repo, known: str, master: Master) -> Path:
    return master.root / "plans" / file_name(repo.name) / f"{known}.json"


def _moved(then: Facts, now: Facts) -> Iterator[str]:
    for part in ("tag", "commit", "transport"):
        if then[part] != now[part]:
            yield f"the {part} was {then[part]} and is {now[part]}"
    for host in sorted({*then["hosts"], *now["hosts"]}):
        was, now_is = then["hosts"].get(host), now["hosts"].get(host)
        if was != now_is:
            yield f"{host} was {_place(was)} and is {_place(now_is)}"
    for host, transport in now["transports"].items():
        was = then.get("transports", {}).get(host, transport)
        if was != transport and then["transport"] == now["transport"]:
            yield f"{host} was to take transport {was} and is to take {transport}"
    for part in ("waves", "restarts", "checks"):
        if then[part] != now[part]:
            yield f"the {part} are different"


def _place(live: str | None) -> str:
    return "no target" if live is None else f"at {live}" if live else "empty"


# -- what would change ----------------------------------------------------------------------------------


def _changes(
    repo: Repo,
    source: master_source.Source,
    tag: Tag,
    holds: dict[str, Holdings],
    silent: set[str],
    travels: tuple[TransportChoice, ...],
    master: Master,
) -> dict[str, dict[str, Any]]:
    # what the others bring by themselves is not known here; it is about what a bundle would
    known = {host: _known(way, repo) for way in travels for host in way.hosts}
    order = Order("pin", 0, FETCH, Release(repo.name, tag.name, tag.commit), "bundle")
    offers = Packing(order, tag, repo, master.payloads, lambda: source, known)
    offers.pack(holds.items())
    starts = {holdings.live for holdings in holds.values()}
    differences = {start: _difference(source.repository, start, tag) for start in starts}
    return {
        host: {
            "from": holdings.tags.get(holdings.live) or holdings.live,
            **_counts(differences[holdings.live]),
            "bytes": _bytes(offers.order_for(host), holdings),
            "unreachable": host in silent,
        }
        for host, holdings in holds.items()
    }


def _known(way: TransportChoice, repo: Repo) -> str:
    # an image of a whole release is made for a deploy, and not to tell its size
    is_packed = transports.row(way.transport).sized or (way.why and repo.layout != "overlay")
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
        yield f"service {service.name} ({service.action})"
    for signal in restart.signals:
        yield f"signal {signal.name} to {signal.unit or signal.pidfile}"
    if restart.command:
        yield shlex.join(restart.command)
    for port in restart.ports:
        yield f"wait for port {port}"


# -- what would refuse it -------------------------------------------------------------------------------


def _refusals(
    wish: Request, repo: Repo, source: master_source.Source, tag: Tag, everybody: list[str], master: Master
) -> list[str]:
    pin = Pins(master.root).get(repo.name)
    release = Release(repo.name, tag.name, tag.commit)
    history = history_of(repo.name, master.root, master.store, running=is_held(master.root, repo.name))
    before = pin.release.commit if pin else ""
    locks = Locks(master.root, master.store, master.bus.now)
    all_of_them: list[Callable[[], None]] = [
        lambda: locks.refuse(repo.name, groups_of(repo, wish.limit), force=wish.force),
        lambda: guards.refuse_frozen(repo, master.bus.now(), force=wish.force),
        lambda: guards.refuse_bad_targets(repo, everybody, pin, set(master.accepted()), force=wish.force),
        lambda: guards.refuse_moved(release, history),
        lambda: guards.refuse_bad(release, history, force=wish.force),
        lambda: guards.refuse_dangerous(repo, source, tag, before, force=wish.force),
    ]
    return [text for guard in all_of_them if (text := _refusal(guard))]


def _refusal(guard: Callable[[], None]) -> str:
    try:
        guard()
    except DeployError as error:
        return error.cause
    return ""
