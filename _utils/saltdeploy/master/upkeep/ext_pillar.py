"""What the ext_pillar tells a minion: its secret, the certificate for swarms, and the pins of the repos that it takes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.config import transports
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.master.payloads.swarm_identity import identity
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.secret import master_secret
from saltdeploy.master.waves import group_of
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.pillar import ECHO, EPOCH, RUNS, TAKEN
from saltdeploy.protocol.result import secret_for

log = logging.getLogger(__name__)


def data_for(
    host: str,
    root: Path,
    pillar: dict[str, Any],
    is_target: Callable[[str, str], bool],
    lost: Collection[str] = (),
    word: str = "",
) -> dict[str, Any]:
    """The data under the pillar key ``deploy`` for one minion.

    Args:
        host: the minion's id, as the master verified it.
        root: the master's directory for deploys.
        pillar: the pillar so far, with ``repo_config``.
        is_target: whether this minion matches ``(expression, type)``.
        lost: repos of which the minion says that nothing it holds fits what is pinned.
        word: with which the minion asks; "" where Salt asks for it.

    Returns:
        ``{"secret": ..., "swarm": {"certificate", "key"}, "pins": {repo: {"tag", "commit", "order"}}}``; and ``unknown``,
        repo to an error, where the master cannot tell what it has pinned: that is not to have pinned nothing. A minion
        that asks is told its word again, and under ``taken`` each repo that it takes: the last ``epoch`` that was given, and
        whether a deploy ``runs``. So it tells an old pin from one that a deploy is about to replace.
    """
    pins = Pins(root)
    found, unknown = {}, {}
    for name in pins.repos():
        try:
            repo = config.load(pillar, name)
        except DeployError:  # its section is gone or broken: the runner says so, the pillar must render
            continue
        try:
            told = _of_repo(repo, host, root, pins, is_target, lost)
        except (DeployError, OSError) as error:
            failed = from_os(error) if isinstance(error, OSError) else error
            log.error("No minion is told its pin: %s", failed.at(repo=name))
            if is_target(repo.targets.expression, repo.targets.type):
                unknown[name] = failed.to_wire()
            continue
        if told:
            found[name] = told
    secret = secret_for(host, master_secret(root))
    known: dict[str, Any] = {"secret": secret, "swarm": dict(identity(root).__dict__), "pins": found}
    known |= {"unknown": unknown} if unknown else {}
    if not word:
        return known
    return {**known, ECHO: word, TAKEN: _taken(root, pillar, {*found, *unknown}, is_target)}


def _taken(
    root: Path, pillar: dict[str, Any], told: Collection[str], is_target: Callable[[str, str], bool]
) -> dict[str, dict[str, Any]]:
    """What is to know of the deploys of each repo that a host takes, with a pin or without."""
    from saltdeploy.master.locking.locks import is_held, last_epoch  # only where a host asks

    repos, _ = config.load_all(pillar)
    names = [
        each.name
        for each in repos
        if each.name in told or is_target(each.targets.expression, each.targets.type)
    ]
    return {name: {EPOCH: last_epoch(root, name), RUNS: is_held(root, name)} for name in names}


def _of_repo(
    repo: config.Repo,
    host: str,
    root: Path,
    pins: Pins,
    is_target: Callable[[str, str], bool],
    lost: Collection[str],
) -> dict[str, Any]:
    """What a host is told of one repo; {} where it does not take it."""
    pin = pins.of_host(repo.name, host)
    if pin is None or not (host in pin.hosts or is_target(repo.targets.expression, repo.targets.type)):
        return {}
    from saltdeploy.master.payloads import packing

    holds = pins.holdings(repo.name).get(host, Holdings()).held
    if repo.name in lost or not holds:
        pin = _with_whole_release(pin, repo, host, root, pins)
    order = packing.by(pin.order, _transport(pin, host))
    seal = order.seal if order.seal and order.seal.shape == repo.shape else None
    order = dataclasses.replace(order, group=group_of(repo, is_target), seal=seal)
    return {"tag": pin.release.tag, "commit": pin.release.commit, "order": order.to_wire()}


def _with_whole_release(pin: Pin, repo: config.Repo, host: str, root: Path, pins: Pins) -> Pin:
    """The pin, with a payload for a host that holds nothing, or nothing that is of use; packed once per release."""
    from saltdeploy.content.payloads import Payloads
    from saltdeploy.git.repository import Tag
    from saltdeploy.master.payloads import annex_urls, packing
    from saltdeploy.master.payloads import source as master_source

    order = packing.by(pin.order, _transport(pin, host))
    starts = transports.row(order.transport).kinds[:1]
    if any(not each.base and each.kind in starts for each in order.payloads):
        return pin
    tag = Tag(pin.release.tag, pin.release.commit, pin.release.commit)
    try:
        source, payloads = master_source.Source(repo, root), Payloads(root / "payloads")
        packed = packing.pack(order, repo, source, payloads, tag, [Holdings()])
        packed += annex_urls.pack(order, repo, source, payloads, [""]) if packed else ()
    except (DeployError, OSError):  # the repository cannot be read now: hosts that are known still converge
        return pin
    if not packed:
        return pin
    whole = dataclasses.replace(pin.order, payloads=tuple(dict.fromkeys((*pin.order.payloads, *packed))))
    pins.replace_order(repo.name, host, whole)
    return dataclasses.replace(pin, order=whole)


def _transport(pin: Pin, host: str) -> str:
    return pin.transports.get(host, pin.order.transport)
