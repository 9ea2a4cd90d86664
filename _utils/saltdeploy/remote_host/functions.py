"""What a host without a minion can be asked: the functions of ``_modules/deploy.py`` that a master calls, by their names.

A function that is no stage answers while the connection is there, and is asked again where it breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.config import Repo
from saltdeploy.content.slices import PathSlice
from saltdeploy.lib.errors import NoSuchTag, Unsupported
from saltdeploy.minion import adopt, by_hand, doctor, gc, own_orders, preseed, stages, untracked
from saltdeploy.minion.context import Host
from saltdeploy.protocol import orders
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result
from saltdeploy.remote_host.request import HostRequest, record_of

#: Stages: each is done in a process of its own.
STAGES = {f"deploy.{stage}": stage for stage in orders.STAGES}


def is_stage(request: HostRequest) -> bool:
    """Whether it is done in a process of its own; a roll back without an order is one by hand, and short."""
    return request.function in STAGES and bool(_order_of(request))


def subject(request: HostRequest) -> tuple[object, ...]:
    """What a stage is known by here: as ``deploy.result`` names it.

    Raises:
        DeployError: the order has a wrong form.
    """
    first = _orders_of(request)[0]
    return first.deploy, first.stage, first.release.repo, first.attempt


def asked_for(request: HostRequest) -> tuple[object, ...]:
    """The same, of the stage that ``deploy.result`` asks for."""
    said = _bound(request, "deploy", "stage", "repo", "attempt")
    attempt = said.get("attempt", 1)
    return said["deploy"], said["stage"], said["repo"], attempt


def stage(request: HostRequest, base: Path, host: Host) -> Result:
    """Do a stage, or give its stored answer; nothing but the answer comes out."""
    asked = _orders_of(request)
    tasks = [stages.Task(each, request.config(each.release.repo, base, each.deploy)) for each in asked]
    if asked[0].stage == orders.PRESEED:
        return preseed.preseed(asked[0], tasks[0].repo, host)
    return stages.run(tasks, host)


def answer(request: HostRequest, base: Path, host: Host) -> Result:
    """Do what is no stage.

    Raises:
        DeployError: it cannot be done.
    """
    name = request.function.partition(".")[2]
    if name == "doctor":
        return _doctor(request, base)
    if name == "gc":
        return _gc(request, base, host)
    if name not in _ON_REPO:
        raise Unsupported(
            f"{request.function} cannot be asked of a host without a minion",
            next="docs/ssh-hosts.md says what can",
        )
    names, act = _ON_REPO[name]
    said = _bound(request, *names)
    repo = str(said["repo"])
    return act(request.config(repo, base, str(said.get("deploy", ""))), said, host)


# -- one for each function ------------------------------------------------------------------------------


def _status(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    return stages.look(repo, host)


def _result(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    known = stages.result(said["deploy"], said["stage"], repo, host, said.get("attempt", 1))
    if known is not None:
        return stages.with_facts(known, known=True)
    running = stages.is_running(said["stage"], repo, host)
    return stages.with_facts(stages.status(repo, host), known=False, running=running)


def _verify(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    part = str(said.get("part") or "")
    piece = PathSlice.read(part) if part else None
    findings = stages.verify(repo, host, full=bool(said.get("full")), part=piece)
    read = {"part": part} if part else {}
    found = stages.with_facts(stages.status(repo, host), **findings.__dict__, **read)
    return found if findings.ok else stages.differing(found, findings, repo)


def _untracked(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    found = untracked.asked(repo, str(said.get("coming") or ""))
    return stages.with_facts(stages.status(repo, host), **found)


def _service(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    return by_hand.service(repo, str(said["verb"]), host)


def _maintenance(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    why = str(said.get("reason") or "an operator said so")
    return by_hand.under_maintenance(repo, host, on=bool(said["on"]), why=why)


def _config_diff(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    wanted = said["wanted"] if isinstance(said["wanted"], dict) else {}
    texts = {str(path): str(text) for path, text in dict(wanted.get("texts") or {}).items()}
    return by_hand.config_diff(repo, Release.from_wire(wanted.get("release") or {}), texts, host)


def _adopt(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    paths = [each.strip().rstrip("/") for each in str(said.get("path") or "").split(",") if each.strip()]
    return adopt.adopt(repo, host, paths, str(said.get("source") or ""))


def _join(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    error = Unsupported("a host without a minion takes part in no swarm")
    return Result(host.name, repo.name, status=error.status, error=error.at(repo=repo.name, host=host.name))


def _rollback(repo: Repo, said: Mapping[str, Any], host: Host) -> Result:
    now = time.time_ns() // 1000
    deploy = time.strftime("%Y%m%d%H%M%S", time.gmtime(now // 1_000_000)) + f"{now % 1_000_000:06d}"
    order = Order(deploy, stages.epoch(repo, host), orders.ROLLBACK, own_orders.previous(repo))
    return stages.run([stages.Task(order, repo)], host)


_ON_REPO: dict[str, tuple[tuple[str, ...], Callable[[Repo, Mapping[str, Any], Host], Result]]] = {
    "status": (("repo",), _status),
    "result": (("deploy", "stage", "repo", "attempt"), _result),
    "verify": (("repo", "full", "part"), _verify),
    "untracked": (("repo", "coming"), _untracked),
    "service": (("repo", "verb"), _service),
    "maintenance": (("repo", "on", "reason"), _maintenance),
    "config_diff": (("repo", "wanted"), _config_diff),
    "adopt": (("repo", "path", "source"), _adopt),
    "join": (("repo",), _join),
    "rollback": (("repo",), _rollback),
}


def _doctor(request: HostRequest, base: Path) -> Result:
    repo = str(_bound(request, "repo").get("repo") or "")
    record = record_of(base, request.host)
    pillar = {**request.pillar, "deploy": {**request.ours, "secret": bool(request.secret)}}
    return doctor.look(request.host, repo, pillar, pillar, request.site, time.time(), record, ())


def _gc(request: HostRequest, base: Path, host: Host) -> Result:
    said = _bound(request, "repo", "test", "wanted")
    repo = str(said.get("repo") or "")
    unreadable: dict[str, str] = {}
    if repo:
        request.refuse_unknown(repo)
        found = [request.config(repo, base)]
    else:
        found, unreadable = config.load_all(dict(request.pillar), request.site)
    unknown = {name: str(why.get("cause", "")) for name, why in (request.ours.get("unknown") or {}).items()}
    found, unreadable = [each for each in found if each.name not in unknown], {**unreadable, **unknown}
    wanted, test = said.get("wanted"), bool(said.get("test"))
    return gc.collect(found, host, whole=not repo, wanted=wanted, test=test, unreadable=unreadable)


# -- what was said --------------------------------------------------------------------------------------


def _bound(request: HostRequest, *names: str) -> dict[str, Any]:
    """The arguments by their names."""
    return {**dict(zip(names, request.arguments, strict=False)), **request.keywords}


def repo_of(request: HostRequest) -> str:
    """The repo that a request is about; "" where it is about none."""
    names = _ON_REPO.get(request.function.partition(".")[2], (("repo",), None))[0]
    return str(_bound(request, *names).get("repo") or "")


def _order_of(request: HostRequest) -> Any:
    return _bound(request, "repo", "order").get("order")


def _orders_of(request: HostRequest) -> list[Order]:
    given = _order_of(request)
    wires = given if isinstance(given, list) else [given]
    if not wires:
        raise NoSuchTag("an order of nothing")
    wanted = STAGES[request.function]
    return [
        Order.from_wire({**wire, "stage": wanted})
        for wire in wires[: orders.MOST_REPOS]
        if isinstance(wire, dict)
    ]
