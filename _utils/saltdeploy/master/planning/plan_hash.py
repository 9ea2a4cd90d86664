"""The hash of a plan, which holds as long as the plan is true; and what has moved since, where it no longer is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile, PlanMoved
from saltdeploy.lib.spelling import argument
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import survey
from saltdeploy.master.payloads import packing
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.release import file_name

_KEPT = 7 * 86_400.0  # seconds
_HASH = re.compile(r"[0-9a-f]{64}")
_POLICIES = ("on_failure", "on_inconclusive")
_WAVE = ("name", "hosts", "window", "limit", "hold")

Facts = dict[str, Any]
"""Everything that the hash is about, as plain data."""

log = logging.getLogger(__name__)


def refuse_moved(one: ResolvedRepo, waves: tuple[Wave, ...]) -> None:
    """See to it that the plan that a request names is still true; hosts are asked what they hold.

    Raises:
        PlanMoved: it is not; the cause says what is different.
    """
    repo, known = one.repo, one.request.plan
    facts = facts_of(one, waves, survey.asked(repo, one.hosts, one.master)[0])
    if _hash_of(facts) == known:
        return
    raise PlanMoved(
        _what_moved(repo, known, facts, one.master),
        repo=repo.name,
        next=f"salt-run deploy.plan repo={repo.name} {one.request.release_argument or argument('tag', one.release.tag)}",
    )


def facts_of(one: ResolvedRepo, waves: tuple[Wave, ...], held: Mapping[str, Holdings]) -> Facts:
    """What the hash is about.

    Args:
        held: what each host holds.
    """
    repo = one.repo
    swarm = packing.by_swarm(one.request.transport, repo)
    facts = {
        "tag": one.said,
        "commit": one.release.commit,
        "transport": ", ".join(sorted(set(one.wanted.values()))) + (" by swarm" if swarm else ""),
        "transports": one.wanted,
        "waves": [{key: getattr(wave, key) for key in _WAVE} for wave in waves],
        "hosts": {host: held[host].live for host in held},
        "restarts": dataclasses.asdict(repo.hooks.restart),
        "checks": [
            dataclasses.asdict(check)
            for check in (repo.hooks.depool, *repo.hooks.checks, repo.hooks.repool)
            if check
        ],
    }
    if repo.paths.config_files:
        from saltdeploy.config import config_files

        facts["config_files"] = list(map(config_files.shown, repo.paths.config_files))
    if repo.hooks.once:
        facts["once"] = [dataclasses.asdict(step) for step in repo.hooks.once]
    for policy in _POLICIES:
        if policy in one.request.once:  # what the pillar says of it is no part of older hashes
            facts[policy] = getattr(repo.rollout, policy)
    plain: Facts = json.loads(json.dumps(facts, default=str))
    return plain


def _hash_of(facts: Facts) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def keep(facts: Facts, repo: Repo, master: Master) -> str:
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


def _moved_policies(then: Facts, now: Facts) -> Iterator[str]:
    for policy in _POLICIES:
        was, now_is = (each.get(policy, "as the pillar says") for each in (then, now))
        if was != now_is:
            yield f"{policy} was {was} and is {now_is}"


def _moved(then: Facts, now: Facts) -> Iterator[str]:
    for part in ("tag", "commit", "transport"):
        if then[part] != now[part]:
            yield f"the {part} was {then[part]} and is {now[part]}"
    yield from _moved_policies(then, now)
    for host in sorted({*then["hosts"], *now["hosts"]}):
        was, now_is = then["hosts"].get(host), now["hosts"].get(host)
        if was != now_is:
            yield f"{host} was {_place(was)} and is {_place(now_is)}"
    for host, transport in now["transports"].items():
        was = then.get("transports", {}).get(host, transport)
        if was != transport and then["transport"] == now["transport"]:
            yield f"{host} was to take transport {was} and is to take {transport}"
    for part in ("waves", "restarts", "checks", "once", "config_files"):
        if then.get(part) != now.get(part):
            yield f"the {part} are different"


def _place(live: str | None) -> str:
    return "no target" if live is None else f"at {live}" if live else "empty"


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
