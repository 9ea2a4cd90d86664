"""What an operator reads: who runs what, and how a deploy ended, as plain data for the outputter and for machines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltdeploy.lib.errors import DeployError, Unavailable
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.testimony import Testimony, Word
from saltdeploy.master.rollout.model import CONVERGED
from saltdeploy.master.running.unfinished import DIED, Unfinished, unfinished
from saltdeploy.protocol import events
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal

if TYPE_CHECKING:
    from saltdeploy.config import Repo
    from saltdeploy.master.context import Master
    from saltdeploy.master.deploy import Report
    from saltdeploy.master.records.state import HostState

_ANSWER_WITHIN = 5.0  # seconds
_LEFT_BEHIND = (
    "drift",
    "nothing",
    "stale",
    "unreachable",
    "unsettled",
)  # of a suspended host nobody expects better


def of_deploy(report: Report) -> dict[str, Any]:
    """The view ``outcome``: how a deploy ended."""
    outcome, script = report.outcome, report.course.script
    release, others = script.lead.release, script.parts[1:]
    also = [{**part.release.to_wire(), "previous": part.previous, **_root(part.order)} for part in others]
    return {
        "view": "outcome",
        "retcode": 0 if outcome.word == CONVERGED else 1,
        "deploy": script.deploy,
        "repo": release.repo,
        "tag": release.tag,
        "commit": release.commit,
        "previous": script.lead.previous,
        **_root(script.lead.order),
        **({"also": also} if also else {}),
        "ways": [way.to_wire() for part in script.parts for way in part.ways],
        "outcome": outcome.word,
        "ok": outcome.ok,
        "total": outcome.total,
        "reason": outcome.reason,
        "next": report.next,
        "seconds": report.seconds,
        "astray": list(outcome.astray),
        "unwell": list(outcome.unwell),
        "left_out": list(script.left_out),
        "hosts": {
            name: _of_host(host, release.repo) for name, host in report.course.hosts.items() if host.state
        },
    }


def _of_host(host: HostState, lead: str) -> dict[str, Any]:
    commit, tag = host.live.get(lead, ("", ""))
    shown: dict[str, Any] = {
        "state": host.state,
        "live": commit,
        "tag": tag,
        "bytes": host.bytes,
        "files": host.files,
    }
    also = {repo: {"live": commit, "tag": tag} for repo, (commit, tag) in host.live.items() if repo != lead}
    if also:
        shown["also"] = also
    if host.error is not None:
        shown["error"] = host.error
    if host.moved_aside:
        shown["moved_aside"] = host.moved_aside
    if host.taken_over:
        shown["taken_over"] = host.taken_over
    if host.left_behind:
        shown["left_behind"] = host.left_behind
    if host.untracked:
        shown["untracked"] = host.untracked
    return shown


def of_watched(repo: str, deploy: str, last: events.Event, root: Path) -> dict[str, Any]:
    """The view ``watched``: what the last event of a deploy that one has followed says; without an end, what became of it."""
    ended = last.get("event") == events.FINISHED
    keys = ("tag", "outcome", "ok", "total", "reason", "next", "also")
    known = {key: last[key] for key in keys if key in last} if ended else {}
    if not ended:
        found = unfinished(repo, root)
        known = _unfinished(found if found and found.deploy == deploy else None)
        if not Journals(root).path(repo, deploy).is_file():
            known |= {"begun": False, "log": str(root / "deploy.log")}
    fine = known.get("outcome") == CONVERGED
    return {"view": "watched", "repo": repo, "deploy": deploy, **known, "retcode": 0 if fine else 1}


def of_error(error: DeployError) -> dict[str, Any]:
    """The view ``error``: nothing was asked of any host."""
    return {"view": "error", "retcode": 1, "error": error.to_wire()}


def of_versions(repo: str, history: History, root: Path) -> dict[str, Any]:
    """The view ``versions``: the history, newest first; and ``before``, the tag that a roll back leads to, as far as it tells.

    A deploy that has not ended stands in ``unfinished``, see :meth:`saltdeploy.master.running.unfinished.Unfinished.to_wire`.
    Each version has ``hosts``: how many run its release now, of ``of_hosts``, as they answered last; nobody is asked.
    """
    versions = history.versions(repo)
    live = _live(repo, root)
    now_on = Counter(live.values())
    before = lineage(repo, versions).before
    return {
        "view": "versions",
        "repo": repo,
        "before": before.tag if before else "",
        **_unfinished(unfinished(repo, root, versions)),
        "of_hosts": len(live),
        "versions": [{**version, "hosts": now_on[version["commit"]]} for version in versions],
    }


def _live(repo: str, root: Path) -> dict[str, str]:
    """What each host that has a pin ran when it answered last; "" where it ran nothing."""
    pins = Pins(root)
    ours = {host for pin in pins.all(repo) for host in pin.hosts}
    return {host: held.live for host, held in pins.holdings(repo).items() if host in ours}


def of_fleet(repo: Repo, master: Master) -> dict[str, Any]:
    """The view ``report``: ask every target what it runs; tell what was last seen of those that do not answer.

    A host's ``state`` is ``pinned`` (it runs what is pinned), ``drift`` (it runs something else, or has other bytes), ``nothing``
    (no whole release of this repo is live), ``damaged`` (what is live was found not to be what its release is),
    ``unsettled`` (its restart or checks after a switch did not all pass), ``stale`` (a process of its services is older than
    the switch), ``suspended`` (an operator has it left out, and it is not where it should be), ``switched`` (it runs the release of a deploy that has not ended) or ``unreachable``. The return code is 0 when
    all are ``pinned``, no deploy has died, and no host knows of deploys that this master knows nothing of; what those say
    stands in ``unrecorded``. ``purpose``: what the repo is deployed for, where that is not code. ``unfinished``: the deploy that
    has not ended. ``before``: the tag that a roll back leads to, ""
    where there is none or it is not known. A host that gave no answer has ``over_ssh`` where it is no minion.
    """
    from saltdeploy.master.fleet.survey import survey  # nothing else here asks hosts
    from saltdeploy.master.fleet.suspended import Suspensions

    pins = Pins(master.root)
    pin = pins.get(repo.name)
    hosts = sorted({*master.targets(repo.targets.expression, repo.targets.type), *_members(pin, master)})
    answers = survey(master, hosts, repo.name, _ANSWER_WITHIN)
    pins.note(repo.name, [answer for answer in answers.values() if answer.ok], master.bus.now())
    seen = pins.seen(repo.name)
    own = pins.of_hosts(repo.name, hosts)
    versions = _versions(repo, master)
    under_way = unfinished(repo.name, master.root, versions or ())
    goal = under_way.commit if under_way else ""
    shown = {host: _host(answers.get(host), seen.get(host), own[host], repo, goal) for host in hosts}
    for host in master.over_ssh & (shown.keys() - answers.keys()):
        shown[host]["over_ssh"] = True
    for host, each in Suspensions(master.root).at(master.bus.now(), repo.name).items():
        if host in shown:
            shown[host] |= {"suspended": str(each)}
            if shown[host]["state"] in _LEFT_BEHIND:
                shown[host]["state"] = "suspended"
    words = {host: Word.of(answer) for host, answer in answers.items() if answer.ok}
    testimony = Testimony(words, versions) if versions is not None else None
    unrecorded = testimony.to_wire() if testimony and testimony.is_behind else None
    before = lineage(repo.name, versions or ()).before if unrecorded is None else None
    dead = under_way is not None and under_way.state == DIED
    clear = bool(shown) and unrecorded is None and not dead
    agree = clear and all(entry["state"] in ("pinned", "suspended") for entry in shown.values())
    return {
        "view": "report",
        "retcode": 0 if agree else 1,
        "repo": repo.name,
        "before": before.tag if before else "",
        **({"purpose": repo.hooks.purpose} if repo.hooks.purpose != "code" else {}),
        **({"unrecorded": unrecorded} if unrecorded else {}),
        **_unfinished(under_way),
        "pinned": _release(pin) if pin else None,
        "partly_pinned": [
            {**_release(one), "hosts": list(one.hosts)} for one in pins.all(repo.name) if one.partial
        ],
        "hosts": shown,
    }


def _unfinished(found: Unfinished | None) -> dict[str, Any]:
    return {"unfinished": found.to_wire()} if found else {}


def _versions(repo: Repo, master: Master) -> list[dict[str, Any]] | None:
    """The history; None when its store is away: what hosts run is told all the same."""
    try:
        history = history_of(repo.name, master.root, master.store, running=is_held(master.root, repo.name))
        return history.versions(repo.name)
    except Unavailable:
        return None


def _release(pin: Pin) -> dict[str, str]:
    return {"tag": pin.release.tag, "commit": pin.release.commit, **_root(pin.order)}


def _root(order: Order) -> dict[str, str]:
    """The root of a release, where it is known."""
    return {"root": order.seal.root} if order.seal else {}


def _members(pin: Pin | None, master: Master) -> set[str]:
    """Targets of the last deploy that are still minions of this master, whether or not they match today."""
    return set(pin.hosts) & set(master.accepted()) if pin else set()


def _host(
    answer: Result | None, seen: dict[str, Any] | None, pin: Pin | None, repo: Repo, goal: str
) -> dict[str, Any]:
    """What is known of one host; ``goal``: the commit of a deploy that has not ended."""
    held = answer.holdings if answer else Holdings.from_wire(seen and seen["holdings"])
    entry: dict[str, Any] = {
        "reachable": answer is not None,
        "live": held.live,
        "tag": held.tags.get(held.live, ""),
        "held": [held.tags.get(commit) or commit for commit in held.held],
        "seen": seen["time"] if seen else None,
        "state": _state(answer, held, pin, repo, goal),
    }
    if held.live in held.roots:
        entry["root"] = held.roots[held.live]
    if answer is not None and answer.error is not None:
        entry["error"] = answer.error.to_wire()
    if entry["state"] == "stale" and answer is not None:
        entry["stale"] = answer.facts["stale"]
    if answer is not None and (left := answer.facts.get("left_behind")):
        entry["left_behind"] = left
    if answer is not None and (under := answer.facts.get("maintenance")):
        entry["maintenance"] = under
    return entry


def _state(answer: Result | None, held: Holdings, pin: Pin | None, repo: Repo, goal: str) -> str:
    if answer is None:
        return "unreachable"
    if held.damaged:
        return "damaged"
    if not held.live:
        return "nothing"
    if held.unsettled:
        return "unsettled"
    if (not pin or held.live != pin.release.commit) and held.live == goal:
        return "switched"
    if not pin or held.live != pin.release.commit or _has_other_bytes(held, pin.order.seal, repo):
        return "drift"
    return "stale" if answer.facts.get("stale") else "pinned"


def _has_other_bytes(held: Holdings, seal: Seal | None, repo: Repo) -> bool:
    """Whether a host has told a root, and it is not the one of its pin; that tells nothing of trees of another shape."""
    known = seal is not None and seal.shape == repo.shape
    return known and seal is not None and held.roots.get(held.live, seal.root) != seal.root
