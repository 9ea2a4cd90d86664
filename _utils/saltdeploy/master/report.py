"""What an operator reads: who runs what, and how a deploy ended, as plain data for the outputter and for machines."""

from __future__ import annotations

from typing import Any

from saltdeploy.config import Repo
from saltdeploy.errors import DeployError
from saltdeploy.master.fleet import survey
from saltdeploy.master.pins import Pin, Pins
from saltdeploy.master.rollout import CONVERGED
from saltdeploy.master.sync import Master, Report
from saltdeploy.orders import Holdings, Result

_ANSWER_WITHIN = 5.0  # seconds


def of_deploy(report: Report, repo: str) -> dict[str, Any]:
    """The view ``outcome``: how a deploy ended."""
    outcome = report.outcome
    return {
        "view": "outcome",
        "retcode": 0 if outcome.word == CONVERGED else 1,
        "deploy": report.deploy,
        "repo": repo,
        "tag": report.release.tag,
        "commit": report.release.commit,
        "previous": report.previous,
        "outcome": outcome.word,
        "ok": outcome.ok,
        "total": outcome.total,
        "reason": outcome.reason,
        "next": report.next,
        "seconds": report.seconds,
        "hosts": report.hosts,
    }


def of_error(error: DeployError) -> dict[str, Any]:
    """The view ``error``: nothing was asked of any host."""
    return {"view": "error", "retcode": 1, "error": error.to_wire()}


def of_fleet(repo: Repo, master: Master) -> dict[str, Any]:
    """The view ``report``: ask every target what it runs; tell what was last seen of those that do not answer.

    A host's ``state`` is ``pinned`` (it runs what is pinned), ``drift`` (it runs something else), ``nothing``
    (no whole release of this repo is live) or ``unreachable``. The return code is 0 when all are ``pinned``.
    """
    pins = Pins(master.root)
    pin = pins.get(repo.name)
    hosts = sorted({*master.targets(repo.targets, repo.targets_type), *_members(pin, master)})
    answers = survey(master.bus, hosts, repo.name, master.secret, _ANSWER_WITHIN)
    pins.note(repo.name, [answer for answer in answers.values() if answer.ok], master.bus.now())
    seen = pins.seen(repo.name)
    shown = {host: _host(answers.get(host), seen.get(host), pin) for host in hosts}
    agree = pin is not None and all(entry["state"] == "pinned" for entry in shown.values())
    return {
        "view": "report",
        "retcode": 0 if agree else 1,
        "repo": repo.name,
        "pinned": {"tag": pin.release.tag, "commit": pin.release.commit} if pin else None,
        "hosts": shown,
    }


def _members(pin: Pin | None, master: Master) -> set[str]:
    """Targets of the last deploy that are still minions of this master, whether or not they match today."""
    return set(pin.hosts) & set(master.accepted()) if pin else set()


def _host(answer: Result | None, seen: dict[str, Any] | None, pin: Pin | None) -> dict[str, Any]:
    held = answer.holdings if answer else Holdings.from_wire(seen and seen["holdings"])
    entry: dict[str, Any] = {
        "reachable": answer is not None,
        "live": held.live,
        "tag": held.tags.get(held.live, ""),
        "held": [held.tags.get(commit) or commit for commit in held.held],
        "seen": seen["time"] if seen else None,
        "state": _state(answer, held, pin),
    }
    if answer is not None and answer.error is not None:
        entry["error"] = answer.error.to_wire()
    return entry


def _state(answer: Result | None, held: Holdings, pin: Pin | None) -> str:
    if answer is None:
        return "unreachable"
    if not held.live:
        return "nothing"
    return "pinned" if pin and held.live == pin.release.commit else "drift"
